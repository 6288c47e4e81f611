//! The floor: the least an init can do and still start a workload in namespaces
//! of its own. As /init it mounts what corm mounts, makes a cgroup with a pids
//! limit, clones into it and executes /hello, and nothing else: no config, no
//! supervision, no root of the workload's own, no log. The workload's stdout is
//! the kernel log itself.
//!
//! How long corm takes is judged against this program.
#![cfg_attr(target_env = "musl", no_std, no_main)]

#[cfg(not(target_env = "musl"))]
fn main() {}

#[cfg(target_env = "musl")]
mod floor {
    use core::ffi::CStr;
    use core::ptr;
    use corm_bench::{call, exit, libc};

    const NO_SUID: usize = libc::MS_NOSUID as usize;
    const NO_DEV: usize = libc::MS_NODEV as usize;
    const NO_EXEC: usize = libc::MS_NOEXEC as usize;

    struct Mount {
        target: &'static CStr,
        kind: &'static CStr,
        flags: usize,
        data: &'static CStr,
        make_first: bool,
    }

    const NOTHING: usize = NO_SUID | NO_DEV | NO_EXEC;

    const fn entry(target: &'static CStr, kind: &'static CStr, flags: usize, data: &'static CStr) -> Mount {
        Mount { target, kind, flags, data, make_first: false }
    }

    const fn made(entry: Mount) -> Mount {
        Mount { make_first: true, ..entry }
    }

    /// In the order and with the flags of corm's src/boot/mounts.rs.
    static MOUNTS: [Mount; 8] = [
        entry(c"/proc", c"proc", NOTHING, c""),
        entry(c"/dev", c"devtmpfs", NO_SUID | NO_EXEC, c""),
        entry(c"/sys", c"sysfs", NOTHING, c""),
        entry(c"/sys/fs/cgroup", c"cgroup2", NOTHING, c"nsdelegate,memory_recursiveprot"),
        made(entry(c"/dev/pts", c"devpts", NO_SUID | NO_EXEC, c"gid=5,mode=620,ptmxmode=666")),
        made(entry(c"/dev/shm", c"tmpfs", NOTHING, c"mode=1777")),
        entry(c"/run", c"tmpfs", NOTHING, c"mode=755"),
        entry(c"/tmp", c"tmpfs", NO_SUID | NO_DEV, c"mode=1777"),
    ];

    /// struct clone_args of clone3(2), as of Linux 5.7.
    #[repr(C)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }

    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    const NAMESPACES: u64 = (libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWNET) as u64;

    #[unsafe(no_mangle)]
    fn program(_: usize, _: *const *const u8) -> ! {
        for mount in &MOUNTS {
            let (kind, target, data) = (mount.kind.as_ptr(), mount.target.as_ptr(), mount.data.as_ptr());
            if mount.make_first {
                // SAFETY: `target` is NUL-terminated.
                unsafe { call!(mkdirat, libc::AT_FDCWD, target, 0o755) };
            }
            // SAFETY: all strings are NUL-terminated.
            unsafe { call!(mount, kind, target, kind, mount.flags, data) };
        }
        write(c"/sys/fs/cgroup/cgroup.subtree_control", b"+pids");
        let cgroup = c"/sys/fs/cgroup/hello";
        // SAFETY: `cgroup` is NUL-terminated.
        unsafe { call!(mkdirat, libc::AT_FDCWD, cgroup.as_ptr(), 0o755) };
        write(c"/sys/fs/cgroup/hello/pids.max", b"512");
        let arguments = CloneArgs {
            flags: NAMESPACES | CLONE_INTO_CGROUP,
            pidfd: 0,
            child_tid: 0,
            parent_tid: 0,
            exit_signal: libc::SIGCHLD as u64,
            stack: 0,
            stack_size: 0,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: open(cgroup, libc::O_DIRECTORY) as u64,
        };
        // SAFETY: `arguments` is a struct clone_args of the size given; the child goes on
        // on its own copy of this stack.
        if unsafe { call!(clone3, &raw const arguments, size_of::<CloneArgs>()) } == 0 {
            child();
        }
        loop {
            // SAFETY: no pointers but null ones.
            unsafe { call!(wait4, -1i32, 0, 0, 0) };
        }
    }

    fn child() -> ! {
        let log = open(c"/dev/kmsg", libc::O_WRONLY);
        // SAFETY: no pointers.
        unsafe { call!(dup3, log, 1, 0) };
        let path = c"/hello";
        let arguments = [path.as_ptr(), ptr::null()];
        let environment = [ptr::null::<u8>()];
        // SAFETY: NUL-terminated path, null-terminated arrays.
        unsafe { call!(execve, path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        exit(127)
    }

    fn open(path: &CStr, flags: i32) -> usize {
        // SAFETY: `path` is NUL-terminated.
        unsafe { call!(openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, 0) }
    }

    fn write(path: &CStr, text: &[u8]) {
        let file = open(path, libc::O_WRONLY);
        // SAFETY: `text` is readable for its length.
        unsafe { call!(write, file, text.as_ptr(), text.len()) };
        // SAFETY: no pointers.
        unsafe { call!(close, file) };
    }
}

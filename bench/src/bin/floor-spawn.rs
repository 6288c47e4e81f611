//! The floors of `corm run`: `floor-spawn VIEW ROOT CGROUP PROGRAM` runs a program
//! in namespaces of its own, in a new CGROUP if that is not `-`, by the system
//! calls that nobody gets around who wants the program to see what it sees:
//!
//! - VIEW `bare`: ROOT as its read-only `/`, a /proc and an empty /dev;
//! - VIEW `full`: a loopback that is up, device files and links in a read-only
//!   /dev, terminals, shared memory and message queues of its own, and a /sys as well.
//!   That is what corm gives, and the runtimes of containers.
//!
//! It takes no rights away, filters nothing, limits nothing, has no config and no
//! words for what goes wrong.
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
    const PRIVATE: usize = (libc::MS_REC | libc::MS_PRIVATE) as usize;
    const BIND: usize = (libc::MS_REC | libc::MS_BIND) as usize;
    const REMOUNT: usize = (libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY) as usize;

    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    const NAMESPACES: i32 =
        libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWNET;

    /// struct clone_args of clone3(2), as of Linux 5.7.
    #[repr(C)]
    #[derive(Default)]
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

    #[unsafe(no_mangle)]
    fn program(_: usize, arguments: *const *const u8) -> ! {
        // SAFETY: five arguments are given.
        let [view, root, cgroup] = [1, 2, 3].map(|index| unsafe { *arguments.add(index) });
        // SAFETY: the kernel's strings are NUL-terminated, so there is a first byte.
        let [full, own_cgroup] = unsafe { [*view == b'f', *cgroup != b'-'] };
        let mut clone =
            CloneArgs { flags: NAMESPACES as u64, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
        if own_cgroup {
            // SAFETY: `cgroup` is NUL-terminated.
            unsafe { call!(mkdirat, libc::AT_FDCWD, cgroup, 0o755) };
            let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
            // SAFETY: `cgroup` is NUL-terminated.
            clone.cgroup = unsafe { call!(openat, libc::AT_FDCWD, cgroup, flags, 0) } as u64;
            clone.flags |= CLONE_INTO_CGROUP;
        }
        // SAFETY: `clone` is a struct clone_args of the size given; the child goes on on its own
        // copy of this stack.
        if unsafe { call!(clone3, &raw const clone, size_of::<CloneArgs>()) } == 0 {
            child(full, root, own_cgroup, arguments.wrapping_add(4))
        }
        let mut status = 0i32;
        // SAFETY: `status` is writable; resource usage is not asked for.
        unsafe { call!(wait4, -1i32, &raw mut status, 0, 0) };
        if own_cgroup {
            // SAFETY: `cgroup` is NUL-terminated.
            unsafe { call!(unlinkat, libc::AT_FDCWD, cgroup, libc::AT_REMOVEDIR) };
        }
        exit((status >> 8) as u8)
    }

    fn child(full: bool, root: *const u8, own_cgroup: bool, arguments: *const *const u8) -> ! {
        if own_cgroup {
            // SAFETY: no pointers.
            unsafe { call!(unshare, libc::CLONE_NEWCGROUP) };
        }
        if full {
            turn_on_loopback();
        }
        mount(c"/", None, PRIVATE);
        // SAFETY: `root` is NUL-terminated; a bind takes neither a type nor data.
        unsafe { call!(mount, root, root, 0, BIND, 0) };
        // SAFETY: `root` is NUL-terminated.
        unsafe { call!(chdir, root) };
        mount(c".", None, REMOUNT | NO_SUID | NO_DEV);
        mount(c"proc", Some(c"proc"), NO_SUID | NO_DEV | NO_EXEC);
        mount(c"dev", Some(c"tmpfs"), NO_SUID | NO_EXEC);
        if full {
            fill_dev();
        }
        // SAFETY: both are NUL-terminated.
        unsafe { call!(pivot_root, c".".as_ptr(), c".".as_ptr()) };
        // SAFETY: NUL-terminated.
        unsafe { call!(umount2, c".".as_ptr(), libc::MNT_DETACH) };
        let environment = [ptr::null::<u8>()];
        // SAFETY: a fifth argument is given; the array is the kernel's and ends in a null.
        unsafe { call!(execve, *arguments, arguments, environment.as_ptr()) };
        exit(127)
    }

    fn turn_on_loopback() {
        /// struct ifreq: a name of 16 bytes, then flags in a union of 24.
        #[repr(C)]
        struct Request {
            name: [u8; 16],
            flags: u16,
            rest: [u8; 22],
        }
        const UP: u16 = libc::IFF_UP as u16 | libc::IFF_LOOPBACK as u16;
        let request = Request { name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0", flags: UP, rest: [0; 22] };
        // SAFETY: no pointers.
        let socket = unsafe { call!(socket, libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        // SAFETY: `request` is a struct ifreq.
        unsafe { call!(ioctl, socket, libc::SIOCSIFFLAGS as usize, &raw const request) };
    }

    /// A /dev as corm's src/sandbox/trees.rs makes it.
    fn fill_dev() {
        const DEVICES: [(&CStr, usize); 6] = [
            (c"dev/null", 0x103),
            (c"dev/zero", 0x105),
            (c"dev/full", 0x107),
            (c"dev/random", 0x108),
            (c"dev/urandom", 0x109),
            (c"dev/tty", 0x500),
        ];
        const LINKS: [(&CStr, &CStr); 5] = [
            (c"dev/fd", c"/proc/self/fd"),
            (c"dev/stdin", c"/proc/self/fd/0"),
            (c"dev/stdout", c"/proc/self/fd/1"),
            (c"dev/stderr", c"/proc/self/fd/2"),
            (c"dev/ptmx", c"pts/ptmx"),
        ];
        let here = libc::AT_FDCWD;
        for (name, device) in &DEVICES {
            // SAFETY: NUL-terminated.
            unsafe { call!(mknodat, here, name.as_ptr(), libc::S_IFCHR | 0o666, *device) };
        }
        for (name, target) in &LINKS {
            // SAFETY: both are NUL-terminated.
            unsafe { call!(symlinkat, target.as_ptr(), here, name.as_ptr()) };
        }
        for name in [c"dev/pts", c"dev/shm", c"dev/mqueue"] {
            // SAFETY: NUL-terminated.
            unsafe { call!(mkdirat, here, name.as_ptr(), 0o755) };
        }
        mount_with(c"dev/pts", c"devpts", NO_SUID | NO_EXEC, c"newinstance,ptmxmode=666,mode=620");
        mount_with(c"dev/shm", c"tmpfs", NO_SUID | NO_DEV | NO_EXEC, c"mode=1777,size=64m");
        mount(c"dev/mqueue", Some(c"mqueue"), NO_SUID | NO_DEV | NO_EXEC);
        mount(c"sys", Some(c"sysfs"), libc::MS_RDONLY as usize | NO_SUID | NO_DEV | NO_EXEC);
        mount(c"dev", None, REMOUNT | NO_SUID | NO_EXEC);
    }

    fn mount_with(target: &CStr, kind: &CStr, flags: usize, options: &CStr) {
        let (target, kind, options) = (target.as_ptr(), kind.as_ptr(), options.as_ptr());
        // SAFETY: NUL-terminated strings.
        unsafe { call!(mount, kind, target, kind, flags, options) };
    }

    fn mount(target: &CStr, kind: Option<&CStr>, flags: usize) {
        let kind = kind.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: NUL-terminated strings, or null where mount(2) takes that; no data.
        unsafe { call!(mount, kind, target.as_ptr(), kind, flags, 0) };
    }
}

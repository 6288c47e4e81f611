//! Runs inside of a sandbox and says what it sees and what it gets away with.
//!
//! It prints its namespaces, its rights as /proc/self/status has them, its mounts, its
//! environment and the descriptors it was born with, and then lines of `try NAME=ERRNO ...`,
//! one for each attempt to get out or to get more, 0 where it worked. It judges nothing:
//! tests/native/inside/table.rs compares it with what the config said. No attempt does harm to a
//! machine where it works: what it would change, it changes to what it is. With an argument it
//! leaves out what would take its own mounts from it, which without walls are the machine's. Lines
//! are few and long, for a console is slow.
#![cfg_attr(target_env = "musl", no_std, no_main)]

#[cfg(not(target_env = "musl"))]
fn main() {}

#[cfg(target_env = "musl")]
mod inside {
    use core::ffi::CStr;
    use corm_bench::libc;
    use corm_bench::syscalls::{Errno, syscall};

    type Outcome = Result<usize, Errno>;

    /// A system call, by name, with what it gives or its errno.
    macro_rules! attempt {
        ($name:ident $(, $arg:expr)* $(,)?) => {
            // SAFETY: every pointer below is to something live that is as long as the call takes it for,
            // or null where that is refused or ignored.
            unsafe { syscall!(corm_bench::syscalls::Sysno::$name $(, $arg)*) }
        };
    }

    fn put(bytes: &[u8]) {
        // Nobody to tell.
        let _ = attempt!(write, 1, bytes.as_ptr(), bytes.len());
    }

    fn number(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return &digits[at..];
            }
        }
    }

    fn open(path: &CStr, flags: i32) -> Outcome {
        attempt!(openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, 0o600)
    }

    /// Opens and closes.
    fn opens(path: &CStr, flags: i32) -> Outcome {
        let file = open(path, flags)?;
        attempt!(close, file)
    }

    /// Opens and reads something. What is masked opens too, and is empty: ENODATA.
    fn reads(path: &CStr) -> Outcome {
        let file = open(path, libc::O_RDONLY)?;
        let mut byte = 0u8;
        let count = attempt!(read, file, &raw mut byte, 1);
        let _ = attempt!(close, file);
        count.and_then(|count| if count == 0 { Err(Errno::ENODATA) } else { Ok(count) })
    }

    /// `starts_with` wants bcmp, which nobody here has.
    fn begins(line: &[u8], start: &[u8]) -> bool {
        line.len() >= start.len() && line.iter().zip(start).all(|(one, other)| one == other)
    }

    /// The lines of a file that begin with one of these, in one line, without its blanks.
    fn show(prefix: &[u8], path: &CStr, wanted: &[&[u8]]) {
        let mut text = [0u8; 4096];
        let Ok(file) = open(path, libc::O_RDONLY) else { return };
        let mut used = 0;
        while let Ok(count @ 1..) = attempt!(read, file, text[used..].as_mut_ptr(), text.len() - used) {
            used += count;
        }
        let _ = attempt!(close, file);
        put(prefix);
        for line in text[..used].split(|byte| matches!(byte, b'\n' | 0)) {
            if wanted.iter().any(|start| begins(line, start)) {
                put(b" ");
                line.split(|byte| matches!(byte, b'\t' | b' ')).for_each(|word| {
                    put(word);
                    put(if word.is_empty() { b"" } else { b"," });
                });
            }
        }
        put(b"\n");
    }

    /// Where something is mounted, and how: `PLACE:OPTIONS`.
    fn show_mounts(line: &mut Line) {
        let mut text = [0u8; 8192];
        let Ok(file) = open(c"/proc/self/mountinfo", libc::O_RDONLY) else { return };
        let mut used = 0;
        while let Ok(count @ 1..) = attempt!(read, file, text[used..].as_mut_ptr(), text.len() - used) {
            used += count;
        }
        let _ = attempt!(close, file);
        for mount in text[..used].split(|byte| *byte == b'\n') {
            let mut words = mount.split(|byte| *byte == b' ').skip(4);
            if let (Some(place), Some(options)) = (words.next(), words.next()) {
                line.add(&[b"mount:", place, b"=", options]);
            }
        }
    }

    fn link(prefix: &str, path: &CStr) {
        let mut target = [0u8; 256];
        let length = attempt!(readlinkat, libc::AT_FDCWD, path.as_ptr(), target.as_mut_ptr(), target.len());
        if let Ok(length) = length {
            put(prefix.as_bytes());
            put(target.get(..length).unwrap_or(&[]));
            put(b"\n");
        }
    }

    /// A line that grows until it is long enough.
    struct Line {
        bytes: [u8; 400],
        used: usize,
    }

    impl Line {
        fn add(&mut self, words: &[&[u8]]) {
            if self.used == 0 {
                self.put(b"try");
            }
            self.put(b" ");
            words.iter().for_each(|word| self.put(word));
            if self.used > 340 {
                self.end();
            }
        }

        fn put(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.bytes[self.used] = *byte;
                self.used += 1;
            }
        }

        fn end(&mut self) {
            if self.used > 0 {
                self.put(b"\n");
                put(&self.bytes[..self.used]);
                self.used = 0;
            }
        }

        fn tried(&mut self, name: &str, outcome: Outcome) {
            let mut digits = [0u8; 10];
            let errno = number(outcome.map_or_else(|errno| errno.into_raw() as u32, |_| 0), &mut digits);
            self.add(&[name.as_bytes(), b"=", errno]);
        }
    }

    fn look(line: &mut Line) {
        for (name, path) in [
            ("cgroup=", c"/proc/self/ns/cgroup"),
            ("ipc=", c"/proc/self/ns/ipc"),
            ("mnt=", c"/proc/self/ns/mnt"),
            ("net=", c"/proc/self/ns/net"),
            ("pid=", c"/proc/self/ns/pid"),
            ("time=", c"/proc/self/ns/time"),
            ("user=", c"/proc/self/ns/user"),
            ("uts=", c"/proc/self/ns/uts"),
        ] {
            put(b"ns.");
            link(name, path);
        }
        let status: [&[u8]; 12] = [
            b"Cap",
            b"NoNew",
            b"Seccomp:",
            b"Umask",
            b"SigBlk",
            b"SigIgn",
            b"Groups",
            b"Uid",
            b"Gid",
            b"Pid",
            b"TracerPid",
            b"NSpid",
        ];
        show(b"status", c"/proc/self/status", &status);
        show(b"environment", c"/proc/self/environ", &[b""]);
        show_mounts(line);
        for fd in 0..64u32 {
            if attempt!(fcntl, fd, libc::F_GETFD).is_ok() {
                let mut digits = [0u8; 10];
                line.add(&[b"fd:", number(fd, &mut digits), b"=open"]);
            }
        }
        let terminal = opens(c"/dev/tty", libc::O_RDWR | libc::O_NOCTTY);
        line.tried("terminal", terminal);
        line.end();
        look_at_limits();
    }

    /// What it may use, and who it is.
    fn look_at_limits() {
        let limits: [&[&[u8]]; 3] = [
            &[b"Max cpu", b"Max file size", b"Max data", b"Max stack", b"Max core", b"Max resident"],
            &[b"Max processes", b"Max open", b"Max locked", b"Max address", b"Max file locks"],
            &[b"Max pending", b"Max msgqueue", b"Max nice", b"Max realtime"],
        ];
        limits.iter().for_each(|wanted| show(b"limits", c"/proc/self/limits", wanted));
        for (name, path) in [
            ("cpu.max", c"/sys/fs/cgroup/cpu.max"),
            ("cpu.weight", c"/sys/fs/cgroup/cpu.weight"),
            ("cpuset.cpus", c"/sys/fs/cgroup/cpuset.cpus"),
            ("memory.high", c"/sys/fs/cgroup/memory.high"),
            ("memory.low", c"/sys/fs/cgroup/memory.low"),
            ("memory.max", c"/sys/fs/cgroup/memory.max"),
            ("memory.min", c"/sys/fs/cgroup/memory.min"),
            ("memory.oom.group", c"/sys/fs/cgroup/memory.oom.group"),
            ("memory.swap.max", c"/sys/fs/cgroup/memory.swap.max"),
            ("pids.max", c"/sys/fs/cgroup/pids.max"),
            ("cgroup", c"/proc/self/cgroup"),
            ("oom_score_adj", c"/proc/self/oom_score_adj"),
            ("uid_map", c"/proc/self/uid_map"),
            ("gid_map", c"/proc/self/gid_map"),
            ("timens_offsets", c"/proc/self/timens_offsets"),
            ("hostname", c"/proc/sys/kernel/hostname"),
        ] {
            show(name.as_bytes(), path, &[b""]);
        }
        let mut digits = [0u8; 10];
        let mut line = Line { bytes: [0; 400], used: 0 };
        for (name, value) in [
            // 20 less the nice value.
            ("priority=", attempt!(getpriority, libc::PRIO_PROCESS, 0)),
            ("scheduler=", attempt!(sched_getscheduler, 0)),
            ("io-priority=", attempt!(ioprio_get, 1, 0)),
        ] {
            let value = value.map_or(u32::MAX, |value| value as u32);
            line.add(&[name.as_bytes(), number(value, &mut digits)]);
        }
        line.end();
        // Size and flags lie elsewhere on each machine: struct statfs is not looked into, a full disk is.
        let mut directory = [0u8; 64];
        let length = attempt!(getcwd, directory.as_mut_ptr(), directory.len()).unwrap_or(1);
        line.add(&[b"directory=", directory.get(..length - 1).unwrap_or(&[])]);
        let mut stat = [0u32; 64];
        let tmp = c"/tmp".as_ptr();
        if attempt!(statx, libc::AT_FDCWD, tmp, 0, 7u32 | 0x1f, stat.as_mut_ptr()).is_ok() {
            // struct statx: stx_uid, stx_gid at 20 and 24, stx_mode at 28.
            for (name, value) in [("uid=", stat[5]), ("gid=", stat[6]), ("mode=", stat[7] & 0o7777)] {
                line.add(&[b"/tmp:", name.as_bytes(), number(value, &mut digits)]);
            }
        }
        line.end();
    }

    /// Binds a TCP socket of the loopback to a port.
    fn bind(family: i32, port: u16) -> Outcome {
        socket(family, port, |socket, address, length| attempt!(bind, socket, address, length))
    }

    fn connect(family: i32, port: u16) -> Outcome {
        let outcome =
            socket(family, port, |socket, address, length| attempt!(connect, socket, address, length));
        // Nobody listens, which is found out by whoever may ask.
        if outcome == Err(Errno::ECONNREFUSED) { Ok(0) } else { outcome }
    }

    fn socket(family: i32, port: u16, act: impl Fn(usize, *const u8, usize) -> Outcome) -> Outcome {
        let socket = attempt!(socket, family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0)?;
        let [high, low] = port.to_be_bytes();
        // struct sockaddr_in, sockaddr_in6: family, port, then the address.
        let mut address = [0u8; 28];
        address[0] = family as u8;
        address[2] = high;
        address[3] = low;
        let length = if family == libc::AF_INET {
            address[4] = 127;
            address[7] = 1;
            16
        } else {
            address[23] = 1;
            28
        };
        let outcome = act(socket, address.as_ptr(), length);
        let _ = attempt!(close, socket);
        outcome
    }

    /// Makes a device's file and opens it; on a filesystem that is not nodev, where one can be mounted.
    fn device(kind: u32, major: u32, minor: u32) -> Outcome {
        let (path, tmp, tmpfs) = (c"/tmp/device", c"/tmp".as_ptr(), c"tmpfs".as_ptr());
        let mounted = attempt!(mount, tmpfs, tmp, tmpfs, 0, 0usize).is_ok();
        let number = minor | major << 8;
        let made = attempt!(mknodat, libc::AT_FDCWD, path.as_ptr(), kind | 0o600, number);
        let outcome = made.and_then(|_| opens(path, libc::O_WRONLY | libc::O_NONBLOCK));
        let _ = attempt!(unlinkat, libc::AT_FDCWD, path.as_ptr(), 0);
        if mounted {
            let _ = attempt!(umount2, tmp, libc::MNT_DETACH);
        }
        outcome
    }

    /// Becomes the tracer of a process of its own, which waits for its end.
    fn trace_child() -> Outcome {
        let child = attempt!(clone, libc::SIGCHLD, 0, 0, 0, 0)?;
        if child == 0 {
            loop {
                let _ = attempt!(ppoll, 0usize, 0, 0usize, 0usize, 0);
            }
        }
        let outcome = attempt!(ptrace, libc::PTRACE_SEIZE, child, 0, 0);
        let _ = attempt!(kill, child, libc::SIGKILL);
        let _ = attempt!(wait4, child, 0usize, 0, 0usize);
        outcome
    }

    /// In a child, which it costs nothing to lose: 0 if it went well, otherwise its errno, or
    /// 200 and the signal that ended it.
    fn in_child(act: impl Fn() -> Outcome) -> Outcome {
        let child = attempt!(clone, libc::SIGCHLD, 0, 0, 0, 0)?;
        if child == 0 {
            let status = act().map_or_else(|errno| errno.into_raw() as u8, |_| 0);
            corm_bench::exit(status)
        }
        let mut status = 0u32;
        attempt!(wait4, child, &raw mut status, 0, 0)?;
        let ended = if status & 0x7f == 0 { status >> 8 & 0xff } else { 200 + (status & 0x7f) };
        if ended == 0 { Ok(0) } else { Err(Errno::new(ended as i32)) }
    }

    /// Becomes that program, and is told to do nothing.
    fn execute(path: &CStr) -> Outcome {
        let arguments = [path.as_ptr(), c"nothing".as_ptr(), core::ptr::null()];
        attempt!(execve, path.as_ptr(), arguments.as_ptr(), 0usize)
    }

    fn executes(path: &CStr) -> Outcome {
        in_child(|| execute(path))
    }

    /// The ways out, and the ways to more.
    fn attempts(line: &mut Line, is_gentle: bool) {
        let null = 0usize;
        let tmp = c"/tmp".as_ptr();
        let tmpfs = c"tmpfs".as_ptr();
        // Files. A root that can be written, a program that can (CVE-2019-5736).
        line.tried("write-root", opens(c"/probe-was-here", libc::O_WRONLY | libc::O_CREAT));
        line.tried("write-tmp", opens(c"/tmp/probe-was-here", libc::O_WRONLY | libc::O_CREAT));
        line.tried("write-data", opens(c"/data/probe-was-here", libc::O_WRONLY | libc::O_CREAT));
        line.tried("write-own-program", opens(c"/proc/self/exe", libc::O_WRONLY));
        line.tried("write-program", opens(c"/other", libc::O_WRONLY));
        line.tried("read-shadow", opens(c"/etc/shadow", libc::O_RDONLY));
        line.tried("execute-data", executes(c"/data/inside"));
        line.tried(
            "execute-tmp",
            in_child(|| {
                // ENOEXEC, if it may at all.
                let file = open(c"/tmp/program", libc::O_WRONLY | libc::O_CREAT)?;
                attempt!(fchmod, file, 0o700)?;
                attempt!(close, file)?;
                execute(c"/tmp/program")
            }),
        );
        // The machine through /proc (CVE-2019-16884 and its like; masked paths).
        line.tried("sysrq", opens(c"/proc/sysrq-trigger", libc::O_WRONLY));
        line.tried("core-pattern", opens(c"/proc/sys/kernel/core_pattern", libc::O_WRONLY));
        line.tried("kcore", reads(c"/proc/kcore"));
        line.tried("kmsg", opens(c"/proc/kmsg", libc::O_RDONLY | libc::O_NONBLOCK));
        line.tried("keys", reads(c"/proc/keys"));
        line.tried("root-of-1", opens(c"/proc/1/root/dev/kmsg", libc::O_PATH));
        line.tried("memory-of-1", opens(c"/proc/1/mem", libc::O_RDWR));
        line.tried("sys-write", opens(c"/sys/kernel/rcu_expedited", libc::O_WRONLY));
        line.tried("cgroup-write", opens(c"/sys/fs/cgroup/cgroup.procs", libc::O_WRONLY));
        // Its own, where it sees its own; where it sees all, that of one without walls.
        let limit = opens(c"/sys/fs/cgroup/pids.max", libc::O_WRONLY);
        let limit = if limit == Err(Errno::ENOENT) {
            opens(c"/sys/fs/cgroup/unwalled/pids.max", libc::O_WRONLY)
        } else {
            limit
        };
        line.tried("cgroup-limit", limit);
        // Descriptors of the machine (CVE-2024-21626, CVE-2016-9962).
        line.tried("leaked-descriptor", attempt!(fcntl, 7, libc::F_GETFD));
        line.tried("out-of-descriptor", opens(c"/proc/self/fd/7/dev/kmsg", libc::O_PATH));
        // Mounts.
        line.tried(
            "mount",
            attempt!(mount, tmpfs, tmp, tmpfs, 0, null).and_then(|_| attempt!(umount2, tmp, 0)),
        );
        line.tried(
            "remount",
            attempt!(mount, null, c"/".as_ptr(), null, libc::MS_REMOUNT | libc::MS_BIND, null),
        );
        line.tried("fsopen", attempt!(fsopen, tmpfs, 1).and_then(|fd| attempt!(close, fd)));
        line.tried(
            "open-tree",
            attempt!(open_tree, libc::AT_FDCWD, c"/".as_ptr(), 1).and_then(|fd| attempt!(close, fd)),
        );
        line.tried("chroot", in_child(|| attempt!(chroot, c"/".as_ptr())));
        // Namespaces.
        line.tried("unshare-user", in_child(|| attempt!(unshare, libc::CLONE_NEWUSER)));
        line.tried("unshare-mount", in_child(|| attempt!(unshare, libc::CLONE_NEWNS)));
        // Where everything is its own, and only Landlock is left.
        line.tried(
            "mount-in-own",
            in_child(|| {
                attempt!(unshare, libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
                attempt!(mount, tmpfs, tmp, tmpfs, 0, null)
            }),
        );
        line.tried(
            "clone-user",
            in_child(|| {
                let child = attempt!(clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0)?;
                if child == 0 {
                    corm_bench::exit(0)
                }
                Ok(0)
            }),
        );
        line.tried("clone3", attempt!(clone3, null, 0));
        line.tried(
            "enter-1",
            in_child(|| {
                let space = open(c"/proc/1/ns/mnt", libc::O_RDONLY)?;
                attempt!(setns, space, 0)
            }),
        );
        // Other processes.
        line.tried("ptrace-child", trace_child());
        line.tried("ptrace-1", in_child(|| attempt!(ptrace, libc::PTRACE_SEIZE, 1, 0, 0)));
        line.tried("read-memory-of-1", attempt!(process_vm_readv, 1, null, 0, null, 0, 0));
        line.tried("signal-1", attempt!(kill, 1, 0));
        line.tried("signal-2", attempt!(kill, 2, 0));
        line.tried("pidfd-1", attempt!(pidfd_open, 1, 0).and_then(|fd| attempt!(pidfd_getfd, fd, 0, 0)));
        // Rights.
        line.tried("setuid-0", in_child(|| attempt!(setuid, 0)));
        line.tried("setgroups", in_child(|| attempt!(setgroups, 0, null)));
        let header = [0x2008_0522u32, 0];
        let all = [u32::MAX, u32::MAX, 0, 0x1ff, 0x1ff, 0];
        line.tried("capset", in_child(|| attempt!(capset, header.as_ptr(), all.as_ptr())));
        line.tried(
            "ambient",
            in_child(|| attempt!(prctl, libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, 21, 0, 0)),
        );
        line.tried("chown", attempt!(fchownat, libc::AT_FDCWD, c"/tmp".as_ptr(), 0, 0, 0));
        line.tried(
            "raise-limit",
            in_child(|| {
                let limit = [1u64 << 19, 1 << 19];
                attempt!(prlimit64, 0, libc::RLIMIT_NOFILE, limit.as_ptr(), 0)
            }),
        );
        line.tried("nice", in_child(|| attempt!(setpriority, libc::PRIO_PROCESS, 0, -20i32)));
        line.tried(
            "realtime",
            in_child(|| {
                let priority = 1i32;
                attempt!(sched_setscheduler, 0, libc::SCHED_FIFO, &raw const priority)
            }),
        );
        line.tried("oom-score", opens(c"/proc/self/oom_score_adj", libc::O_WRONLY));
        // Devices: a disk, memory, a console.
        // The first virtio disk's number is one of these.
        let disks = [252, 253, 254].map(|major| device(libc::S_IFBLK, major, 0));
        line.tried("disk", disks.into_iter().find(Result::is_ok).unwrap_or(disks[0]));
        line.tried("memory-device", device(libc::S_IFCHR, 1, 1));
        line.tried("log-device", device(libc::S_IFCHR, 1, 11));
        line.tried("dev-mem", opens(c"/dev/mem", libc::O_RDONLY));
        line.tried("dev-kmsg", opens(c"/dev/kmsg", libc::O_RDONLY | libc::O_NONBLOCK));
        line.tried("dev-vda", opens(c"/dev/vda", libc::O_RDONLY));
        // Keys pressed into a terminal (CVE-2017-5226), also with a bit above 32 (CVE-2019-10063).
        let key = b'x';
        line.tried("tiocsti", attempt!(ioctl, 0, libc::TIOCSTI as usize, &raw const key));
        #[cfg(target_pointer_width = "64")]
        line.tried("tiocsti-64", attempt!(ioctl, 0, libc::TIOCSTI as usize | 1 << 32, &raw const key));
        line.tried("tioclinux", attempt!(ioctl, 0, 0x541cusize, &raw const key));
        // The kernel.
        line.tried("reboot", attempt!(reboot, 0, 0, 0, 0));
        line.tried("kexec", attempt!(kexec_load, 0, 0, null, 0));
        line.tried("module", attempt!(init_module, null, 0, c"".as_ptr()));
        line.tried("bpf", attempt!(bpf, 0, null, 0));
        line.tried("perf", attempt!(perf_event_open, null, 0, -1i32, -1i32, 0));
        line.tried("io-uring", attempt!(io_uring_setup, 0, null));
        // UFFD_USER_MODE_ONLY, which the kernel gives to anybody.
        line.tried("userfaultfd", attempt!(userfaultfd, 1).and_then(|fd| attempt!(close, fd)));
        line.tried(
            "add-key",
            attempt!(add_key, c"user".as_ptr(), c"probe".as_ptr(), c"x".as_ptr(), 1, -3i32),
        );
        line.tried("handle", attempt!(open_by_handle_at, 0, null, 0));
        line.tried("hostname", attempt!(sethostname, c"probe".as_ptr(), 5));
        line.tried("clock", attempt!(settimeofday, null, null));
        line.tried("swap", attempt!(swapoff, c"/none".as_ptr()));
        line.tried("personality", attempt!(personality, 0x0040_0000));
        line.tried("set-mm", attempt!(prctl, libc::PR_SET_MM, 0, 0, 0, 0));
        // A call that a foreign machine has.
        #[cfg(target_arch = "x86_64")]
        line.tried(
            "i386",
            in_child(|| {
                let result: i64;
                // SAFETY: getpid of the 32-bit table; it has no arguments.
                unsafe {
                    core::arch::asm!("int 0x80", inlateout("rax") 20i64 => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
                };
                if result > 0 { Ok(0) } else { Err(Errno::ENOSYS) }
            }),
        );
        // The network.
        line.tried("packet", attempt!(socket, libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0));
        line.tried("raw", attempt!(socket, libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 1));
        for (name, family) in [("4-", libc::AF_INET), ("6-", libc::AF_INET6)] {
            for port in [8080u16, 5005, 9000] {
                for (verb, outcome) in [("bind", bind(family, port)), ("connect", connect(family, port))] {
                    let (mut digits, mut more) = ([0u8; 10], [0u8; 10]);
                    let errno = outcome.map_or_else(|errno| errno.into_raw() as u32, |_| 0);
                    let (port, errno) = (number(port.into(), &mut digits), number(errno, &mut more));
                    line.add(&[verb.as_bytes(), name.as_bytes(), port, b"=", errno]);
                }
            }
        }
        if is_gentle {
            return;
        }
        // Where these work, nothing is as it was.
        line.tried("pivot-root", attempt!(pivot_root, tmp, tmp));
        line.tried("unmount-proc", attempt!(umount2, c"/proc".as_ptr(), libc::MNT_DETACH));
    }

    /// What the compiler calls for an array of zeros, where it does not do it in line.
    #[cfg(not(target_arch = "x86_64"))]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
        for at in 0..count {
            // SAFETY: the caller's. Volatile, or this loop would become a call of itself.
            unsafe { to.add(at).write_volatile(value as u8) }
        }
        to
    }

    #[unsafe(no_mangle)]
    fn program(count: usize, arguments: *const *const u8) -> ! {
        // SAFETY: there are `count` arguments, each NUL-terminated.
        let first = if count > 1 { unsafe { **arguments.add(1) } } else { 0 };
        if first == b'n' {
            corm_bench::exit(0)
        }
        let mut line = Line { bytes: [0; 400], used: 0 };
        look(&mut line);
        attempts(&mut line, first == b'g');
        line.end();
        put(b"the end\n");
        corm_bench::exit(0)
    }
}

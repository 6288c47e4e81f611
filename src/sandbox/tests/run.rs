//! Real sandboxes, on whatever machine runs the tests: its own `/` is the root.
//! The guest tests (tests/) see more; these find a broken wall within a second.

use super::super::spawn::{ChildStdio, Conditions, Launched, PlanSpace, Reported, read_report, spawn};
use super::super::{Failure, What};
use super::{FIRST, config, text};
use crate::config::Config;
use crate::sys::Errno;
use crate::sys::io::{self, PipeFlags};
use crate::sys::{BorrowedFd, OwnedFd};
use std::boxed::Box;
use std::fs;
use std::string::{String, ToString};
use std::time::{Duration, Instant};

/// Root with its capabilities, or the reason why a test is left out.
fn may_sandbox() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = effective.and_then(|it| u64::from_str_radix(it.trim(), 16).ok()).unwrap_or(0);
    const SYS_ADMIN: u64 = 1 << 21;
    let may = capabilities & SYS_ADMIN != 0;
    if !may {
        std::eprintln!("SKIPPED: needs root with CAP_SYS_ADMIN");
    }
    may
}

struct Running {
    launched: Launched,
    output: OwnedFd,
    /// Ends its standard input, which is what the test's programs wait for.
    input: Option<OwnedFd>,
}

fn start(config: &Config) -> Result<Running, Failure> {
    let (stdin, input) = io::pipe(PipeFlags::Blocking).unwrap();
    let (output, stdout) = io::pipe(PipeFlags::Blocking).unwrap();
    let stdio = ChildStdio {
        stdin: stdin.borrow(),
        stdout: stdout.borrow(),
        stderr: stdout.borrow(),
        controlling_terminal: false,
        ready: None,
    };
    let mut space = Box::new(PlanSpace::EMPTY);
    let launched = spawn(config, FIRST, &stdio, Conditions::default(), &mut space)?;
    Ok(Running { launched, output, input: Some(input) })
}

impl Running {
    fn reported(&self) -> Reported {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match read_report(self.launched.report.borrow()) {
                Reported::Nothing if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2))
                }
                reported => return reported,
            }
        }
    }

    fn proc(&self, file: &str) -> String {
        std::format!("/proc/{}/{file}", self.launched.pid)
    }

    fn status(&self, key: &str) -> String {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect(key);
        line.trim_start_matches(':').split_whitespace().collect::<std::vec::Vec<_>>().join(" ")
    }

    /// Waits for what it prints first.
    fn says(&self, text: &str) {
        let mut said = std::vec![0; text.len()];
        let mut at = 0;
        while at < said.len() {
            match io::read(self.output.borrow(), &mut said[at..]) {
                Ok(0) => break,
                Ok(count) => at += count,
                Err(Errno::EINTR) => {}
                Err(errno) => panic!("{errno:?}"),
            }
        }
        assert_eq!(String::from_utf8_lossy(&said[..at]), text);
    }

    /// Ends its input and returns all it has printed.
    fn finish(mut self) -> String {
        drop(self.input.take());
        let mut text = std::vec::Vec::new();
        let mut buffer = [0u8; 4096];
        loop {
            match io::read(self.output.borrow(), &mut buffer) {
                Ok(0) => break,
                Ok(count) => text.extend_from_slice(&buffer[..count]),
                Err(Errno::EINTR) => {}
                Err(errno) => panic!("{errno:?}"),
            }
        }
        self.reap();
        String::from_utf8_lossy(&text).to_string()
    }

    /// Only this child: other tests have theirs.
    fn reap(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let gone = |state: &str| matches!(state, "Z (zombie)");
        while !gone(&self.status("State")) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn sandboxed(script: &str, more: &str) -> Box<Config> {
    config(&std::format!(
        "[workload.web]\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\nroot = \"/\"\n{more}"
    ))
}

#[test]
fn a_workload_has_its_walls_as_seen_from_outside() {
    if !may_sandbox() {
        return;
    }
    let config = sandboxed("echo loaded; read wait", "user = \"1234:1235\"");
    let web = start(&config).expect("it starts");
    assert_eq!(web.reported(), Reported::Executed);
    // Until then its loader has a library of its own open.
    web.says("loaded\n");
    for namespace in ["pid", "mnt", "uts", "ipc", "net"] {
        let ours = fs::read_link(std::format!("/proc/self/ns/{namespace}")).unwrap();
        let its = fs::read_link(web.proc(&std::format!("ns/{namespace}"))).unwrap();
        assert_ne!(ours, its, "{namespace}");
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(web.status(set), "0000000000000000", "{set}");
    }
    assert_eq!(web.status("NoNewPrivs"), "1");
    assert_eq!(web.status("Seccomp"), "2");
    assert_eq!(web.status("Uid"), "1234 1234 1234 1234");
    assert_eq!(web.status("Gid"), "1235 1235 1235 1235");
    assert_eq!(web.status("Groups"), "");
    assert_eq!(web.status("SigBlk"), "0000000000000000");
    let mounts = fs::read_to_string(web.proc("mountinfo")).unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(root.split(' ').nth(5).unwrap().starts_with("ro,nosuid,nodev"), "{root}");
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    let mut places: std::vec::Vec<_> =
        places.filter(|place| !place.starts_with("/proc/") && !place.starts_with("/sys/")).collect();
    places.sort_unstable();
    assert_eq!(places, ["/", "/dev", "/dev/mqueue", "/dev/pts", "/dev/shm", "/proc", "/sys"], "{mounts}");
    let descriptors = fs::read_dir(web.proc("fd")).unwrap().count();
    assert_eq!(descriptors, 3, "only 0 to 2");
    web.finish();
}

#[test]
fn a_workload_has_its_walls_as_seen_from_inside() {
    if !may_sandbox() {
        return;
    }
    let script = "echo pid $$; cat /proc/sys/kernel/hostname; umask; pwd; (: >/new) 2>/dev/null || echo read-only; \
                  : >/tmp/new && echo writable; echo x >/dev/null && echo null; echo again >/dev/stdout; \
                  ulimit -n; echo $CORM_WORKLOAD";
    let more = "directory = \"/tmp\"\nvolumes = { \"/tmp\" = { tmpfs = \"1M\" } }\nlimits = { files = 100 }";
    let config = sandboxed(script, more);
    let output = start(&config).expect("it starts").finish();
    let expected = "pid 1\nweb\n0022\n/tmp\nread-only\nwritable\nnull\nagain\n100\nweb\n";
    assert_eq!(output, expected);
}

#[test]
fn a_directory_that_is_a_descriptor_of_the_machine_is_no_way_out() {
    if !may_sandbox() {
        return;
    }
    let outside = fs::File::open("/").unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&outside);
    for user in ["0:0", "1234:1234"] {
        let more = std::format!("user = \"{user}\"\ndirectory = \"/proc/self/fd/{number}\"");
        let config = sandboxed("pwd", &more);
        let web = start(&config).expect("its child is made");
        let Reported::Failed(failure) = web.reported() else { panic!("it got out") };
        assert_eq!((failure.what, failure.errno), (What::Directory, Errno::EXDEV));
        web.finish();
    }
}

#[test]
fn what_is_missing_is_named() {
    if !may_sandbox() {
        return;
    }
    let missing = config("[workload.web]\ncommand = [\"/none/prog\"]\nroot = \"/\"");
    let web = start(&missing).expect("its child is made");
    let Reported::Failed(failure) = web.reported() else { panic!("it cannot run") };
    assert!(text(&failure.shown(&missing, FIRST)).starts_with("cannot execute /none/prog: no such file"));
    assert_eq!(failure.exit_code(), 127);
    web.finish();

    let rootless = config("[workload.web]\ncommand = [\"/bin/sh\"]\nroot = \"/none\"");
    let failure = start(&rootless).err().expect("it has no root");
    assert_eq!(failure, Failure::new(What::Root, Errno::ENOENT));
}

#[test]
fn scratch_has_the_program_and_nothing_for_it_to_load() {
    if !may_sandbox() {
        return;
    }
    // The test's own shell: static on some machines, dynamic on most.
    let config = config("[workload.web]\ncommand = [\"/bin/sh\", \"-c\", \"echo /*\"]\nroot = \"scratch\"");
    let web = start(&config).expect("its child is made");
    match web.reported() {
        Reported::Executed => assert_eq!(web.finish(), "/bin /dev /proc\n"),
        Reported::Failed(failure) => {
            assert_eq!((failure.what, failure.errno), (What::Execute, Errno::ENOENT));
            web.finish();
        }
        Reported::Nothing => panic!("it hangs"),
    }
}

#[test]
fn a_descriptor_below_three_is_moved_out_of_the_way() {
    if !may_sandbox() {
        return;
    }
    let config = sandboxed("exit 0", "");
    let stdio = ChildStdio {
        stdin: BorrowedFd::STDOUT,
        stdout: BorrowedFd::STDERR,
        stderr: BorrowedFd::STDIN,
        controlling_terminal: false,
        ready: None,
    };
    let mut space = Box::new(PlanSpace::EMPTY);
    let launched = spawn(&config, FIRST, &stdio, Conditions::default(), &mut space).expect("it starts");
    let (output, _) = io::pipe(PipeFlags::Blocking).unwrap();
    let running = Running { launched, output, input: None };
    assert_eq!(running.reported(), Reported::Executed);
    running.reap();
}

/// A program that makes one system call and exits with the errno it gets.
#[cfg(target_arch = "x86_64")]
fn program(name: &str, call: &[u8]) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    // neg eax; mov edi, eax; mov eax, 231 (exit_group); syscall
    let code = [call, b"\xf7\xd8\x89\xc7\xb8\xe7\0\0\0\x0f\x05"].concat();
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    const BASE: u64 = 0x40_0000;
    const HEAD: u64 = 64 + 56;
    let put = |elf: &mut std::vec::Vec<u8>, words: &[u64]| {
        words.iter().for_each(|word| elf.extend_from_slice(&word.to_le_bytes()));
    };
    put(&mut elf, &[BASE + HEAD, 64, 0]);
    elf.extend_from_slice(b"\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0");
    // PT_LOAD, readable and executable.
    put(&mut elf, &[5 << 32 | 1, 0, BASE, BASE, HEAD + code.len() as u64, HEAD + code.len() as u64, 0x1000]);
    elf.extend_from_slice(&code);
    let path = std::env::temp_dir().join(std::format!("corm-{}-{name}", std::process::id()));
    fs::write(&path, elf).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Runs that program in a sandbox; its wait(2) status.
#[cfg(target_arch = "x86_64")]
fn status_of(name: &str, call: &[u8], more: &str) -> u32 {
    let path = program(name, call);
    let config = config(&std::format!(
        "[workload.web]\ncommand = [\"{}\"]\nroot = \"/\"\nuser = 1234\n{more}\n",
        path.display()
    ));
    let web = start(&config).expect("it starts");
    assert_eq!(web.reported(), Reported::Executed, "{name}");
    web.reap();
    let status = fs::read_to_string(web.proc("stat")).unwrap();
    web.finish();
    fs::remove_file(path).unwrap();
    status.split_whitespace().next_back().unwrap().parse().unwrap()
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_system_call_that_is_not_listed_is_refused_or_the_end() {
    if !may_sandbox() {
        return;
    }
    // mov eax, 250 (keyctl); mov edi, -1; syscall: EOPNOTSUPP if it is made.
    let keyctl = b"\xb8\xfa\0\0\0\xbf\xff\xff\xff\xff\x0f\x05";
    const SIGSYS: u32 = 31;
    let exit = |errno: Errno| u32::from(errno.raw()) << 8;
    let made = status_of("off", keyctl, "security.seccomp = \"off\"");
    assert_ne!(made, exit(Errno::EPERM), "without a filter the kernel has an answer of its own");
    assert_eq!(status_of("default", keyctl, ""), exit(Errno::EPERM));
    assert_eq!(status_of("strict", keyctl, "security.seccomp = \"strict\""), exit(Errno::EPERM));
    assert_eq!(status_of("kill", keyctl, "security.seccomp = { action = \"kill\" }") & 0x7f, SIGSYS);
    assert_eq!(status_of("log", keyctl, "security.seccomp = { action = \"log\" }"), made);
    assert_eq!(status_of("own", keyctl, "security.seccomp = { allow = [\"keyctl\"] }"), made);
    // mov eax, 39 (getpid); syscall: process 1 of its namespace, as an errno 255.
    let getpid = b"\xb8\x27\0\0\0\x0f\x05";
    assert_eq!(status_of("getpid", getpid, "security.seccomp = \"strict\""), 0xff00);
    assert_eq!(status_of("nothing", getpid, "security.seccomp = { allow = [] }"), exit(Errno::EPERM));
    assert_eq!(status_of("denied", getpid, "security.seccomp = { deny = [\"getpid\"] }"), exit(Errno::EPERM));
    // mov eax, 435 (clone3); xor edi, edi; xor esi, esi; syscall: EINVAL if it is made.
    let clone3 = b"\xb8\xb3\x01\0\0\x31\xff\x31\xf6\x0f\x05";
    assert_eq!(status_of("clone3", clone3, ""), exit(Errno::ENOSYS));
    assert_eq!(
        status_of("clone3-off", clone3, "security.seccomp = { allow = [\"@default\", \"clone3\"] }"),
        exit(Errno::EINVAL)
    );
    // mov eax, 41 (socket); mov edi, 100 (a family that no kernel has); mov esi, 3; xor edx, edx; syscall
    let family = b"\xb8\x29\0\0\0\xbf\x64\0\0\0\xbe\x03\0\0\0\x31\xd2\x0f\x05";
    assert_eq!(status_of("family", family, ""), exit(Errno::EPERM));
    assert_eq!(status_of("family-off", family, "security.seccomp = \"off\""), exit(Errno::EAFNOSUPPORT));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_of_another_abi_kill() {
    if !may_sandbox() {
        return;
    }
    const SIGSYS: u32 = 31;
    let all = "security.seccomp = { allow = [\"@all\"] }";
    // mov eax, 0x40000027 (x32's getpid); syscall
    let x32 = b"\xb8\x27\0\0\x40\x0f\x05";
    assert_ne!(status_of("x32-off", x32, "security.seccomp = \"off\"") & 0x7f, SIGSYS);
    assert_eq!(status_of("x32", x32, all) & 0x7f, SIGSYS);
    // mov eax, 20 (i386's getpid); int 0x80
    let i386 = b"\xb8\x14\0\0\0\xcd\x80";
    if status_of("i386-off", i386, "security.seccomp = \"off\"") != 0xff00 {
        std::eprintln!("SKIPPED: this kernel has no calls of i386");
        return;
    }
    assert_eq!(status_of("i386", i386, all) & 0x7f, SIGSYS);
    assert_eq!(status_of("i386-default", i386, "") & 0x7f, SIGSYS);
}

#[test]
fn capabilities_are_kept_by_whoever_is_given_them() {
    if !may_sandbox() {
        return;
    }
    const KEPT: &str = "0000000000000401";
    for user in [0, 1234] {
        let config = sandboxed(
            "grep Cap /proc/self/status; setpriv --dump | grep -i securebits; read wait",
            &std::format!("user = {user}\nsecurity.capabilities = [\"net-bind-service\", \"CAP_CHOWN\"]"),
        );
        let web = start(&config).expect("it starts");
        assert_eq!(web.reported(), Reported::Executed);
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(web.status(set), KEPT, "{set} of {user}");
        }
        assert_eq!(web.status("NoNewPrivs"), "1");
        assert_eq!(web.status("Seccomp"), "2");
        // Its children have them too.
        let output = web.finish();
        assert_eq!(output.matches(KEPT).count(), 5, "{output}");
        if output.contains("ecurebits") {
            let bits = output.lines().find(|line| line.contains("ecurebits")).unwrap();
            assert!(bits.ends_with(": noroot,noroot_locked"), "{bits}");
        }
    }
}

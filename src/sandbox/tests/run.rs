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
    let config = sandboxed("read wait", "user = \"1234:1235\"");
    let web = start(&config).expect("it starts");
    assert_eq!(web.reported(), Reported::Executed);
    for namespace in ["pid", "mnt", "uts", "ipc", "net"] {
        let ours = fs::read_link(std::format!("/proc/self/ns/{namespace}")).unwrap();
        let its = fs::read_link(web.proc(&std::format!("ns/{namespace}"))).unwrap();
        assert_ne!(ours, its, "{namespace}");
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(web.status(set), "0000000000000000", "{set}");
    }
    assert_eq!(web.status("NoNewPrivs"), "1");
    assert_eq!(web.status("Uid"), "1234 1234 1234 1234");
    assert_eq!(web.status("Gid"), "1235 1235 1235 1235");
    assert_eq!(web.status("Groups"), "");
    assert_eq!(web.status("SigBlk"), "0000000000000000");
    let mounts = fs::read_to_string(web.proc("mountinfo")).unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(root.split(' ').nth(5).unwrap().starts_with("ro,nosuid,nodev"), "{root}");
    assert_eq!(mounts.lines().count(), 5, "root, proc, dev, pts and shm only:\n{mounts}");
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
    };
    let mut space = Box::new(PlanSpace::EMPTY);
    let launched = spawn(&config, FIRST, &stdio, Conditions::default(), &mut space).expect("it starts");
    let (output, _) = io::pipe(PipeFlags::Blocking).unwrap();
    let running = Running { launched, output, input: None };
    assert_eq!(running.reported(), Reported::Executed);
    running.reap();
}

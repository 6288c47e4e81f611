use super::*;
use crate::config::{Config, Sources, Tree};
use crate::text::{Show, Sink, Text};
use std::ffi::CString;
use std::string::{String, ToString};
use std::vec::Vec;

/// Runs a command: its status, stdout and stderr.
fn corm(arguments: &[&str]) -> (u8, String, String) {
    struct Collect(Vec<u8>);
    impl Sink for Collect {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let words: Vec<&'static CStr> =
        arguments.iter().map(|word| &*Box::leak(CString::new(*word).unwrap().into_boxed_c_str())).collect();
    let (mut out, mut err) = (Collect(Vec::new()), Collect(Vec::new()));
    let mut streams = Streams { out: &mut out, err: &mut err };
    let status = match commands::find(arguments.first().unwrap_or(&"").as_bytes()) {
        // Its tables are handed out once in a process, so a test brings its own.
        Some(command) if command.name == "check" => {
            let (mut sources, mut tree, mut config) =
                (Box::new(Sources::EMPTY), Box::new(Tree::EMPTY), Box::new(Config::EMPTY));
            let space = check::Space { sources: &mut sources, tree: &mut tree, config: &mut config };
            check::check(command, &mut words.into_iter().skip(1), &mut streams, space)
        }
        _ => dispatch(&mut words.into_iter(), &mut streams),
    };
    (status, String::from_utf8(out.0).unwrap(), String::from_utf8(err.0).unwrap())
}

#[test]
fn help_lists_every_command_and_explains_each() {
    let (status, out, err) = corm(&["help"]);
    assert_eq!((status, err.as_str()), (0, ""));
    for command in commands::COMMANDS {
        let mut summary = Text::<100>::new();
        command.summary.show(&mut summary);
        assert!(out.contains(summary.as_str()), "{}", command.name);
        let (status, out, _) = corm(&["help", command.name]);
        assert_eq!(status, 0);
        assert!(out.starts_with(&format!("usage: corm {}", command.name)), "{out}");
        assert!(summary.len() <= 66, "{} wraps", command.name);
    }
    assert_eq!(corm(&["--help"]).1, out);
}

#[test]
fn a_misspelt_command_is_a_usage_error_with_a_suggestion() {
    let (status, out, err) = corm(&["chekc"]);
    assert_eq!((status, out.as_str()), (64, ""));
    assert_eq!(err, "corm: there is no command `chekc`; did you mean `corm check`?\n");
    let (status, _, err) = corm(&["frobnicate"]);
    assert_eq!(
        (status, err.as_str()),
        (64, "corm: there is no command `frobnicate`; `corm help` lists them\n")
    );
    assert_eq!(corm(&[]).0, 64);
    assert_eq!(
        corm(&["help", "rebot"]).2,
        "corm: there is no command `rebot`; did you mean `corm reboot`?\n"
    );
}

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    for command in ["version", "poweroff", "reboot", "halt"] {
        let (status, out, err) = corm(&[command, "now"]);
        assert_eq!((status, out.as_str()), (64, ""));
        assert!(
            err.starts_with(&format!("corm {command}: unexpected argument `now`\nusage: corm {command}"))
        );
    }
}

#[test]
fn version_says_what_it_is() {
    assert_eq!(corm(&["version"]).1, format!("corm {}\n", env!("CARGO_PKG_VERSION")));
    let (status, out, _) = corm(&["version", "-v"]);
    assert_eq!(status, 0);
    assert!(out.contains("kernel     ") && out.contains("256 workloads"), "{out}");
}

/// The machine that runs the tests has an init of its own.
#[test]
fn another_init_is_not_signalled() {
    let comm = std::fs::read_to_string("/proc/1/comm").unwrap_or("?".to_string());
    assert_ne!(comm.trim(), "corm", "this test would switch the machine off");
    let (status, _, err) = corm(&["poweroff"]);
    assert_eq!(status, 69);
    assert!(err.contains("not corm"), "{err}");
}

#[test]
fn output_is_buffered_and_complete() {
    let (reader, writer) = crate::sys::io::pipe(crate::sys::io::PipeFlags::Blocking).unwrap();
    let mut output = Output::to(crate::sys::BorrowedFd::from_number(writer.borrow().number()));
    let mut expected = Vec::new();
    for number in 0..1000u32 {
        let mut line = Text::<16>::new();
        put!(line, number, "\n");
        output.put(line.as_bytes());
        expected.extend_from_slice(line.as_bytes());
    }
    assert!(output.flush());
    drop(writer);
    let mut read = Vec::new();
    let mut buffer = [0; 512];
    while let Ok(count @ 1..) = crate::sys::io::read(reader.borrow(), &mut buffer) {
        read.extend_from_slice(&buffer[..count]);
    }
    assert!(read == expected);
}

/// A directory with a config, gone at the end.
struct Machine(std::path::PathBuf);

impl Machine {
    fn new(name: &str, config: &str) -> Machine {
        let path = std::env::temp_dir().join(format!("corm-check-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("corm.d")).unwrap();
        std::fs::write(path.join("corm.toml"), config).unwrap();
        Machine(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_string()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn check_says_what_a_good_config_comes_to() {
    let machine = Machine::new(
        "good",
        "[workload.web]\ncommand = [\"/bin/web\"]\nuser = 7\nlimits = { memory = \"64M\", cpu = 2 }\n",
    );
    let (status, out, err) = corm(&["check", &machine.path("corm.toml")]);
    assert_eq!((status, err.as_str()), (0, ""));
    let line = "  web              root scratch, user 7:7, memory 64M, cpu 200%, pids 512, seccomp ";
    let filter = out.strip_prefix(&format!("fine: 1 workload, 0 mounts, 0 interfaces\n{line}"));
    // How many it is depends on the architecture.
    let count = filter.and_then(|rest| rest.strip_suffix(" instructions\n")).and_then(|it| it.parse().ok());
    assert!(count.is_some_and(|count| (100..250).contains(&count)), "{out}");
    std::fs::write(machine.path("corm.d/hog.toml"), "[workload.hog]\ncommand = [\"/bin/hog\"]\n").unwrap();
    assert!(corm(&["check", &machine.path("corm.toml")]).1.starts_with("fine: 2 workloads"));
    assert!(corm(&["check", &machine.path("corm.d")]).1.starts_with("fine: 1 workload"));
}

#[test]
fn check_points_at_what_is_wrong_in_the_file_that_has_it() {
    let machine = Machine::new("bad", "[workload.web]\ncommand = [\"/bin/web\"]\n");
    std::fs::write(machine.path("corm.d/1.toml"), "[workload.web]\nuser = \"me\"\n").unwrap();
    let (status, out, err) = corm(&["check", &machine.path("corm.toml")]);
    assert_eq!((status, out.as_str()), (65, ""));
    let expected = format!(
        "{}:2:8: `me` is not a user
    2 | user = \"me\"
      |        ^^^^ \"auto\", a uid, or \"uid:gid\"; names are not looked up
      = workload `web` is left out

1 problem; workloads that are kept: 0
",
        machine.path("corm.d/1.toml")
    );
    assert_eq!(err, expected);
}

#[test]
fn check_of_what_cannot_be_read_is_no_input() {
    let (status, _, err) = corm(&["check", "/nowhere/corm.toml"]);
    assert_eq!(status, 66);
    assert_eq!(err, "corm check: /nowhere/corm.toml: no such file or directory (ENOENT)\n");
    assert_eq!(corm(&["check", "/dev/null"]).0, 66);
    assert_eq!(corm(&["check", "--fast"]).0, 64);
}

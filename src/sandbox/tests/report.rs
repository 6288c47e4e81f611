use super::super::failure::{self, Failure, What};
use super::super::plan::Step;
use super::super::spawn::{Reported, read_report};
use super::{FIRST, config, text};
use crate::config::Limit;
use crate::sys::Errno;
use crate::sys::io;

const CONFIG: &str = r#"
    [workload.web]
    command = ["/bin/httpd"]
    root = "/srv/web"
    directory = "/www"
    volumes = { "/www" = { source = "/data/www" }, "/tmp" = { tmpfs = "1M" } }
"#;

/// What is printed when the child could not do `step`.
fn line(step: Step, errno: Errno) -> String {
    let config = config(CONFIG);
    let failure = failure::decode(&failure::encode(step, errno)).expect("it is a report");
    text(&failure.shown(&config, FIRST))
}

use std::string::String;

#[test]
fn a_failed_step_reads_as_a_sentence_with_what_to_do() {
    assert_eq!(
        line(Step::Execute, Errno::ENOENT),
        "cannot execute /bin/httpd inside /srv/web: no such file or directory (ENOENT): \
         it, or the interpreter or dynamic loader it asks for, is not there"
    );
    assert_eq!(
        line(Step::Proc, Errno::ENOENT),
        "cannot mount /proc in /srv/web: no such file or directory (ENOENT): \
         create the directories proc and dev there"
    );
    assert_eq!(
        line(Step::Volume(1), Errno::ENOTDIR),
        "cannot mount a volume on /tmp inside /srv/web: not a directory (ENOTDIR): \
         it must be a directory there, not a symlink"
    );
    assert_eq!(
        line(Step::FewFiles, Errno::EPERM),
        "cannot set its limit files: operation not permitted (EPERM): \
         this takes a right that corm does not have here"
    );
    assert_eq!(
        line(Step::Hostname, Errno::EPERM),
        "cannot set its hostname to web: operation not permitted (EPERM)"
    );
    assert_eq!(
        line(Step::Directory, Errno::EACCES),
        "cannot enter its directory /www inside /srv/web: permission denied (EACCES)"
    );
}

#[test]
fn the_parents_failures_read_the_same_way() {
    let config = config(CONFIG);
    let shown = |failure: Failure| text(&failure.shown(&config, FIRST));
    assert_eq!(
        shown(Failure::new(What::Root, Errno::ENOENT)),
        "cannot use /srv/web as its root: no such file or directory (ENOENT)"
    );
    assert_eq!(
        shown(Failure { what: What::VolumeSource, index: 0, errno: Errno::ENOENT }),
        "cannot use /data/www as a volume: no such file or directory (ENOENT)"
    );
    assert_eq!(
        shown(Failure { what: What::Limit, index: Limit::Pids as u16, errno: Errno::ENOENT }),
        "cannot set its limit pids.max: no such file or directory (ENOENT): \
         its cgroup has no such controller, or its device is not there"
    );
}

#[test]
fn every_row_of_the_phrases_belongs_to_its_number() {
    failure::check_phrases();
    let volumes = std::format!("more than {} volumes", crate::limits::WORKLOAD_VOLUMES);
    let config = config(CONFIG);
    assert!(text(&Failure::new(What::Volumes, Errno::E2BIG).shown(&config, FIRST)).contains(&volumes));
}

#[test]
fn failures_are_told_apart_by_their_consequence() {
    assert_eq!(Failure::new(What::Execute, Errno::ENOENT).exit_code(), 127);
    assert_eq!(Failure::new(What::Execute, Errno::EACCES).exit_code(), 126);
    assert_eq!(Failure::new(What::Root, Errno::ENOENT).exit_code(), 126);
    assert!(Failure::new(What::Clone, Errno::EAGAIN).transient());
    assert!(!Failure::new(What::Root, Errno::ENOENT).transient());
}

#[test]
fn a_report_says_nothing_then_failed_and_executed_at_its_end() {
    let (reader, writer) = io::socket_pair().unwrap();
    assert_eq!(read_report(reader.borrow()), Reported::Nothing);
    io::write(writer.borrow(), &failure::encode(Step::Pivot, Errno::EINVAL)).unwrap();
    let expected = Failure::new(What::Pivot, Errno::EINVAL);
    assert_eq!(read_report(reader.borrow()), Reported::Failed(expected));
    io::write(writer.borrow(), b"nonsense").unwrap();
    assert!(matches!(read_report(reader.borrow()), Reported::Failed(_)));
    drop(writer);
    assert_eq!(read_report(reader.borrow()), Reported::Executed);
    // It was killed before it had read what it waits for.
    let (reader, writer) = io::socket_pair().unwrap();
    io::write(reader.borrow(), b"!").unwrap();
    drop(writer);
    assert_eq!(read_report(reader.borrow()), Reported::Executed);
}

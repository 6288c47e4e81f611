//! `corm inspect`: a workload as the kernel has it, next to what the config asked for.
//!
//! The walls were put up by one process and are found again by another, from /proc and the
//! cgroup: nothing here is remembered from the start. A row compares two texts, that of the
//! kernel and that which the kernel would have to say of the config; what the config does not
//! speak of is to be as PID 1 has it, from which it was inherited. So a row that differs means
//! that somebody has changed something since: the program itself, which may give up what it
//! has, or somebody with rights over it.
//!
//! Three walls cannot be read from outside: Landlock's, the securebits and the keyring.

mod group;
mod mounts;
mod process;
mod report;

use super::check::{CONFIG, SOURCES};
use super::client::{Connection, Failure};
use super::commands::Command;
use super::exec::{not_running, read_config};
use super::protocol::{Field, Op, Request, Row};
use super::{Streams, Words, exit};
use crate::boot::config_files::TREE;
use crate::config::{Config, Network, Spaces, Workload, WorkloadId};
use crate::put;
use crate::sandbox::plan;
use crate::sys::Errno;
use crate::text::Text;
use process::Process;
use report::Report;

/// One side of a row.
type Cell = Text<{ crate::limits::PATH }>;

/// Whom it is about.
struct Subject<'a> {
    config: &'a Config,
    id: WorkloadId,
    workload: &'a Workload,
    /// Its main process, and PID 1.
    own: Process,
    first: Process,
}

pub(super) fn run(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    let given = match this.read(words, false, streams) {
        Ok(given) => given,
        Err(status) => return status,
    };
    let space = (SOURCES.take(), TREE.take(), CONFIG.take());
    // One command runs in one process.
    let ([name], (Some(sources), Some(tree), Some(config))) = (&*given.names, space) else {
        return this.usage_error(streams);
    };
    let name = name.to_bytes();
    let mut connection = match Connection::open() {
        Ok(connection) => connection,
        Err(failure) => return failure.tell(this.name, streams),
    };
    let asked = main_process(&mut connection, name, true)
        .and_then(|pid| read_config(&mut connection, sources, tree, config).map(|()| pid));
    let pid = match asked {
        Ok(Some(pid)) => pid,
        Ok(None) => return not_running(name).tell(this.name, streams),
        Err(failure) => return failure.tell(this.name, streams),
    };
    let mut ids = config.ids();
    let named = |id: &WorkloadId| config.workload(*id).is_some_and(|it| config.bytes(it.name) == name);
    let Some((id, workload)) = ids.find(named).and_then(|id| Some((id, config.workload(id)?))) else {
        return not_running(name).tell(this.name, streams);
    };
    let mut report = Report::new(given.has(0), streams.out);
    report.begin(name, pid);
    let told = Process::open(pid).and_then(|own| {
        let subject = Subject { config, id, workload, own, first: Process::open(1)? };
        subject.namespaces(&mut connection, &mut report)?;
        subject.process(&mut report)?;
        subject.group(&mut report)?;
        subject.mounts(&mut report)
    });
    report.end();
    match told {
        Ok(()) if report.differing == 0 => exit::OK,
        Ok(()) => exit::DATA,
        // It has ended meanwhile.
        Err(Errno::ENOENT | Errno::ESRCH) => not_running(name).tell(this.name, streams),
        Err(errno) => {
            put!(*streams.err, "corm inspect: cannot read /proc/", pid, ": ", errno, "\n");
            if errno == Errno::EACCES { exit::NO_PERMISSION } else { exit::UNAVAILABLE }
        }
    }
}

/// `None`: it has none, or, if they have to stand, its walls are still being put up.
fn main_process<'a>(
    connection: &mut Connection,
    name: &'a [u8],
    walled: bool,
) -> Result<Option<u32>, Failure<'a>> {
    match connection.ask(&Request::of(Op::Row, name)) {
        Ok(reply) => {
            let Some(row) = Row::decode(reply) else { return Ok(None) };
            let pid = row.get(Field::Pid).and_then(|pid| u32::try_from(pid).ok());
            let is_up = |pid: &u32| !walled || row.state != b"starting" || !process::is_corm(*pid);
            Ok(pid.filter(is_up))
        }
        // Its suggestion is in the connection.
        Err(Failure::Refused { refusal, .. }) => Err(Failure::Refused { refusal, rest: b"", name }),
        Err(Failure::Connect(errno)) => Err(Failure::Connect(errno)),
        Err(Failure::Lost) => Err(Failure::Lost),
    }
}

/// What the config says of a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Own,
    Machine,
    Joined,
}

/// The kinds, by the names they have in /proc.
static KINDS: [&str; 8] = ["pid", "mnt", "net", "user", "ipc", "uts", "cgroup", "time"];

fn whose(workload: &Workload, has_group: bool, kind: &str) -> Whose {
    let space = match kind {
        "pid" => Spaces::PID,
        "ipc" => Spaces::IPC,
        "uts" => Spaces::UTS,
        "cgroup" => Spaces::CGROUP,
        "time" => Spaces::TIME,
        "net" => Spaces::NETWORK,
        _ => Spaces::NONE,
    };
    let machine = match kind {
        "user" => plan::range(workload).is_none(),
        "net" => workload.network == Network::Host && !workload.joined.has(space),
        "cgroup" => workload.host.has(space) || !has_group,
        _ => workload.host.has(space),
    };
    if workload.privileged || machine {
        Whose::Machine
    } else if workload.joined.has(space) || (kind == "user" && workload.join.is_some()) {
        Whose::Joined
    } else {
        Whose::Own
    }
}

impl Subject<'_> {
    fn namespaces(&self, connection: &mut Connection, report: &mut Report) -> Result<(), Errno> {
        let has_group = crate::cgroup::open(self.config, self.id).is_some();
        let mut numbers = [0; KINDS.len()];
        let mut others = [None; KINDS.len()];
        for (kind, number) in KINDS.iter().zip(&mut numbers) {
            *number = self.own.namespace(kind)?;
        }
        // Those that share them, but not those that have joined it, or the same as it.
        let head = self.workload.join.unwrap_or(self.id);
        for id in self.config.ids().filter(|id| *id != self.id) {
            let Some(other) = self.config.workload(id) else { continue };
            if other.join.unwrap_or(id) == head && id != head {
                continue;
            }
            let pid = main_process(connection, self.config.bytes(other.name), false);
            let Some(process) = pid.ok().flatten().and_then(|pid| Process::open(pid).ok()) else { continue };
            for ((kind, number), found) in KINDS.iter().zip(numbers).zip(&mut others) {
                if found.is_none() && process.namespace(kind).is_ok_and(|other| other == number) {
                    *found = Some(other.name);
                }
            }
        }
        for ((kind, number), other) in KINDS.iter().zip(numbers).zip(others) {
            // This kernel has none of that kind.
            if number == 0 {
                continue;
            }
            let (mut name, mut kernel, mut more, mut wanted) =
                (Cell::new(), Cell::new(), Cell::new(), Cell::new());
            put!(name, "namespace.", *kind);
            put!(more, number);
            match other {
                _ if self.first.namespace(kind)? == number => put!(kernel, "PID 1's"),
                Some(other) => put!(kernel, "as ", self.config.bytes(other)),
                None => put!(kernel, "own"),
            }
            match whose(self.workload, has_group, kind) {
                Whose::Own => put!(wanted, "own"),
                Whose::Machine => put!(wanted, "PID 1's"),
                Whose::Joined => {
                    let joined = self.config.workload(head).map_or(&b""[..], |it| self.config.bytes(it.name));
                    put!(wanted, "as ", joined);
                }
            }
            report.row(name.as_bytes(), kernel.as_bytes(), more.as_bytes(), Some(wanted.as_bytes()));
        }
        Ok(())
    }
}

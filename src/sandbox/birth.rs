//! How a child comes into its namespaces.
//!
//! Mostly by one clone3(2) that makes all of them. Two things that call cannot do: put the
//! child into namespaces that are there already, and set clocks before anybody has them. For
//! these there is a process in between. It enters the namespaces, and has a child that is
//! not its own but PID 1's (CLONE_PARENT), which is the workload's. PID 1 itself never leaves
//! the machine's, so nothing has to be undone, and it waits only as long as the one in between
//! takes for these few calls (vfork(2)).

use super::failure::{Failure, What};
use super::plan;
use crate::config::{Spaces, Workload};
use crate::put;
use crate::sys::fs;
use crate::sys::process::{self, Cloned, Namespaces, Parent};
use crate::sys::{BorrowedFd, Errno, children, clock};
use crate::text::Text;
use core::cell::Cell;
use core::convert::Infallible;

pub(super) struct Birth<'a> {
    pub namespaces: Namespaces,
    pub time: bool,
    /// A process, if there is one, and those namespaces of it.
    pub join: Option<(Option<u32>, Namespaces)>,
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// The new ones.
pub(super) fn namespaces(wanted: plan::Namespaces) -> Namespaces {
    [
        (wanted.users, Namespaces::USER),
        (wanted.mount, Namespaces::MOUNT),
        (wanted.uts, Namespaces::UTS),
        (wanted.ipc, Namespaces::IPC),
        (wanted.pid, Namespaces::PID),
        (wanted.network, Namespaces::NETWORK),
    ]
    .into_iter()
    .fold(Namespaces::NONE, |all, (wanted, one)| if wanted { all | one } else { all })
}

/// The ones that it shares with the workload it joins. Users are among them: the others
/// belong to these, and its rights count there.
pub(super) fn joined(workload: &Workload) -> Namespaces {
    [
        (plan::range(workload).is_some(), Namespaces::USER),
        (workload.joined.has(Spaces::UTS), Namespaces::UTS),
        (workload.joined.has(Spaces::IPC), Namespaces::IPC),
        (workload.joined.has(Spaces::NETWORK), Namespaces::NETWORK),
    ]
    .into_iter()
    .fold(Namespaces::NONE, |all, (wanted, one)| if wanted { all | one } else { all })
}

impl Birth<'_> {
    /// Makes a child of this process, which runs `child` and never returns from it.
    pub fn bear(&self, child: &dyn Fn() -> Infallible) -> Result<u32, Failure> {
        let clone = |parent| {
            let made = process::clone(self.namespaces, parent, self.cgroup);
            match made.map_err(|errno| Failure::new(What::Clone, errno))? {
                Cloned::Parent(pid) => Ok(pid),
                Cloned::Child => match child() {},
            }
        };
        if !self.time && self.join.is_none() {
            return clone(Parent::Caller);
        }
        // If it is killed before it can say anything.
        let born = Cell::new(Err(Failure::new(What::Clone, Errno::EAGAIN)));
        let between = children::spawn(&|| {
            born.set(self.prepare().and_then(|()| clone(Parent::OfCaller)));
            0
        });
        // It has ended, and is reaped as any orphan is.
        between.map_err(|errno| Failure::new(What::Clone, errno))?;
        born.get()
    }

    /// In the process in between.
    fn prepare(&self) -> Result<(), Failure> {
        if self.time {
            start_clocks().map_err(|errno| Failure::new(What::Time, errno))?;
        }
        match self.join {
            Some((pid, shared)) if shared != Namespaces::NONE => pid
                .ok_or(Errno::EAGAIN)
                .and_then(|pid| process::enter(process::open(pid)?.borrow(), shared))
                .map_err(|errno| Failure::new(What::Join, errno)),
            _ => Ok(()),
        }
    }
}

/// The next child's monotonic clocks begin now. What time of day it is, is no clock of a namespace.
fn start_clocks() -> Result<(), Errno> {
    process::unshare(Namespaces::TIME)?;
    let seconds = clock::now() / 1000;
    let mut offsets = Text::<128>::new();
    put!(offsets, "monotonic -", seconds, " 0\nboottime -", seconds, " 0\n");
    fs::write_file(BorrowedFd::CWD, c"/proc/self/timens_offsets", offsets.as_bytes())
}

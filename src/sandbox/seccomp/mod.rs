//! Which system calls a workload may make, as a program for seccomp(2).
//!
//! Pure. [`compile`] turns the config's words into a *verdict* for every call
//! number and the verdicts into classic BPF. Neighbours with the same verdict are
//! one range, and the program is a balanced tree over the ranges' first numbers:
//! about seven comparisons, however many calls are named. It looks at nothing but
//! the number for most calls, so that kernels since 5.11 work the answer out
//! once, when it is installed, and run it no more.
//!
//! What no list can allow: calls of another ABI (i386, x32, AArch32 on a 64-bit
//! kernel) kill the process. They have other numbers, so every list would mean
//! something else there.
//!
//! What no list can refuse with an error a program would stumble over: a call
//! newer than corm, and clone3, do not exist (ENOSYS), which is what a libc
//! takes as a sign to use the older one. clone3 has its flags in memory, where a
//! filter cannot look.

mod filters;
mod program;
#[cfg(test)]
mod tests;

pub use program::Program;

use crate::config::calls::{Calls, LAST, Machine, NATIVE, PRIVATE, PRIVATE_CALLS, SLOTS};
use crate::config::{self, Base, Config, List, Refusal, Seccomp, Str, Workload};
use crate::text;
use filters::FILTERS;
use heapless::Vec;
use program::{Leaf, Place};

/// Seccomp's answers to a call, from the one that wins if there are several filters.
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Where struct seccomp_data has the call's number and its architecture.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// Ranges of numbers: at worst each call's answer differs from its neighbours'.
const RANGES: usize = SLOTS + 8;

/// What a workload's config comes to.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    base: Base,
    /// Allowed besides, whatever their arguments.
    allow: Calls,
    /// Refused, if they were allowed so far.
    deny: Calls,
    refusal: Refusal,
    capabilities: u64,
    /// Process 1 is corm's init, behind the same filter: or its program would find
    /// a process of its own user there that may do more.
    init: bool,
}

/// What that takes, to start, to pass signals on, to reap and to end.
const OF_INIT: &[u8] = b"execveat execve rt_sigprocmask rt_sigaction rt_sigtimedwait rt_sigtimedwait_time64 \
    getpid getpgid setpgid openat ioctl clone chdir close close_range madvise wait4 kill write exit_group";

/// The filter of a workload on this machine. False if the program does not fit,
/// which it does whatever the config says.
#[inline(never)]
pub fn compile(config: &Config, workload: &Workload, program: &mut Program) -> bool {
    assemble(NATIVE, &wanted(config, workload, NATIVE), program)
}

fn wanted(config: &Config, workload: &Workload, machine: &Machine) -> Wanted {
    let Seccomp { base, allow, deny, refusal } = workload.seccomp;
    let mut wanted = Wanted {
        base,
        allow: Calls::NONE,
        deny: Calls::NONE,
        refusal,
        capabilities: workload.capabilities,
        init: workload.init,
    };
    let allowed = gather(config, allow, machine, &mut wanted.allow);
    let denied = gather(config, deny, machine, &mut wanted.deny);
    wanted.base = base.max(allowed);
    if denied != Base::Own {
        wanted.deny.change(listed(machine, denied), true);
    }
    wanted
}

/// Puts the calls of a list into a set. Returns the longest of corm's own lists that it names.
#[inline(never)]
fn gather(config: &Config, list: List<Str>, machine: &Machine, calls: &mut Calls) -> Base {
    let mut base = Base::Own;
    for word in config.words(list) {
        let set = match config.bytes(*word) {
            b"@strict" => Base::Strict,
            b"@default" => Base::Default,
            b"@all" => Base::All,
            name => {
                // The reader has let through no name that nobody knows.
                calls.insert(machine.find(name).unwrap_or(u16::MAX));
                continue;
            }
        };
        base = base.max(set);
    }
    base
}

fn listed(machine: &Machine, base: Base) -> &Calls {
    match base {
        Base::Own => &machine.always,
        Base::Strict => &machine.strict,
        Base::Default => &machine.default,
        Base::All | Base::Off => &Calls::ALL,
    }
}

fn assemble(machine: &Machine, wanted: &Wanted, program: &mut Program) -> bool {
    let allowed = allowed(machine, wanted);
    let refusal = match wanted.refusal {
        Refusal::Errno => ERRNO | EPERM,
        Refusal::Kill => KILL_PROCESS,
        Refusal::Log => LOG,
    };
    // From its end to its beginning: a jump can be made when its targets are there.
    program.clear();
    let allow = program.answer(ALLOW);
    let refuse = program.answer(refusal);
    let absent = program.answer(ERRNO | ENOSYS);
    let kill = program.answer(KILL_PROCESS);
    let mut filters = [(None, allow); FILTERS.len()];
    for (filter, entry) in FILTERS.iter().zip(&mut filters) {
        let slot = machine.find(filter.call).filter(|slot| allowed.contains(*slot));
        if slot.is_some_and(|slot| !filter.is_lifted(wanted, slot)) {
            *entry = (slot, filter.compile(allow, refuse, program));
        }
    }
    let clone3 = machine.find(b"clone3");
    let of = |number| match machine.slot(number) {
        None => refuse,
        slot if !slot.is_some_and(|slot| allowed.contains(slot)) => {
            if slot == clone3 {
                absent
            } else {
                refuse
            }
        }
        slot => filters.iter().find(|(filtered, _)| *filtered == slot).map_or(allow, |(_, place)| *place),
    };

    let mut ranges = Vec::<Leaf, RANGES>::new();
    let mut fits = true;
    let mut range = |first: u32, place: Place| {
        if ranges.last().is_none_or(|last| last.place != place) {
            fits &= ranges.push(Leaf { first, place }).is_ok();
        }
    };
    let own = if machine.private { PRIVATE_CALLS } else { 0 };
    for (first, last) in [(0, LAST), (PRIVATE + 1, PRIVATE + own)] {
        for number in first..=last {
            range(number, of(number));
        }
        range(last + 1, absent);
    }
    if machine.foreign != 0 {
        range(machine.foreign, kill);
        // The first bit, which a tracer's "no call" (-1) has too.
        range(1 << 31, absent);
    }
    let root = program.tree(&mut ranges);
    let native = program.load(NUMBER, root);
    let begin = program.jump(program::EQUAL, machine.audit, native, kill);
    program.load(ARCHITECTURE, begin);
    fits && !program.instructions().is_empty()
}

/// The calls that are allowed, whatever their arguments.
fn allowed(machine: &Machine, wanted: &Wanted) -> Calls {
    let mut calls = *listed(machine, wanted.base);
    for (capability, slot) in &machine.with {
        if wanted.base.is_filtered() && config::has(wanted.capabilities, *capability) {
            calls.insert(*slot);
        }
    }
    // Not as if the config had named them: their arguments are looked at.
    for name in text::words(if wanted.init { OF_INIT } else { b"" }, b' ') {
        calls.insert(machine.find(name).unwrap_or(u16::MAX));
    }
    calls.change(&wanted.allow, true);
    calls.change(&wanted.deny, false);
    calls
}

//! Calls of which only some uses are harmless: what their argument may be.
//!
//! A call that a config names itself is allowed whatever its arguments. All of
//! them are ints to the kernel, which looks at their low 32 bits only; so do
//! these, or a bit above would be a way past (CVE-2019-10063).

use super::Wanted;
use super::program::{Leaf, Place, Program};
use crate::config::{self, Base};
use heapless::Vec;

pub(super) struct Filter {
    pub call: &'static [u8],
    /// Which argument, from 0.
    argument: u8,
    /// Its bits that matter.
    mask: u32,
    /// First and last of what it may be then, in order.
    values: &'static [(u32, u32)],
    /// Whoever has this capability may do as they like.
    lifted_by: Option<u8>,
}

// Capabilities, as capabilities(7) numbers them.
const NET_RAW: u8 = 13;
const SYS_ADMIN: u8 = 21;

/// Ranges of values, at most: for each two leaves of a tree, and one for 0.
const LEAVES: usize = 32;

pub(super) static FILTERS: [Filter; 5] = [
    // No new namespaces: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
    Filter { call: b"clone", argument: 0, mask: 0x7e02_0000, values: &[(0, 0)], lifted_by: Some(SYS_ADMIN) },
    // AF_UNIX and AF_INET, AF_INET6, AF_NETLINK.
    Filter {
        call: b"socket",
        argument: 0,
        mask: u32::MAX,
        values: &[(1, 2), (10, 10), (16, 16)],
        lifted_by: Some(NET_RAW),
    },
    // All but TIOCSTI and TIOCLINUX, which type into a terminal that others read.
    Filter {
        call: b"ioctl",
        argument: 1,
        mask: u32::MAX,
        values: &[(0, 0x5411), (0x5413, 0x541b), (0x541d, u32::MAX)],
        lifted_by: None,
    },
    // PER_LINUX, and to ask. The others turn address space randomisation off, or are of ancient systems.
    Filter {
        call: b"personality",
        argument: 0,
        mask: u32::MAX,
        values: &[(0, 0), (u32::MAX, u32::MAX)],
        lifted_by: None,
    },
    Filter { call: b"prctl", argument: 0, mask: u32::MAX, values: PRCTL, lifted_by: None },
];

/// Options of prctl(2). Missing: UNALIGN, FPEMU, FPEXC, TIMING, ENDIAN (other architectures'),
/// TASK_PERF_EVENTS, SET_MM (what the process says it is), SYSCALL_USER_DISPATCH, SCHED_CORE, SET_PTRACER.
const PRCTL: &[(u32, u32)] = &[
    (1, 4),                     // PDEATHSIG, DUMPABLE
    (7, 8),                     // KEEPCAPS
    (15, 16),                   // NAME
    (21, 30),                   // SECCOMP, CAPBSET, TSC, SECUREBITS, TIMERSLACK
    (33, 34),                   // MCE_KILL
    (36, 42),                   // CHILD_SUBREAPER, NO_NEW_PRIVS, TID_ADDRESS, THP_DISABLE
    (47, 58), // CAP_AMBIENT, SVE_VL, SPECULATION_CTRL, PAC_RESET_KEYS, TAGGED_ADDR_CTRL, IO_FLUSHER
    (60, 61), // PAC_ENABLED_KEYS
    (63, 66), // SME_VL, MDWE
    (0x4155_5856, 0x4155_5856), // GET_AUXV
    (0x5356_4d41, 0x5356_4d41), // SET_VMA: names of anonymous memory
];

impl Filter {
    /// Whether it does not apply: the call is the config's own word, or goes with a capability.
    pub fn is_lifted(&self, wanted: &Wanted, slot: u16) -> bool {
        matches!(wanted.base, Base::All | Base::Off)
            || wanted.allow.contains(slot)
            || self.lifted_by.is_some_and(|capability| config::has(wanted.capabilities, capability))
    }

    /// Where the program looks at the argument.
    pub fn compile(&self, allow: Place, refuse: Place, program: &mut Program) -> Place {
        /// Where struct seccomp_data has its arguments, 64 bits each, the low half first.
        const ARGUMENTS: u32 = 16;
        let mut leaves = Vec::<Leaf, LEAVES>::new();
        let mut leaf = |first: u32, place: Place| {
            if leaves.last().is_some_and(|last| last.first == first) {
                leaves.pop();
            }
            // There is room for the longest of the tables.
            let _ = leaves.push(Leaf { first, place });
        };
        leaf(0, refuse);
        for (first, last) in self.values {
            leaf(*first, allow);
            if let Some(next) = last.checked_add(1) {
                leaf(next, refuse);
            }
        }
        let mut next = program.tree(&mut leaves);
        if self.mask != u32::MAX {
            next = program.mask(self.mask, next);
        }
        program.load(ARGUMENTS.saturating_add(u32::from(self.argument).saturating_mul(8)), next)
    }
}

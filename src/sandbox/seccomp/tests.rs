//! Compiled programs, run call by call, against what the lists say.

use super::filters::FILTERS;
use super::*;
use crate::config::calls::{AARCH64, ARM, TABLE, Tier, X86_64};
use proptest::prelude::*;
use std::vec::Vec;

const MACHINES: [(&str, &Machine); 3] = [("x86_64", &X86_64), ("aarch64", &AARCH64), ("arm", &ARM)];

const EPERM_ANSWER: u32 = ERRNO | EPERM;
const ABSENT: u32 = ERRNO | ENOSYS;

/// What seccomp(2) shows a filter.
#[derive(Clone, Copy)]
struct Data {
    number: u32,
    architecture: u32,
    arguments: [u64; 6],
}

/// Runs a program as the kernel does, after its checks; the answer, and how many
/// instructions it took.
fn run(program: &[u64], data: Data) -> (u32, usize) {
    let word = |offset: u32| match offset {
        0 => data.number,
        4 => data.architecture,
        _ => {
            let argument = data.arguments[(offset as usize - 16) / 8];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
    };
    let (mut at, mut accumulator) = (0usize, 0u32);
    for steps in 1.. {
        let [low, high, yes, no, a, b, c, d] = program[at].to_le_bytes();
        let operand = u32::from_le_bytes([a, b, c, d]);
        at += 1;
        match u16::from_le_bytes([low, high]) {
            0x20 => accumulator = word(operand),
            0x54 => accumulator &= operand,
            0x05 => at += operand as usize,
            0x15 => at += usize::from(if accumulator == operand { yes } else { no }),
            0x35 => at += usize::from(if accumulator >= operand { yes } else { no }),
            0x06 => return (operand, steps),
            code => panic!("the kernel does not take {code:#x}"),
        }
    }
    unreachable!()
}

fn compiled(machine: &Machine, seccomp: &Wanted, capabilities: u64) -> Vec<u64> {
    let mut program = Box::new(Program::EMPTY);
    assert!(assemble(machine, &Wanted { capabilities, ..*seccomp }, &mut program), "it does not fit");
    program.instructions().to_vec()
}

fn answer(machine: &Machine, program: &[u64], number: u32, arguments: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    run(program, Data { number, architecture: machine.audit, arguments: all }).0
}

fn based_on(base: Base) -> Wanted {
    Wanted {
        base,
        allow: Calls::NONE,
        deny: Calls::NONE,
        refusal: Refusal::Errno,
        capabilities: 0,
        init: false,
    }
}

/// The number of a call on a machine.
fn number(which: usize, name: &str) -> Option<u32> {
    let row = TABLE.iter().find(|row| row.0 == name).expect(name);
    Some([row.2, row.3, row.4][which]).filter(|number| *number != u32::MAX)
}

fn calls(machine: &Machine, names: &[&str]) -> Calls {
    let mut calls = Calls::NONE;
    names.iter().for_each(|name| calls.insert(machine.find(name.as_bytes()).expect(name)));
    calls
}

fn is_filtered(name: &str) -> bool {
    FILTERS.iter().any(|filter| filter.call == name.as_bytes())
}

/// Numbers that are or could be calls.
fn numbers() -> impl Iterator<Item = u32> {
    let corners = [0xe_ffff, 0xf_0000, 0x3fff_ffff, 0x4000_0000, 0x4000_01d5, 0x7fff_ffff, 1 << 31, u32::MAX];
    (0..600).chain(0xf_0000..0xf_0010).chain(0x4000_0000..0x4000_0258).chain(corners)
}

/// What a program must answer to a call without arguments, said in the words of the table.
fn wanted(which: usize, seccomp: &Wanted, capabilities: u64, number: u32) -> u32 {
    let machine = MACHINES[which].1;
    if which == 0 && number & 0x4000_0000 != 0 && number < 1 << 31 {
        return KILL_PROCESS;
    }
    let row = TABLE.iter().find(|row| [row.2, row.3, row.4][which] == number && number != u32::MAX);
    let refused = match seccomp.refusal {
        Refusal::Errno => EPERM_ANSWER,
        Refusal::Kill => KILL_PROCESS,
        Refusal::Log => LOG,
    };
    let Some((name, tier, ..)) = row else { return if number <= LAST { refused } else { ABSENT } };
    let slot = machine.find(name.as_bytes()).unwrap();
    let listed = match (seccomp.base, tier) {
        (Base::All | Base::Off, _) | (_, Tier::Always) => true,
        (Base::Own, _) | (_, Tier::Never) => false,
        (_, Tier::With(capability)) => capabilities >> capability & 1 != 0,
        (base, tier) => matches!(tier, Tier::Strict) || base == Base::Default,
    };
    match (listed || seccomp.allow.contains(slot)) && !seccomp.deny.contains(slot) {
        // No flags, type into a terminal, ask.
        true => match *name {
            "socket" | "prctl"
                if seccomp.base.is_filtered()
                    && !seccomp.allow.contains(slot)
                    && !(*name == "socket" && capabilities >> 13 & 1 != 0) =>
            {
                refused
            }
            _ => ALLOW,
        },
        false if *name == "clone3" => ABSENT,
        false => refused,
    }
}

#[track_caller]
fn agrees(which: usize, seccomp: &Wanted, capabilities: u64) {
    let (name, machine) = MACHINES[which];
    let program = compiled(machine, seccomp, capabilities);
    let most = (usize::BITS - RANGES.leading_zeros()) as usize;
    for number in numbers() {
        let data = Data { number, architecture: machine.audit, arguments: [0; 6] };
        let (answer, steps) = run(&program, data);
        assert_eq!(answer, wanted(which, seccomp, capabilities, number), "{name} {number:#x}");
        // A comparison a level, perhaps with a long jump, and as much for an argument.
        assert!(steps <= 2 * most + 12, "{name} {number:#x} takes {steps}");
    }
}

#[test]
fn every_list_means_what_the_table_says_on_every_machine() {
    for which in 0..3 {
        for base in [Base::Own, Base::Strict, Base::Default, Base::All] {
            for refusal in [Refusal::Errno, Refusal::Kill, Refusal::Log] {
                agrees(which, &Wanted { refusal, ..based_on(base) }, 0);
            }
        }
        for capability in 0..41 {
            agrees(which, &based_on(Base::Default), 1 << capability);
        }
    }
}

#[test]
fn calls_of_another_abi_end_the_process_whatever_is_allowed() {
    const I386: u32 = 0x4000_0003;
    for (name, machine) in MACHINES {
        for base in [Base::Own, Base::Default, Base::All] {
            let program = compiled(machine, &based_on(base), u64::MAX);
            let others =
                MACHINES.iter().map(|(_, other)| other.audit).filter(|audit| *audit != machine.audit);
            for (architecture, number) in others.chain([I386, 0, u32::MAX]).zip(0..) {
                let data = Data { number, architecture, arguments: [0; 6] };
                assert_eq!(run(&program, data), (KILL_PROCESS, 3), "{name} {architecture:#x}");
            }
        }
    }
    let program = compiled(&X86_64, &based_on(Base::All), 0);
    assert_eq!(answer(&X86_64, &program, 0x4000_0000 | 39, &[]), KILL_PROCESS, "x32's getpid");
}

#[test]
fn arguments_are_looked_at() {
    const CLONE_NEWUSER: u64 = 0x1000_0000;
    const CLONE_THREAD_FLAGS: u64 = 0x3d_0f00;
    let cases: &[(&str, &[u64], u32)] = &[
        ("clone", &[17], ALLOW),
        ("clone", &[CLONE_THREAD_FLAGS], ALLOW),
        ("clone", &[CLONE_NEWUSER | 17], EPERM_ANSWER),
        ("clone", &[0x0002_0000], EPERM_ANSWER),
        ("clone", &[0x0200_0000], EPERM_ANSWER),
        ("clone", &[0x4000_0000], EPERM_ANSWER),
        ("clone3", &[0, 88], ABSENT),
        ("socket", &[1], ALLOW),
        ("socket", &[2], ALLOW),
        ("socket", &[10], ALLOW),
        ("socket", &[16], ALLOW),
        ("socket", &[0], EPERM_ANSWER),
        ("socket", &[3], EPERM_ANSWER),
        ("socket", &[17], EPERM_ANSWER),
        ("socket", &[38], EPERM_ANSWER),
        ("socket", &[40], EPERM_ANSWER),
        ("ioctl", &[0, 0x5401], ALLOW),
        ("ioctl", &[0, 0x5413], ALLOW),
        ("ioctl", &[0, 0xffff_ffff], ALLOW),
        ("ioctl", &[0, 0x5412], EPERM_ANSWER),
        ("ioctl", &[0, 0x541c], EPERM_ANSWER),
        // CVE-2019-10063: the kernel looks at the low half only.
        ("ioctl", &[0, 0x1_0000_5412], EPERM_ANSWER),
        ("clone", &[0xffff_ffff_0000_0011], ALLOW),
        ("personality", &[0], ALLOW),
        ("personality", &[0xffff_ffff], ALLOW),
        ("personality", &[0x004_0000], EPERM_ANSWER),
        ("prctl", &[15], ALLOW),
        ("prctl", &[38], ALLOW),
        ("prctl", &[0x5356_4d41], ALLOW),
        ("prctl", &[0], EPERM_ANSWER),
        ("prctl", &[35], EPERM_ANSWER),
        ("prctl", &[59], EPERM_ANSWER),
        ("prctl", &[62], EPERM_ANSWER),
        ("prctl", &[0x5961_6d61], EPERM_ANSWER),
    ];
    for (which, (machine_name, machine)) in MACHINES.into_iter().enumerate() {
        let program = compiled(machine, &based_on(Base::Default), 0);
        let strict = compiled(machine, &based_on(Base::Strict), 0);
        let all: Vec<&str> =
            FILTERS.iter().map(|filter| core::str::from_utf8(filter.call).unwrap()).collect();
        let mut named = based_on(Base::Default);
        named.allow = calls(machine, &all);
        let named = compiled(machine, &named, 0);
        for (name, arguments, wanted) in cases {
            let number = number(which, name).unwrap();
            let case = std::format!("{machine_name}: {name} {arguments:x?}");
            assert_eq!(answer(machine, &program, number, arguments), *wanted, "{case}");
            if *name != "personality" {
                assert_eq!(answer(machine, &strict, number, arguments), *wanted, "strict, {case}");
            }
            if *name != "clone3" {
                assert_eq!(answer(machine, &named, number, arguments), ALLOW, "allowed by name, {case}");
            }
        }
    }
}

#[test]
fn capabilities_lift_the_filters_that_would_make_them_useless() {
    let new_namespace = number(0, "clone").unwrap();
    let program = compiled(&X86_64, &based_on(Base::Default), 1 << 21);
    assert_eq!(answer(&X86_64, &program, new_namespace, &[0x1000_0000]), ALLOW);
    assert_eq!(answer(&X86_64, &program, number(0, "socket").unwrap(), &[17]), EPERM_ANSWER);
    let program = compiled(&X86_64, &based_on(Base::Default), 1 << 13);
    assert_eq!(answer(&X86_64, &program, number(0, "socket").unwrap(), &[17]), ALLOW);
    assert_eq!(answer(&X86_64, &program, new_namespace, &[0x1000_0000]), EPERM_ANSWER);
}

/// The longest program that lists can ask for: every second call.
#[test]
fn the_longest_program_fits() {
    for (which, (name, machine)) in MACHINES.into_iter().enumerate() {
        for first in 0..2 {
            let mut seccomp = based_on(Base::Default);
            (0..SLOTS as u16).filter(|slot| slot % 2 == first).for_each(|slot| seccomp.allow.insert(slot));
            (0..SLOTS as u16).filter(|slot| slot % 2 != first).for_each(|slot| seccomp.deny.insert(slot));
            let length = compiled(machine, &seccomp, 0).len();
            std::println!("{name}: {length}");
            agrees(which, &seccomp, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_listed_is_what_is_allowed(
        which in 0usize..3,
        base in prop::sample::select(std::vec![Base::Own, Base::Strict, Base::Default, Base::All]),
        refusal in prop::sample::select(std::vec![Refusal::Errno, Refusal::Kill, Refusal::Log]),
        allow in prop::collection::vec(0..SLOTS as u16, 0..300),
        deny in prop::collection::vec(0..SLOTS as u16, 0..100),
        capabilities in any::<u64>(),
    ) {
        let mut seccomp = Wanted { refusal, ..based_on(base) };
        allow.iter().for_each(|slot| seccomp.allow.insert(*slot));
        deny.iter().for_each(|slot| seccomp.deny.insert(*slot));
        agrees(which, &seccomp, capabilities);
    }
}

/// In the words of others: what must and must not be in `default`.
#[test]
fn default_is_what_servers_use_and_not_what_takes_a_machine_over() {
    for (which, (machine_name, machine)) in MACHINES.into_iter().enumerate() {
        let program = compiled(machine, &based_on(Base::Default), 0);
        let allowed = |name: &str| {
            number(which, name).map(|number| answer(machine, &program, number, &[]) != EPERM_ANSWER)
        };
        // Docker's profile refuses these without a capability, and systemd's @system-service has none of them.
        for name in "acct bpf delete_module finit_module init_module iopl kexec_load kexec_file_load mount umount2 \
                     pivot_root setns unshare swapon swapoff reboot sethostname setdomainname clock_settime \
                     settimeofday perf_event_open ptrace open_by_handle_at syslog vhangup quotactl \
                     move_mount fsopen fsmount open_tree mount_setattr add_key keyctl request_key userfaultfd \
                     io_uring_setup io_uring_enter io_uring_register lookup_dcookie nfsservctl process_vm_writev \
                     kcmp pidfd_getfd chroot"
            .split_whitespace()
        {
            assert_ne!(allowed(name), Some(true), "{machine_name}: {name} is allowed");
        }
        // Both allow these, and servers need them.
        for name in "read write openat close mmap mprotect munmap brk futex epoll_pwait accept4 bind listen connect \
                     sendmsg recvmmsg execve clone wait4 exit_group rt_sigreturn getrandom clock_gettime renameat \
                     unlinkat fchownat fchmodat2 setresuid setgroups capset memfd_create io_submit semop shmget \
                     mq_open inotify_add_watch statx rseq membarrier sched_setaffinity seccomp utimensat"
            .split_whitespace()
        {
            assert_ne!(allowed(name), Some(false), "{machine_name}: {name} is refused");
        }
    }
    assert!(is_filtered("clone") && !is_filtered("read"));
}

#[test]
fn the_default_is_short() {
    for (name, machine) in MACHINES {
        let length = compiled(machine, &based_on(Base::Default), 0).len();
        std::println!(
            "{name}: default {length}, strict {}",
            compiled(machine, &based_on(Base::Strict), 0).len()
        );
        assert!(length < 200, "{name}: {length}");
    }
}

//! The table of system calls against the `syscalls` crate, and its hashes against
//! each other.

use super::super::calls::{AARCH64, ARM, Calls, LAST, Machine, NATIVE, TABLE, X86_64};
use std::collections::{BTreeMap, HashSet};
use std::string::{String, ToString};
use std::vec::Vec;
use syscalls::{aarch64, arm, x86_64};

const MACHINES: [(&str, &Machine); 3] = [("x86_64", &X86_64), ("aarch64", &AARCH64), ("arm", &ARM)];

fn ours(which: usize) -> BTreeMap<u32, String> {
    let numbers = TABLE.iter().map(|row| ([row.2, row.3, row.4][which], row.0.to_string()));
    numbers.filter(|(number, _)| *number != u32::MAX).collect()
}

#[test]
fn the_numbers_are_those_of_the_syscalls_crate() {
    // Its `iter` leaves the last one out.
    let numbers = || 0..=LAST as usize + 9;
    let named = |(number, name): (usize, &str)| (number as u32, name.to_string());
    let theirs: [BTreeMap<u32, String>; 3] = [
        numbers().filter_map(|n| Some((n, x86_64::Sysno::new(n)?.name()))).map(named).collect(),
        numbers().filter_map(|n| Some((n, aarch64::Sysno::new(n)?.name()))).map(named).collect(),
        numbers().filter_map(|n| Some((n, arm::Sysno::new(n)?.name()))).map(named).collect(),
    ];
    for (which, theirs) in theirs.into_iter().enumerate() {
        let mut wanted = theirs;
        // 64-bit machines have had 64-bit time all along: no kernel answers to these.
        let time64 = |number: &u32| (403..=423).contains(number);
        if which == 1 {
            wanted.retain(|number, _| !time64(number));
            // What the kernel and every libc call it.
            assert_eq!(wanted.insert(79, "newfstatat".to_string()).as_deref(), Some("fstatat"));
        }
        let mut ours = ours(which);
        // __ARM_NR_BASE: not in the table of calls that the crate was made from.
        ours.retain(|number, _| *number <= LAST);
        for number in 0..=LAST {
            assert_eq!(ours.get(&number), wanted.get(&number), "{} {number}", MACHINES[which].0);
        }
        assert_eq!(wanted.keys().last(), Some(&LAST));
    }
}

#[test]
fn a_name_finds_its_number_and_a_name_of_another_machine_none() {
    for (which, (machine_name, machine)) in MACHINES.into_iter().enumerate() {
        for row in TABLE {
            let slot = machine.find(row.0.as_bytes()).expect(row.0);
            match [row.2, row.3, row.4][which] {
                u32::MAX => assert!(!machine.has(slot), "{machine_name}: {}", row.0),
                number => assert_eq!(machine.slot(number), Some(slot), "{machine_name}: {}", row.0),
            }
        }
        for name in ["", "Read", "reads", "sys_read", "@default"] {
            assert_eq!(machine.find(name.as_bytes()), None, "{name}");
        }
    }
    assert_eq!(NATIVE.find(b"execve").map(u32::from), Some(libc::SYS_execve as u32));
}

#[test]
fn no_name_and_no_misspelt_name_is_taken_for_another() {
    let names: Vec<&[u8]> = TABLE.iter().map(|row| row.0.as_bytes()).collect();
    let known: HashSet<&[u8]> = names.iter().copied().collect();
    assert_eq!(known.len(), names.len());
    let slots: HashSet<_> = names.iter().map(|name| NATIVE.find(name).unwrap()).collect();
    assert_eq!(slots.len(), names.len(), "two names have the same hash");
    let letters = || (b'a'..=b'z').chain(b'0'..=b'9').chain([b'_']);
    let refused = |slip: &[u8]| assert!(known.contains(slip) || NATIVE.find(slip).is_none(), "{slip:?}");
    for name in names {
        for at in 0..=name.len() {
            let (before, after) = name.split_at(at);
            for letter in letters() {
                refused(&[before, &[letter], after].concat());
                refused(&[before, &[letter], after.get(1..).unwrap_or(&[])].concat());
            }
            refused(&[before, after.get(1..).unwrap_or(&[])].concat());
            if let [one, other, rest @ ..] = after {
                refused(&[before, &[*other, *one], rest].concat());
            }
        }
    }
}

#[test]
fn a_set_of_calls_is_one() {
    let mut calls = Calls::NONE;
    calls.insert(0);
    calls.insert(479);
    calls.insert(480);
    assert!(calls.contains(0) && calls.contains(479) && !calls.contains(31) && !calls.contains(480));
    let mut others = Calls::ALL;
    others.change(&calls, false);
    assert!(!others.contains(479) && others.contains(478));
    others.change(&calls, true);
    assert_eq!(others, Calls::ALL);
}

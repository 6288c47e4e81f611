use super::super::device_filter::{Rule, compile};
use std::vec::Vec;

/// What the kernel would get from the program for this access; it checks itself that there is no
/// jump, that nothing is read before it is written, and that the answer is 0 or 1.
fn ask(program: &[u64], block: bool, access: u32, device: (u32, u32)) -> bool {
    let context = [access << 16 | if block { 1 } else { 2 }, device.0, device.1];
    let mut registers = [None::<u64>; 11];
    let (last, rest) = program.split_last().unwrap();
    for instruction in rest {
        let (code, both) = (*instruction as u8, (instruction >> 8) as u8);
        let (to, from) = (usize::from(both & 15), usize::from(both >> 4));
        let offset = usize::from((instruction >> 16) as u16);
        let word = (instruction >> 32) as u32;
        let constant = word as i32 as i64 as u64;
        let own = || registers[to].unwrap();
        registers[to] = Some(match code {
            0x61 => {
                assert_eq!(from, 1);
                context[offset / 4].into()
            }
            0xbf => registers[from].unwrap(),
            0xb7 => constant,
            0x4f => own() | registers[from].unwrap(),
            0x07 => own().wrapping_add(constant),
            0x67 => own() << word,
            0x77 => own() >> word,
            0x54 => (own() as u32 & word).into(),
            0xa4 => (own() as u32 ^ word).into(),
            _ => panic!("{code:#x}"),
        });
    }
    assert_eq!(*last, 0x95);
    let answer = registers[0].unwrap();
    assert!(answer <= 1);
    answer == 1
}

const MAKE: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;

#[test]
fn a_device_is_opened_as_its_rule_says_and_no_other_is() {
    let rules = [
        Rule::character(1, Some(3)),
        Rule::character(136, None),
        Rule { block: true, major: 8, minor: Some(0x12345), writable: false },
        // The last there can be: of its number all bits are set.
        Rule::character(0xfff, Some(0xfffff)),
    ];
    let program = compile(&mut rules.into_iter()).unwrap();
    for (block, access, device, wanted) in [
        (false, READ, (1, 3), true),
        (false, READ | WRITE, (1, 3), true),
        (false, MAKE, (1, 3), true),
        (true, READ, (1, 3), false),
        (false, READ, (1, 1), false),
        (false, READ, (3, 1), false),
        (false, READ | WRITE, (136, 0), true),
        (false, WRITE, (136, 1_000_000), true),
        (false, WRITE, (137, 0), false),
        (true, READ, (8, 0x12345), true),
        (true, MAKE | READ, (8, 0x12345), true),
        (true, WRITE, (8, 0x12345), false),
        (true, READ | WRITE, (8, 0x12345), false),
        (false, READ, (8, 0x12345), false),
        (true, READ, (8, 0x2345), false),
        (false, READ, (0xfff, 0xfffff), true),
        (false, READ, (0xfff, 0xffffe), false),
        (true, READ, (0xfff, 0xfffff), false),
    ] {
        assert_eq!(ask(&program, block, access, device), wanted, "{block} {access} {device:?}");
    }
}

#[test]
fn without_rules_everything_is_refused() {
    let program = compile(&mut core::iter::empty()).unwrap();
    assert!(!ask(&program, false, READ, (1, 3)));
}

#[test]
fn as_many_devices_as_a_workload_is_given_fit_and_too_many_are_an_error() {
    // At worst what is allowed changes with each of those that it is given; six devices and the
    // terminals are everybody's, three are streams.
    let given = |count: u32| {
        (0..count).map(|minor| Rule { writable: minor % 2 == 1, ..Rule::character(10, Some(minor)) })
    };
    let own = |count: u32| (0..count).map(|minor| Rule::character(11, Some(minor)));
    let most = crate::limits::WORKLOAD_DEVICES as u32;
    let program = compile(&mut own(8).chain(given(most)).chain(own(3))).unwrap();
    let asked: Vec<_> = (0..most + 1).map(|minor| ask(&program, false, READ, (10, minor))).collect();
    assert_eq!(asked.iter().filter(|allowed| **allowed).count(), most as usize);
    assert!(compile(&mut own(8).chain(given(2 * most)).chain(own(3))).is_none());
}

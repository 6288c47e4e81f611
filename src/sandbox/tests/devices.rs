use super::super::device_filter::{Rule, compile};
use std::vec::Vec;

/// What the kernel would get from the program for this access; it checks itself that a jump goes
/// forward, stays inside, and that every path ends with an answer.
fn ask(program: &[u64], block: bool, access: u32, device: (u32, u32)) -> bool {
    let context = [access << 16 | if block { 1 } else { 2 }, device.0, device.1];
    let mut registers = [0u64; 11];
    let mut at = 0;
    loop {
        let instruction = program[at];
        let (code, registers_of) = (instruction as u8, (instruction >> 8) as u8);
        let (to, offset) = (usize::from(registers_of & 15), (instruction >> 16) as u16);
        let constant = (instruction >> 32) as i32 as i64 as u64;
        at += 1;
        let jump = match code {
            0x61 => {
                assert_eq!(registers_of >> 4, 1);
                registers[to] = context[usize::from(offset) / 4].into();
                false
            }
            0x55 => registers[to] != constant,
            0x45 => registers[to] & constant != 0,
            0xb7 => {
                registers[to] = constant;
                false
            }
            0x95 => return registers[0] == 1,
            _ => panic!("{code:#x}"),
        };
        if jump {
            at += usize::from(offset);
        }
    }
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
    let rules = |count: u32| (0..count).map(|minor| Rule::character(10, Some(minor)));
    // Six devices and the terminals are everybody's, three are streams.
    let most = crate::limits::WORKLOAD_DEVICES as u32 + 8 + 3;
    let program = compile(&mut rules(most)).unwrap();
    let asked: Vec<_> = (0..most + 1).map(|minor| ask(&program, false, READ, (10, minor))).collect();
    assert_eq!(asked.iter().filter(|allowed| **allowed).count(), most as usize);
    assert!(compile(&mut rules(most + 1)).is_none());
}

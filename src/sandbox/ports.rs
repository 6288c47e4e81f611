//! Which TCP ports a workload may listen on and connect to.
//!
//! Two walls can hold it, and each is raised where it can be; a workload that has neither is
//! not started. Landlock (Linux 6.7) is raised by the child around itself. A BPF program on the
//! workload's cgroup is older (Linux 4.17) and knows ranges, but takes a cgroup and the
//! machine's root. The program looks at every `bind` and `connect` of a stream socket, so it also
//! holds Multipath TCP and SCTP, which newer kernels' Landlock lets pass.
//!
//! Neither looks at UDP: a client's `connect` to its name server, and its answers' ports, are
//! nothing that one could list.

use super::device_filter::instruction;
use crate::config::{Config, List, Str, Workload, port_range};
use crate::limits;
use core::ops::RangeInclusive;
use heapless::Vec;

pub(super) type Program = Vec<u64, { limits::PORT_PROGRAM }>;

/// The ranges in a list, as the config reader has checked them.
pub(super) fn ranges(config: &Config, list: Option<List<Str>>) -> impl Iterator<Item = RangeInclusive<u16>> {
    let words = list.map_or(&[][..], |list| config.words(list));
    words.iter().filter_map(|word| port_range(config.bytes(*word))).map(|(first, last)| first..=last)
}

/// Landlock has a rule for each port, which is memory of the kernel's: are they few enough?
pub(super) fn are_few(config: &Config, workload: &Workload) -> bool {
    const MOST: usize = 1024;
    let all = [workload.allow_bind, workload.allow_connect].into_iter();
    all.flat_map(|list| ranges(config, list)).map(|range| range.len()).fold(0, usize::saturating_add) <= MOST
}

/// A program that answers 1 to a port of these, and 0 to others. `None`: too many ranges.
pub(super) fn compile(ranges: &mut dyn Iterator<Item = RangeInclusive<u16>>) -> Option<Program> {
    let mut program = Program::new();
    let mut add = |code, register, offset, number| {
        let from = if code == LOAD_WORD { ADDRESS } else { 0 };
        program.push(instruction(code, register, from, offset, number)).ok()
    };
    // The answer so far, and the address, struct bpf_sock_addr, in register 1.
    add(MOVE, ANSWER, 0, 1)?;
    add(LOAD_WORD, PORT, TYPE, 0)?;
    add(JUMP_IF_EQUAL, PORT, 1, STREAM)?;
    add(EXIT, 0, 0, 0)?;
    add(LOAD_WORD, PORT, USER_PORT, 0)?;
    // It is in the network's order.
    add(BIG_ENDIAN, PORT, 0, 16)?;
    for range in ranges {
        add(JUMP_IF_LESS, PORT, 2, (*range.start()).into())?;
        add(JUMP_IF_MORE, PORT, 1, (*range.end()).into())?;
        add(EXIT, 0, 0, 0)?;
    }
    add(MOVE, ANSWER, 0, 0)?;
    add(EXIT, 0, 0, 0)?;
    Some(program)
}

// Registers.
const ANSWER: u8 = 0;
const ADDRESS: u8 = 1;
const PORT: u8 = 2;

// Offsets in struct bpf_sock_addr, and what `type` has of interest.
const USER_PORT: u16 = 24;
const TYPE: u16 = 32;
const STREAM: u32 = 1;

// Operations.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const BIG_ENDIAN: u8 = 0xdc;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_IF_LESS: u8 = 0xa5;
const JUMP_IF_MORE: u8 = 0x25;
const EXIT: u8 = 0x95;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with a program.
    fn run(program: &[u64], kind: u32, port: u16) -> u32 {
        let mut registers = [0u64; 3];
        let mut at = 0;
        for _ in 0..program.len() + 1 {
            let word = program[at];
            let (code, to) = (word as u8, (word >> 8 & 0xf) as usize);
            let (offset, number) = ((word >> 16) as u16, (word >> 32) as u32);
            let jump = |yes: bool| if yes { at + 1 + offset as usize } else { at + 1 };
            at = match code {
                EXIT => return registers[0] as u32,
                MOVE => {
                    registers[to] = number.into();
                    at + 1
                }
                LOAD_WORD => {
                    let network = u64::from(u16::from_be(port));
                    registers[to] = if offset == TYPE { kind.into() } else { network };
                    at + 1
                }
                BIG_ENDIAN => {
                    registers[to] = (registers[to] as u16).to_be().into();
                    at + 1
                }
                JUMP_IF_EQUAL => jump(registers[to] == u64::from(number)),
                JUMP_IF_LESS => jump(registers[to] < u64::from(number)),
                JUMP_IF_MORE => jump(registers[to] > u64::from(number)),
                _ => panic!("{code:#x}"),
            };
        }
        panic!("it does not end");
    }

    #[test]
    fn a_stream_has_the_ports_of_the_list_and_a_datagram_all() {
        let program = compile(&mut [80..=80, 5000..=5010, 65535..=65535].into_iter()).unwrap();
        let none = compile(&mut core::iter::empty()).unwrap();
        for port in [0u16, 79, 80, 81, 4999, 5000, 5005, 5010, 5011, 65534, 65535] {
            let listed = matches!(port, 80 | 5000..=5010 | 65535);
            assert_eq!(run(&program, 1, port), listed.into(), "{port}");
            assert_eq!((run(&program, 2, port), run(&none, 1, port), run(&none, 2, port)), (1, 0, 1));
        }
    }

    #[test]
    fn more_ranges_than_there_is_room_for_are_refused() {
        assert!(compile(&mut (0..64).map(|port| port..=port)).is_some());
        assert!(compile(&mut (0..200).map(|port| port..=port)).is_none());
    }
}

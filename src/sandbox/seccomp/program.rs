//! Classic BPF, written from the last instruction to the first.
//!
//! A conditional jump goes forward by at most 255, so what is jumped to has to be
//! known when the jump is made, and near. Written backwards the first is a matter
//! of course; for the second, a target that has come out of reach gets an
//! unconditional jump, which has no such limit, in front of it.

use crate::limits::SECCOMP_PROGRAM;

/// struct sock_filter as a little-endian machine reads it: code (2), where to go on
/// if true (1) and if false (1), operand (4).
type Instruction = u64;

/// LD W ABS, ALU AND K, JMP JA, JMP JEQ K, JMP JGE K, RET K; seccomp(2), linux/bpf_common.h.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
pub(super) const EQUAL: u16 = 0x15;
const NOT_BELOW: u16 = 0x35;
const ANSWER: u16 = 0x06;

/// An instruction, counted from the program's end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

/// A range of numbers: it ends where the next one begins.
#[derive(Clone, Copy)]
pub(super) struct Leaf {
    pub first: u32,
    /// Where its numbers lead.
    pub place: Place,
}

/// A program, in the making or made: it lies at the end of the array.
pub struct Program {
    instructions: [Instruction; SECCOMP_PROGRAM],
    length: usize,
}

impl Program {
    pub const EMPTY: Program = Program { instructions: [0; SECCOMP_PROGRAM], length: 0 };

    /// As the kernel takes it; its length is what a person is told. Nothing if it did not fit.
    pub fn instructions(&self) -> &[u64] {
        let first = SECCOMP_PROGRAM.checked_sub(self.length);
        first.and_then(|first| self.instructions.get(first..)).unwrap_or(&[])
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    #[inline(never)]
    fn put(&mut self, code: u16, yes: u8, no: u8, operand: u32) -> Place {
        let place = Place(self.length);
        self.length = self.length.saturating_add(1);
        let index = SECCOMP_PROGRAM.wrapping_sub(self.length);
        if let Some(instruction) = self.instructions.get_mut(index) {
            let head = u32::from(code) | u32::from(yes) << 16 | u32::from(no) << 24;
            *instruction = u64::from(head) | u64::from(operand) << 32;
        }
        place
    }

    /// What lies between a place and the next instruction to be written.
    fn distance(&self, to: Place) -> usize {
        self.length.saturating_sub(to.0).saturating_sub(1)
    }

    /// The end: seccomp's answer.
    pub(super) fn answer(&mut self, answer: u32) -> Place {
        self.put(ANSWER, 0, 0, answer)
    }

    /// Loads a word of struct seccomp_data and goes on at `next`.
    pub(super) fn load(&mut self, offset: u32, next: Place) -> Place {
        self.go_on(next);
        self.put(LOAD, 0, 0, offset)
    }

    pub(super) fn mask(&mut self, mask: u32, next: Place) -> Place {
        self.go_on(next);
        self.put(AND, 0, 0, mask)
    }

    /// What is written next falls through to `next`.
    fn go_on(&mut self, next: Place) {
        let distance = self.distance(next);
        if distance > 0 {
            self.put(JUMP, 0, 0, distance as u32);
        }
    }

    pub(super) fn jump(&mut self, code: u16, operand: u32, yes: Place, no: Place) -> Place {
        let (yes, no) = (self.near(yes), self.near(no));
        let (yes, no) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.put(code, yes, no, operand)
    }

    /// A place with the same effect from where two more instructions reach it.
    fn near(&mut self, place: Place) -> Place {
        const REACH: usize = 253;
        let distance = self.distance(place);
        if distance <= REACH { place } else { self.put(JUMP, 0, 0, distance as u32) }
    }

    /// Goes to the range that the loaded number is in: a balanced tree, made from
    /// its leaves up, each level in the place of the one below. The first range
    /// begins at 0.
    #[inline(never)]
    pub(super) fn tree(&mut self, ranges: &mut [Leaf]) -> Place {
        let mut rest = ranges;
        while rest.len() > 1 {
            let mut made = 0;
            for index in (0..rest.len()).step_by(2) {
                let Some(mut node) = rest.get(index).copied() else { break };
                if let Some(right) = rest.get(index.saturating_add(1)).copied() {
                    node.place = self.jump(NOT_BELOW, right.first, right.place, node.place);
                }
                if let Some(place) = rest.get_mut(made) {
                    *place = node;
                }
                made = made.saturating_add(1);
            }
            rest = rest.get_mut(..made).unwrap_or(&mut []);
        }
        rest.first().map_or(Place(0), |root| root.place)
    }
}

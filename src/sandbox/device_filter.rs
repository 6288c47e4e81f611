//! Which devices a workload may open, as a BPF program.
//!
//! Pure: a list of [`Rule`]s becomes instructions. The kernel asks the program,
//! which is attached to the workload's cgroup (cgroup-v2.rst, "Device
//! controller"), before it opens or makes any device node, wherever the node
//! lies and whatever its permissions are. The program gets what is wanted, the
//! major and the minor number; it goes through the rules, each five
//! instructions, and answers 1 at the first that has the device and allows all
//! that is wanted, and else 0. There are few rules: a tree would save nothing.

use crate::limits;
use heapless::Vec;

/// A device that may be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// A block device, not a character device.
    pub block: bool,
    pub major: u32,
    /// `None`: all there are.
    pub minor: Option<u32>,
    pub writable: bool,
}

impl Rule {
    pub const fn character(major: u32, minor: Option<u32>) -> Rule {
        Rule { block: false, major, minor, writable: true }
    }

    /// What the kernel may ask for under this rule, in its own bits: the kind of
    /// device, and MKNOD, READ and WRITE 16 bits above. What may be opened may be made.
    fn allows(self) -> u32 {
        const BLOCK: u32 = 1;
        const CHARACTER: u32 = 2;
        const MAKE_AND_READ: u32 = 3;
        const WRITE: u32 = 4;
        let access = if self.writable { MAKE_AND_READ | WRITE } else { MAKE_AND_READ };
        access << 16 | if self.block { BLOCK } else { CHARACTER }
    }
}

pub type Program = Vec<u64, { limits::DEVICE_PROGRAM }>;

/// `None`: more rules than a program has room for.
pub fn compile(rules: &mut dyn Iterator<Item = Rule>) -> Option<Program> {
    let mut program = Program::new();
    // struct bpf_cgroup_dev_ctx: access and kind, major, minor.
    for (register, offset) in [(WANTED, 0), (MAJOR, 4), (MINOR, 8)] {
        program.push(instruction(LOAD_WORD, register, CONTEXT, offset, 0)).ok()?;
    }
    for rule in rules {
        // Each skips the rest of its rule.
        let rest = if rule.minor.is_some() { 4 } else { 3 };
        program.push(instruction(JUMP_UNLESS_EQUAL, MAJOR, 0, rest, rule.major)).ok()?;
        if let Some(minor) = rule.minor {
            program.push(instruction(JUMP_UNLESS_EQUAL, MINOR, 0, 3, minor)).ok()?;
        }
        program.push(instruction(JUMP_IF_ANY, WANTED, 0, 2, !rule.allows())).ok()?;
        answer(1, &mut program)?;
    }
    answer(0, &mut program)?;
    Some(program)
}

fn answer(value: u32, program: &mut Program) -> Option<()> {
    program.push(instruction(MOVE, ANSWER, 0, 0, value)).ok()?;
    program.push(instruction(EXIT, 0, 0, 0, 0)).ok()
}

// Registers.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const WANTED: u8 = 2;
const MAJOR: u8 = 3;
const MINOR: u8 = 4;

// Operations on 64 bits with a constant, of which the 32 bits are extended with their sign:
// what `JUMP_IF_ANY` tests beyond 32 bits is zero in a loaded word.
const LOAD_WORD: u8 = 0x61;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const JUMP_IF_ANY: u8 = 0x45;
const MOVE: u8 = 0xb7;
const EXIT: u8 = 0x95;

/// struct bpf_insn, as little-endian machines have it.
fn instruction(code: u8, to: u8, from: u8, offset: u16, constant: u32) -> u64 {
    let registers = to | from << 4;
    u64::from(code) | u64::from(registers) << 8 | u64::from(offset) << 16 | u64::from(constant) << 32
}

//! Which devices a workload may open, as a BPF program.
//!
//! Pure: a list of [`Rule`]s becomes instructions. The kernel asks the program,
//! which is attached to the workload's cgroup (cgroup-v2.rst, "Device
//! controller"), before it opens or makes any device node, wherever the node
//! lies and whatever its permissions are. The program gets what is wanted, the
//! major and the minor number, and answers 1 if some rule has the device and allows
//! all that is wanted, and else 0.
//!
//! It has no jumps: a rule comes to a number that is 0 if it agrees, and what all of
//! them come to is put together bit by bit. The kernel's verifier follows every branch
//! of a program, and keeps what it knows at each; with three of them a rule it took
//! twelve times as long as all the rest of a start's BPF, a tenth of a boot. A device is
//! opened seldom, and is then asked about with sixty instructions instead of ten.

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
    let mut add = |instructions: &[u64]| program.extend_from_slice(instructions).ok();
    add(&BEGIN)?;
    let mut allowed = None;
    for rule in rules {
        if allowed != Some(rule.allows()) {
            allowed = Some(rule.allows());
            add(&[COPY_WANTED, instruction(AND, EXCESS, 0, 0, !rule.allows())])?;
        }
        let (copy, device) = match rule.minor {
            Some(minor) => (COPY_DEVICE, rule.major.wrapping_shl(MINOR_BITS) | minor),
            None => (COPY_MAJOR, rule.major),
        };
        add(&[copy, instruction(XOR, RULE, 0, 0, device)])?;
        add(&COMPARE)?;
    }
    add(&END)?;
    Some(program)
}

/// struct bpf_cgroup_dev_ctx is access and kind, major, minor.
static BEGIN: [u64; 7] = [
    instruction(LOAD_WORD, WANTED, CONTEXT, 0, 0),
    instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
    instruction(LOAD_WORD, DEVICE, CONTEXT, 8, 0),
    COPY_MAJOR,
    instruction(SHIFT_LEFT, RULE, 0, 0, MINOR_BITS),
    instruction(OR, DEVICE, RULE, 0, 0),
    instruction(MOVE, ANSWER, 0, 0, 0),
];

/// What differs and what is too much are 32 bits each, so only 0 becomes a number with the
/// first of 64 bits.
static COMPARE: [u64; 3] = [
    instruction(OR, RULE, EXCESS, 0, 0),
    instruction(ADD, RULE, 0, 0, u32::MAX),
    instruction(OR, ANSWER, RULE, 0, 0),
];

static END: [u64; 2] = [instruction(SHIFT_RIGHT, ANSWER, 0, 0, u64::BITS - 1), instruction(EXIT, 0, 0, 0, 0)];

const COPY_WANTED: u64 = instruction(COPY, EXCESS, WANTED, 0, 0);
const COPY_DEVICE: u64 = instruction(COPY, RULE, DEVICE, 0, 0);
const COPY_MAJOR: u64 = instruction(COPY, RULE, MAJOR, 0, 0);

/// A device's number inside the kernel: the major in the bits above these.
const MINOR_BITS: u32 = 20;

// Registers.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const WANTED: u8 = 2;
const MAJOR: u8 = 3;
const DEVICE: u8 = 4;
/// What is wanted and not allowed.
const EXCESS: u8 = 5;
const RULE: u8 = 6;

// Operations on 64 bits; a constant of 32 is extended with its sign.
const LOAD_WORD: u8 = 0x61;
const COPY: u8 = 0xbf;
const MOVE: u8 = 0xb7;
const OR: u8 = 0x4f;
const ADD: u8 = 0x07;
const SHIFT_LEFT: u8 = 0x67;
const SHIFT_RIGHT: u8 = 0x77;
const EXIT: u8 = 0x95;
// On 32; the upper half becomes 0.
const AND: u8 = 0x54;
const XOR: u8 = 0xa4;

/// struct bpf_insn, as little-endian machines have it.
pub(super) const fn instruction(code: u8, to: u8, from: u8, offset: u16, constant: u32) -> u64 {
    let registers = to | from << 4;
    code as u64 | (registers as u64) << 8 | (offset as u64) << 16 | (constant as u64) << 32
}

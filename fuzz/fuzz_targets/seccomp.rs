//! Any config's filters: they compile, they fit, and every jump of theirs goes
//! forward and stays inside, which is what the kernel asks of a program.
//!
//! `cargo xtask fuzz seccomp`
#![no_main]

use corm::config::{Config, Report, Shown, Sources, Tree, read};
use corm::sandbox::seccomp::{Program, compile};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

struct Ignore;

impl Report for Ignore {
    fn problem(&mut self, _: &Shown) {}
}

struct Space {
    sources: Sources,
    tree: Tree,
    config: Config,
    program: Program,
}

thread_local! {
    /// Far too large for a stack.
    static SPACE: RefCell<Box<Space>> = RefCell::new(Box::new(Space {
        sources: Sources::EMPTY,
        tree: Tree::EMPTY,
        config: Config::EMPTY,
        program: Program::EMPTY,
    }));
}

fn check(program: &[u64]) {
    for (at, instruction) in program.iter().enumerate() {
        let [low, high, yes, no, a, b, c, d] = instruction.to_le_bytes();
        let operand = u32::from_le_bytes([a, b, c, d]) as usize;
        let furthest = match u16::from_le_bytes([low, high]) {
            0x20 | 0x54 => 1,
            0x05 => operand + 1,
            0x15 | 0x35 => usize::from(yes.max(no)) + 1,
            0x06 => 0,
            code => panic!("{code:#x} at {at}"),
        };
        assert!(at + furthest < program.len(), "{at} leads out");
    }
}

fuzz_target!(|data: &[u8]| {
    SPACE.with_borrow_mut(|space| {
        let Space { sources, tree, config, program } = &mut **space;
        sources.clear();
        if sources.add(b"corm.toml", data).is_err() {
            return;
        }
        read(sources, tree, config, &mut Ignore);
        for workload in &config.workloads {
            assert!(compile(config, workload, program));
            check(program.instructions());
        }
    });
});

//! `cargo xtask setup`: everything the other tasks would fetch when they need it.

use anyhow::Result;
use clap::Args;
use corm_qemu::kernel::{self, Kernel};
use corm_qemu::{Arch, Board, busybox, host, inits, say, toolchain};
use std::process::ExitCode;

/// Install and download all that is needed, so that nothing has to be later.
#[derive(Args)]
pub struct Setup {
    /// Only for this board; for all of them if not given
    #[arg(long, value_name = "BOARD")]
    board: Option<String>,
    /// Throw away cached kernels and busybox, and get the ones of today
    #[arg(long)]
    update: bool,
}

impl Setup {
    pub fn run(self) -> Result<ExitCode> {
        let boards = boards(self.board.as_deref())?;
        if self.update {
            boards.iter().try_for_each(kernel::forget)?;
        }
        everything(&boards)?;
        say::doing("Ready", boards.iter().map(|board| board.name.as_str()).collect::<Vec<_>>().join(", "));
        Ok(ExitCode::SUCCESS)
    }
}

/// Also the first step of `cargo xtask test`.
pub fn everything(boards: &[Board]) -> Result<()> {
    toolchain::require_rust()?;
    let mut tools = vec![host::DPKG, host::DNSMASQ];
    tools.extend(boards.iter().map(|board| host::qemu(board.arch)));
    host::require(&tools)?;
    let mut arches: Vec<Arch> = boards.iter().map(|board| board.arch).collect();
    arches.sort_unstable();
    arches.dedup();
    for arch in &arches {
        toolchain::find(*arch)?;
        busybox::binary(*arch)?;
        if arch.is_native() {
            inits::directory(*arch)?;
        }
    }
    for board in boards {
        let kernel = Kernel::of(board)?;
        say::doing("Kernel", format!("{} for {}", kernel.image.display(), board.name));
    }
    for arch in [Arch::X86_64, Arch::Aarch64] {
        if arches.contains(&arch) && arch.is_native() && !host::has_kvm(arch) {
            say::doing("Note", format!("no KVM for {arch} here: QEMU emulates, which is slower and fine"));
        }
    }
    Ok(())
}

/// All boards, or the one named.
pub fn boards(name: Option<&str>) -> Result<Vec<Board>> {
    match name {
        Some(name) => Ok(vec![Board::load(name)?]),
        None => Board::all(),
    }
}

//! `cargo xtask image`: an initramfs to keep.

use crate::common::BoardArg;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use corm_qemu::{Board, Compression, say};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Build an image: corm, a config, programs and the board's kernel modules.
#[derive(Args)]
pub struct Image {
    #[command(flatten)]
    board: BoardArg,
    #[command(flatten)]
    content: Content,
    /// The board's own choice if not given
    #[arg(long, value_name = "HOW")]
    compress: Option<Compress>,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What an image is made of; `run` takes the same.
#[derive(Args)]
pub struct Content {
    /// The machine's /etc/corm.toml, instead of the demo appliance's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A directory whose files are put over the image's (repeatable)
    #[arg(long, value_name = "DIR")]
    overlay: Vec<PathBuf>,
}

impl Content {
    /// The demo appliance with those changes.
    pub fn on(&self, board: &Board) -> Result<corm_qemu::Image> {
        let mut image = corm_qemu::Image::demo(board);
        for overlay in &self.overlay {
            image = image.overlay(overlay);
        }
        if let Some(config) = &self.config {
            image = image.config(&read(config)?);
        }
        Ok(image)
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))
}

#[derive(Clone, Copy, ValueEnum)]
enum Compress {
    Zstd,
    Gzip,
    None,
}

impl From<Compress> for Compression {
    fn from(how: Compress) -> Compression {
        match how {
            Compress::Zstd => Compression::Zstd,
            Compress::Gzip => Compression::Gzip,
            Compress::None => Compression::None,
        }
    }
}

impl Image {
    pub fn run(self) -> Result<ExitCode> {
        let board = self.board.load()?;
        let compression = self.compress.map_or(board.image.compress, Compression::from);
        let built = self.content.on(&board)?.compress(compression).build()?;
        let size = built.save(&self.output)?;
        say::doing(
            "Wrote",
            format!("{} ({size} bytes), for {}", self.output.display(), built.kernel.image.display()),
        );
        Ok(ExitCode::SUCCESS)
    }
}

//! The host side of corm: makes what a machine boots, boots it, talks to it.
//!
//! Reading order, which is also the order things happen in:
//!
//! - [`board`]: one folder under `board/` says what a machine is.
//! - [`host`], [`apt`]: what this computer must have, and how it gets it.
//! - [`kernel`], [`busybox`]: Debian's packages, unpacked into a cache, never installed.
//! - [`inits`]: what `corm init` is compared with.
//! - [`toolchain`], [`device`]: the corm binary for an architecture.
//! - [`image`]: files become an initramfs.
//! - [`machine`]: QEMU with that initramfs, its console, its ports, its end.
//!
//! `cargo xtask` is a thin layer of commands over this crate, and the boot tests
//! use it directly. Nothing here runs on a device.

pub mod apt;
pub mod arch;
pub mod board;
pub mod busybox;
pub mod command;
pub mod device;
pub mod directories;
pub mod host;
pub mod image;
pub mod inits;
pub mod kernel;
pub mod machine;
pub mod modules;
pub mod say;
pub mod toolchain;

pub use arch::Arch;
pub use board::Board;
pub use image::{Built, Compression, Image};
pub use machine::{End, Machine, Options};

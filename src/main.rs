//! The binary. Everything is in the library: `_start` is in `sys::entry` and
//! calls `corm::main`.
#![cfg_attr(target_env = "musl", no_std, no_main)]
#![forbid(unsafe_code)]

#[cfg(target_env = "musl")]
use corm as _;

/// On a host target corm is only a library under test.
#[cfg(not(target_env = "musl"))]
fn main() {
    eprintln!("corm runs on the *-unknown-linux-musl* targets: use `cargo xtask run` or `cargo xtask image`");
    std::process::exit(1);
}

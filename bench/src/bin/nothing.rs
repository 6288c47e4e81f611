//! The shortest life a program can have: what is measured around it is all that
//! is measured.
#![cfg_attr(target_env = "musl", no_std, no_main)]

#[cfg(not(target_env = "musl"))]
fn main() {}

#[cfg(target_env = "musl")]
#[unsafe(no_mangle)]
fn program(_: usize, _: *const *const u8) -> ! {
    corm_bench::exit(0)
}

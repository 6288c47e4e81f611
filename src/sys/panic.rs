//! The proof that nothing panics.
//!
//! In a release build the handler calls a function that exists nowhere. While
//! any panic is reachable, the handler is linked, the symbol is undefined, and
//! the link fails. `cargo xtask panics` names the call sites. Debug builds say
//! where they panicked and abort.

#[cfg(all(target_env = "musl", not(debug_assertions)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe extern "C" {
        fn corm_panic_is_reachable() -> !;
    }
    // SAFETY: never runs; a binary that contains this call does not link.
    unsafe { corm_panic_is_reachable() }
}

#[cfg(all(target_env = "musl", debug_assertions))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    use core::fmt::Write;
    struct Stderr;
    impl Write for Stderr {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            super::io::write(super::BorrowedFd::STDERR, text.as_bytes())
                .map_or(Err(core::fmt::Error), |_| Ok(()))
        }
    }
    // Nothing is left to report a failed report to.
    let _ = writeln!(Stderr, "{info}");
    super::process::exit(101)
}

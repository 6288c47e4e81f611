//! Where the kernel jumps to. Calls the program's `program(argc, argv)`.

use core::arch::naked_asm;

unsafe extern "Rust" {
    /// Each program defines it.
    safe fn program(count: usize, arguments: *const *const u8) -> !;
}

#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "mov rdi, [rsp]", "lea rsi, [rsp + 8]", "and rsp, -16", "call {}", "ud2", sym start)
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("mov x29, #0", "mov x30, #0", "ldr x0, [sp]", "add x1, sp, #8", "b {}", sym start)
}

#[cfg(target_arch = "arm")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    // Thumb has no `bic` of sp.
    naked_asm!(
        "mov fp, #0", "mov lr, #0", "ldr r0, [sp]", "add r1, sp, #4", "mov r2, sp", "bic r2, r2, #7", "mov sp, r2",
        "b {}", sym start
    )
}

extern "C" fn start(count: usize, arguments: *const *const u8) -> ! {
    program(count, arguments)
}

/// Referenced by `core`'s unwind tables on ARM EABI; nothing here unwinds.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    crate::exit(255)
}

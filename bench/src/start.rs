//! Where the kernel jumps to. Calls the program's `program(argc)`.

use core::arch::naked_asm;

unsafe extern "Rust" {
    /// Each program defines it.
    safe fn program(arguments: usize) -> !;
}

#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "mov rdi, [rsp]", "and rsp, -16", "call {}", "ud2", sym start)
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("mov x29, #0", "mov x30, #0", "ldr x0, [sp]", "b {}", sym start)
}

#[cfg(target_arch = "arm")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("mov fp, #0", "mov lr, #0", "ldr r0, [sp]", "bic sp, sp, #7", "b {}", sym start)
}

extern "C" fn start(arguments: usize) -> ! {
    program(arguments)
}

/// Referenced by `core`'s unwind tables on ARM EABI; nothing here unwinds.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    crate::exit(255)
}

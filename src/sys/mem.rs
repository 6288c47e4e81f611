//! The functions the compiler calls on its own: memcpy, memmove, memset, memcmp
//! (and bcmp), and strlen, which is how `core` measures a C string.
//!
//! The musl targets that rustup ships expect them from musl; corm links no
//! libc. Most are assembly because a Rust loop would be recognised as a memcpy
//! and compiled into a call to itself. Copies of more than a line are rare here,
//! so they are short rather than clever.

use core::arch::naked_asm;

#[cfg(target_arch = "x86_64")]
mod machine {
    use super::naked_asm;

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!("mov rax, rdi", "mov rcx, rdx", "rep movsb", "ret")
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!(
            "mov rax, rdi",
            "mov rcx, rdx",
            "mov r8, rdi",
            "sub r8, rsi",
            "cmp r8, rdx", // unsigned: `to` outside [from, from + count) copies forwards
            "jb 2f",
            "rep movsb",
            "ret",
            "2:",
            "lea rdi, [rdi + rdx - 1]",
            "lea rsi, [rsi + rdx - 1]",
            "std",
            "rep movsb",
            "cld",
            "ret",
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        naked_asm!("mov r8, rdi", "mov eax, esi", "mov rcx, rdx", "rep stosb", "mov rax, r8", "ret")
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn strlen(text: *const u8) -> usize {
        naked_asm!(
            "xor eax, eax",
            "2:",
            "cmp byte ptr [rdi + rax], 0",
            "je 3f",
            "inc rax",
            "jmp 2b",
            "3:",
            "ret",
        )
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use super::naked_asm;

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!(
            "mov x3, x0",
            "2:",
            "subs x2, x2, #8",
            "b.lo 3f",
            "ldr x4, [x1], #8",
            "str x4, [x3], #8",
            "b 2b",
            "3:",
            "adds x2, x2, #8",
            "b.eq 5f",
            "4:",
            "ldrb w4, [x1], #1",
            "strb w4, [x3], #1",
            "subs x2, x2, #1",
            "b.ne 4b",
            "5:",
            "ret",
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!(
            "sub x3, x0, x1",
            "cmp x3, x2", // unsigned: `to` outside [from, from + count) copies forwards
            "b.hs {memcpy}",
            "2:",
            "cbz x2, 3f",
            "sub x2, x2, #1",
            "ldrb w4, [x1, x2]",
            "strb w4, [x0, x2]",
            "b 2b",
            "3:",
            "ret",
            memcpy = sym memcpy,
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        naked_asm!(
            "mov x3, x0",
            "2:",
            "cbz x2, 3f",
            "strb w1, [x3], #1",
            "sub x2, x2, #1",
            "b 2b",
            "3:",
            "ret",
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn strlen(text: *const u8) -> usize {
        naked_asm!(
            "mov x1, x0",
            "2:",
            "ldrb w2, [x1], #1",
            "cbnz w2, 2b",
            "sub x0, x1, x0",
            "sub x0, x0, #1",
            "ret"
        )
    }

    /// compiler_builtins' atomics ask the C library which instructions the
    /// processor has; 0 says none but the base ones, which is right everywhere.
    #[unsafe(no_mangle)]
    extern "C" fn getauxval(_kind: usize) -> usize {
        0
    }
}

#[cfg(target_arch = "arm")]
mod machine {
    use super::naked_asm;

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!(
            "mov r12, r0",
            "2:",
            "subs r2, r2, #4",
            "blo 3f",
            "ldr r3, [r1], #4",
            "str r3, [r12], #4",
            "b 2b",
            "3:",
            "adds r2, r2, #4",
            "beq 5f",
            "4:",
            "ldrb r3, [r1], #1",
            "strb r3, [r12], #1",
            "subs r2, r2, #1",
            "bne 4b",
            "5:",
            "bx lr",
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!(
            "sub r3, r0, r1",
            "cmp r3, r2", // unsigned: `to` outside [from, from + count) copies forwards
            "bhs {memcpy}",
            "2:",
            "subs r2, r2, #1",
            "it lo",
            "bxlo lr",
            "ldrb r3, [r1, r2]",
            "strb r3, [r0, r2]",
            "b 2b",
            memcpy = sym memcpy,
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        naked_asm!("mov r12, r0", "2:", "subs r2, r2, #1", "it lo", "bxlo lr", "strb r1, [r12], #1", "b 2b",)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn strlen(text: *const u8) -> usize {
        naked_asm!(
            "mov r1, r0",
            "2:",
            "ldrb r2, [r1], #1",
            "cmp r2, #0",
            "bne 2b",
            "sub r0, r1, r0",
            "sub r0, r0, #1",
            "bx lr"
        )
    }

    /// The ARM run-time ABI's own names (RTABI 4.3.4); note memset's argument order.
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memcpy(to: *mut u8, from: *const u8, count: usize) {
        naked_asm!("b {}", sym memcpy)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memcpy4(to: *mut u8, from: *const u8, count: usize) {
        naked_asm!("b {}", sym memcpy)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memcpy8(to: *mut u8, from: *const u8, count: usize) {
        naked_asm!("b {}", sym memcpy)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memmove(to: *mut u8, from: *const u8, count: usize) {
        naked_asm!("b {}", sym memmove)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memset(to: *mut u8, count: usize, byte: i32) {
        naked_asm!("mov r3, r1", "mov r1, r2", "mov r2, r3", "b {}", sym memset)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memclr(to: *mut u8, count: usize) {
        naked_asm!("mov r2, r1", "mov r1, #0", "b {}", sym memset)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memclr4(to: *mut u8, count: usize) {
        naked_asm!("b {}", sym __aeabi_memclr)
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_memclr8(to: *mut u8, count: usize) {
        naked_asm!("b {}", sym __aeabi_memclr)
    }
}

/// Not assembly, so that the compiler knows it for its own: what it does not know,
/// `core` calls through a table of addresses, which would be all the data there is.
#[unsafe(no_mangle)]
extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    for at in 0..count {
        // Volatile, or this loop would be recognised, too.
        // SAFETY: whoever calls memcmp vouches for `count` readable bytes at both.
        let (a, b) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
        if a != b {
            return i32::from(a).wrapping_sub(i32::from(b));
        }
    }
    0
}

/// memcmp is a valid bcmp: zero exactly when the bytes are equal.
#[unsafe(no_mangle)]
extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    memcmp(a, b, count)
}

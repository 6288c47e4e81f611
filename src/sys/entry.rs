//! Where the kernel jumps to: the initial stack becomes [`Args`], then
//! [`crate::main`] runs and never returns.
//!
//! There is no C runtime below corm, so this file is the whole of it. It exists
//! only on the device targets (`*-musl*`); host tests use std's entry.

use core::ffi::{CStr, c_char};

/// The process's arguments and environment as the kernel laid them out on the
/// initial stack (execve(2); "Initial Process Stack" in the System V ABI).
#[derive(Clone, Copy)]
pub struct Args {
    stack: *const usize,
}

impl Args {
    /// Number of arguments, the program's name included.
    pub fn len(self) -> usize {
        // SAFETY: the first word of the initial stack is argc; it is never unmapped.
        unsafe { *self.stack }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Argument `index`; 0 is the name the program was called by.
    pub fn get(self, index: usize) -> Option<&'static CStr> {
        if index >= self.len() {
            return None;
        }
        self.string(index.checked_add(1)?)
    }

    pub fn iter(self) -> impl Iterator<Item = &'static CStr> {
        (0..self.len()).map_while(move |index| self.get(index))
    }

    /// The environment, one `NAME=value` each.
    pub fn environment(self) -> impl Iterator<Item = &'static CStr> {
        (self.len().saturating_add(2)..).map_while(move |word| self.string(word))
    }

    /// The pointer array that execve(2) takes as `envp`.
    pub fn environment_pointer(self) -> *const *const c_char {
        self.stack.wrapping_add(self.len().wrapping_add(2)).cast()
    }

    /// The pointer array that execve(2) takes as `argv`, from argument `index` on.
    pub fn argument_pointer(self, index: usize) -> *const *const c_char {
        self.stack.wrapping_add(index.min(self.len()).wrapping_add(1)).cast()
    }

    /// Moves argument `from` in front of argument `to`, which comes earlier; those
    /// between move back by one. How options that stand behind the program are
    /// sorted out, as getopt(3) does it.
    pub fn promote(self, from: usize, to: usize) {
        if from >= self.len() {
            return;
        }
        for index in (to..from).rev() {
            let (here, next) = (self.word(index.wrapping_add(1)), self.word(index.wrapping_add(2)));
            // SAFETY: both words are within argv, checked above; the initial stack is writable,
            // and no reference to its pointers is ever handed out, only to the strings.
            unsafe { core::ptr::swap(here, next) };
        }
    }

    /// Makes argument `index` another string, until this process executes a program.
    pub fn set(self, index: usize, string: &CStr) {
        if index < self.len() {
            // SAFETY: within argv. The caller's string may end before argv does, but nobody looks
            // at it then: what follows is execve(2) or the end of the process.
            unsafe { *self.word(index.wrapping_add(1)) = string.as_ptr() as usize };
        }
    }

    /// As [`Args::set`], for variable `index` of the environment, which must be there.
    pub fn set_variable(self, index: usize, string: &CStr) {
        let word = self.len().wrapping_add(2).wrapping_add(index);
        if self.string(word).is_some() {
            // SAFETY: as above; the variable was there.
            unsafe { *self.word(word) = string.as_ptr() as usize };
        }
    }

    fn word(self, index: usize) -> *mut usize {
        self.stack.wrapping_add(index).cast_mut()
    }

    fn string(self, word: usize) -> Option<&'static CStr> {
        // SAFETY: callers stay within argc, or walk the environment up to its null.
        let pointer = unsafe { *self.stack.wrapping_add(word).cast::<*const c_char>() };
        if pointer.is_null() {
            return None;
        }
        // SAFETY: the kernel NUL-terminates each string, and they live as long as the process.
        Some(unsafe { CStr::from_ptr(pointer) })
    }
}

#[cfg(target_env = "musl")]
mod start {
    use super::Args;

    #[cfg(target_arch = "x86_64")]
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        core::arch::naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {}", "ud2", sym start)
    }

    #[cfg(target_arch = "aarch64")]
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        core::arch::naked_asm!("mov x29, #0", "mov x30, #0", "mov x0, sp", "b {}", sym start)
    }

    #[cfg(target_arch = "arm")]
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        core::arch::naked_asm!(
            "mov fp, #0",
            "mov lr, #0",
            "mov r0, sp",
            "bic r1, r0, #7", // Thumb cannot do this to sp.
            "mov sp, r1",
            "b {}",
            sym start,
        )
    }

    extern "C" fn start(stack: *const usize) -> ! {
        crate::main(Args { stack })
    }

    /// Referenced by `core`'s unwind tables on ARM EABI; nothing here unwinds.
    #[cfg(target_arch = "arm")]
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_unwind_cpp_pr0() {}
}

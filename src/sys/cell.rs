//! Statics that are handed out once.
//!
//! PID 1's tables are far too large for its stack and there is no heap, so they
//! are statics. `TakeOnce` gives each of them to the one place that owns it.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// The flag comes first: what is written at once shares a page with the start of the value.
#[repr(C)]
pub struct TakeOnce<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `take` hands out at most one reference, guarded by `taken`.
unsafe impl<T: Send> Sync for TakeOnce<T> {}

impl<T> TakeOnce<T> {
    /// A value of zero bytes lands in `.bss`, whose pages cost nothing until written.
    pub const fn new(value: T) -> Self {
        TakeOnce { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// The value, the first time; `None` ever after.
    #[expect(clippy::mut_from_ref, reason = "`taken` makes the one reference exclusive")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the swap succeeded once, so this is the only reference.
        Some(unsafe { &mut *self.value.get() })
    }
}

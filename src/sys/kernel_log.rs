//! The kernel's log: which of its records reach the consoles.

use super::{Errno, call};

/// Records with a level below `level` are printed on the consoles; syslog(2),
/// SYSLOG_ACTION_CONSOLE_LEVEL. 1 to 8.
pub fn set_console_level(level: u8) -> Result<(), Errno> {
    const CONSOLE_LEVEL: usize = 8;
    // SAFETY: no pointers: the buffer is null, as this action wants it.
    unsafe { call!(syslog, CONSOLE_LEVEL, 0, usize::from(level)) }.map(drop)
}

//! The machine's own switch, and the signal that goes to everybody.

use super::{Errno, call};

/// What reboot(2) can do.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Power {
    Restart = 0x0123_4567,
    Halt = 0xcdef_0123,
    Off = 0x4321_fedc,
    /// ctrl-alt-del no longer restarts the machine at once but sends SIGINT to PID 1.
    CtrlAltDelIsASignal = 0,
}

/// reboot(2). Returns only where it failed, or where nothing ends.
pub fn power(how: Power) -> Result<(), Errno> {
    const MAGIC_1: u32 = 0xfee1_dead;
    const MAGIC_2: u32 = 672_274_793;
    // SAFETY: no pointers; the fourth argument counts for a restart command only.
    unsafe { call!(reboot, MAGIC_1, MAGIC_2, how as u32, 0) }.map(drop)
}

/// A signal to every process but this one. kill(2) with -1.
pub fn kill_everything(signal: i32) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(kill, -1i32, signal) }.map(drop)
}

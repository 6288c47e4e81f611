//! What this machine is, in one line.

use super::Found;

/// `corm 0.1.0 on BOARD, Linux RELEASE MACHINE, n cpus, memory`.
pub fn banner(found: &Found) {
    let _ = found;
}

//! The end of the machine.
//!
//! The supervisor has stopped the workloads by now. What is left is what nobody
//! answers for: stray processes, filesystems with something to write out, loop
//! devices. Everything here may wait, but for a bounded time: a machine that was
//! told to go off goes off, and says what it could not do. Where there is
//! nothing to wait for it waits for nothing.
//!
//! PID 1 of a machine must never return from here and never exit: the kernel
//! would panic.

pub(crate) mod mount_table;
mod strays;
mod unmount;

use crate::config::FinalAction;
use crate::sys::power::{self, Power};
use crate::sys::{event, process, time};
use crate::{error, info, warn};

/// Kills what is left, unmounts, syncs, and ends the machine. In a container,
/// where this is reached only by failing, it exits with status 1.
pub fn finish(action: FinalAction, container: bool) -> ! {
    if container {
        exit_container(1)
    }
    hold_signals();
    strays::kill();
    unmount::everything();
    let (word, how) = match action {
        FinalAction::PowerOff => ("power off", Power::Off),
        FinalAction::Reboot => ("reboot", Power::Restart),
        FinalAction::Halt => ("halt", Power::Halt),
    };
    info!(word);
    if let Err(errno) = power::power(how) {
        error!("cannot ", word, ": ", errno);
    }
    // A machine without that switch: it is safe to cut its power.
    loop {
        time::pause();
    }
}

/// The end of a container: kills what is left in it, and exits.
pub fn exit_container(status: u8) -> ! {
    hold_signals();
    strays::kill();
    process::exit(status)
}

/// Signals are for the event loop, which is over; SIGCHLD stays pending until waited for.
fn hold_signals() {
    if let Err(errno) = event::block_all_signals() {
        warn!("cannot block signals: ", errno);
    }
}

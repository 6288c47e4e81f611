//! What a signal means to PID 1, and whether a process would notice one.

use crate::put;
use crate::supervise::End;
use crate::sys::{BorrowedFd, fs};
use crate::text::{self, Text};

/// The kernel's first real-time signal as glibc and so systemd count it:
/// `SIGRTMIN+3` is 37.
const RTMIN: u8 = 34;

/// What a signal asks of PID 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    Reap,
    End(End),
    Nothing,
}

/// busybox's and systemd's conventions, so that their `reboot`, `poweroff` and
/// `halt` work; the kernel sends SIGINT for ctrl-alt-del and SIGPWR for a UPS.
/// A container's manager sends SIGTERM, or SIGRTMIN+3, to stop it.
pub fn wish(signal: u8, container: bool) -> Wish {
    let machine = |end| Wish::End(if container { End::Exit } else { end });
    match i32::from(signal) {
        libc::SIGCHLD => Wish::Reap,
        libc::SIGINT | libc::SIGTERM => machine(End::Reboot),
        libc::SIGUSR1 => machine(End::Halt),
        libc::SIGUSR2 | libc::SIGPWR => machine(End::PowerOff),
        _ => match signal.checked_sub(RTMIN) {
            Some(3) => machine(End::Halt),
            Some(4) => machine(End::PowerOff),
            Some(5) => machine(End::Reboot),
            _ => Wish::Nothing,
        },
    }
}

/// Whether the first process of a pid namespace would not notice the signal.
pub fn is_deaf(pid: u32, signal: u8) -> bool {
    let mut path = Text::<32>::new();
    put!(path, "/proc/", pid, "/status");
    let mut status = [0u8; 2048];
    path.as_c_str()
        .and_then(|path| fs::read_file(BorrowedFd::CWD, path, &mut status).ok())
        .is_some_and(|status| !heeds(status, signal))
}

/// Would this process do anything about the signal? Read from its
/// /proc/PID/status (proc(5)).
///
/// The first process of a pid namespace has no default actions: what it neither
/// catches, blocks nor ignores is dropped (pid_namespaces(7)), and waiting for
/// it to stop would be waiting for nothing. One that ignores the signal has said
/// that it knows about it, and gets its time. A status that cannot be made
/// sense of counts as a yes.
fn heeds(status: &[u8], signal: u8) -> bool {
    let Some(bit) = signal.checked_sub(1).and_then(|shift| 1u64.checked_shl(shift.into())) else {
        return true;
    };
    let mask = |field: &[u8]| {
        let mask = text::words(status, b'\n').find_map(|line| line.strip_prefix(field))?;
        text::number(mask, 16)
    };
    match (mask(b"SigBlk:\t"), mask(b"SigIgn:\t"), mask(b"SigCgt:\t")) {
        (Some(blocked), Some(ignored), Some(caught)) => (blocked | ignored | caught) & bit != 0,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busybox_and_systemd_tools_can_end_the_machine() {
        for (signal, end) in [
            (2, End::Reboot),
            (15, End::Reboot),
            (39, End::Reboot),
            (12, End::PowerOff),
            (30, End::PowerOff),
            (38, End::PowerOff),
            (10, End::Halt),
            (37, End::Halt),
        ] {
            assert_eq!(wish(signal, false), Wish::End(end), "signal {signal}");
            assert_eq!(wish(signal, true), Wish::End(End::Exit), "signal {signal} in a container");
        }
        assert_eq!(wish(17, false), Wish::Reap);
        for signal in [1, 13, 14, 28, 34, 36, 40, 64] {
            assert_eq!(wish(signal, false), Wish::Nothing, "signal {signal}");
        }
    }

    #[test]
    fn a_signal_nobody_asked_for_is_not_heeded() {
        let status =
            b"Name:\tsh\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000004\nSigCgt:\t0000000000010002\n";
        assert!(heeds(status, 2), "caught");
        assert!(heeds(status, 3), "ignored");
        assert!(!heeds(status, 15));
        assert!(heeds(b"SigBlk:\t4000\nSigIgn:\t0\nSigCgt:\t0\n", 15), "blocked: it may read it");
        assert!(heeds(b"", 15), "no status, no verdict");
        assert!(heeds(status, 0));
        assert!(!heeds(status, 64));
    }
}

//! Our terminal as the machine's console: raw while the machine runs, as it was
//! afterwards. ctrl-a x ends the machine, as with `qemu -nographic`.

use corm_qemu::Machine;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Read, stdin};
use std::sync::Arc;

/// Raw mode; dropping it restores the terminal.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// None when stdin is no terminal.
    pub fn enter() -> Option<Raw> {
        let before = stdin().is_terminal().then(|| tcgetattr(stdin()).ok())??;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Raw { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

/// Rows and columns of our terminal.
pub fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(stdin()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Types at the machine's console what is typed at ours, in a thread of its own.
/// `escapes`: ctrl-a x ends the machine, ctrl-a ctrl-a is a ctrl-a.
pub fn type_at(machine: Arc<Machine>, escapes: bool) {
    std::thread::spawn(move || {
        let mut keys = Keys::default();
        let mut buffer = [0; 1024];
        // At the end of stdin the machine runs on: its console has no end of file.
        while let Ok(length @ 1..) = stdin().read(&mut buffer) {
            let mut typed = buffer[..length].to_vec();
            if escapes && keys.filter(&mut typed) {
                machine.quit();
                return;
            }
            if machine.send(&typed).is_err() {
                return;
            }
        }
    });
}

const CTRL_A: u8 = 1;

#[derive(Default)]
struct Keys {
    /// The last key was a ctrl-a.
    escaped: bool,
}

impl Keys {
    /// Takes the escapes out; true when the machine is to end.
    fn filter(&mut self, typed: &mut Vec<u8>) -> bool {
        let mut quit = false;
        typed.retain(|key| {
            let escaped = std::mem::replace(&mut self.escaped, false);
            match (escaped, *key) {
                (false, CTRL_A) => {
                    self.escaped = true;
                    false
                }
                (true, b'x') => {
                    quit = true;
                    false
                }
                _ => true,
            }
        });
        quit
    }
}

/// SIGINT, SIGTERM and SIGHUP end the machine and then us, by way of dropping
/// everything: the terminal is restored, temporary files go.
pub fn end_on_signals(machine: Arc<Machine>) -> anyhow::Result<Arc<std::sync::atomic::AtomicI32>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let caught = Arc::new(std::sync::atomic::AtomicI32::new(0));
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let seen = caught.clone();
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            seen.store(signal, std::sync::atomic::Ordering::SeqCst);
            machine.quit();
        }
    });
    Ok(caught)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &mut Keys, text: &[u8]) -> (Vec<u8>, bool) {
        let mut text = text.to_vec();
        let quit = keys.filter(&mut text);
        (text, quit)
    }

    #[test]
    fn ctrl_a_x_quits_even_when_typed_slowly() {
        let mut keys = Keys::default();
        assert_eq!(typed(&mut keys, b"ls\x01"), (b"ls".to_vec(), false));
        assert_eq!(typed(&mut keys, b"x"), (vec![], true));
    }

    #[test]
    fn ctrl_a_twice_is_one_ctrl_a_and_other_keys_pass() {
        let mut keys = Keys::default();
        assert_eq!(typed(&mut keys, b"a\x01\x01b\x01cx"), (b"a\x01bcx".to_vec(), false));
    }
}

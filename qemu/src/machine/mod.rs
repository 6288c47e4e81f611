//! A running machine: QEMU with an image, its console, its ports, its end.
//!
//! Everything between us and QEMU goes through socket pairs made before it
//! starts: the console, the monitor and the virtio-serial ports are connected
//! from the guest's first instruction, and end-of-file means QEMU is gone.
//!
//! Waiting is always for something that is said or happens. Deadlines only guard
//! against a hang, so they are long; an emulated machine on a busy computer is slow.

mod arguments;
mod console;
mod process;
mod qmp;

pub use arguments::{Forward, Options, Tap};

use crate::{Built, host};
use anyhow::{Context, Result, bail};
use arguments::Wiring;
use console::Console;
use process::Process;
use qmp::Qmp;
use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How a machine ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    PowerOff,
    /// With `-no-reboot` a reboot ends QEMU.
    Reboot,
    /// The kernel panicked; with `panic=-1` it then rebooted.
    Panic,
    /// By us or by a signal to QEMU.
    Killed,
    /// QEMU itself failed; what it said.
    Failed(String),
}

pub struct Machine {
    process: Process,
    console: Console,
    /// What is typed at the console.
    keyboard: Mutex<UnixStream>,
    qmp: Qmp,
    ports: Vec<Option<UnixStream>>,
    forwards: Vec<Forward>,
    patience: Duration,
    pauses: bool,
}

/// Long enough for the slowest board on the busiest computer.
pub const PATIENCE: Duration = Duration::from_secs(180);

impl Machine {
    /// Starts QEMU. The guest runs when this returns.
    pub fn boot(built: &Built, options: &Options) -> Result<Machine> {
        host::require(&[host::qemu(built.board.arch)])?;
        let mut handed: Vec<OwnedFd> = Vec::new();
        let mut pair = || -> Result<(UnixStream, i32)> {
            let (ours, qemus) = UnixStream::pair().context("could not make a socket pair")?;
            let qemus = OwnedFd::from(qemus);
            let number = qemus.as_raw_fd();
            handed.push(qemus);
            Ok((ours, number))
        };
        let (console, console_fd) = pair()?;
        let (monitor, monitor_fd) = pair()?;
        let mut ports = Vec::new();
        let mut port_fds = Vec::new();
        for name in &options.ports {
            let (ours, number) = pair()?;
            ports.push(Some(ours));
            port_fds.push((name.clone(), number));
        }
        let wiring = Wiring { console: console_fd, monitor: monitor_fd, ports: port_fds };
        let mut command = command(built, options, &wiring);
        let process = Process::start(&mut command, handed)?;
        let keyboard = console.try_clone().context("could not share the console")?;
        let console = Console::listen(console, options.tap.clone())?;
        let mut machine = Machine {
            process,
            console,
            keyboard: Mutex::new(keyboard),
            qmp: Qmp::new(),
            ports,
            forwards: options.forwards.clone(),
            patience: PATIENCE,
            pauses: options.pause_at_end,
        };
        if let Err(error) = machine.connect(monitor) {
            let _ = machine.process.wait(Some(Instant::now() + Duration::from_secs(5)));
            bail!("QEMU does not start: {error:#}\n{}", machine.process.complaint().trim_end());
        }
        Ok(machine)
    }

    fn connect(&mut self, monitor: UnixStream) -> Result<()> {
        self.qmp.connect(monitor)?;
        if self.forwards.iter().any(|forward| forward.host == 0) {
            // QEMU chose free ports of the host; only the human monitor tells them.
            let table = self.qmp.human("info usernet")?;
            for forward in &mut self.forwards {
                forward.host = chosen_port(&table, forward.guest)
                    .with_context(|| format!("QEMU forwards nothing to port {}:\n{table}", forward.guest))?;
            }
        }
        Ok(())
    }

    /// Everything the console has said so far, without carriage returns.
    pub fn console(&self) -> String {
        self.console.text()
    }

    /// Waits until the console says `text`, after what the last wait found, and
    /// gives back its line.
    pub fn wait_for(&self, text: &str) -> Result<String> {
        self.console
            .wait_for_text(text, Instant::now() + self.patience)
            .with_context(|| format!("waiting for {text:?} on the console of {}", self.process.name()))
    }

    /// Waits for `text` in a line that needs no end, such as a shell's prompt.
    pub fn wait_for_prompt(&self, text: &str) -> Result<()> {
        self.console.wait_for_prompt(text, Instant::now() + self.patience).with_context(|| {
            format!("waiting for the prompt {text:?} on the console of {}", self.process.name())
        })
    }

    /// Waits for a regular expression in complete lines, after what the last wait found, and gives
    /// back the match and its groups.
    pub fn wait_for_match(&self, pattern: &str) -> Result<Vec<String>> {
        self.console
            .wait_for_match(pattern, Instant::now() + self.patience)
            .with_context(|| format!("waiting for /{pattern}/ on the console of {}", self.process.name()))
    }

    /// How long the waits wait: [`PATIENCE`] unless set.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Types at the console.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let mut keyboard = self.keyboard.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        keyboard.write_all(bytes.as_ref()).context("could not type at the console: QEMU is gone")
    }

    /// The host's end of virtio-serial port `index` (of [`Options::ports`]), once.
    pub fn take_port(&mut self, index: usize) -> Option<UnixStream> {
        self.ports.get_mut(index)?.take()
    }

    /// Which ports of the host lead into the guest.
    pub fn forwards(&self) -> &[Forward] {
        &self.forwards
    }

    /// The host's port that leads to the guest's.
    pub fn host_port(&self, guest: u16) -> Option<u16> {
        self.forwards.iter().find(|forward| forward.guest == guest).map(|forward| forward.host)
    }

    /// Ctrl-alt-del: the kernel sends SIGINT to PID 1. Boards without a PC
    /// keyboard (all ARM ones, microvm) have none.
    pub fn ctrl_alt_del(&self) -> Result<()> {
        let keys = ["ctrl", "alt", "delete"].map(|key| serde_json::json!({"type": "qcode", "data": key}));
        self.qmp.execute("send-key", serde_json::json!({ "keys": keys })).map(drop)
    }

    /// The power button.
    pub fn power_button(&self) -> Result<()> {
        self.qmp.execute("system_powerdown", serde_json::json!({})).map(drop)
    }

    /// Any QMP command, and what it returned.
    pub fn qmp(&self, command: &str, arguments: serde_json::Value) -> Result<serde_json::Value> {
        self.qmp.execute(command, arguments)
    }

    /// Waits for the guest to end. With [`Options::pause_at_end`] QEMU is still
    /// there afterwards, until [`Machine::quit`].
    pub fn wait_end(&self) -> Result<End> {
        self.wait_end_until(Instant::now() + self.patience)?.with_context(|| {
            format!(
                "the machine is still on after {} s. Its console:\n{}",
                self.patience.as_secs(),
                self.console()
            )
        })
    }

    /// The same with a deadline of one's own; none if that passed.
    pub fn wait_end_until(&self, deadline: Instant) -> Result<Option<End>> {
        let Some(reason) = self.qmp.wait_shutdown(deadline) else { return Ok(None) };
        if reason.is_some() && self.pauses {
            return Ok(Some(self.end(reason.as_deref(), None)));
        }
        let Some(status) = self.process.wait(Some(deadline))? else { return Ok(None) };
        self.console.wait_closed(deadline);
        Ok(Some(self.end(reason.as_deref(), Some(status))))
    }

    fn end(&self, reason: Option<&str>, status: Option<std::process::ExitStatus>) -> End {
        match reason {
            Some("guest-panic") => End::Panic,
            Some(_) if self.console.text().contains("Kernel panic - not syncing") => End::Panic,
            Some("guest-shutdown") => End::PowerOff,
            Some("guest-reset") => End::Reboot,
            Some(_) => End::Killed,
            None if status.is_some_and(|status| status.code().is_none()) => End::Killed,
            None => End::Failed(self.process.complaint()),
        }
    }

    /// Has QEMU ended, or the guest and QEMU waits?
    pub fn has_ended(&self) -> bool {
        self.qmp.wait_shutdown(Instant::now()).is_some()
    }

    /// Ends QEMU now. Dropping a machine does the same.
    pub fn quit(&self) {
        self.process.kill();
    }

    /// QEMU's process id, to look at it from outside.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

fn command(built: &Built, options: &Options, wiring: &Wiring) -> Command {
    let arch = built.board.arch;
    let mut command = Command::new(arch.qemu().0);
    let arguments: Vec<OsString> = arguments::all(built, options, wiring, host::has_kvm(arch), host::tsc_khz);
    command.args(arguments);
    command
}

/// From `info usernet`: lines of protocol[state] fd source-address port
/// destination-address port receive-queue send-queue.
fn chosen_port(table: &str, guest: u16) -> Option<u16> {
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, _, _, host, _, to, ..] = words.as_slice() else { return None };
        (kind.contains("HOST_FORWARD") && to.parse() == Ok(guest)).then(|| host.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_port_is_read_from_qemus_table() {
        let table = "Hub -1 (net0):\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n\
                     \x20 TCP[HOST_FORWARD]  15       127.0.0.1 45123       10.0.2.15  8080     0     0\n";
        assert_eq!(chosen_port(table, 8080), Some(45123));
        assert_eq!(chosen_port(table, 80), None);
    }
}

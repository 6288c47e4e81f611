//! `cargo xtask run`: an image in QEMU, with our terminal as its console.

use crate::common::{BoardArg, EXIT_SOFTWARE, EXIT_TIMEOUT, duration};
use crate::image::Content;
use crate::terminal;
use anyhow::Result;
use clap::Args;
use corm_qemu::machine::{Forward, Tap};
use corm_qemu::{End, Machine, Options, say};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What the demo appliance's web server is reached by.
const DEMO_FORWARD: Forward = Forward { host: 8080, guest: 8080 };

/// Boot the demo appliance (or another config) in QEMU on this terminal.
///
/// The demo's page is at http://localhost:8080 while it runs. ctrl-a x ends the
/// machine. Exits with 0 after a poweroff, 3 after a reboot, 70 when the kernel
/// panicked, 124 when the time was up.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    board: BoardArg,
    #[command(flatten)]
    content: Content,
    /// Added to the kernel's command line
    #[arg(long, value_name = "TEXT", default_value = "")]
    append: String,
    /// A TCP port of this computer that leads to one of the guest's (repeatable;
    /// 8080:8080 if not given)
    #[arg(long, value_name = "HOST:GUEST")]
    forward: Vec<Forward>,
    /// A raw disk image, as a virtio disk (repeatable)
    #[arg(long, value_name = "FILE")]
    drive: Vec<PathBuf>,
    /// End the machine after this time, as in 60s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

/// As good as for ever.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Run {
    pub fn run(self) -> Result<ExitCode> {
        let board = self.board.load()?;
        let built = self.content.on(&board)?.build()?;
        let forwards = if self.forward.is_empty() { vec![DEMO_FORWARD] } else { self.forward };
        let options = Options {
            append: self.append,
            forwards,
            drives: self.drive,
            tap: Some(Tap::new(|bytes| {
                // Without anybody to read it the machine still runs.
                let mut out = std::io::stdout();
                let _ = out.write_all(bytes).and_then(|()| out.flush());
            })),
            ..Options::default()
        };
        say::doing("Booting", format!("{} ({})", board.name, board.description));
        let interactive = std::io::stdin().is_terminal();
        if interactive {
            say::doing("Console", "ctrl-a x ends the machine");
        }
        let machine = Arc::new(Machine::boot(&built, &options)?);
        // Only now is known which port a 0 became.
        for Forward { host, guest } in machine.forwards() {
            say::doing("Forwarding", format!("localhost:{host} to the guest's port {guest}"));
        }
        let signal = terminal::end_on_signals(machine.clone())?;
        let raw = terminal::Raw::enter();
        terminal::type_at(machine.clone(), interactive);
        let end = machine.wait_end_until(Instant::now() + self.timeout.unwrap_or(FOR_EVER))?;
        machine.quit();
        drop(raw);
        let signal = signal.load(Ordering::SeqCst);
        Ok(match end {
            _ if signal != 0 => ExitCode::from(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0))),
            Some(End::PowerOff | End::Killed) => ExitCode::SUCCESS,
            Some(End::Reboot) => {
                say::doing("Ended", "the machine rebooted, which ends it here");
                ExitCode::from(3)
            }
            Some(End::Panic) => {
                say::error("the kernel panicked");
                ExitCode::from(EXIT_SOFTWARE)
            }
            Some(End::Failed(complaint)) => {
                say::error(format!("QEMU failed: {}", complaint.trim_end()));
                ExitCode::from(EXIT_SOFTWARE)
            }
            None => {
                say::error("the time is up (--timeout)");
                ExitCode::from(EXIT_TIMEOUT)
            }
        })
    }
}

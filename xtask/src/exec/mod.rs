//! `cargo xtask exec`: one command in a fresh machine, as if it ran here.
//!
//! Two ways lead in and out. **Ports**: the command's stdin, stdout and stderr are
//! virtio-serial ports, which carry bytes as they are, know an end of file and
//! slow down whoever writes too fast; its status comes through a fourth. That is
//! the way whenever stdin is no terminal. **Console**: a person wants a terminal,
//! and a kernel without `virtio_console` leaves no choice; then a shell around the
//! command marks where its output begins and ends, and only that is let through.

mod console;
mod ports;
mod request;

use crate::common::{BoardArg, EXIT_SOFTWARE, EXIT_TIMEOUT, duration, tail};
use anyhow::{Result, bail};
use clap::Args;
use corm_qemu::kernel::Kernel;
use corm_qemu::modules::Modules;
use corm_qemu::{Board, Built, End, say};
use request::{Request, Stdio};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Boot a test image, run one command in it, and exit as it did.
///
/// CMD runs as a workload: with the default walls, over a read-only view of the
/// image's root, which has busybox and what --overlay adds. Its stdin, stdout and
/// stderr are this process's, and its exit status is ours (128+N if signal N
/// ended it). 124: the time was up; 70: the machine ended without a status.
#[derive(Args)]
pub struct Exec {
    #[command(flatten)]
    board: BoardArg,
    /// A directory whose files are put over the image's (repeatable)
    #[arg(long, value_name = "DIR")]
    overlay: Vec<PathBuf>,
    /// No walls: root on the machine itself
    #[arg(long)]
    privileged: bool,
    /// A kernel module that CMD needs, besides the board's (repeatable)
    #[arg(long, value_name = "NAME")]
    module: Vec<String>,
    /// Added to the kernel's command line
    #[arg(long, value_name = "TEXT", default_value = "")]
    append: String,
    /// Give up after this time; on a terminal there is none unless given
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Show the machine's console on stderr
    #[arg(short, long)]
    verbose: bool,
    /// The command and its arguments; a name without a slash is looked for in the
    /// overlays' bin directories, then in /bin
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

impl Exec {
    pub fn run(self) -> Result<ExitCode> {
        if !self.verbose {
            say::quietly_unless_terminal();
        }
        let board = self.board.load()?;
        let kernel = Kernel::of(&board)?;
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let stdio = match (terminal, has_ports(&kernel)?) {
            (true, _) => Stdio::Console { terminal: true },
            (false, true) => Stdio::Ports,
            (false, false) => {
                say::warning("this kernel has no virtio_console: stdin is empty, stderr goes to stdout");
                Stdio::Console { terminal: false }
            }
        };
        let request = Request {
            command: &request::words(&self.command)?,
            overlays: &self.overlay,
            privileged: self.privileged,
            // A kernel without modules has everything built in, or never.
            modules: modules(&board, &kernel, self.module)?,
            stdio,
        };
        let built = request.image(&board).build()?;
        let job = Job {
            built: &built,
            append: format!("{} {}", if self.verbose { "" } else { "quiet" }, self.append),
            verbose: self.verbose,
            timeout: self.timeout.or((!terminal).then_some(DEFAULT_TIMEOUT)),
        };
        let outcome = match stdio {
            Stdio::Ports => ports::run(&job)?,
            Stdio::Console { terminal } => console::run(&job, terminal)?,
        };
        Ok(outcome.exit_code(self.verbose))
    }
}

/// The board's modules and those that were asked for. A kernel without any has
/// everything built in, or never.
fn modules(board: &Board, kernel: &Kernel, wanted: Vec<String>) -> Result<Vec<String>> {
    let Some(modules) = Modules::of(kernel)? else { return Ok(Vec::new()) };
    if let Some(name) = wanted.iter().find(|name| !modules.has(name)) {
        bail!("--module {name}: there is none in {}", modules.directory().display());
    }
    Ok(board.kernel.modules.iter().cloned().chain(wanted).collect())
}

/// Can the guest have virtio-serial ports? A kernel of one's own without
/// `MODULES=` cannot be asked, and is taken not to.
fn has_ports(kernel: &Kernel) -> Result<bool> {
    let Some(modules) = Modules::of(kernel)? else { return Ok(false) };
    Ok(modules.has("virtio_console"))
}

/// What both ways are given.
pub struct Job<'a> {
    built: &'a Built,
    append: String,
    verbose: bool,
    timeout: Option<Duration>,
}

/// What both ways find out.
pub struct Outcome {
    /// The command's status, as a shell counts.
    status: Option<u8>,
    /// None: the time was up.
    end: Option<End>,
    console: String,
    /// We were told to stop by this signal.
    signal: i32,
}

impl Outcome {
    fn exit_code(self, verbose: bool) -> ExitCode {
        if self.signal != 0 {
            return ExitCode::from(128_u8.saturating_add(u8::try_from(self.signal).unwrap_or(0)));
        }
        let status = self.status.or_else(|| console::printed_status(&self.console));
        let console = || match tail(&self.console) {
            _ if verbose => String::new(),
            lines if lines.is_empty() => ", and its console said nothing".to_owned(),
            lines => format!(". Its console:\n{lines}"),
        };
        match (status, &self.end) {
            // A panic after the command's end is no success of the machine's.
            (_, Some(End::Panic)) => say::error(format!("the kernel panicked{}", console())),
            (Some(status), _) => {
                // corm could not start it, and says why on the console only.
                if matches!(status, 126 | 127) && !verbose {
                    self.console
                        .lines()
                        .filter(|line| line.contains("corm:"))
                        .for_each(|line| eprintln!("{line}"));
                }
                return ExitCode::from(status);
            }
            (None, None) => {
                say::error(format!("the time is up (--timeout){}", console()));
                return ExitCode::from(EXIT_TIMEOUT);
            }
            (None, Some(End::Failed(why))) => say::error(format!("QEMU failed: {}", why.trim_end())),
            (None, Some(_)) => {
                say::error(format!("the machine ended without the command's status{}", console()))
            }
        }
        ExitCode::from(EXIT_SOFTWARE)
    }
}

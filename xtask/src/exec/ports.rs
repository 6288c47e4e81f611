//! The command's stdio through virtio-serial ports.
//!
//! When the guest has powered off, QEMU may still hold the end of the output:
//! whoever reads ours may be slow, and then everything up to the guest's own
//! buffers is full. So QEMU only pauses at the end, goes on handing out what it
//! has, and is ended when nothing more comes.
//!
//! Where nobody reads our output any more (`| head`), a program here would be
//! ended by SIGPIPE at its next write. A guest's port cannot say so, so the
//! machine ends, with that signal's status.

use super::request::PORTS;
use super::{Job, Outcome};
use crate::terminal;
use anyhow::{Context, Result};
use corm_qemu::machine::Tap;
use corm_qemu::{Machine, Options};
use signal_hook::consts::SIGPIPE;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub fn run(job: &Job) -> Result<Outcome> {
    let options = Options {
        append: job.append.clone(),
        ports: PORTS.map(String::from).to_vec(),
        pause_at_end: true,
        tap: job.verbose.then(Tap::stderr),
        ..Options::default()
    };
    let mut machine = Machine::boot(job.built, &options)?;
    let [stdin, stdout, stderr, report] =
        std::array::from_fn(|port| machine.take_port(port)).map(|port| port.context("a port is missing"));
    let machine = Arc::new(machine);
    let signal = terminal::end_on_signals(machine.clone())?;
    feed(stdin?);
    let unheard = Arc::new(AtomicBool::new(false));
    let stop = || {
        let (machine, unheard) = (machine.clone(), unheard.clone());
        move || {
            unheard.store(true, Ordering::SeqCst);
            machine.quit();
        }
    };
    let pumps = [
        Pump::start(stdout?, std::io::stdout(), stop()),
        Pump::start(stderr?, std::io::stderr(), stop()),
        Pump::start(report?, std::io::sink(), stop()),
    ];
    let deadline = job.timeout.map_or_else(
        || Instant::now() + Duration::from_secs(u64::from(u32::MAX)),
        |timeout| Instant::now() + timeout,
    );
    let end = machine.wait_end_until(deadline)?;
    if end.is_some() {
        drain(&machine, &pumps);
    }
    machine.quit();
    let [_, _, report] = pumps.map(Pump::join);
    let signal = match signal.load(Ordering::SeqCst) {
        0 if unheard.load(Ordering::SeqCst) => SIGPIPE,
        signal => signal,
    };
    Ok(Outcome {
        status: String::from_utf8_lossy(&report).trim().parse().ok(),
        end,
        console: machine.console(),
        signal,
    })
}

/// Our stdin becomes the command's. The thread is left behind: it may wait for
/// input that never comes.
fn feed(mut port: UnixStream) {
    std::thread::spawn(move || {
        // A command that stops reading, or a machine that ended, is no error.
        let _ = std::io::copy(&mut std::io::stdin(), &mut port);
        // Only half: a closed socket would be hung up before it is read to the end.
        let _ = port.shutdown(Shutdown::Write);
        std::thread::park();
    });
}

/// Waits until QEMU has handed out everything: nobody is writing, nothing has
/// come, and QEMU's main loop has turned meanwhile.
fn drain(machine: &Machine, pumps: &[Pump]) {
    const QUIET_TURNS: usize = 3;
    const TURN: Duration = Duration::from_millis(5);
    let state = || pumps.iter().map(|pump| pump.progress.total.load(Ordering::SeqCst)).sum::<u64>();
    let mut quiet = 0;
    let mut before = state();
    while quiet < QUIET_TURNS {
        std::thread::sleep(TURN);
        if machine.qmp("query-status", serde_json::json!({})).is_err() {
            return;
        }
        let now = state();
        let writing = pumps.iter().any(|pump| pump.progress.writing.load(Ordering::SeqCst));
        quiet = if writing || now != before { 0 } else { quiet + 1 };
        before = now;
    }
}

#[derive(Default)]
struct Progress {
    total: AtomicU64,
    writing: AtomicBool,
}

/// A thread that copies a port to one of our outputs, and keeps the first bytes.
struct Pump {
    progress: Arc<Progress>,
    thread: JoinHandle<Vec<u8>>,
}

/// Enough for a status.
const KEPT: usize = 64;

impl Pump {
    /// `stop` is told when `to` takes no more.
    fn start(
        mut from: UnixStream,
        mut to: impl Write + Send + 'static,
        stop: impl FnOnce() + Send + 'static,
    ) -> Pump {
        let progress = Arc::new(Progress::default());
        let shared = progress.clone();
        let thread = std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                shared.writing.store(true, Ordering::SeqCst);
                shared.total.fetch_add(length as u64, Ordering::SeqCst);
                let bytes = &buffer[..length];
                kept.extend(bytes.iter().take(KEPT - kept.len().min(KEPT)));
                let written = to.write_all(bytes).and_then(|()| to.flush());
                shared.writing.store(false, Ordering::SeqCst);
                if written.is_err() {
                    stop();
                    break;
                }
            }
            kept
        });
        Pump { progress, thread }
    }

    fn join(self) -> Vec<u8> {
        self.thread.join().unwrap_or_default()
    }
}

//! QEMU as a process: started with the sockets it inherits, gone when we are.

use crate::command;
use anyhow::{Context, Result, anyhow};
use rustix::io::FdFlags;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

pub struct Process {
    child: Mutex<Child>,
    name: String,
    /// Its stderr.
    said: Mutex<std::fs::File>,
}

impl Process {
    /// `handed` are open in the child under the numbers they have here.
    pub fn start(command: &mut Command, handed: Vec<OwnedFd>) -> Result<Process> {
        let said = tempfile::tempfile().context("could not make a temporary file for QEMU's messages")?;
        let name = command.get_program().to_string_lossy().into_owned();
        let mut owned = std::mem::replace(command, Command::new("false"));
        owned
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.try_clone().context("could not share a file")?);
        dies_with_us(&mut owned);
        // SAFETY: between fork and exec the closure only calls fcntl(2), which is
        // async-signal-safe, and allocates nothing.
        unsafe {
            owned.pre_exec(move || {
                handed.iter().try_for_each(|fd| Ok(rustix::io::fcntl_setfd(fd, FdFlags::empty())?))
            });
        }
        let shown = command::shown(&owned);
        let child = spawn(owned).with_context(|| format!("could not run `{shown}`"))?;
        Ok(Process { child: Mutex::new(child), name, said: Mutex::new(said) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// None when the deadline passed.
    pub fn wait(&self, deadline: Option<Instant>) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child().try_wait().context("could not wait for QEMU")? {
                return Ok(Some(status));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            }
            // Its sockets have told that it is about to end; the rest takes a moment.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn kill(&self) {
        let mut child = self.child();
        // An error means that it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// What it said on stderr.
    pub fn complaint(&self) -> String {
        let mut file = self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut text = String::new();
        match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
            Ok(_) => text,
            Err(error) => format!("(its messages cannot be read: {error})"),
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The kernel kills the child when the thread that started it ends, however we end.
fn dies_with_us(command: &mut Command) {
    // SAFETY: between fork and exec the closure only calls prctl(2), which is
    // async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?)
        });
    }
}

/// Starts a program from a thread that lives as long as this process: a test's
/// thread may end while another test goes on with the machine it started.
fn spawn(command: Command) -> Result<Child> {
    type Request = (Command, Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<Sender<Request>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (requests, inbox) = channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let result = command.spawn();
                // Its sockets' other ends must be only QEMU's now.
                drop(command);
                // Whoever asked may have given up.
                let _ = reply.send(result);
            }
        });
        requests
    });
    let (reply, answer) = channel();
    starter.send((command, reply)).map_err(|_| anyhow!("the starter thread is gone"))?;
    Ok(answer.recv().map_err(|_| anyhow!("the starter thread is gone"))??)
}

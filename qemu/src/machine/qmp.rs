//! QEMU's monitor (QMP): JSON lines. A thread reads; answers go to whoever asked,
//! and of the events the shutdown is kept, for its reason.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Every command answers at once, but QEMU may be slow to start.
const ANSWER: Duration = Duration::from_secs(60);

pub struct Qmp {
    conversation: Mutex<Option<(UnixStream, Receiver<Value>)>>,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// The SHUTDOWN event's reason.
    shutdown: Option<String>,
    closed: bool,
}

impl Qmp {
    pub fn new() -> Qmp {
        Qmp { conversation: Mutex::new(None), shared: Arc::default() }
    }

    pub fn connect(&mut self, stream: UnixStream) -> Result<()> {
        let (sender, answers) = channel();
        let reader = BufReader::new(stream.try_clone().context("could not share the monitor's socket")?);
        let shared = self.shared.clone();
        std::thread::Builder::new().name("qmp".to_owned()).spawn(move || listen(reader, &sender, &shared))?;
        let greeting = answers.recv_timeout(ANSWER).map_err(|_| anyhow!("its monitor does not answer"))?;
        if greeting.get("QMP").is_none() {
            bail!("its monitor greets with {greeting}");
        }
        *self.conversation() = Some((stream, answers));
        self.execute("qmp_capabilities", json!({})).map(drop)
    }

    pub fn execute(&self, command: &str, arguments: Value) -> Result<Value> {
        let mut conversation = self.conversation();
        let Some((stream, answers)) = conversation.as_mut() else { bail!("QEMU's monitor is not connected") };
        let request = json!({ "execute": command, "arguments": arguments });
        stream.write_all(format!("{request}\n").as_bytes()).context("QEMU is gone")?;
        let mut answer =
            answers.recv_timeout(ANSWER).map_err(|_| anyhow!("QEMU gave no answer to {command}"))?;
        match answer.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => bail!("QEMU refused {command}: {}", answer["error"]["desc"].as_str().unwrap_or_default()),
        }
    }

    /// A command of the monitor for people, and its text.
    pub fn human(&self, line: &str) -> Result<String> {
        let answer = self.execute("human-monitor-command", json!({ "command-line": line }))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the guest has ended or QEMU is gone: then the reason, if it
    /// gave one. None when the deadline passed.
    pub fn wait_shutdown(&self, deadline: Instant) -> Option<Option<String>> {
        let mut state = lock(&self.shared.0);
        loop {
            if state.shutdown.is_some() || state.closed {
                return Some(state.shutdown.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state =
                self.shared.1.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    fn conversation(&self) -> MutexGuard<'_, Option<(UnixStream, Receiver<Value>)>> {
        self.conversation.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn listen(reader: BufReader<UnixStream>, answers: &Sender<Value>, shared: &(Mutex<State>, Condvar)) {
    for line in reader.lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        match message.get("event").and_then(Value::as_str) {
            Some("SHUTDOWN") => {
                let reason = message["data"]["reason"].as_str().unwrap_or_default().to_owned();
                lock(&shared.0).shutdown = Some(reason);
                shared.1.notify_all();
            }
            Some(_) => {}
            // Nobody waits any more when the machine is being dropped.
            None => drop(answers.send(message)),
        }
    }
    lock(&shared.0).closed = true;
    shared.1.notify_all();
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

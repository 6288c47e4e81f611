//! What the guest says on its console: a thread collects it, waits look for
//! something in it, each after what the last one found.

use super::arguments::Tap;
use anyhow::{Result, anyhow, bail};
use regex_lite::Regex;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

pub struct Console {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Where the next wait begins to look.
    cursor: usize,
    closed: bool,
}

impl Console {
    pub fn listen(mut from: UnixStream, tap: Option<Tap>) -> Result<Console> {
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let sink = shared.clone();
        std::thread::Builder::new().name("console".to_owned()).spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = from.read(&mut buffer).unwrap_or(0);
                let bytes = &buffer[..length];
                if let Some(tap) = &tap {
                    tap.hear(bytes);
                }
                let mut state = lock(&sink.0);
                state.bytes.extend(bytes.iter().filter(|byte| **byte != b'\r'));
                state.closed = length == 0;
                sink.1.notify_all();
                if length == 0 {
                    return;
                }
            }
        })?;
        Ok(Console { shared })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.shared.0).bytes).into_owned()
    }

    pub fn wait_for_text(&self, text: &str, deadline: Instant) -> Result<String> {
        self.wait(deadline, |unread| {
            let start = unread.find(text)?;
            let end = start + text.len();
            // The whole line, when it is complete.
            let line_end = end + unread[end..].find('\n')?;
            let line_start = unread[..start].rfind('\n').map_or(0, |at| at + 1);
            Some((unread[line_start..line_end].to_owned(), end))
        })
    }

    /// The text may stand in a line that is not complete, and never will be.
    pub fn wait_for_prompt(&self, text: &str, deadline: Instant) -> Result<()> {
        self.wait(deadline, |unread| Some(((), unread.find(text)? + text.len())))
    }

    pub fn wait_for_match(&self, pattern: &str, deadline: Instant) -> Result<Vec<String>> {
        let pattern =
            Regex::new(&format!("(?m){pattern}")).map_err(|error| anyhow!("bad pattern: {error}"))?;
        self.wait(deadline, |unread| {
            // Of a line that is still being said, any part would match `.*$`.
            let complete = &unread[..unread.rfind('\n')? + 1];
            let found = pattern.captures(complete)?;
            let groups =
                found.iter().map(|group| group.map_or(String::new(), |group| group.as_str().to_owned()));
            Some((groups.collect(), found.get(0).map_or(0, |all| all.end())))
        })
    }

    pub fn wait_closed(&self, deadline: Instant) {
        let mut state = lock(&self.shared.0);
        while !state.closed && Instant::now() < deadline {
            state = self.sleep(state, deadline);
        }
    }

    /// `look` gives back what it found and how far it has read.
    fn wait<T>(&self, deadline: Instant, look: impl Fn(&str) -> Option<(T, usize)>) -> Result<T> {
        let mut state = lock(&self.shared.0);
        loop {
            let closed = state.closed;
            let mut unread = String::from_utf8_lossy(&state.bytes[state.cursor..]);
            if closed {
                // The last line may lack its end.
                unread += "\n";
            }
            // Found places are in the lossy text; where that differs from the
            // bytes, the cursor only lands a little further on.
            if let Some((found, read)) = look(&unread) {
                state.cursor = (state.cursor + read).min(state.bytes.len());
                return Ok(found);
            }
            let why = if closed {
                "the machine ended without it"
            } else if Instant::now() >= deadline {
                "it did not come in time"
            } else {
                state = self.sleep(state, deadline);
                continue;
            };
            bail!("{why}. The whole console:\n{}", String::from_utf8_lossy(&state.bytes));
        }
    }

    fn sleep<'a>(&self, state: MutexGuard<'a, State>, deadline: Instant) -> MutexGuard<'a, State> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (state, _) =
            self.shared.1.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner());
        state
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn heard(text: &str) -> (Console, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(text.as_bytes()).unwrap();
        (Console::listen(ours, None).unwrap(), theirs)
    }

    #[test]
    fn a_wait_gives_the_line_and_the_next_one_looks_further_on() {
        let (console, _open) = heard("a: one\r\nb: one\r\n");
        assert_eq!(console.wait_for_text("one", soon()).unwrap(), "a: one");
        assert_eq!(console.wait_for_text("one", soon()).unwrap(), "b: one");
    }

    #[test]
    fn a_match_gives_its_groups() {
        let (console, _open) = heard("pid=12 uid=0\n");
        assert_eq!(console.wait_for_match("^pid=([0-9]+)", soon()).unwrap(), ["pid=12", "12"]);
    }

    #[test]
    fn waiting_for_what_never_comes_shows_the_console() {
        let (console, open) = heard("something else\n");
        drop(open);
        let error = console.wait_for_text("hello", soon()).unwrap_err().to_string();
        assert!(error.contains("ended without it") && error.contains("something else"), "{error}");
    }

    #[test]
    fn the_last_line_may_lack_its_end() {
        let (console, open) = heard("bye");
        drop(open);
        assert_eq!(console.wait_for_text("bye", soon()).unwrap(), "bye");
    }
}

//! A workload's stdout or stderr on its way into the log.
//!
//! Each is a pipe. PID 1 reads what is there, cuts it into lines and passes them
//! on under the workload's name. A line that is not finished waits in a [`Begun`];
//! one that is longer than [`limits::LOG_LINE`] is split, and the first part ends
//! in `\`. When a workload has used up its [`Budget`] its pipe is not read until
//! there is budget again: the workload then waits in its own write(2), and
//! nothing is lost, and nobody else notices.

use super::ring::{Place, Ring, SPLIT};
use super::{Level, emit};
use crate::limits;
use crate::sys::{BorrowedFd, Errno, OwnedFd, io};

/// A line that has begun. Kept apart from its [`Stream`]: most workloads write
/// whole lines, and then its memory is never touched.
pub type Begun = [u8; limits::LOG_LINE];

/// One pipe's read end.
pub struct Stream {
    pipe: Option<OwnedFd>,
    /// How much of a [`Begun`] there is.
    begun: usize,
    /// Not watched until the budget is back.
    paused: bool,
    /// It has been, and that was told.
    told: bool,
}

/// Where a workload's lines go.
pub struct Destination<'a> {
    pub ring: &'a mut Ring,
    pub place: Place,
    pub level: Level,
    pub source: &'a [u8],
    /// To the kernel log and the console as well.
    pub kernel: bool,
}

impl Destination<'_> {
    fn take(&mut self, line: &[u8], split: bool) {
        if let Some(file) = super::rings() {
            let mark = if split { SPLIT } else { 0 };
            self.ring.add(file, self.place, self.level as u8 | mark, line);
        }
        if self.kernel {
            emit(self.level, self.source, line);
        }
    }
}

/// What became of a [`Stream::pump`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pumped {
    /// All that was there has been read.
    Dry,
    /// There may be more; come again.
    More,
    /// There may be more, but the budget is used up.
    Broke,
    /// Nobody can write to it any more, and it may be closed.
    Ended,
}

impl Stream {
    pub const CLOSED: Stream = Stream { pipe: None, begun: 0, paused: false, told: false };

    /// Takes a pipe's non-blocking read end. An earlier one has been [closed](Self::close).
    pub fn open(&mut self, pipe: OwnedFd) {
        self.pipe = Some(pipe);
        self.told = false;
    }

    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(OwnedFd::borrow)
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether this is the first time since it was opened that this is asked.
    pub fn tell(&mut self) -> bool {
        !core::mem::replace(&mut self.told, true)
    }

    /// Reads once and passes the lines on.
    pub fn pump(&mut self, line: &mut Begun, budget: &mut Budget, to: &mut Destination) -> Pumped {
        /// One read: two full lines. It is what decides how much stack PID 1 has in memory.
        const CHUNK: usize = 2 * limits::LOG_LINE;
        if budget.lines <= 0 {
            return Pumped::Broke;
        }
        let Some(pipe) = self.pipe() else { return Pumped::Ended };
        let mut chunk = [0u8; CHUNK];
        let read = match io::read(pipe, &mut chunk) {
            Ok(0) => return Pumped::Ended,
            Ok(count) => chunk.get(..count).unwrap_or(&[]),
            Err(Errno::EAGAIN) => return Pumped::Dry,
            Err(Errno::EINTR) => return Pumped::More,
            Err(_) => return Pumped::Ended,
        };
        self.take(line, read, |line, split| {
            budget.spend();
            to.take(line, split);
        });
        if read.len() < CHUNK { Pumped::Dry } else { Pumped::More }
    }

    /// Flushes, and gives the pipe back to whoever watches it.
    #[must_use]
    pub fn close(&mut self, line: &mut Begun, to: &mut Destination) -> Option<OwnedFd> {
        if self.begun > 0 {
            to.take(line.get(..self.begun).unwrap_or(&[]), false);
        }
        self.begun = 0;
        self.paused = false;
        self.pipe.take()
    }

    /// Cuts bytes into lines, carrying an unfinished one over.
    fn take(&mut self, line: &mut Begun, mut bytes: &[u8], mut each: impl FnMut(&[u8], bool)) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
            bytes = rest.get(1..).unwrap_or(&[]);
            let mut part = part;
            // The last byte of a full line is kept for the mark that it goes on.
            while self.begun.saturating_add(part.len()) > limits::LOG_LINE.saturating_sub(1) {
                let room = limits::LOG_LINE.saturating_sub(1).saturating_sub(self.begun);
                let (now, later) = part.split_at_checked(room).unwrap_or((part, &[]));
                self.append(line, now);
                self.append(line, b"\\");
                each(line.get(..self.begun).unwrap_or(&[]), true);
                self.begun = 0;
                part = later;
            }
            if end.is_some() && self.begun == 0 {
                each(part, false);
            } else {
                self.append(line, part);
                if end.is_some() {
                    each(line.get(..self.begun).unwrap_or(&[]), false);
                    self.begun = 0;
                }
            }
        }
    }

    fn append(&mut self, line: &mut Begun, part: &[u8]) {
        let free = line.get_mut(self.begun..).unwrap_or(&mut []);
        for (to, from) in free.iter_mut().zip(part) {
            *to = *from;
        }
        self.begun = self.begun.saturating_add(part.len()).min(limits::LOG_LINE);
    }
}

/// How many lines a workload may still write, as a leaky bucket.
#[derive(Clone, Copy)]
pub struct Budget {
    lines: i32,
    /// When it was last filled up, in milliseconds since boot.
    filled: u64,
}

impl Budget {
    /// Of a workload that has not written anything yet; all zero.
    pub const FRESH: Budget = Budget { lines: 0, filled: 0 };

    /// A start-up's worth of chatter at once...
    const MOST: i32 = 1000;
    /// ...and then what a person could still skim, and a kernel log of 256 KiB
    /// keeps for several seconds.
    pub const PER_SECOND: u64 = 500;
    /// How long a workload that is out of budget is left alone.
    pub const PAUSE: u64 = 100;

    /// For one line. A page of empty ones is more than there was: a debt, which time pays off.
    fn spend(&mut self) {
        self.lines = self.lines.saturating_sub(1);
    }

    pub fn fill(&mut self, now: u64) {
        let earned = now.saturating_sub(self.filled).saturating_mul(Self::PER_SECOND) / 1000;
        if self.filled == 0 {
            self.lines = Self::MOST;
            self.filled = now.max(1);
        } else if earned > 0 {
            let earned = i32::try_from(earned).unwrap_or(i32::MAX);
            self.lines = self.lines.saturating_add(earned).min(Self::MOST);
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> (std::vec::Vec<std::vec::Vec<u8>>, usize) {
        let (mut stream, mut begun) = (Stream::CLOSED, [0; limits::LOG_LINE]);
        let mut lines = std::vec::Vec::new();
        for chunk in chunks {
            stream.take(&mut begun, chunk, |line, _| lines.push(line.to_vec()));
        }
        (lines, stream.begun)
    }

    #[test]
    fn bytes_become_lines_however_they_are_cut() {
        let text = b"one\n\ntwo and more\nthree\xff\x00bin\nrest";
        let whole = lines(&[text]);
        assert_eq!(whole.0, [&b"one"[..], b"", b"two and more", b"three\xff\x00bin"]);
        assert_eq!(whole.1, 4);
        for cut in 0..text.len() {
            let (a, b) = text.split_at(cut);
            assert_eq!(lines(&[a, b]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_split_with_a_mark_and_loses_nothing() {
        let long: std::vec::Vec<u8> = (0..3 * limits::LOG_LINE).map(|n| b'a' + (n % 26) as u8).collect();
        let mut text = long.clone();
        text.push(b'\n');
        for cut in [0, 1, 511, 512, 513, 1024, text.len()] {
            let (a, b) = text.split_at(cut);
            let (parts, begun) = lines(&[a, b]);
            assert_eq!(begun, 0);
            assert!(parts.iter().all(|part| part.len() <= limits::LOG_LINE));
            let (last, marked) = parts.split_last().unwrap();
            let mut joined: std::vec::Vec<u8> =
                marked.iter().flat_map(|part| part.strip_suffix(b"\\").unwrap()).copied().collect();
            joined.extend_from_slice(last);
            assert_eq!(joined, long);
        }
    }

    #[test]
    fn short_lines_are_paid_for_before_more_are_read() {
        let (mut stream, mut budget) = (Stream::CLOSED, Budget::FRESH);
        let (mut line, mut ring) = ([0; limits::LOG_LINE], Ring::EMPTY);
        let place = Place { index: 0, size: limits::LOG_RING };
        let mut to =
            Destination { ring: &mut ring, place, level: Level::Debug, source: b"test", kernel: false };
        let (reader, _writer) = io::pipe(io::PipeFlags::NonBlocking).unwrap();
        stream.open(reader);
        budget.fill(1);
        assert_eq!(stream.pump(&mut line, &mut budget, &mut to), Pumped::Dry);
        stream.take(&mut line, &[b'\n'; 4096], |_, _| budget.spend());
        assert_eq!(budget.lines, Budget::MOST - 4096);
        let mut now = 1;
        while budget.lines <= 0 {
            assert_eq!(stream.pump(&mut line, &mut budget, &mut to), Pumped::Broke);
            now += Budget::PAUSE;
            budget.fill(now);
        }
        // 3096 lines of debt at 500 a second.
        assert!((6_100..6_500).contains(&now), "{now}");
        assert_eq!(stream.pump(&mut line, &mut budget, &mut to), Pumped::Dry);
        assert!(stream.close(&mut line, &mut to).is_some());
    }

    #[test]
    fn a_budget_comes_back_with_time_and_never_exceeds_its_most() {
        let mut budget = Budget::FRESH;
        budget.fill(5);
        assert_eq!(budget.lines, Budget::MOST);
        budget.lines = 0;
        budget.fill(6);
        assert_eq!(budget.lines, 0);
        budget.fill(105);
        assert_eq!(budget.lines, 50);
        budget.fill(1_000_000);
        assert_eq!(budget.lines, Budget::MOST);
    }
}

//! The last lines of each workload, and of corm itself.
//!
//! All rings are in one file in memory that has no name (memfd_create(2)), each at a
//! place of its own. PID 1 does not map it, so lines are never part of PID 1's own
//! memory, a page of it is paid for when it is first written, and it outlives a
//! re-exec. What a ring knows of itself is two numbers, [`Ring`].
//!
//! A ring is [`SEGMENTS`] segments. A record never crosses from one into the next, so
//! that the oldest record there is can be found without looking: it is the first of
//! the oldest segment. Overwriting one forgets an eighth of the ring at once.
//!
//! A record is a header and the bytes of the line as they were:
//!
//! | bytes | what |
//! |---|---|
//! | 0 | severity, and [`SPLIT`]; 0: nothing more in this segment |
//! | 1 | 0 |
//! | 2..4 | length of the line |
//! | 4..8 | number of the line; where one is missing, lines were lost |
//! | 8..16 | microseconds since boot |
//! | 16..24 | microseconds since 1970, by the clock as it was then |
//!
//! All numbers are little-endian. Records go to a client as they are
//! ([`crate::control::protocol`]), so [`Record::first`] trusts nothing.

use crate::limits;
use crate::sys::{BorrowedFd, clock, io};

/// A line that goes on in the next record.
pub const SPLIT: u8 = 0x80;

const HEADER: usize = 24;

/// The longest record.
pub const RECORD: usize = HEADER + limits::LOG_LINE;

const SEGMENTS: u64 = 8;

const _: () = assert!(limits::LOG_RING_LEAST / SEGMENTS >= RECORD as u64);

/// How far a ring has come.
#[derive(Clone, Copy)]
pub struct Ring {
    /// Bytes ever written, gaps included.
    head: u64,
    /// Lines ever written.
    lines: u32,
}

/// Where a ring is in the file, and how large.
#[derive(Clone, Copy)]
pub struct Place {
    pub index: u16,
    pub size: u32,
}

impl Place {
    fn segment(self) -> u64 {
        u64::from(self.size) / SEGMENTS
    }

    /// The place in the file of a place in the ring's history.
    fn of(self, at: u64) -> u64 {
        let within = at.checked_rem(self.segment().saturating_mul(SEGMENTS)).unwrap_or(0);
        u64::from(self.index).saturating_mul(limits::LOG_RING_MOST).saturating_add(within)
    }
}

impl Ring {
    pub const EMPTY: Ring = Ring { head: 0, lines: 0 };

    /// From the numbers that [`numbers`](Self::numbers) gave.
    pub fn from_numbers(head: u64, lines: u32) -> Ring {
        Ring { head, lines }
    }

    pub fn numbers(self) -> (u64, u32) {
        (self.head, self.lines)
    }

    /// Writes one line. What cannot be written is counted, so that a reader knows.
    pub fn add(&mut self, file: BorrowedFd, place: Place, severity: u8, line: &[u8]) {
        let record = record(severity, self.lines, line);
        let record = record.get(..HEADER.saturating_add(line.len())).unwrap_or(&record);
        self.lines = self.lines.wrapping_add(1);
        let segment = place.segment();
        let left = segment.saturating_sub(self.head.checked_rem(segment).unwrap_or(0));
        if left < record.len() as u64 {
            // Without the mark, a reader would find old records there, by their numbers.
            if io::write_at(file, &[0], place.of(self.head)).is_err() {
                return;
            }
            self.head = self.head.saturating_add(left);
        }
        if io::write_at(file, record, place.of(self.head)) == Ok(record.len()) {
            self.head = self.head.saturating_add(record.len() as u64);
        }
    }

    /// Where the oldest record is that is still there.
    fn oldest(self, place: Place) -> u64 {
        let segment = place.segment();
        let current = self.head.checked_div(segment).unwrap_or(0);
        current.saturating_sub(SEGMENTS - 1).saturating_mul(segment)
    }

    /// Reads whole records from `from` on, a place that an earlier call has given, or 0.
    /// Gives how many bytes of them there are in `buffer` and where to go on; none: that
    /// was all. `buffer` has room for a [`RECORD`]. Any place is safe to ask for.
    pub fn read(self, file: BorrowedFd, place: Place, from: u64, buffer: &mut [u8]) -> (usize, u64) {
        let mut from = from.max(self.oldest(place)).min(self.head);
        for _ in 0..=SEGMENTS {
            let segment = place.segment();
            let begun = from.checked_rem(segment).unwrap_or(0);
            let end = from.saturating_sub(begun).saturating_add(segment);
            let there = end.min(self.head).saturating_sub(from);
            let wanted = usize::try_from(there).unwrap_or(usize::MAX).min(buffer.len());
            let wanted = buffer.get_mut(..wanted).unwrap_or(&mut []);
            let count = io::read_at(file, wanted, place.of(from)).unwrap_or(0);
            let bytes = wanted.get(..count).unwrap_or(&[]);
            let mut rest = bytes;
            while let Some((_, after)) = Record::first(rest) {
                rest = after;
            }
            let whole = bytes.len().saturating_sub(rest.len());
            if whole > 0 {
                return (whole, from.saturating_add(whole as u64));
            }
            if end > self.head {
                break;
            }
            from = end;
        }
        (0, from)
    }
}

#[inline(never)]
fn record(severity: u8, number: u32, line: &[u8]) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let [low, high] = (line.len().min(limits::LOG_LINE) as u16).to_le_bytes();
    let numbers = [[severity, 0, low, high], number.to_le_bytes()];
    let times = [clock::monotonic_nanos(), clock::real_nanos()].map(|nanos| (nanos / 1000).to_le_bytes());
    let header = numbers.as_flattened().iter().chain(times.as_flattened());
    for (to, from) in record.iter_mut().zip(header.chain(line)) {
        *to = *from;
    }
    record
}

/// A line that was read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// As in syslog(3).
    pub severity: u8,
    /// It goes on in the next record.
    pub split: bool,
    pub number: u32,
    /// Microseconds since boot, and since 1970.
    pub since_boot: u64,
    pub time: u64,
    pub line: &'a [u8],
}

impl<'a> Record<'a> {
    /// The first record of these bytes, and what comes after it; `None` if there is no whole one.
    pub fn first(bytes: &'a [u8]) -> Option<(Record<'a>, &'a [u8])> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let [severity, _, low, high, a, b, c, d, times @ ..] = *header;
        let length = usize::from(u16::from_le_bytes([low, high]));
        if severity == 0 || length > limits::LOG_LINE {
            return None;
        }
        let (since_boot, time) = times.split_first_chunk::<8>()?;
        let (line, rest) = rest.split_at_checked(length)?;
        let record = Record {
            severity: severity & !SPLIT,
            split: severity & SPLIT != 0,
            number: u32::from_le_bytes([a, b, c, d]),
            since_boot: u64::from_le_bytes(*since_boot),
            time: u64::from_le_bytes(*time.first_chunk()?),
            line,
        };
        Some((record, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const PLACE: Place = Place { index: 3, size: limits::LOG_RING_LEAST as u32 };

    fn all(ring: Ring, file: BorrowedFd, place: Place) -> Vec<(u32, Vec<u8>)> {
        let (mut from, mut found) = (0, Vec::new());
        loop {
            let mut buffer = [0; 1000];
            let (count, next) = ring.read(file, place, from, &mut buffer);
            if count == 0 {
                return found;
            }
            let mut rest = &buffer[..count];
            while let Some((record, after)) = Record::first(rest) {
                found.push((record.number, record.line.to_vec()));
                rest = after;
            }
            assert!(rest.is_empty(), "only whole records");
            from = next;
        }
    }

    #[test]
    fn lines_come_back_as_they_were() {
        let file = io::memory_file(c"test").unwrap();
        let mut ring = Ring::EMPTY;
        assert!(all(ring, file.borrow(), PLACE).is_empty());
        for line in [&b"one"[..], b"", b"\0\xff\n", &[b'x'; limits::LOG_LINE]] {
            ring.add(file.borrow(), PLACE, 6, line);
        }
        let lines: Vec<_> = all(ring, file.borrow(), PLACE).into_iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lines, [3, 0, 3, limits::LOG_LINE]);
        let mut buffer = [0; RECORD];
        ring.read(file.borrow(), PLACE, 0, &mut buffer);
        let (record, _) = Record::first(&buffer).unwrap();
        assert!(!record.split && record.severity == 6 && record.line == b"one");
        assert!(record.since_boot > 0 && record.time > 1_600_000_000_000_000);
    }

    #[test]
    fn a_full_ring_keeps_the_newest_lines_and_at_least_three_quarters_of_its_size() {
        let file = io::memory_file(c"test").unwrap();
        let mut ring = Ring::EMPTY;
        let mut other = Ring::EMPTY;
        let beside = Place { index: PLACE.index + 1, ..PLACE };
        other.add(file.borrow(), beside, 6, b"beside");
        for number in 0..5000u32 {
            let line = std::vec![b'a'; (number * 37 % 400) as usize];
            ring.add(file.borrow(), PLACE, 6, &line);
            let kept = all(ring, file.borrow(), PLACE);
            let (last, line) = kept.last().unwrap();
            assert_eq!((*last, line.len()), (number, (number * 37 % 400) as usize));
            assert!(kept.windows(2).all(|two| two[0].0 + 1 == two[1].0), "no gap at {number}");
            let bytes: usize = kept.iter().map(|(_, line)| line.len() + HEADER).sum();
            assert!(bytes <= PLACE.size as usize);
            // Seven segments are kept, and the end of each may be too short for what came next.
            assert!(number < 100 || bytes >= PLACE.size as usize / 8 * 7 / 2, "{bytes} at {number}");
        }
        assert_eq!(all(other, file.borrow(), beside).len(), 1, "its neighbour is untouched");
    }

    #[test]
    fn any_place_may_be_asked_for() {
        let file = io::memory_file(c"test").unwrap();
        let mut ring = Ring::EMPTY;
        for number in 0..500u32 {
            ring.add(file.borrow(), PLACE, 6, &number.to_le_bytes());
        }
        for from in (0..20_000).chain([u64::MAX, u64::MAX - 1, 1 << 63]) {
            let mut buffer = [0; RECORD];
            let (count, next) = ring.read(file.borrow(), PLACE, from, &mut buffer);
            assert!(count <= RECORD && next <= ring.head);
        }
    }

    #[test]
    fn garbage_is_no_record() {
        assert_eq!(Record::first(&[0; 100]), None);
        assert_eq!(Record::first(&[6; 23]), None);
        let mut long = [0u8; 2000];
        long[0] = 6;
        long[2..4].copy_from_slice(&513u16.to_le_bytes());
        assert_eq!(Record::first(&long), None);
        long[2..4].copy_from_slice(&512u16.to_le_bytes());
        assert!(Record::first(&long).is_some());
        assert_eq!(Record::first(&long[..HEADER + 511]), None);
    }
}

//! Standard output and error, buffered.

use crate::sys::{BorrowedFd, io};
use crate::text::Sink;

/// Where a command writes.
pub struct Streams<'a> {
    pub out: &'a mut dyn Sink,
    pub err: &'a mut dyn Sink,
}

/// Bytes that are written at once; a report of `corm check` is a few of them.
const BUFFER: usize = 1024;

/// A descriptor behind a buffer.
pub(crate) struct Output {
    fd: BorrowedFd<'static>,
    used: usize,
    failed: bool,
    buffer: [u8; BUFFER],
}

impl Output {
    pub fn to(fd: BorrowedFd<'static>) -> Output {
        Output { fd, used: 0, failed: false, buffer: [0; BUFFER] }
    }
}

impl Sink for Output {
    /// Writes what is left. False if anything could not be written.
    fn flush(&mut self) -> bool {
        let bytes = self.buffer.get(..self.used).unwrap_or(&[]);
        self.failed |= io::write_all(self.fd, bytes).is_err();
        self.used = 0;
        !self.failed
    }

    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.used == BUFFER {
                self.flush();
            }
            if let Some(free) = self.buffer.get_mut(self.used) {
                *free = *byte;
                self.used = self.used.saturating_add(1);
            }
        }
    }
}

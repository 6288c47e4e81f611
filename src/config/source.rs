//! The text of all config files in one buffer, and where in it something is.
//!
//! A place is a [`Span`]: two 16-bit numbers, so a tree of thousands of values
//! stays small, and neither it nor a [`Problem`](super::Problem) holds a
//! pointer. Lines and columns are counted only when a problem is printed.

use crate::limits;
use heapless::Vec;

/// A piece of [`Sources`]' text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    pub(super) at: u16,
    pub(super) len: u16,
}

impl Span {
    /// From `start` up to `end`.
    #[inline(never)]
    pub(super) fn between(start: usize, end: usize) -> Span {
        Span { at: short(start), len: short(end.saturating_sub(start)) }
    }

    pub(super) fn end(self) -> usize {
        usize::from(self.at).saturating_add(usize::from(self.len))
    }
}

/// Every offset is at most [`limits::CONFIG_TEXT`], which fits.
fn short(offset: usize) -> u16 {
    u16::try_from(offset).unwrap_or(u16::MAX)
}

const _: () = assert!(limits::CONFIG_TEXT <= u16::MAX as usize);

/// The config files, in the order in which they are read. The large text is last,
/// so that the rest shares a page with the first of it.
#[repr(C)]
pub struct Sources {
    used: usize,
    pub(super) files: Vec<File, { limits::CONFIG_FILES }>,
    text: [u8; limits::CONFIG_TEXT],
}

#[derive(Clone, Copy)]
pub(super) struct File {
    pub name: Span,
    pub text: Span,
}

/// No room for a file in [`Sources`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// More than [`limits::CONFIG_TEXT`] bytes.
    Text,
    /// More than [`limits::CONFIG_FILES`] files.
    Files,
}

impl Sources {
    pub const EMPTY: Sources = Sources { text: [0; limits::CONFIG_TEXT], used: 0, files: Vec::new() };

    /// Adds a whole file.
    pub fn add(&mut self, name: &[u8], text: &[u8]) -> Result<(), Full> {
        self.begin(name)?;
        if self.room().len() < text.len() {
            self.abandon();
            return Err(Full::Text);
        }
        self.put(text);
        self.keep(text.len());
        Ok(())
    }

    /// Starts a file; its text is then written into [`room`](Self::room) and
    /// counted with [`keep`](Self::keep), as often as it takes.
    pub fn begin(&mut self, name: &[u8]) -> Result<(), Full> {
        if self.room().len() < name.len() {
            return Err(Full::Text);
        }
        self.put(name);
        let start = self.used.saturating_add(name.len());
        let file = File { name: Span::between(self.used, start), text: Span::between(start, start) };
        self.files.push(file).map_err(|_| Full::Files)?;
        self.used = start;
        Ok(())
    }

    /// Where the next bytes of the file go.
    pub fn room(&mut self) -> &mut [u8] {
        self.text.get_mut(self.used..).unwrap_or(&mut [])
    }

    /// `count` bytes of [`room`](Self::room) are now the file's.
    pub fn keep(&mut self, count: usize) {
        self.used = self.used.saturating_add(count).min(self.text.len());
        if let Some(file) = self.files.last_mut() {
            file.text = Span::between(file.text.at.into(), self.used);
        }
    }

    /// Forgets the file that was begun last.
    pub fn abandon(&mut self) {
        if let Some(file) = self.files.pop() {
            self.used = file.name.at.into();
        }
    }

    /// Forgets everything, for a reader that starts over.
    pub fn clear(&mut self) {
        self.used = 0;
        self.files.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn put(&mut self, bytes: &[u8]) {
        for (to, from) in self.room().iter_mut().zip(bytes) {
            *to = *from;
        }
    }

    #[inline(never)]
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        self.text.get(span.at.into()..span.end()).unwrap_or(&[])
    }

    /// The text of a file, by its number.
    pub fn file(&self, number: usize) -> Option<&[u8]> {
        self.files.get(number).map(|file| self.bytes(file.text))
    }

    /// The text up to the end of a file: offsets in it are offsets in all of the text.
    pub(super) fn up_to(&self, file: File) -> &[u8] {
        self.text.get(..file.text.end()).unwrap_or(&[])
    }

    /// The name, line and column of a place.
    pub fn locate(&self, span: Span) -> Location<'_> {
        let mut found = File { name: Span::default(), text: Span::default() };
        for file in &self.files {
            if file.text.at <= span.at {
                found = *file;
            }
        }
        let place = span.at.saturating_sub(found.text.at).into();
        let text = self.bytes(found.text);
        let (before, after) = text.split_at_checked(place).unwrap_or((text, &[]));
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
        let rest = after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
        let token = after.get(..rest.min(span.len.into())).unwrap_or(&[]);
        let lead = before.get(start..).unwrap_or(&[]);
        Location {
            file: self.bytes(found.name),
            line: lines(before),
            column: chars(lead),
            text: text.get(start..place.saturating_add(rest)).unwrap_or(&[]).trim_ascii_end(),
            width: chars(token).saturating_sub(1),
        }
    }
}

/// A place as people count.
pub struct Location<'a> {
    pub file: &'a [u8],
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The whole line, without its newline.
    pub text: &'a [u8],
    /// Characters of the token on that line.
    pub width: usize,
}

/// The number of the line that comes after `text`.
fn lines(text: &[u8]) -> usize {
    text.iter().fold(1, |count, byte| count.saturating_add(usize::from(*byte == b'\n')))
}

/// The number of the character that comes after `text`, counted from 1. A byte
/// that is no UTF-8 counts as one.
fn chars(mut text: &[u8]) -> usize {
    let mut count = 1usize;
    while !text.is_empty() {
        text = text.get(char_len(text).unwrap_or(1)..).unwrap_or(&[]);
        count = count.saturating_add(1);
    }
    count
}

/// Bytes of the first character, if it is UTF-8.
pub(super) fn char_len(text: &[u8]) -> Option<usize> {
    let (first, rest) = text.split_first()?;
    let len = match first.leading_ones() as usize {
        0 => return Some(1),
        len @ 2..=4 => len,
        _ => return None,
    };
    let mut number = u32::from(*first) & 0x7f >> len;
    for byte in rest.get(..len - 1)? {
        if byte >> 6 != 2 {
            return None;
        }
        number = number << 6 | u32::from(byte & 0x3f);
    }
    // One that fewer bytes could be is not UTF-8.
    char::from_u32(number).filter(|character| character.len_utf8() == len).map(|_| len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_what_core_takes_for_one() {
        let edges = [0, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf];
        let edges = || edges.into_iter().chain([0xe0, 0xed, 0xee, 0xef, 0xf0, 0xf4, 0xf5, 0xf8, 0xff]);
        for (a, b) in edges().flat_map(|a| edges().map(move |b| (a, b))) {
            for (c, d) in edges().flat_map(|c| edges().map(move |d| (c, d))) {
                let bytes = [a, b, c, d];
                let expected = (1..=4).find(|len| core::str::from_utf8(&bytes[..*len]).is_ok());
                assert_eq!(char_len(&bytes), expected, "{bytes:02x?}");
            }
        }
        assert_eq!(char_len(&[]), None);
        assert_eq!(char_len("é".as_bytes().get(..1).unwrap()), None);
    }
}

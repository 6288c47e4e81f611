//! A command's options and names, read after the one line that lists its options.
//!
//! The line is in the table of commands, where completions and manual pages find it too:
//! words such as `-f,--follow`, and with a `=` at the end for one that takes a value:
//! `-n,--lines=`. An option is known by its place in that line.

use super::commands::Command;
use super::{Streams, Words, exit};
use crate::put;
use crate::text;
use core::ffi::CStr;
use heapless::Vec;

/// Options one command has.
const OPTIONS: usize = 8;

/// Names one command takes.
const NAMES: usize = crate::limits::WORKLOADS;

pub(super) struct Given {
    /// What each option was given: nothing, or its value; empty for one that takes none.
    options: [Option<&'static [u8]>; OPTIONS],
    pub names: Vec<&'static CStr, NAMES>,
}

impl Given {
    pub fn has(&self, option: usize) -> bool {
        self.value(option).is_some()
    }

    pub fn value(&self, option: usize) -> Option<&'static [u8]> {
        self.options.get(option).copied().flatten()
    }
}

impl Command {
    /// Reads all words. `Err` is what to exit with; it has been said why. After `--`, and
    /// after the first name where `stop`, everything is a name.
    pub fn read(&self, words: Words, stop: bool, streams: &mut Streams) -> Result<Given, u8> {
        let mut given = Given { options: [None; OPTIONS], names: Vec::new() };
        let mut only_names = false;
        while let Some(word) = words.next() {
            let bytes = word.to_bytes();
            if only_names || !bytes.starts_with(b"-") || bytes == b"-" {
                if given.names.push(word).is_err() {
                    return Err(self.misused(bytes, streams));
                }
                only_names |= stop;
            } else if bytes == b"--" {
                only_names = true;
            } else if bytes == b"--help" || bytes == b"-h" {
                self.explain(streams.out);
                return Err(exit::OK);
            } else if self.option(bytes, words, &mut given).is_none() {
                return Err(self.misused(bytes, streams));
            }
        }
        Ok(given)
    }

    fn option(&self, word: &'static [u8], words: Words, given: &mut Given) -> Option<()> {
        if word.starts_with(b"--") {
            let (name, value) = match word.iter().position(|byte| *byte == b'=') {
                Some(end) => (word.get(..end)?, word.get(end.saturating_add(1)..)),
                None => (word, None),
            };
            let (place, takes) = self.find_option(name)?;
            let value = match (takes, value) {
                (true, None) => words.next()?.to_bytes(),
                (false, Some(_)) => return None,
                (_, value) => value.unwrap_or(b""),
            };
            *given.options.get_mut(place)? = Some(value);
            return Some(());
        }
        let mut letters = word.get(1..)?;
        while let Some((letter, rest)) = letters.split_first() {
            letters = rest;
            let (place, takes) = self.find_option(&[b'-', *letter])?;
            let value = match letters {
                _ if !takes => &[],
                [] => words.next()?.to_bytes(),
                attached => {
                    letters = &[];
                    attached
                }
            };
            *given.options.get_mut(place)? = Some(value);
        }
        Some(())
    }

    /// An option's place in the line, and whether it takes a value.
    fn find_option(&self, name: &[u8]) -> Option<(usize, bool)> {
        let mut options = text::words(self.options.as_bytes(), b' ').zip(0usize..);
        options.find_map(|(spellings, place)| {
            let takes = spellings.ends_with(b"=");
            let spellings = spellings.strip_suffix(b"=").unwrap_or(spellings);
            text::word_index(spellings, b',', name).map(|_| (place, takes))
        })
    }

    /// Says that a value makes no sense.
    pub fn bad_value(&self, what: &str, value: &[u8], streams: &mut Streams) -> u8 {
        put!(*streams.err, "corm ", self.name, ": `", value, "` is not ", what, "\n");
        exit::USAGE
    }
}

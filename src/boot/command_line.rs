//! The kernel command line, as far as it speaks to corm.
//!
//! It is what a person at a boot loader has when the config is the problem, so
//! it overrides the config, and a mistake in it is reported and ignored, never
//! a reason to stop. Words are split and quoted as the kernel does it
//! (`next_arg` in lib/cmdline.c); what follows `--` is not a parameter. Pure.

use crate::limits;
use crate::log::Level;
use crate::put;
use crate::sys::c_str;
use crate::text::{Show, Sink, cut, word_index, words};
use core::ffi::CStr;
use heapless::Vec;

/// The `corm.*` parameters, and what of the others matters here. Plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The least important lines the console gets; `corm.log=`.
    pub log: Option<Level>,
    /// `corm.rescue`: straight to the rescue program.
    pub rescue: bool,
    /// It has a word on what the kernel itself prints: `quiet`, `debug`,
    /// `loglevel=`, `ignore_loglevel`.
    pub kernel_log: bool,
    /// `corm.config=`, with its NUL.
    config: Vec<u8, { limits::PATH }>,
    /// `corm.mask=`, each name followed by a NUL.
    masked: Vec<u8, { limits::MASKED }>,
}

impl CommandLine {
    /// Nothing is said. As a constant it would be a kilobyte of zeros in the binary.
    pub fn empty() -> CommandLine {
        CommandLine {
            log: Some(Level::Info),
            rescue: false,
            kernel_log: false,
            config: Vec::new(),
            masked: Vec::new(),
        }
    }

    /// The config file to read instead of /etc/corm.toml.
    pub fn config(&self) -> Option<&CStr> {
        c_str(&self.config).filter(|path| !path.is_empty())
    }

    /// Whether this workload must not be started.
    pub fn is_masked(&self, name: &[u8]) -> bool {
        word_index(&self.masked, 0, name).is_some()
    }

    /// The names given to `corm.mask=`.
    pub fn masked(&self) -> impl Iterator<Item = &[u8]> {
        words(&self.masked, 0)
    }

    /// Reads a command line; `report` hears of every `corm.*` that is not followed.
    pub fn parse(line: &[u8], report: &mut dyn FnMut(Trouble)) -> CommandLine {
        let mut found = CommandLine::empty();
        for word in (Words { rest: line }) {
            let (name, value) = parameter(word);
            if word == b"--" {
                break;
            }
            if let Some(name) = name.strip_prefix(b"corm.") {
                if let Err(why) = found.set(name, value) {
                    report(Trouble { name, value, why });
                }
            } else {
                found.kernel_log |= word_index(KERNEL_LOG, b' ', name).is_some();
            }
        }
        found
    }

    /// Takes what follows `corm.`.
    fn set(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), Why> {
        match (word_index(b"log config mask rescue", b' ', name), value) {
            (Some(0), Some(word)) => {
                let index = word_index(LEVELS, b' ', word).ok_or(Why::NoLevel)?;
                self.log = Level::ALL.get(index).copied();
            }
            (Some(1), Some(path)) => {
                if !path.starts_with(b"/") {
                    return Err(Why::NotAbsolute);
                }
                self.config.clear();
                keep(&mut self.config, path)?;
            }
            (Some(2), Some(workload)) if !workload.is_empty() => keep(&mut self.masked, workload)?,
            (Some(3), None | Some(b"1")) => self.rescue = true,
            (Some(3), Some(b"0")) => self.rescue = false,
            (Some(3), Some(_)) => return Err(Why::NoSwitch),
            (Some(_), _) => return Err(Why::NoValue),
            _ => return Err(Why::Unknown),
        }
        Ok(())
    }
}

/// The words of `corm.log=`, as [`Level::ALL`] has them; the last one: nothing is shown.
const LEVELS: &[u8] = b"error warn notice info debug off";

/// Parameters that say what the kernel is to print.
const KERNEL_LOG: &[u8] = b"quiet debug loglevel ignore_loglevel";

/// A parameter that is not followed, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trouble<'a> {
    /// Without its `corm.`.
    pub name: &'a [u8],
    pub value: Option<&'a [u8]>,
    pub why: Why,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    Unknown,
    NoValue,
    NoLevel,
    NoSwitch,
    NotAbsolute,
    NoRoom,
}

/// Adds text and a NUL, or nothing.
fn keep(to: &mut heapless::VecView<u8>, text: &[u8]) -> Result<(), Why> {
    if text.len() >= to.capacity().saturating_sub(to.len()) {
        return Err(Why::NoRoom);
    }
    // There is room for both.
    let _ = to.extend_from_slice(text);
    let _ = to.push(0);
    Ok(())
}

impl Show for Trouble<'_> {
    fn show(&self, out: &mut dyn Sink) {
        put!(*out, "kernel command line: corm.", self.name);
        if let Some(value) = self.value {
            put!(*out, "=", value);
        }
        match self.why {
            Why::Unknown => {
                put!(*out, ": unknown; there are corm.config=, corm.log=, corm.mask= and corm.rescue")
            }
            Why::NoValue => put!(*out, ": ignored: it needs a value"),
            Why::NoLevel => put!(*out, ": ignored: a level is off, error, warn, notice, info or debug"),
            Why::NoSwitch => put!(*out, ": ignored: it takes no value, or 0 or 1"),
            Why::NotAbsolute => put!(*out, ": ignored: the path must begin with /"),
            Why::NoRoom => put!(*out, ": ignored: too long"),
        }
    }
}

/// The words of a command line, as the kernel splits them: at white space
/// outside double quotes. Quotes are still in them.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|byte| !is_space(*byte))?;
        let text = self.rest.get(start..)?;
        let mut quoted = false;
        let end = text.iter().position(|&byte| {
            quoted ^= byte == b'"';
            !quoted && is_space(byte)
        });
        let (word, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
        self.rest = rest;
        Some(word)
    }
}

fn is_space(byte: u8) -> bool {
    // A NUL ends what the kernel sees; /proc/cmdline has none.
    matches!(byte, b' ' | b'\t'..=b'\r' | 0)
}

/// A word's name and value. Quotes around the word or around the value go;
/// others stay.
fn parameter(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    let word = unquoted(word);
    let (name, value) = cut(word, b'=').unwrap_or_default();
    (name, (name.len() < word.len()).then(|| unquoted(value)))
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"\"") {
        Some(text) => text.strip_suffix(b"\"").unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> (CommandLine, std::vec::Vec<std::string::String>) {
        let mut troubles = std::vec::Vec::new();
        let found = CommandLine::parse(line.as_bytes(), &mut |trouble| {
            let mut text = crate::text::Text::<600>::new();
            trouble.show(&mut text);
            troubles.push(text.as_str().to_string());
        });
        (found, troubles)
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let (found, troubles) = read("BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro console=ttyS0 panic=-1\n");
        assert_eq!(found, CommandLine::empty());
        assert!(troubles.is_empty());
    }

    #[test]
    fn each_parameter_does_what_it_says() {
        let (found, troubles) =
            read("corm.config=/etc/other.toml corm.log=debug corm.mask=web corm.mask=hog corm.rescue quiet");
        assert!(troubles.is_empty(), "{troubles:?}");
        assert_eq!(found.config(), Some(c"/etc/other.toml"));
        assert_eq!(found.log, Some(Level::Debug));
        assert!(found.is_masked(b"web") && found.is_masked(b"hog"));
        assert!(!found.is_masked(b"we") && !found.is_masked(b""));
        assert!(found.rescue && found.kernel_log);
        assert_eq!(read("corm.log=off").0.log, None);
    }

    #[test]
    fn quotes_are_the_kernel_s() {
        assert_eq!(read(r#"corm.config="/etc/my config""#).0.config(), Some(c"/etc/my config"));
        assert_eq!(read(r#""corm.config=/etc/my config""#).0.config(), Some(c"/etc/my config"));
        assert_eq!(read(r#"corm.config="/etc/open"#).0.config(), Some(c"/etc/open"));
        assert!(!read(r#"dyndbg="file x +p; corm.rescue""#).0.rescue, "inside another's value");
    }

    #[test]
    fn what_follows_two_dashes_belongs_to_init_s_arguments() {
        assert!(!read("ro -- corm.rescue").0.rescue);
    }

    #[test]
    fn a_mistake_is_reported_and_ignored() {
        let (found, troubles) = read(
            "corm.masks=web corm corm.log=loud corm.log corm.config=etc/x corm.config corm.mask= corm.rescue=maybe",
        );
        assert_eq!(found, CommandLine::empty());
        assert_eq!(
            troubles,
            [
                "kernel command line: corm.masks=web: unknown; there are corm.config=, corm.log=, corm.mask= and corm.rescue",
                "kernel command line: corm.log=loud: ignored: a level is off, error, warn, notice, info or debug",
                "kernel command line: corm.log: ignored: it needs a value",
                "kernel command line: corm.config=etc/x: ignored: the path must begin with /",
                "kernel command line: corm.config: ignored: it needs a value",
                "kernel command line: corm.mask=: ignored: it needs a value",
                "kernel command line: corm.rescue=maybe: ignored: it takes no value, or 0 or 1",
            ]
        );
    }

    #[test]
    fn what_is_too_long_is_reported_and_the_rest_kept() {
        let line =
            format!("corm.mask=a corm.mask={} corm.mask=b corm.config=/{}", "x".repeat(300), "y".repeat(600));
        let (found, troubles) = read(&line);
        assert_eq!(found.masked().collect::<std::vec::Vec<_>>(), [b"a", b"b"]);
        assert_eq!(found.config(), None);
        assert_eq!(troubles.len(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(line in proptest::collection::vec(any::<u8>(), 0..600)) {
            CommandLine::parse(&line, &mut |_| {});
        }

        #[test]
        fn masks_survive_whatever_surrounds_them(
            before in "[a-z0-9=./ ]{0,40}", name in "[a-z][a-z0-9-]{0,30}", after in "[a-z0-9=./ ]{0,40}",
        ) {
            prop_assume!(!before.contains("corm") && !after.contains("corm"));
            let line = format!("{before} corm.mask={name} {after}");
            let found = CommandLine::parse(line.as_bytes(), &mut |_| {});
            prop_assert!(found.is_masked(name.as_bytes()));
        }
    }
}

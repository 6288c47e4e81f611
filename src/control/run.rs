//! `corm run`: what a person says of one workload becomes a config.
//!
//! The options are written down as the TOML that they stand for and read by the
//! reader of every config, so they can say what a config can, mean the same, and
//! are refused with the same words. A row of [`OPTIONS`] is an option's name, its
//! line of help and how it is written down.

use super::check::{CONFIG, Printer, SOURCES};
use super::commands::Command;
use super::{Streams, Words, exit};
use crate::boot::config_files::{self, TREE, Unread};
use crate::config::{self, Sources};
use crate::pack::Packed;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, Errno};
use crate::text::{Show, Sink, Text};
use crate::{limits, packed, put, run as foreground};
use core::ffi::CStr;
use heapless::Vec;

pub(super) const ARGUMENTS: Packed =
    packed!(" [--config FILE] NAME | [OPTION...] [NAME] -- COMMAND [ARGUMENT...]");

/// How an option's value is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As it is, if it is a number; otherwise as a string.
    Value,
    /// A directory or image of this host; may be relative.
    Directory,
    /// `NAME=VALUE`.
    Variable,
    /// `SOURCE:TARGET` or `SOURCE:TARGET:rw`.
    Volume,
    /// `TARGET:SIZE`.
    Tmpfs,
    /// `KEY=VALUE`, in TOML.
    Toml,
}

struct Opt {
    name: &'static str,
    key: &'static str,
    shape: Shape,
}

const fn option(name: &'static str, key: &'static str, shape: Shape) -> Opt {
    Opt { name, key, shape }
}

static OPTIONS: [Opt; 10] = [
    option("--root", "root", Shape::Directory),
    option("--user", "user", Shape::Value),
    option("--directory", "directory", Shape::Value),
    option("--env", "env.", Shape::Variable),
    option("--volume", "volumes.", Shape::Volume),
    option("--tmpfs", "volumes.", Shape::Tmpfs),
    option("--network", "network.mode", Shape::Value),
    option("--memory", "limits.memory", Shape::Value),
    option("--pids", "limits.pids", Shape::Value),
    option("--set", "", Shape::Toml),
];

pub(super) const MORE: Packed = packed!(
    "\
It gets the walls it would have on a machine that corm boots, ends when corm\n\
does, and is not started again. As an ordinary user corm makes a user namespace.\n\
\n\
  --config FILE       where NAME is described [/etc/corm.toml]\n\
  --root DIR          its root, seen read-only, or an image [scratch: nothing but COMMAND's own file]\n\
  --user UID[:GID]    whom it runs as [auto]\n\
  --directory DIR     its working directory, inside its root [/]\n\
  --env NAME=VALUE    a variable of its environment, which is empty but for PATH and HOME\n\
  --volume SRC:DST    show SRC of this host on DST; SRC:DST:rw lets it write there\n\
  --tmpfs DST:SIZE    an empty writable directory in memory\n\
  --network MODE      none or host [none]\n\
  --memory SIZE       the memory it may hold, such as 64M\n\
  --pids COUNT        the processes it may have\n\
  --set KEY=VALUE     anything else that [workload.NAME] takes, in TOML: 'limits.cpu=\"50%\"'\n\
  --tty, --no-tty     with or without a terminal of its own [with, if stdin is one]\n\
\n\
Exit status: that of the command; 128+N if signal N ended it; 127 if it is not\n\
there, 126 if it or its walls could not be had, 125 if nothing could be started,\n\
64 to 66 if this command or its config makes no sense.\n"
);

/// What the words on the command line come to.
struct Request {
    config: Option<&'static CStr>,
    name: &'static [u8],
    terminal: Option<bool>,
    /// A command was given here.
    described: bool,
}

pub(super) fn run(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    // One command runs in one process.
    let (Some(sources), Some(tree), Some(config)) = (SOURCES.take(), TREE.take(), CONFIG.take()) else {
        return exit::UNAVAILABLE;
    };
    let request = match read(this, words, sources, streams) {
        Ok(request) => request,
        Err(status) => return status,
    };
    if !request.described && !add_files(&request, sources, streams) {
        return exit::NO_INPUT;
    }
    let outcome = config::read(sources, tree, config, &mut Printer(streams.err));
    if outcome.problems > 0 {
        return exit::DATA;
    }
    let named = config.workloads.iter().position(|workload| config.bytes(workload.name) == request.name);
    let Some(id) = config.ids().nth(named.unwrap_or(usize::MAX)) else {
        put!(*streams.err, "corm run: there is no workload `", request.name, "` in ", path(&request), "\n");
        return exit::DATA;
    };
    foreground::foreground(config, id, request.terminal)
}

fn path(request: &Request) -> &'static CStr {
    request.config.unwrap_or(config_files::DEFAULT)
}

fn add_files(request: &Request, sources: &mut Sources, streams: &mut Streams) -> bool {
    let mut whole = true;
    let mut tell = |unread: Unread| {
        put!(*streams.err, "corm run: ", unread, "\n");
        whole = false;
    };
    match config_files::add_file(path(request), sources) {
        Ok(()) => config_files::add_drop_ins(path(request), sources, &mut tell),
        Err(why) => tell(Unread { path: path(request).to_bytes(), why }),
    }
    whole
}

const DEFAULT_NAME: &[u8] = b"run";

/// Options on one command line; a workload has hardly more keys.
const MOST: usize = 64;

/// Reads the command line, and writes down in `sources` what it says of a workload.
fn read(this: &Command, words: Words, sources: &mut Sources, streams: &mut Streams) -> Result<Request, u8> {
    let mut request = Request { config: None, name: b"", terminal: None, described: false };
    let mut given = Vec::<(&Opt, &'static CStr), MOST>::new();
    while let Some(word) = words.next() {
        let word = word.to_bytes();
        let option = OPTIONS.iter().find(|option| option.name.as_bytes() == word);
        match word {
            b"--" => {
                request.described = true;
                break;
            }
            b"--tty" => request.terminal = Some(true),
            b"--no-tty" => request.terminal = Some(false),
            b"--help" | b"-h" => {
                this.explain(streams.out);
                return Err(exit::OK);
            }
            _ if option.is_some() || word == b"--config" => {
                let Some(value) = words.next() else { return Err(complain(word, "wants a value", streams)) };
                let Some(option) = option else {
                    request.config = Some(value);
                    continue;
                };
                if given.push((option, value)).is_err() {
                    return Err(complain(word, "is one option too many", streams));
                }
            }
            _ if request.name.is_empty() && !word.starts_with(b"-") => request.name = word,
            _ => return Err(this.misused(word, streams)),
        }
    }
    let contradiction = match (request.described, request.config.is_some()) {
        (true, true) => "with a command here nothing is read from --config",
        (false, _) if !given.is_empty() => "options that describe a workload want `-- COMMAND` behind them",
        (false, _) if request.name.is_empty() => "which workload? Name one, or give a command behind `--`",
        _ => "",
    };
    if !contradiction.is_empty() {
        return Err(complain(b"", contradiction, streams));
    }
    if request.described {
        if request.name.is_empty() {
            request.name = DEFAULT_NAME;
        }
        let mut text = Written { sources, fits: true };
        // It is the first file, and its name is short.
        let _ = text.sources.begin(b"command line");
        put!(text, "[workload.", Quoted(request.name), "]\n");
        for (option, value) in &given {
            text.option(option, value).map_err(|why| complain(value.to_bytes(), why, streams))?;
        }
        put!(text, "command = [");
        for word in words {
            put!(text, Quoted(word.to_bytes()), ", ");
        }
        put!(text, "]\n");
        if !text.fits {
            return Err(complain(b"", "more than a config can hold", streams));
        }
    }
    Ok(request)
}

fn complain(word: &[u8], why: &str, streams: &mut Streams) -> u8 {
    put!(*streams.err, "corm run: ", word, if word.is_empty() { "" } else { ": " }, why, "\n");
    exit::USAGE
}

/// A config that is being written.
struct Written<'s> {
    sources: &'s mut Sources,
    fits: bool,
}

impl Sink for Written<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let room = self.sources.room();
        self.fits &= bytes.len() <= room.len();
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.sources.keep(bytes.len());
    }
}

impl Written<'_> {
    /// Writes down one option.
    fn option(&mut self, option: &Opt, value: &CStr) -> Result<(), &'static str> {
        let (key, bytes) = (option.key, value.to_bytes());
        match option.shape {
            Shape::Value if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit) => {
                put!(*self, key, " = ", bytes, "\n");
            }
            Shape::Value => put!(*self, key, " = ", Quoted(bytes), "\n"),
            Shape::Directory if bytes == b"scratch" => put!(*self, key, " = \"scratch\"\n"),
            Shape::Directory => {
                let mut path = [0u8; limits::PATH];
                put!(*self, key, " = ", Quoted(absolute(value, &mut path)?), "\n");
            }
            Shape::Variable => {
                let (name, value) = split(bytes, b'=').ok_or("wants NAME=VALUE")?;
                put!(*self, key, Quoted(name), " = ", Quoted(value), "\n");
            }
            Shape::Volume => {
                let (source, target) = split(bytes, b':').ok_or("wants SOURCE:TARGET, with :rw to write")?;
                let (target, writable) = match target.strip_suffix(b":rw") {
                    Some(target) => (target, ", writable = true"),
                    None => (target, ""),
                };
                let (mut named, mut path) = (Text::<{ limits::PATH }>::new(), [0u8; limits::PATH]);
                named.put(source);
                let source = absolute(named.as_c_str().ok_or("too long")?, &mut path)?;
                put!(*self, key, Quoted(target), " = { source = ", Quoted(source), writable, " }\n");
            }
            Shape::Tmpfs => {
                let (target, size) = split(bytes, b':').ok_or("wants TARGET:SIZE")?;
                put!(*self, key, Quoted(target), " = { tmpfs = ", Quoted(size), " }\n");
            }
            Shape::Toml => put!(*self, bytes, "\n"),
        }
        Ok(())
    }
}

/// What lies before and behind the first such byte.
fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((bytes.get(..place)?, bytes.get(place.saturating_add(1)..)?))
}

/// A directory or file as a config names it: from `/`, without links in it.
fn absolute<'b>(path: &'b CStr, buffer: &'b mut [u8; limits::PATH]) -> Result<&'b [u8], &'static str> {
    let why = |errno| match errno {
        Errno::ENOENT | Errno::ENOTDIR => "there is no such file or directory",
        _ => "it cannot be opened",
    };
    let bytes = path.to_bytes();
    let plain = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
    let rooted = bytes.strip_prefix(b"/");
    if rooted.is_some_and(|path| path.split(|byte| *byte == b'/').all(plain))
        && fs::open_without_links(path, Open::PATH).is_ok()
    {
        return Ok(bytes);
    }
    let file = fs::open(BorrowedFd::CWD, path, Open::PATH).map_err(why)?;
    let mut link = Text::<64>::new();
    put!(link, "/proc/self/fd/", file.borrow().number().unsigned_abs());
    let link = link.as_c_str().ok_or("too long")?;
    fs::read_link(BorrowedFd::CWD, link, buffer).map_err(|_| "corm needs /proc to find it")
}

/// A TOML basic string. What is no UTF-8 the reader refuses.
struct Quoted<'a>(&'a [u8]);

impl Show for Quoted<'_> {
    fn show(&self, out: &mut dyn Sink) {
        out.put(b"\"");
        for byte in self.0 {
            match byte {
                b'"' | b'\\' => out.put(&[b'\\', *byte]),
                0..b' ' | 0x7f => {
                    let digit = |half: u8| if half < 10 { half | b'0' } else { half.wrapping_add(b'a' - 10) };
                    out.put(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                }
                _ => out.put(&[*byte]),
            }
        }
        out.put(b"\"");
    }
}

//! Options as getopt(3) reads them, from the arguments and the environment.

use super::child::Place;
use super::say::{Level, say, tell_plain};
use super::{AS_IS, Kind, STOP, Settings, TSTP, TTIN, TTOU, persona};
use crate::config::form;
use crate::sys::{Args, BorrowedFd};
use core::ffi::CStr;

/// The letter of `--rlimit`, which the child looks for again.
pub(super) const LIMIT: u8 = b'l';

/// The options of an argument list, one by one.
pub(super) struct Options {
    kind: Kind,
    args: Args,
    /// The argument to look at next.
    next: usize,
    /// Where the program is: behind all options seen so far. Arguments between
    /// here and `next` are the program's, with more options of ours behind them.
    program: usize,
    /// What is left of "-abc".
    letters: &'static [u8],
}

/// What is wrong with an option. Words as in getopt(3).
pub(super) enum Misuse {
    Unknown(u8),
    Missing(u8),
    UnknownWord(&'static [u8]),
    MissingFor(&'static [u8]),
    NotAllowed(&'static [u8]),
}

/// An option's letter, and its argument; empty if it takes none.
pub(super) type Given = (u8, &'static [u8]);

impl Options {
    pub fn new(kind: Kind, args: Args) -> Options {
        // "corm init": the first two words are ours.
        let first = if kind == Kind::Corm { 2 } else { 1 };
        Options { kind, args, next: first, program: first, letters: &[] }
    }

    pub fn next(&mut self) -> Result<Option<Given>, Misuse> {
        if self.letters.is_empty() {
            match self.word() {
                None => return Ok(None),
                Some(word) => match word.strip_prefix(b"--") {
                    Some(long) if self.kind != Kind::Tini => return self.long(long).map(Some),
                    _ => self.letters = word.get(1..).unwrap_or(&[]),
                },
            }
        }
        let Some((&letter, rest)) = self.letters.split_first() else { return Ok(None) };
        let known = find(self.kind, &mut |option| option.letter == letter);
        let Some(option) = known else {
            self.letters = rest;
            return Err(Misuse::Unknown(letter));
        };
        if !option.argument {
            self.letters = rest;
            return Ok(Some((letter, &[])));
        }
        self.letters = &[];
        if !rest.is_empty() {
            return Ok(Some((letter, rest)));
        }
        self.argument().map(|value| Some((letter, value))).ok_or(Misuse::Missing(letter))
    }

    /// The next argument that holds options.
    fn word(&mut self) -> Option<&'static [u8]> {
        loop {
            let word = self.args.get(self.next)?.to_bytes();
            if word == b"--" {
                self.take();
                return None;
            }
            if word.len() > 1 && word.starts_with(b"-") {
                self.take();
                return Some(word);
            }
            // The program, or one of its arguments.
            if matches!(self.kind, Kind::DumbInit | Kind::Corm) || self.posix() {
                return None;
            }
            self.next = self.next.saturating_add(1);
        }
    }

    fn posix(&self) -> bool {
        variable(self.args, b"POSIXLY_CORRECT").is_some()
    }

    /// The next argument is ours: it goes in front of the program.
    fn take(&mut self) {
        self.args.promote(self.next, self.program);
        self.next = self.next.saturating_add(1);
        self.program = self.program.saturating_add(1);
    }

    fn argument(&mut self) -> Option<&'static [u8]> {
        let argument = self.args.get(self.next)?.to_bytes();
        self.take();
        Some(argument)
    }

    /// "--name", "--name=argument", and any beginning of a name that fits one only.
    fn long(&mut self, word: &'static [u8]) -> Result<Given, Misuse> {
        let equals = word.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals.and_then(|at| word.split_at_checked(at)) {
            Some((name, value)) => (name, value.get(1..)),
            None => (word, None),
        };
        let mut fitting = 0;
        find(self.kind, &mut |option| {
            fitting += usize::from(option.long.starts_with(name));
            false
        });
        let known = find(self.kind, &mut |option| {
            option.long == name || (fitting == 1 && option.long.starts_with(name))
        });
        let Some(option) = known else { return Err(Misuse::UnknownWord(word)) };
        let value = match (option.argument, value) {
            (false, Some(_)) => return Err(Misuse::NotAllowed(option.long)),
            (false, None) => &[],
            (true, Some(value)) => value,
            (true, None) => self.argument().ok_or(Misuse::MissingFor(option.long))?,
        };
        Ok((option.letter, value))
    }
}

/// A line of the help that begins with "-x" is an option. "-x, --long ARGUMENT".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub letter: u8,
    pub long: &'static [u8],
    pub argument: bool,
}

pub(super) fn find(kind: Kind, wanted: &mut dyn FnMut(Known) -> bool) -> Option<Known> {
    kind.help().as_bytes().split(|byte| *byte == b'\n').filter_map(option).find(|option| wanted(*option))
}

fn option(line: &'static [u8]) -> Option<Known> {
    let (&letter, rest) = line.trim_ascii_start().strip_prefix(b"-")?.split_first()?;
    // tini's one long option is no option but a word.
    if letter == b'-' {
        return None;
    }
    let (long, rest) = match rest.strip_prefix(b", --") {
        Some(rest) => {
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            rest.split_at_checked(end)?
        }
        None => (rest.get(..0)?, rest),
    };
    let argument = matches!(rest, [b' ', next, ..] if *next != b' ');
    Some(Known { letter, long, argument })
}

/// Settings, and where the program is; or the status to end with.
pub(super) fn read(kind: Kind, args: Args) -> Result<(Settings, usize), u8> {
    let mut settings = Settings {
        kind,
        verbosity: u32::from(matches!(kind, Kind::Tini | Kind::Corm)),
        group: kind == Kind::DumbInit,
        place: if kind == Kind::DumbInit { Place::Session } else { Place::Group },
        subreaper: matches!(kind, Kind::Catatonit | Kind::Corm),
        tell_reaped: false,
        pause: false,
        parent_death: 0,
        success: [0; 4],
        rewrite: [AS_IS; 32],
        grace: None,
        keep_environment: true,
        user: None,
        no_new_privileges: false,
    };
    // catatonit looks at the environment first.
    if kind == Kind::Catatonit {
        environment(&mut settings, args)?;
    }
    // Only as the sole argument.
    if kind == Kind::Tini && args.len() == 2 && args.get(1) == Some(c"--version") {
        return Err(settings.version());
    }
    let mut options = Options::new(kind, args);
    loop {
        match options.next() {
            Ok(Some(given)) => settings.apply(given, args)?,
            Ok(None) => break,
            Err(misuse) => return Err(settings.misused(misuse, args)),
        }
    }
    if !settings.pause && options.program >= args.len() {
        return Err(settings.nothing_to_run(args));
    }
    if kind != Kind::Catatonit {
        environment(&mut settings, args)?;
    }
    if settings.place == Place::Session {
        // Nobody could continue a session whose leader heeds these.
        for signal in [TSTP, TTIN, TTOU] {
            if let Some(sent @ &mut AS_IS) = settings.rewrite.get_mut(usize::from(signal)) {
                *sent = STOP;
            }
        }
    }
    Ok((settings, options.program))
}

impl Settings {
    fn apply(&mut self, (letter, value): Given, args: Args) -> Result<(), u8> {
        let valid = match letter {
            b'g' => {
                self.group = true;
                true
            }
            b's' => {
                self.subreaper = true;
                true
            }
            b'v' => {
                // There is only one level more than tini's default elsewhere.
                let more = if self.kind == Kind::Tini { 1 } else { Level::Trace as u32 };
                self.verbosity = self.verbosity.saturating_add(more);
                true
            }
            b'w' => {
                self.tell_reaped = true;
                true
            }
            b'c' => {
                self.place = Place::Same;
                self.group = false;
                true
            }
            b'S' => {
                self.place = Place::Session;
                true
            }
            b'P' => {
                self.pause = true;
                true
            }
            b'i' => {
                self.keep_environment = false;
                true
            }
            b'n' => {
                self.no_new_privileges = true;
                true
            }
            b'p' => self.set_parent_death(value).is_some(),
            b'e' => self.add_success(value).is_some(),
            b'r' => self.add_rewrite(value).is_some(),
            b'k' => {
                self.grace = form::duration(value);
                self.grace.is_some()
            }
            b'u' => {
                self.user = form::user(value);
                self.user.is_some()
            }
            LIMIT if self.kind == Kind::Corm => limit(value).is_some(),
            b'h' => return Err(self.help(args)),
            b'V' => return Err(self.version()),
            // 'l' and 'L'
            _ => {
                tell_plain(BorrowedFd::STDOUT, concat!(env!("CARGO_PKG_LICENSE"), "\n"), &[]);
                return Err(0);
            }
        };
        if valid {
            return Ok(());
        }
        if self.kind == Kind::DumbInit {
            tell_plain(BorrowedFd::STDERR, REWRITE_USAGE, &[]);
        } else {
            let letter = letter as char;
            say!(*self, Level::Fatal, "Not a valid option for -", letter, ": ", value);
        }
        Err(self.kind.misused())
    }

    fn set_parent_death(&mut self, value: &[u8]) -> Option<()> {
        let signal = form::signal(value)?;
        // tini knows only names, and not all.
        let unknown = |signal| matches!(signal, 16 | 29 | 30 | 32..);
        if self.kind == Kind::Tini && (!value.starts_with(b"SIG") || unknown(signal)) {
            return None;
        }
        self.parent_death = u8::try_from(signal).ok()?;
        Some(())
    }

    fn add_success(&mut self, value: &[u8]) -> Option<()> {
        let status = if value.is_empty() { 0 } else { whole(value)? };
        let status = u8::try_from(status).ok()?;
        let word = self.success.get_mut(usize::from(status / 64))?;
        *word |= 1u64.wrapping_shl(u32::from(status % 64));
        Some(())
    }

    fn add_rewrite(&mut self, value: &[u8]) -> Option<()> {
        let (from, to) = if self.kind == Kind::DumbInit {
            let (from, rest) = number(value)?;
            // Whatever comes behind the second one is no matter.
            (from, number(rest.strip_prefix(b":")?)?.0)
        } else {
            let at = value.iter().position(|byte| *byte == b':')?;
            let (from, to) = value.split_at_checked(at)?;
            let to = to.get(1..)?;
            let to = if to == b"0" { 0 } else { form::signal(to)? };
            (i64::try_from(form::signal(from)?).ok()?, i64::try_from(to).ok()?)
        };
        if from < 1 || !(0..=31).contains(&to) {
            return None;
        }
        *self.rewrite.get_mut(usize::try_from(from).ok()?)? = to as u8;
        Some(())
    }

    fn help(&self, args: Args) -> u8 {
        let to = match self.kind {
            Kind::Tini | Kind::Corm => BorrowedFd::STDOUT,
            Kind::DumbInit | Kind::Catatonit => BorrowedFd::STDERR,
        };
        self.usage(to, args);
        0
    }

    fn usage(&self, to: BorrowedFd<'static>, args: Args) {
        let called = args.get(0);
        // tini goes by its basename.
        let name = called.and_then(|name| match self.kind {
            Kind::Tini => name.to_bytes().rsplit(|byte| *byte == b'/').next(),
            _ => Some(name.to_bytes()),
        });
        tell_plain(to, self.kind.help(), &[&name, &name, &name]);
    }

    fn version(&self) -> u8 {
        let (to, version) = match self.kind {
            Kind::Tini => (BorrowedFd::STDOUT, persona::TINI_VERSION),
            Kind::DumbInit => (BorrowedFd::STDERR, persona::DUMB_INIT_VERSION),
            Kind::Catatonit => (BorrowedFd::STDOUT, persona::CATATONIT_VERSION),
            Kind::Corm => (BorrowedFd::STDOUT, concat!("corm ", env!("CARGO_PKG_VERSION"))),
        };
        tell_plain(to, "\0\n", &[&version]);
        0
    }

    fn misused(&self, misuse: Misuse, args: Args) -> u8 {
        let err = BorrowedFd::STDERR;
        let name = args.get(0);
        match misuse {
            Misuse::Unknown(letter) => {
                tell_plain(err, "\0: invalid option -- '\0'\n", &[&name, &(letter as char)]);
            }
            Misuse::Missing(letter) => {
                tell_plain(err, "\0: option requires an argument -- '\0'\n", &[&name, &(letter as char)]);
            }
            Misuse::UnknownWord(word) => {
                tell_plain(err, "\0: unrecognized option '--\0'\n", &[&name, &word]);
            }
            Misuse::MissingFor(word) => {
                tell_plain(err, "\0: option '--\0' requires an argument\n", &[&name, &word]);
            }
            Misuse::NotAllowed(word) => {
                tell_plain(err, "\0: option '--\0' doesn't allow an argument\n", &[&name, &word]);
            }
        }
        self.usage_line(args);
        self.kind.misused()
    }

    fn nothing_to_run(&self, args: Args) -> u8 {
        match self.kind {
            Kind::DumbInit => {
                let name = args.get(0);
                let usage = "Usage: \0 [option] program [args]\nTry \0 --help for full usage.\n";
                tell_plain(BorrowedFd::STDERR, usage, &[&name, &name]);
            }
            Kind::Catatonit => say!(*self, Level::Fatal, "missing program name"),
            Kind::Tini | Kind::Corm => {}
        }
        self.usage_line(args);
        self.kind.misused()
    }

    /// How it is used; how much of that they tell, differs.
    fn usage_line(&self, args: Args) {
        match self.kind {
            Kind::Tini => self.usage(BorrowedFd::STDERR, args),
            Kind::DumbInit => {}
            Kind::Catatonit | Kind::Corm => {
                let line = self.kind.help().as_bytes().split(|byte| *byte == b'\n').next();
                tell_plain(BorrowedFd::STDERR, "\0\n", &[&line]);
            }
        }
    }
}

const REWRITE_USAGE: &str = "\
Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.
This option can be specified multiple times.
Use --help for full usage.
";

/// What the environment asks for.
fn environment(settings: &mut Settings, args: Args) -> Result<(), u8> {
    match settings.kind {
        Kind::Tini => {
            settings.subreaper |= variable(args, b"TINI_SUBREAPER").is_some();
            settings.group |= variable(args, b"TINI_KILL_PROCESS_GROUP").is_some();
            if let Some(text) = variable(args, b"TINI_VERBOSITY") {
                // As atoi(3) into an unsigned number.
                settings.verbosity = number(text).map_or(0, |(number, _)| number as u32);
            }
        }
        Kind::DumbInit => {
            if variable(args, b"DUMB_INIT_DEBUG") == Some(b"1") {
                settings.verbosity = Level::Trace as u32;
                say!(*settings, Level::Debug, "\x01Running in debug mode.");
            }
            if variable(args, b"DUMB_INIT_SETSID") == Some(b"0") {
                settings.place = Place::Same;
                settings.group = false;
                say!(*settings, Level::Debug, "\x01Not running in setsid mode.");
            }
        }
        Kind::Catatonit => {
            if variable(args, b"CATATONIT_DEBUG").is_some() {
                settings.verbosity = Level::Trace as u32;
            }
            if variable(args, b"CATATONIT_LOG").is_some() {
                say!(*settings, Level::Fatal, "CATATONIT_LOG is reserved for future use");
                return Err(1);
            }
        }
        Kind::Corm => {}
    }
    Ok(())
}

fn variable(args: Args, name: &[u8]) -> Option<&'static [u8]> {
    args.environment().find_map(|variable: &CStr| variable.to_bytes().strip_prefix(name)?.strip_prefix(b"="))
}

/// The number at the start of a text, and what follows it: as strtol(3) with
/// base 10 reads it, which takes spaces and a sign. None without a digit.
pub(super) fn number(text: &[u8]) -> Option<(i64, &[u8])> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at_checked(count)?;
    if digits.is_empty() {
        return None;
    }
    let value = digits
        .iter()
        .fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit & 0xf)));
    Some((if negative { value.saturating_neg() } else { value }, rest))
}

fn whole(text: &[u8]) -> Option<i64> {
    number(text).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

/// RLIMIT_*, in the order of their numbers, which our machines have in common.
const LIMITS: &str = "cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice \
    rtprio rttime";

/// `nofile=1024`, `nofile=1024:4096`, `core=unlimited`: a resource, its soft and its hard limit.
pub(super) fn limit(text: &[u8]) -> Option<(u32, u64, u64)> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    let (name, values) = text.split_at_checked(at)?;
    let resource = form::words(LIMITS).position(|known| known == name)?;
    let mut values = values.get(1..)?.split(|byte| *byte == b':').map(|value| match value {
        b"unlimited" => Some(u64::MAX),
        value => form::size(value),
    });
    let soft = values.next()??;
    let hard = values.next().unwrap_or(Some(soft))?;
    let fits = values.next().is_none() && soft <= hard;
    fits.then_some((resource as u32, soft, hard))
}

//! Options as getopt(3) reads them, from the arguments and the environment.
//!
//! An option without an argument is a bit in [`Init::given`], by its letter. The
//! environment sets the same bits.

use super::say::Level;
use super::{AS_IS, CHLD, Init, KILL, Kind, LAST, Place, STOP, TSTP, TTIN, TTOU, bit, persona};
use crate::config::form::Form;
use crate::sys::{Args, process};
use crate::text::word_index;

/// The options of an argument list, one by one.
pub(super) struct Options {
    kind: Kind,
    args: Args,
    /// The argument to look at next.
    next: usize,
    /// Where the program is: behind all options seen so far. Arguments between
    /// here and `next` are the program's, with more options of ours behind them.
    pub program: usize,
    /// What is left of "-abc".
    letters: &'static [u8],
    /// What is wrong with the option that was given as [`WRONG`], in getopt(3)'s words.
    problem: &'static str,
}

/// An option's letter and its argument, empty if it takes none.
type Given = (u8, &'static [u8]);

/// The letter of an option that makes no sense; the argument is what of it.
const WRONG: u8 = b'?';
/// Of one that is the beginning of several.
const AMBIGUOUS: u8 = b'*';

impl Options {
    pub fn new(kind: Kind, args: Args) -> Options {
        // "corm init": the first two words are ours.
        let first = if super::called(args).is_none() { 2 } else { 1 };
        Options { kind, args, next: first, program: first, letters: &[], problem: "" }
    }

    pub fn next(&mut self) -> Option<Given> {
        if self.letters.is_empty() {
            let word = self.word()?;
            match word.strip_prefix(b"--") {
                Some(long) if self.kind != Kind::Tini => return Some(self.long(long)),
                _ => self.letters = word.get(1..)?,
            }
        }
        let (first, rest) = self.letters.split_at_checked(1)?;
        let letter = *first.first()?;
        self.letters = rest;
        let Some(option) = find(self.kind, letter, &[letter]) else {
            return Some(self.wrong("\0: invalid option -- '\x06'\n", first));
        };
        if option.argument {
            if rest.is_empty() {
                let missing = "\0: option requires an argument -- '\x06'\n";
                return Some(self.argument(letter, missing, first));
            }
            self.letters = &[];
            return Some((letter, rest));
        }
        Some((letter, &[]))
    }

    /// The next argument that holds options.
    fn word(&mut self) -> Option<&'static [u8]> {
        loop {
            let word = self.args.get(self.next)?.to_bytes();
            if word.len() > 1 && word.starts_with(b"-") {
                self.take();
                return (word != b"--").then_some(word);
            }
            // The program, or one of its arguments.
            let permutes = matches!(self.kind, Kind::Tini | Kind::Catatonit);
            if !permutes || variable(self.args, b"POSIXLY_CORRECT=").is_some() {
                return None;
            }
            self.next = self.next.saturating_add(1);
        }
    }

    /// The next argument is ours: it goes in front of the program.
    fn take(&mut self) {
        self.args.promote(self.next, self.program);
        self.next = self.next.saturating_add(1);
        self.program = self.program.saturating_add(1);
    }

    fn argument(&mut self, letter: u8, missing: &'static str, of: &'static [u8]) -> Given {
        let Some(argument) = self.args.get(self.next) else { return self.wrong(missing, of) };
        self.take();
        (letter, argument.to_bytes())
    }

    fn wrong(&mut self, problem: &'static str, word: &'static [u8]) -> Given {
        self.problem = problem;
        (WRONG, word)
    }

    /// "--name", "--name=argument", and any beginning of a name that fits one only.
    fn long(&mut self, word: &'static [u8]) -> Given {
        let (name, value) = split(word, b'=').map_or((word, None), |(name, value)| (name, Some(value)));
        match (find(self.kind, 0, name), value) {
            (None, _) if is_ambiguous(self.kind, name) => (AMBIGUOUS, word),
            (None, _) => self.wrong("\0: unrecognized option '--\x06'\n", word),
            (Some(option), None) if option.argument => {
                self.argument(option.letter, "\0: option '--\x06' requires an argument\n", option.long)
            }
            (Some(option), Some(_)) if !option.argument => {
                self.wrong("\0: option '--\x06' doesn't allow an argument\n", option.long)
            }
            (Some(option), value) => (option.letter, value.unwrap_or(&[])),
        }
    }
}

/// An option as the help has it: a line that begins "-x" or "-x, --long", and
/// then, after a single space, its argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub letter: u8,
    pub long: &'static [u8],
    pub argument: bool,
}

/// By its letter, by its long name, or by a beginning of that which fits no other.
#[inline(never)]
pub(super) fn find(kind: Kind, letter: u8, name: &[u8]) -> Option<Known> {
    let mut found = None;
    let mut fitting = 0u32;
    for known in all(kind) {
        if known.letter == letter || letter == 0 && known.long == name && !name.is_empty() {
            return Some(known);
        }
        if letter == 0 && begins(known, name) {
            fitting = fitting.wrapping_add(1);
            found = Some(known);
        }
    }
    found.filter(|_| fitting == 1)
}

fn all(kind: Kind) -> impl Iterator<Item = Known> {
    kind.help().as_bytes().split(|byte| *byte == b'\n').filter_map(known)
}

/// May this be what is meant by that beginning of a long name?
fn begins(known: Known, name: &[u8]) -> bool {
    !known.long.is_empty() && known.long.starts_with(name)
}

/// Of a name that [`find`] does not know.
fn is_ambiguous(kind: Kind, name: &[u8]) -> bool {
    all(kind).any(|known| begins(known, name))
}

fn known(line: &'static [u8]) -> Option<Known> {
    let (&letter, rest) = line.trim_ascii_start().strip_prefix(b"-")?.split_first()?;
    // tini's one long option is no option but a word.
    if letter == b'-' {
        return None;
    }
    let (long, rest) = match rest.strip_prefix(b", --") {
        Some(rest) => split(rest, b' ').unwrap_or((rest, &[])),
        None => (rest.get(..0)?, rest.strip_prefix(b" ").unwrap_or(&[])),
    };
    Some(Known { letter, long, argument: rest.first().is_some_and(|byte| *byte != b' ') })
}

/// What is before and what is behind the first `byte`.
#[inline(never)]
fn split(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|other| *other == byte)?;
    Some((text.get(..at)?, text.get(at.saturating_add(1)..)?))
}

impl Init {
    /// Reads the arguments and the environment. Ends the process where they make
    /// no sense, or want nothing but words.
    pub(super) fn read(&mut self) {
        let kind = self.kind;
        // catatonit looks at the environment first.
        if kind == Kind::Catatonit {
            self.read_environment();
        }
        // Only as the sole argument.
        if kind == Kind::Tini && self.args.len() == 2 && self.args.get(1) == Some(c"--version") {
            self.version();
        }
        let mut options = Options::new(kind, self.args);
        while let Some((letter, value)) = options.next() {
            self.word = value;
            if letter == AMBIGUOUS {
                self.ambiguous();
            }
            if letter == WRONG {
                self.say(Level::Err, options.problem, 0, 0);
                self.misused();
            }
            if self.take(letter).is_none() {
                if kind == Kind::DumbInit {
                    self.say(Level::Err, persona::REWRITE_USAGE, 0, 0);
                } else {
                    self.say(Level::Fatal, "Not a valid option for -\x07: \x06", letter.into(), 0);
                }
                process::exit(kind.misused());
            }
        }
        if kind == Kind::Corm && self.has(b'c') && (self.has(b'g') || self.has(b'S')) {
            self.say(Level::Fatal, "-c is not for use with -g or -S", 0, 0);
            process::exit(kind.misused());
        }
        self.program = options.program;
        match self.args.get(options.program) {
            Some(program) => self.word = program.to_bytes(),
            None if self.has(b'P') => {}
            None => {
                match kind {
                    Kind::DumbInit => self.say(Level::Err, persona::DUMB_INIT_USAGE, 0, 0),
                    Kind::Catatonit => self.say(Level::Fatal, "missing program name", 0, 0),
                    Kind::Tini | Kind::Corm => {}
                }
                self.misused();
            }
        }
        if kind != Kind::Catatonit {
            self.read_environment();
        }
        if self.place() == Place::Session {
            // Nobody could continue a session whose leader heeds these.
            for signal in [TSTP, TTIN, TTOU] {
                if let Some(sent @ &mut AS_IS) = self.rewrite.get_mut(usize::from(signal)) {
                    *sent = STOP;
                }
            }
        }
    }

    /// Takes an option whose argument is `self.word`; `None` if that is wrong.
    fn take(&mut self, letter: u8) -> Option<()> {
        let value = self.word;
        self.give(letter);
        match letter {
            b'v' => {
                // Only tini has levels.
                let more = if self.kind == Kind::Tini { 1 } else { Level::Trace as u32 };
                self.verbosity = self.verbosity.saturating_add(more);
            }
            b'p' => {
                let signal = Form::Signal.number(value)? as u8;
                // tini knows only names, and not all.
                let unknown = !value.starts_with(b"SIG") || matches!(signal, 16 | 29 | 30 | 32..);
                if self.kind == Kind::Tini && unknown {
                    return None;
                }
                self.parent_death = signal;
            }
            b'e' => {
                let (status, rest) = if value.is_empty() { (0, value) } else { number(value)? };
                let status = u8::try_from(status).ok().filter(|_| rest.is_empty())?;
                *self.success.get_mut(usize::from(status / 64))? |= 1u64.wrapping_shl(status.into());
            }
            b'r' => self.add_rewrite(value)?,
            b'k' => self.grace = Some(Form::Duration.number(value)?),
            b'u' => self.user = Some(user(value)?),
            b'l' if self.kind == Kind::Corm => drop(limit(value)?),
            b'h' => {
                let to_stdout = matches!(self.kind, Kind::Tini | Kind::Corm);
                self.help(if to_stdout { Level::Out } else { Level::Err });
                process::exit(0);
            }
            b'V' => self.version(),
            b'l' | b'L' => {
                self.say(Level::Out, concat!(env!("CARGO_PKG_LICENSE"), "\n"), 0, 0);
                process::exit(0);
            }
            _ => {}
        }
        Some(())
    }

    fn add_rewrite(&mut self, value: &[u8]) -> Option<()> {
        let (from, to) = if self.kind == Kind::DumbInit {
            let (from, rest) = number(value)?;
            // Whatever comes behind the second one is no matter.
            (from, number(rest.strip_prefix(b":")?)?.0)
        } else {
            let (from, to) = split(value, b':')?;
            let to = if to == b"0" { 0 } else { Form::Signal.number(to)? };
            (Form::Signal.number(from)? as i64, to as i64)
        };
        let last = if self.kind == Kind::DumbInit { 31 } else { LAST };
        let to = u8::try_from(to).ok().filter(|to| *to <= last)?;
        let from = u8::try_from(from).ok().filter(|from| (1..=last).contains(from))?;
        let never = bit(KILL) | bit(STOP) | bit(CHLD) | self.kind.own_signals();
        if self.kind == Kind::Corm && (never & bit(from) != 0 || self.kind.drops(from)) {
            let text = "-r \x06: \x04 never comes to be passed on";
            self.say(Level::Fatal, text, from.into(), 0);
            process::exit(self.kind.misused());
        }
        *self.rewrite.get_mut(usize::from(from))? = to;
        Some(())
    }

    /// Says what else it might be, as getopt_long(3) does.
    fn ambiguous(&mut self) -> ! {
        self.say(Level::Err, "\0: option '--\x06' is ambiguous; possibilities:", 0, 0);
        let name = split(self.word, b'=').map_or(self.word, |(name, _)| name);
        for known in all(self.kind).filter(|known| begins(*known, name)) {
            self.word = known.long;
            self.say(Level::Err, " '--\x06'", 0, 0);
        }
        self.say(Level::Err, "\n", 0, 0);
        self.misused()
    }

    fn help(&mut self, to: Level) {
        if self.kind == Kind::Tini {
            self.name = persona::base(self.name);
        }
        self.say(to, self.kind.help(), 0, 0);
    }

    fn version(&self) -> ! {
        let to = if self.kind == Kind::DumbInit { Level::Err } else { Level::Out };
        self.say(to, self.kind.version(), 0, 0);
        process::exit(0)
    }

    /// How it is used, as much as each tells of that.
    fn misused(&mut self) -> ! {
        match self.kind {
            Kind::Tini => self.help(Level::Err),
            Kind::DumbInit => {}
            Kind::Catatonit | Kind::Corm => {
                self.word = split(self.kind.help().as_bytes(), b'\n').unwrap_or_default().0;
                self.say(Level::Err, "\x06\n", 0, 0);
            }
        }
        process::exit(self.kind.misused())
    }

    fn read_environment(&mut self) {
        for line in self.kind.environment().as_bytes().split(|byte| *byte == b'\n') {
            let Some((&letter, name)) = line.split_first() else { continue };
            let Some((_, value)) = variable(self.args, name) else { continue };
            match letter {
                // As atoi(3) into an unsigned number.
                b'#' => self.verbosity = number(value).map_or(0, |(number, _)| number as u32),
                b'!' => self.fail("CATATONIT_LOG is reserved for future use", 0),
                _ if self.kind == Kind::DumbInit && !value.is_empty() => {}
                b'v' => {
                    self.verbosity = Level::Trace as u32;
                    self.say(Level::Debug, "\x01Running in debug mode.", 0, 0);
                }
                _ => {
                    self.give(letter);
                    self.say(Level::Debug, "\x01Not running in setsid mode.", 0, 0);
                }
            }
        }
    }
}

/// Which variable it is, and its value. `name` ends in `=`.
#[inline(never)]
pub(super) fn variable(args: Args, name: &[u8]) -> Option<(usize, &'static [u8])> {
    let mut all = args.environment().enumerate();
    all.find_map(|(index, variable)| Some((index, variable.to_bytes().strip_prefix(name)?)))
}

/// The number at the start of a text, and what follows it: as strtol(3) with
/// base 10 reads it, which takes spaces and a sign. None without a digit.
pub(super) fn number(text: &[u8]) -> Option<(i64, &[u8])> {
    let text = text.trim_ascii_start();
    let unsigned = text.strip_prefix(b"-");
    let digits = unsigned.or(text.strip_prefix(b"+")).unwrap_or(text);
    let mut rest = digits;
    let mut value = 0i64;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        value = value.saturating_mul(10).saturating_add(i64::from(digit & 0xf));
        rest = after;
    }
    if rest.len() == digits.len() {
        return None;
    }
    Some((if unsigned.is_some() { value.wrapping_neg() } else { value }, rest))
}

/// RLIMIT_*, in the order of their numbers, which our machines have in common.
const LIMITS: &str = "cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice \
    rtprio rttime";

/// `nofile=1024`, `nofile=1024:4096`, `core=unlimited`: a resource, its soft and its hard limit.
#[inline(never)]
pub(super) fn limit(text: &[u8]) -> Option<(u32, u64, u64)> {
    let (name, values) = split(text, b'=')?;
    let resource = word_index(LIMITS.as_bytes(), b' ', name)?;
    let (soft, hard) = split(values, b':').unwrap_or((values, values));
    let value = |text| if text == b"unlimited" { Some(u64::MAX) } else { Form::SizeOrMax.number(text) };
    let (soft, hard) = (value(soft)?, value(hard)?);
    (soft <= hard).then_some((resource as u32, soft, hard))
}

/// `uid:gid`, or `uid` for both.
fn user(text: &[u8]) -> Option<(u32, u32)> {
    let both = Form::User.number(text)?;
    Some((both.wrapping_shr(32) as u32, both as u32))
}

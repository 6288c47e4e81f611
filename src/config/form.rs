//! The forms a value can have: what it looks like, and what it comes to.
//!
//! Functions here take the bytes of a string and give a number, or nothing when
//! the bytes are not of that form. They know nothing of keys and tables.

/// Kinds of value, as bits.
pub(super) const TEXT: u8 = 1;
pub(super) const INTEGER: u8 = 2;
pub(super) const BOOLEAN: u8 = 4;
pub(super) const ARRAY: u8 = 8;
pub(super) const TABLE: u8 = 16;

macro_rules! forms {
    ($($form:ident $kinds:expr, $noun:literal, $advice:literal, $choices:literal;)*) => {
        /// The form of a key's value. Some are named after the key they serve.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(super) enum Form {
            $($form,)*
        }

        static KINDS: &[u8] = &[$($kinds),*];
        static WORDS: &[&str] = &[$(concat!($noun, "|", $advice)),*];
        static CHOICES: &[&str] = &[$($choices),*];
    };
}

forms! {
    Boolean BOOLEAN, "a boolean", "`true` or `false`", "";
    Count INTEGER, "a count", "a whole number above 0", "";
    CountOrMax INTEGER | TEXT, "a count", "a whole number above 0, or \"max\"", "";
    Weight INTEGER, "a weight", "a whole number from 1 to 10000", "";
    Size INTEGER | TEXT, "a size", "such as \"64M\": K, M, G or T, or a number of bytes", "";
    SizeOrMax INTEGER | TEXT, "a size", "such as \"64M\": K, M, G or T, a number of bytes, or \"max\"", "";
    Duration TEXT, "a duration", "such as \"500ms\", \"10s\", \"2m\" or \"1h\"", "";
    Wait TEXT, "a waiting time", "such as \"500ms\", \"10s\" or \"2m\", from 10ms up", "";
    Cpu INTEGER | TEXT, "an amount of processor time", "such as \"50%\", \"1.5\" or 2 processors", "";
    Cpuset TEXT, "a list of numbers", "such as \"0-1,3\"", "";
    Signal INTEGER | TEXT, "a signal", "such as \"TERM\", \"SIGINT\", \"RTMIN+3\" or 15", "";
    Option TEXT, "an option", "no spaces and commas: one option a string", "";
    Name TEXT, "a name", "one word", "";
    Hostname TEXT, "a hostname", "at most 64 letters, digits, `-` and `.`", "";
    Path TEXT, "a path", "absolute, without `//`, `.` and `..`, below 512 bytes", "";
    Device TEXT, "a device node", "a path below /dev", "";
    Source TEXT, "a source", "a path, or the name of a filesystem without a device", "";
    RootDirectory TEXT, "a root", "\"scratch\", or the absolute path of a directory", "";
    User INTEGER | TEXT, "a user", "\"auto\", a uid, or \"uid:gid\"; names are not looked up", "";
    Address TEXT, "an address", "IPv4 with its prefix length: \"192.0.2.5/24\"", "";
    Gateway TEXT, "an address", "IPv4: \"192.0.2.1\"", "";
    Text TEXT, "a string", "text in quotes", "";
    Setting TEXT | INTEGER, "a string", "or a number; dots in a name want quotes: `\"kernel.panic\" = 10`", "";
    Words ARRAY, "an array of strings", "`[\"one\", \"two\"]`", "";
    Options ARRAY, "an array of options", "`[\"noatime\", \"nodev\"]`", "";
    Modules ARRAY, "an array of module names", "`[\"virtio_net\"]`", "";
    Module TEXT, "a module's name", "letters, digits, `-` and `_`", "";
    Names ARRAY, "an array of workloads", "their names: `[\"broker\"]`", "";
    Command ARRAY, "a command", "an array: the program's absolute path, then its arguments", "";
    Env TABLE, "a table of strings", "`NAME = \"value\"`", "";
    Sysctl TABLE, "a table of settings", "`\"kernel.panic\" = 10`, with the quotes", "";
    Table TABLE, "a table", "`{ key = value }`, or a [table]", "";
    Tables ARRAY, "an array of tables", "`[{ device = \"/data\", read = \"10M\" }]`", "";
    Stdio TEXT | TABLE, "a choice", "", "log console";
    Seccomp TEXT | TABLE, "a choice", "", "default strict off";
    OnFailure TEXT, "a choice", "", "reboot halt rescue";
    Poweroff TEXT, "a choice", "", "poweroff reboot halt";
    Restart TEXT, "a choice", "", "never on-failure always";
    Ready TEXT | TABLE, "a choice", "", "started notify";
    Overlay TEXT, "a choice", "", "tmpfs";
    NetworkMode TEXT, "a choice", "", "none host";
    Sharing TEXT, "a choice", "", "own host";
}

impl Form {
    /// The kinds of value it can be written as.
    pub fn kinds(self) -> u8 {
        KINDS.get(self as usize).copied().unwrap_or(0)
    }

    /// Does its text become part of the config?
    pub fn is_kept(self) -> bool {
        matches!(
            self,
            Form::Name
                | Form::Option
                | Form::Module
                | Form::Hostname
                | Form::Path
                | Form::Device
                | Form::Source
                | Form::RootDirectory
                | Form::Cpuset
                | Form::Text
                | Form::Setting
        )
    }

    /// What it is called, and how to write it.
    pub fn words(self) -> (&'static [u8], &'static [u8]) {
        halves(WORDS, self as usize)
    }

    /// The words to choose from.
    pub fn choices(self) -> Words {
        words(CHOICES.get(self as usize).unwrap_or(&""))
    }
}

/// Words with spaces between them.
#[inline(never)]
pub(super) fn words(list: &'static str) -> Words {
    Words(list.as_bytes())
}

#[derive(Clone)]
pub(super) struct Words(&'static [u8]);

impl Iterator for Words {
    type Item = &'static [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'static [u8]> {
        let end = self.0.iter().position(|byte| *byte == b' ').unwrap_or(self.0.len());
        let word = self.0.get(..end).filter(|word| !word.is_empty())?;
        self.0 = self.0.get(end.saturating_add(1)..).unwrap_or(&[]);
        Some(word)
    }
}

/// A sentence and an advice that are kept as "sentence|advice".
#[inline(never)]
pub(super) fn halves(table: &'static [&'static str], index: usize) -> (&'static [u8], &'static [u8]) {
    let both = table.get(index).unwrap_or(&"").as_bytes();
    let bar = both.iter().position(|byte| *byte == b'|').unwrap_or(both.len());
    (both.get(..bar).unwrap_or(&[]), both.get(bar.saturating_add(1)..).unwrap_or(&[]))
}

/// The number at the start of a text: digits without leading zeros, which
/// other programs take for octal. What comes after it stays in `text`.
#[inline(never)]
fn take(text: &mut &[u8]) -> Option<u64> {
    let mut number = None;
    while let Some((digit @ b'0'..=b'9', rest)) = text.split_first() {
        if number == Some(0) {
            return None;
        }
        number = Some(number.unwrap_or(0u64).checked_mul(10)?.checked_add(u64::from(digit & 0xf))?);
        *text = rest;
    }
    number
}

/// Takes that byte from the start of a text, if it is there.
fn eat(text: &mut &[u8], byte: u8) -> bool {
    let Some((first, rest)) = text.split_first().filter(|(first, _)| **first == byte) else { return false };
    let _ = first;
    *text = rest;
    true
}

/// A whole decimal number, and nothing else.
fn decimal(mut text: &[u8]) -> Option<u64> {
    take(&mut text).filter(|_| text.is_empty())
}

/// A number with a unit: `factors` are those of `units`, and then perhaps that
/// of a number without one.
fn with_unit(mut text: &[u8], units: &'static str, factors: &[u64]) -> Option<u64> {
    let number = take(&mut text)?;
    let mut units = words(units);
    let index = if text.is_empty() { units.count() } else { units.position(|unit| unit == text)? };
    number.checked_mul(*factors.get(index)?)
}

/// Bytes.
pub(super) fn size(text: &[u8]) -> Option<u64> {
    let bytes = with_unit(text, "K M G T", &[1 << 10, 1 << 20, 1 << 30, 1 << 40, 1])?;
    i64::try_from(bytes).is_ok().then_some(bytes)
}

/// Milliseconds; at most 49 days, which is what 32 bits hold.
pub(super) fn duration(text: &[u8]) -> Option<u64> {
    let millis = with_unit(text, "ms s m h", &[1, 1000, 60_000, 3_600_000])?;
    u32::try_from(millis).is_ok().then_some(millis)
}

/// Microseconds in each 100,000 µs: `50%`, `1.5` or `2` processors.
pub(super) fn cpu(mut text: &[u8]) -> Option<u64> {
    let percent = text.last() == Some(&b'%');
    // In thousandths of a percent, which are microseconds in 100,000.
    let mut worth: u64 = if percent { 1000 } else { 100_000 };
    let mut micros = take(&mut text)?.checked_mul(worth)?;
    if eat(&mut text, b'.') {
        let least = worth / 1000;
        while let Some((digit @ b'0'..=b'9', rest)) = text.split_first() {
            worth /= 10;
            if worth < least {
                return None;
            }
            micros = micros.checked_add(worth.wrapping_mul(u64::from(digit & 0xf)))?;
            text = rest;
        }
        // "1." is nothing.
        if worth > least.wrapping_mul(100) {
            return None;
        }
    }
    let rest: &[u8] = if percent { b"%" } else { b"" };
    if text == rest { enough_cpu(micros) } else { None }
}

/// The kernel takes no quota below a millisecond; corm keeps it in 32 bits.
pub(super) fn enough_cpu(micros: u64) -> Option<u64> {
    (1000..=u64::from(u32::MAX)).contains(&micros).then_some(micros)
}

/// `0-1,3`, as cpuset(7) has it.
pub(super) fn is_cpuset(mut text: &[u8]) -> bool {
    const MOST: u64 = 8191;
    loop {
        let Some(first) = take(&mut text) else { return false };
        let last = if eat(&mut text, b'-') { take(&mut text).unwrap_or(u64::MAX) } else { first };
        if first > last || last > MOST {
            return false;
        }
        if !eat(&mut text, b',') {
            return text.is_empty();
        }
    }
}

/// Names of signals 1 to 31; the numbers are the same on all our machines (signal(7)).
const SIGNALS: &str = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT \
    CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";
const REALTIME: u64 = 34;
const LAST: u64 = 64;

/// A signal's number. SIGRTMIN is 34, as glibc, systemd and busybox count.
pub(super) fn signal(text: &[u8]) -> Option<u64> {
    let name = text.strip_prefix(b"SIG").unwrap_or(text);
    if let Some(index) = words(SIGNALS).position(|known| known == name) {
        return u64::try_from(index.saturating_add(1)).ok();
    }
    let number = if let Some(plus) = name.strip_prefix(b"RTMIN+") {
        decimal(plus)?.checked_add(REALTIME)?
    } else if let Some(minus) = name.strip_prefix(b"RTMAX-") {
        LAST.checked_sub(decimal(minus)?)?
    } else if name == b"RTMIN" {
        REALTIME
    } else if name == b"RTMAX" {
        LAST
    } else {
        return decimal(text).filter(|number| is_signal(*number));
    };
    (REALTIME..=LAST).contains(&number).then_some(number)
}

/// 32 and 33 are libc's own.
pub(super) fn is_signal(number: u64) -> bool {
    matches!(number, 1..=31 | REALTIME..=LAST)
}

/// An address, `a.b.c.d`, and its prefix length, `/p`, if it has one.
pub(super) fn ipv4(mut text: &[u8]) -> Option<([u8; 4], Option<u8>)> {
    let mut address = [0; 4];
    for (index, part) in address.iter_mut().enumerate() {
        if index > 0 && !eat(&mut text, b'.') {
            return None;
        }
        *part = u8::try_from(take(&mut text)?).ok()?;
    }
    if text.is_empty() {
        return Some((address, None));
    }
    if !eat(&mut text, b'/') {
        return None;
    }
    let prefix = decimal(text).filter(|prefix| *prefix <= 32)?;
    Some((address, Some(prefix as u8)))
}

/// Are both in one network of that prefix length?
pub(super) fn same_network(one: [u8; 4], other: [u8; 4], prefix: u8) -> bool {
    let different = u64::from(u32::from_be_bytes(one) ^ u32::from_be_bytes(other));
    different.wrapping_shr(32u32.saturating_sub(prefix.into())) == 0
}

/// A user or group id; the last 32-bit number means "none" to the kernel.
pub(super) fn id(number: u64) -> Option<u32> {
    u32::try_from(number).ok().filter(|id| *id != u32::MAX)
}

/// `uid:gid`, or `uid` for both.
pub(super) fn user(mut text: &[u8]) -> Option<(u32, u32)> {
    let uid = take(&mut text)?;
    let gid = if eat(&mut text, b':') { take(&mut text)? } else { uid };
    if text.is_empty() { Some((id(uid)?, id(gid)?)) } else { None }
}

/// An absolute path in its only spelling, so that two paths are the same place
/// when they are the same bytes.
pub(super) fn is_path(text: &[u8]) -> bool {
    let Some((b'/', components)) = text.split_first() else { return false };
    text.len() < crate::limits::PATH
        && (components.is_empty()
            || components.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b"..")))
}

/// Is `path` `above`, or below it?
pub(super) fn is_within(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

/// Letters, digits and these others, and at least one of them.
#[inline(never)]
fn is_made_of(text: &[u8], others: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || others.contains(byte))
}

/// A workload's name: it becomes a cgroup, a hostname and a prefix of log lines.
pub(super) fn is_workload_name(text: &[u8]) -> bool {
    text.len() < crate::limits::WORKLOAD_NAME
        && is_made_of(text, b"-")
        && !text.starts_with(b"-")
        && !text.iter().any(u8::is_ascii_uppercase)
}

pub(super) fn is_hostname(text: &[u8]) -> bool {
    text.len() <= crate::limits::HOSTNAME
        && is_made_of(text, b"-.")
        && !matches!(text.first(), Some(b'-' | b'.'))
}

/// An interface's name, as the kernel's dev_valid_name() has it.
pub(super) fn is_interface(text: &[u8]) -> bool {
    const IFNAMSIZ: usize = 16;
    text.len() < IFNAMSIZ
        && is_word(text)
        && !matches!(text, b"." | b"..")
        && !text.iter().any(|byte| matches!(byte, b'/' | b':'))
}

/// A kernel module's name: it is looked up in modules.dep, never as a path.
pub(super) fn is_module(text: &[u8]) -> bool {
    is_made_of(text, b"-_")
}

/// A setting below /proc/sys, with dots or slashes.
pub(super) fn is_sysctl(text: &[u8]) -> bool {
    is_word(text)
        && text.len() < crate::limits::PATH / 2
        && text.split(|byte| matches!(byte, b'.' | b'/')).all(|part| !part.is_empty())
}

/// Printable ASCII without spaces and commas.
pub(super) fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',')
}

//! The forms a value can have: what it looks like, and what it comes to.
//!
//! Functions here take the bytes of a string and give a number, or nothing when
//! the bytes are not of that form. They know nothing of keys and tables.

/// The form of a key's value. The names of some forms are the names of the keys they serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Boolean,
    Count,
    CountOrMax,
    Weight,
    Size,
    SizeOrMax,
    Duration,
    Wait,
    Cpu,
    Cpuset,
    Signal,
    Name,
    Hostname,
    Path,
    Device,
    Source,
    RootDirectory,
    User,
    Address,
    Gateway,
    Text,
    Words,
    Options,
    Modules,
    Names,
    Command,
    Capabilities,
    Env,
    Sysctl,
    OnFailure,
    Poweroff,
    Restart,
    Ready,
    Overlay,
    NetworkMode,
    Sharing,
    Seccomp,
    Stdio,
    Io,
    /// One table with these keys.
    Table(super::schema::Section),
    /// A table of tables with names of one's own.
    Tables,
    AnyTable,
}

/// Kinds of value, as bits.
pub(super) const TEXT: u8 = 1;
pub(super) const INTEGER: u8 = 2;
pub(super) const BOOLEAN: u8 = 4;
pub(super) const ARRAY: u8 = 8;
pub(super) const TABLE: u8 = 16;

impl Form {
    /// The kinds of value it can be written as, what it is called, and how to write it.
    pub fn words(self) -> (u8, &'static str, &'static str) {
        match self {
            Form::Boolean => (BOOLEAN, "a boolean", "`true` or `false`"),
            Form::Count => (INTEGER, "a number", "a whole number above 0"),
            Form::CountOrMax => (INTEGER | TEXT, "a number", "a whole number above 0, or \"max\""),
            Form::Weight => (INTEGER, "a weight", "a whole number from 1 to 10000"),
            Form::Size => (INTEGER | TEXT, "a size", "such as \"64M\": K, M, G or T, or a number of bytes"),
            Form::SizeOrMax => {
                (INTEGER | TEXT, "a size", "such as \"64M\": K, M, G or T, a number of bytes, or \"max\"")
            }
            Form::Duration => (TEXT, "a duration", "such as \"500ms\", \"10s\", \"2m\" or \"1h\""),
            Form::Wait => (TEXT, "a waiting time", "such as \"500ms\", \"10s\" or \"2m\", from 10ms up"),
            Form::Cpu => {
                (INTEGER | TEXT, "an amount of processor time", "such as \"50%\", \"1.5\" or 2 processors")
            }
            Form::Cpuset => (TEXT, "a list of numbers", "such as \"0-1,3\""),
            Form::Signal => (INTEGER | TEXT, "a signal", "such as \"TERM\", \"SIGINT\", \"RTMIN+3\" or 15"),
            Form::Name => (TEXT, "a name", "one word"),
            Form::Hostname => (TEXT, "a hostname", "at most 64 letters, digits, `-` and `.`"),
            Form::Path => (TEXT, "a path", PATH),
            Form::Device => (TEXT, "a device node", "a path below /dev"),
            Form::Source => (TEXT, "a source", "a path, or the name of a filesystem without a device"),
            Form::RootDirectory => (TEXT, "a root", "\"scratch\" or an absolute path of a directory"),
            Form::User => {
                (INTEGER | TEXT, "a user", "\"auto\", a uid, or \"uid:gid\"; names are not looked up")
            }
            Form::Address => (TEXT, "an address", "IPv4 with its prefix length: \"192.0.2.5/24\""),
            Form::Gateway => (TEXT, "an address", "IPv4: \"192.0.2.1\""),
            Form::Text => (TEXT, "a string", "text in quotes"),
            Form::Words | Form::Options => (ARRAY, "an array of strings", "`[\"one\", \"two\"]`"),
            Form::Modules => (ARRAY, "an array of module names", "letters, digits, `-` and `_`"),
            Form::Names => (ARRAY, "an array of workloads", "their names"),
            Form::Command => {
                (ARRAY, "a command", "an array; its first string is the program's absolute path")
            }
            Form::Capabilities => (ARRAY, "an array of capabilities", ""),
            Form::Env => (TABLE, "a table of strings", "`NAME = \"value\"`"),
            Form::Sysctl => (TABLE, "a table of settings", "`\"kernel.panic\" = 10`, with the quotes"),
            Form::Stdio => (TEXT | TABLE, "a choice", ""),
            Form::Seccomp => (TEXT | TABLE, "a choice", ""),
            Form::Io => (ARRAY, "an array of tables", "`[{ device = \"/data\", read = \"10M\" }]`"),
            Form::Table(_) | Form::Tables | Form::AnyTable => (TABLE, "a table", ""),
            _ => (TEXT, "a choice", ""),
        }
    }

    /// The words to choose from.
    pub fn choices(self) -> &'static [&'static str] {
        match self {
            Form::OnFailure => &["reboot", "halt", "rescue"],
            Form::Poweroff => &["poweroff", "reboot", "halt"],
            Form::Restart => &["never", "on-failure", "always"],
            Form::Ready => &["started", "notify"],
            Form::Overlay => &["tmpfs"],
            Form::NetworkMode => &["none", "host"],
            Form::Sharing => &["own", "host"],
            Form::Seccomp => &["default", "strict", "off"],
            Form::Stdio => &["log", "console"],
            _ => &[],
        }
    }
}

pub(super) const PATH: &str = "absolute, without `//`, `.` and `..`, below 512 bytes";

/// A whole decimal number: digits and nothing else, without leading zeros,
/// which other programs take for octal.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if let [] | [b'0', _, ..] = text {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte & 0xf)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Digits and a unit: the number times what the unit stands for.
fn with_unit(text: &[u8], units: &[(&[u8], u64)]) -> Option<u64> {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    decimal(number)?.checked_mul(*factor)
}

/// Bytes.
pub(super) fn size(text: &[u8]) -> Option<u64> {
    with_unit(text, &[(b"K", 1 << 10), (b"M", 1 << 20), (b"G", 1 << 30), (b"T", 1 << 40), (b"", 1)])
        .filter(|bytes| i64::try_from(*bytes).is_ok())
}

/// Milliseconds; at most 49 days, which is what 32 bits hold.
pub(super) fn duration(text: &[u8]) -> Option<u64> {
    with_unit(text, &[(b"ms", 1), (b"s", 1000), (b"m", 60_000), (b"h", 3_600_000)])
        .filter(|millis| u32::try_from(*millis).is_ok())
}

/// Microseconds in each 100,000 µs: `50%`, `1.5` or `2` processors.
pub(super) fn cpu(text: &[u8]) -> Option<u64> {
    let (number, percent) = match text.split_last() {
        Some((b'%', number)) => (number, true),
        _ => (text, false),
    };
    let dot = number.iter().position(|byte| *byte == b'.').unwrap_or(number.len());
    let (whole, fraction) = number.split_at_checked(dot)?;
    // In thousandths of a percent, which are microseconds in 100,000.
    let mut micros = decimal(whole)?.checked_mul(if percent { 1000 } else { 100_000 })?;
    if let [_, digits @ ..] = fraction {
        let mut worth: u64 = if percent { 100 } else { 10_000 };
        if digits.is_empty() || digits.len() > 3 {
            return None;
        }
        for digit in digits {
            micros = micros.checked_add(decimal(&[*digit])?.checked_mul(worth)?)?;
            worth /= 10;
        }
    }
    enough_cpu(micros)
}

/// The kernel takes no quota below a millisecond; corm keeps it in 32 bits.
pub(super) fn enough_cpu(micros: u64) -> Option<u64> {
    (1000..=u64::from(u32::MAX)).contains(&micros).then_some(micros)
}

/// `0-1,3`, as cpuset(7) has it.
pub(super) fn cpuset(text: &[u8]) -> Option<()> {
    const MOST: u64 = 8191;
    for range in text.split(|byte| *byte == b',') {
        let dash = range.iter().position(|byte| *byte == b'-').unwrap_or(range.len());
        let first = decimal(range.get(..dash)?)?;
        let last = match range.get(dash.saturating_add(1)..) {
            Some(last) => decimal(last)?,
            None => first,
        };
        if first > last || last > MOST {
            return None;
        }
    }
    Some(())
}

/// Names of signals 1 to 31; the numbers are the same on all our machines (signal(7)).
const SIGNALS: &[u8] = b"HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT \
    CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

const REALTIME: u64 = 34;
const LAST: u64 = 64;

/// A signal's number. SIGRTMIN is 34, as glibc, systemd and busybox count.
pub(super) fn signal(text: &[u8]) -> Option<u64> {
    let name = text.strip_prefix(b"SIG").unwrap_or(text);
    if let Some(at) = SIGNALS.split(|byte| *byte == b' ').position(|known| known == name) {
        return u64::try_from(at).ok()?.checked_add(1);
    }
    match (name.strip_prefix(b"RTMIN"), name.strip_prefix(b"RTMAX")) {
        (Some([]), _) => Some(REALTIME),
        (_, Some([])) => Some(LAST),
        (Some([b'+', plus @ ..]), _) => Some(REALTIME.checked_add(decimal(plus)?)?),
        (_, Some([b'-', minus @ ..])) => Some(LAST.checked_sub(decimal(minus)?)?),
        _ => decimal(text),
    }
    .filter(|number| is_signal(*number))
}

/// 32 and 33 are libc's own.
pub(super) fn is_signal(number: u64) -> bool {
    matches!(number, 1..=31 | REALTIME..=LAST)
}

/// `a.b.c.d`.
pub(super) fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut parts = text.split(|byte| *byte == b'.');
    let mut address = [0; 4];
    for part in &mut address {
        *part = u8::try_from(decimal(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then_some(address)
}

/// `a.b.c.d/prefix`.
pub(super) fn ipv4_network(text: &[u8]) -> Option<([u8; 4], u8)> {
    let slash = text.iter().position(|byte| *byte == b'/')?;
    let prefix = decimal(text.get(slash.saturating_add(1)..)?)?;
    Some((ipv4(text.get(..slash)?)?, u8::try_from(prefix).ok().filter(|prefix| *prefix <= 32)?))
}

/// Are both in one network of that prefix length?
pub(super) fn same_network(one: [u8; 4], other: [u8; 4], prefix: u8) -> bool {
    let different = u64::from(u32::from_be_bytes(one) ^ u32::from_be_bytes(other));
    different.wrapping_shr(32u32.saturating_sub(prefix.into())) == 0
}

/// A user or group id; the last 32-bit number means "none" to the kernel.
fn id(text: &[u8]) -> Option<u32> {
    u32::try_from(decimal(text)?).ok().filter(|id| *id != u32::MAX)
}

/// `uid:gid`, or `uid` for both.
pub(super) fn user(text: &[u8]) -> Option<(u32, u32)> {
    match text.iter().position(|byte| *byte == b':') {
        Some(colon) => Some((id(text.get(..colon)?)?, id(text.get(colon.saturating_add(1)..)?)?)),
        None => id(text).map(|id| (id, id)),
    }
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

/// A workload's name: it becomes a cgroup, a hostname and a prefix of log lines.
pub(super) fn is_workload_name(text: &[u8]) -> bool {
    text.len() < crate::limits::WORKLOAD_NAME
        && text.first().is_some_and(|first| *first != b'-')
        && text.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

pub(super) fn is_hostname(text: &[u8]) -> bool {
    text.len() <= crate::limits::HOSTNAME
        && text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
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
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
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

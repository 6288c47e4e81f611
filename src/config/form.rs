//! The forms a value can have: what it looks like, and what it comes to.
//!
//! Functions here take the bytes of a string and give a number, or say whether
//! they are of that form. They know nothing of keys and tables.

use super::address::{self, Cidr, Egress, Published, Route};
use super::calls::{NATIVE, SETS};
use super::schema::Key;
use crate::limits;
use crate::pack::Packed;
use crate::packed;
use crate::text::{has, word_index, words};

/// Kinds of value, as bits in the order of [`Kind`](super::tree::Kind).
pub(super) const TEXT: u8 = 2;
pub(super) const INTEGER: u8 = 4;
pub(super) const BOOLEAN: u8 = 8;
pub(super) const ARRAY: u8 = 16;
pub(super) const TABLE: u8 = 32;

/// What the one word comes to that some forms take besides: "max", "auto", "scratch".
pub(super) const SPECIAL: u64 = u64::MAX;

macro_rules! forms {
    ({$($form:ident $kinds:expr, $words:literal;)*} {$($choice:ident $of:expr, $choices:literal;)*}) => {
        /// The form of a key's value. Some are named after the key they serve.
        /// Their order is used: see the functions below.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
        #[repr(u8)]
        pub(crate) enum Form {
            $($form,)*
            $($choice,)*
        }

        static KINDS: &[u8] = &[$($kinds,)* $($of,)*];

        /// What each is called, and how to write it; the last line is for all choices.
        const WORDS: Packed = packed!(concat!($($words, "\n",)* "one of the choices|"));
        const FIRST_CHOICE: u8 = [$($words),*].len() as u8;
        const CHOICES: &str = concat!($($choices, "\n"),*);
    };
}

forms! {{
    // Numbers.
    Boolean BOOLEAN, "a boolean|`true` or `false`";
    Vlan INTEGER, "a VLAN's number|1 to 4094";
    Mtu INTEGER, "a size|a number of bytes from 68 to 65535";
    Count INTEGER, "a count|a whole number above 0";
    CountOrMax INTEGER | TEXT, "a count|a whole number above 0, or \"max\"";
    Weight INTEGER, "a weight|a whole number from 1 to 10000";
    Size INTEGER | TEXT, "a size|such as \"64M\": K, M, G or T, or a number of bytes";
    SizeOrMax INTEGER | TEXT, "a size|such as \"64M\": K, M, G or T, a number of bytes, or \"max\"";
    Overlay INTEGER | TEXT, "an overlay|\"tmpfs\", or the size it may grow to, such as \"16M\"";
    Mode TEXT, "access rights|as chmod(1) has them: \"750\" or \"1777\"";
    Ring INTEGER | TEXT, "a size|such as \"64K\", from 8K to 1M";
    Duration TEXT, "a duration|such as \"500ms\", \"10s\", \"2m\" or \"1h\"";
    Wait TEXT, "a waiting time|such as \"500ms\", \"10s\" or \"2m\", from 10ms up";
    Cpu INTEGER | TEXT, "an amount of processor time|such as \"50%\", \"1.5\" or 2 processors";
    Share TEXT, "a share of time|such as \"10%\": from 1% to 100%";
    Nice INTEGER, "a nice value|a whole number from -20 to 19";
    OomScore INTEGER, "an adjustment|a whole number from -1000 to 1000";
    Realtime INTEGER, "a real-time priority|a whole number from 1 to 99";
    IoPriority TEXT, "an I/O priority|\"idle\", \"best-effort:0\" to 7 or \"realtime:0\" to 7; 0 comes first";
    Scheduler TEXT, "a scheduling policy|\"normal\", \"batch\", \"idle\", \"fifo:1\" to 99 or \"round-robin:1\" to 99";
    Signal INTEGER | TEXT, "a signal|such as \"TERM\", \"SIGINT\", \"RTMIN+3\" or 15";
    Descriptor INTEGER, "a descriptor|a number from 3 to 255";
    TcpPort INTEGER, "a port|a number from 1 to 65535";
    User INTEGER | TEXT, "a user|\"auto\", a uid, or \"uid:gid\"; names are not looked up";
    // What is kept as text.
    Text TEXT, "a string|text in quotes";
    Setting TEXT | INTEGER, "a string|or a number; dots in a name want quotes: `\"kernel.panic\" = 10`";
    Name TEXT, "a name|one word";
    Option TEXT, "an option|no spaces and commas: one option a string";
    Module TEXT, "a module's name|letters, digits, `-` and `_`";
    Hostname TEXT, "a hostname|at most 64 letters, digits, `-` and `.`";
    Path TEXT, "a path|absolute, without `//`, `.` and `..`, below 512 bytes";
    Device TEXT, "a device node|a path below /dev";
    Source TEXT, "a source|a path, \"LABEL=data\", or the name of a filesystem without a device";
    Place TEXT, "a source|a path, or a device's name: \"LABEL=data\"";
    RootDirectory TEXT, "a root|\"scratch\", or the absolute path of a directory or image";
    Granted TEXT, "a device|a path below /dev, with `:r` behind it if only to be read";
    Cpuset TEXT, "a list of numbers|such as \"0-1,3\"";
    Capability TEXT, "a capability|as capabilities(7) has it: \"net-bind-service\"";
    PortRange TEXT, "a port or a range of ports|\"8080\", or \"5000-5010\"";
    Cidr TEXT, "an address|with its prefix length: \"192.0.2.5/24\", \"2001:db8::5/64\"";
    Ip TEXT, "an address|such as \"192.0.2.1\" or \"2001:db8::1\"";
    Route TEXT, "a route|such as \"10.1.0.0/16 via 192.0.2.3 metric 50\"";
    Port TEXT, "a port|\"8080:80/tcp\" or \"5000-5010/udp\": the machine's, then the workload's";
    Egress TEXT, "a destination|such as \"10.0.0.0/8\", \"any:443\" or \"192.0.2.1:53/udp\"";
    Mac TEXT, "an address|such as \"02:00:00:00:00:01\"";
    Call TEXT, "a system call|a name as in syscalls(2), or @strict, @default or @all";
    // Names that are keys.
    Workload TEXT, "a name for a workload|a-z, 0-9 and `-`, at most 31; `init` is corm's own";
    Interface TEXT, "a name for an interface|at most 15 characters";
    Mount TEXT, "a place to mount on|an absolute path, not / /proc /sys or /dev";
    Volume TEXT, "a place for a volume|an absolute path, not / and not in /proc, /sys or /dev";
    Variable TEXT, "a name for a variable|it is empty or contains `=`";
    Sysctl TEXT, "a kernel setting|as below /proc/sys: \"kernel.panic\"";
    // Arrays and tables.
    Options ARRAY, "an array of options|`[\"noatime\", \"nodev\"]`";
    Modules ARRAY, "an array of module names|`[\"virtio_net\"]`";
    Names ARRAY, "an array of workloads|their names: `[\"broker\"]`";
    Command ARRAY, "a command|an array: the program's absolute path, then its arguments";
    Capabilities ARRAY, "an array of capabilities|`[\"net-bind-service\"]`";
    PortRanges ARRAY, "an array of ports|`[\"8080\", \"5000-5010\"]`";
    Addresses TEXT | ARRAY, "an address|or an array of them";
    Gateways TEXT | ARRAY, "an address|or an array of them";
    Routes ARRAY, "an array of routes|`[\"10.1.0.0/16 via 192.0.2.3\"]`";
    Ports ARRAY, "an array of ports|`[\"8080:80/tcp\"]`";
    Egresses ARRAY, "an array of destinations|`[\"10.0.0.0/8\", \"any:443\"]`";
    Devices ARRAY, "an array of devices|`[\"/dev/ttyS1\", \"/dev/rtc0:r\"]`";
    Calls ARRAY, "an array of system calls|`[\"@default\", \"mount\"]`";
    Signals ARRAY, "an array of signals|one to four: `[\"TERM\", \"INT\"]`";
    Tables ARRAY, "an array of tables|`[{ device = \"/data\", read = \"10M\" }]`";
    Variables TABLE, "a table of strings|`NAME = \"value\"`";
    Settings TABLE, "a table of settings|`\"kernel.panic\" = 10`, with the quotes";
    Table TABLE, "a table|`{ key = value }`, or a [table]";
} {
    Stdio TEXT | TABLE, "log console";
    Seccomp TEXT | TABLE, "default strict off";
    Masks TEXT, "default off";
    Refusal TEXT, "errno kill log";
    Landlock TEXT, "default required off";
    OnFailure TEXT, "reboot halt rescue";
    Poweroff TEXT, "poweroff reboot halt";
    Restart TEXT, "never on-failure always";
    Ready TEXT | TABLE, "started settled notify";
    NetworkMode TEXT, "none host";
    Sharing TEXT, "own host";
}}

impl Form {
    /// The kinds of value it can be written as.
    pub fn kinds(self) -> u8 {
        KINDS.get(self as usize).copied().unwrap_or(0)
    }

    /// Does its text become part of the config?
    pub fn is_kept(self) -> bool {
        Form::Text <= self && self <= Form::Sysctl
    }

    /// What it is called, and how to write it.
    pub fn words(self) -> (Packed, Packed) {
        halves(WORDS, (self as u8).min(FIRST_CHOICE))
    }

    /// The words to choose from.
    pub fn choices(self) -> &'static [u8] {
        (self as u8).checked_sub(FIRST_CHOICE).map_or(&[], |choice| line(CHOICES.as_bytes(), choice))
    }

    /// Does the text have this form, which is one that is kept?
    #[inline(never)]
    pub fn is_fine(self, text: &[u8]) -> bool {
        let text = if self == Form::Granted { granted(text).0 } else { text };
        let has_shape = match self {
            Form::Name | Form::Option | Form::Interface | Form::Sysctl => is_word(text),
            Form::Path | Form::RootDirectory | Form::Device | Form::Granted | Form::Mount | Form::Volume => {
                is_path(text)
            }
            Form::Module => is_made_of(text, b"-_", usize::MAX),
            Form::Hostname => is_made_of(text, b"-.", limits::HOSTNAME),
            Form::Workload => is_made_of(text, b"-", limits::WORKLOAD_NAME - 1),
            _ => true,
        };
        has_shape
            && match self {
                Form::Device | Form::Granted => text.starts_with(b"/dev/"),
                Form::Source if is_word(text) && !has(text, b'/') && !has(text, b'=') => true,
                Form::Source | Form::Place => is_path(text) || named_source(text).is_some(),
                Form::Cpuset => is_cpuset(text),
                Form::Capability => capability(text).is_some(),
                Form::PortRange => port_range(text).is_some(),
                Form::Cidr => Cidr::parse(text).is_some() || text == DHCP,
                Form::Ip => address::ip(text).is_some(),
                Form::Route => Route::parse(text).is_some(),
                Form::Port => Published::parse(text).is_some(),
                Form::Egress => Egress::parse(text).is_some(),
                Form::Mac => address::mac(text).is_some(),
                Form::Call => is_listed(SETS, text) || NATIVE.find(text).is_some(),
                // It becomes a cgroup, a hostname and a prefix of log lines.
                Form::Workload => !text.iter().any(u8::is_ascii_uppercase) && text != b"init",
                // As the kernel's dev_valid_name() has it; IFNAMSIZ is 16.
                Form::Interface => {
                    text.len() < 16 && !is_listed(b". ..", text) && !has(text, b'/') && !has(text, b':')
                }
                Form::Mount => !is_listed(b"/ /proc /sys /dev", text),
                Form::Volume => {
                    text != b"/" && !words(b"/proc /sys /dev", b' ').any(|taken| is_within(text, taken))
                }
                Form::Variable => !text.is_empty() && !has(text, b'='),
                // Dots or slashes between words.
                Form::Sysctl => {
                    text.len() < limits::PATH / 2
                        && text.split(|byte| matches!(byte, b'.' | b'/')).all(|part| !part.is_empty())
                }
                _ => true,
            }
    }

    /// Does a later version take what this one does not, in that section?
    pub(super) fn is_for_later(self, text: &[u8], section: Key) -> bool {
        match self {
            Form::Cidr => text == DHCP && section != Key::Interface,
            _ => false,
        }
    }

    /// The word that it takes besides.
    pub fn special(self) -> &'static [u8] {
        match self {
            Form::CountOrMax | Form::SizeOrMax => b"max",
            Form::User => b"auto",
            Form::RootDirectory => b"scratch",
            Form::Overlay => b"tmpfs",
            // No string has a NUL.
            _ => b"\0",
        }
    }

    /// The number that a string stands for.
    #[inline(never)]
    pub fn number(self, text: &[u8]) -> Option<u64> {
        let as_integer = matches!(
            self,
            Form::Size | Form::SizeOrMax | Form::Overlay | Form::Ring | Form::Cpu | Form::Signal | Form::User
        );
        if let (true, Some(integer)) = (as_integer, decimal(text)) {
            return self.whole(integer);
        }
        let number = match self {
            Form::Size | Form::SizeOrMax | Form::Overlay | Form::Ring => {
                with_unit(text, b"K M G T", &[1 << 10; 4])?
            }
            Form::Duration | Form::Wait => with_unit(text, b"ms s m h", &[1, 1000, 60, 60])?,
            Form::Mode => octal(text)?,
            Form::Cpu => cpu(text)?,
            Form::Share if text.ends_with(b"%") => cpu(text)?,
            Form::IoPriority => with_level(text, b"none realtime best-effort idle")?,
            Form::Scheduler => with_level(text, b"normal fifo round-robin batch iso idle")?,
            Form::Signal => signal(text)?,
            Form::User => fields(text, b":", 32)?,
            _ => return None,
        };
        self.within(number)
    }

    /// The number that an integer stands for.
    #[inline(never)]
    pub fn whole(self, integer: u64) -> Option<u64> {
        self.within(match self {
            Form::Cpu => integer.checked_mul(100_000)?,
            Form::User => u64::from(u32::try_from(integer).ok()?).wrapping_mul(1 << 32 | 1),
            // What may be below 0 is kept as its distance from the least.
            Form::Nice => integer.wrapping_add(20),
            Form::OomScore => integer.wrapping_add(1000),
            _ => integer,
        })
    }

    fn within(self, number: u64) -> Option<u64> {
        const SHORT: u64 = u32::MAX as u64;
        let (least, most) = match self {
            Form::Count | Form::CountOrMax => (1, SHORT - 1),
            Form::Vlan => (1, 4094),
            Form::Mtu => (68, 65_535),
            Form::Weight => (1, 10_000),
            Form::Descriptor => (3, 255),
            Form::TcpPort => (1, 65_535),
            Form::Size | Form::Overlay => (1, i64::MAX as u64),
            Form::SizeOrMax => (0, i64::MAX as u64),
            Form::Mode => (0, 0o7777),
            Form::Ring => (limits::LOG_RING_LEAST, limits::LOG_RING_MOST),
            Form::Duration => (0, SHORT),
            Form::Wait => (10, SHORT),
            // The kernel takes no quota below a millisecond.
            Form::Cpu => (1000, SHORT),
            Form::Share => (1000, 100_000),
            Form::Nice => (0, 39),
            Form::OomScore => (0, 2000),
            Form::Realtime => (1, 99),
            Form::IoPriority => match number >> LEVEL_BITS {
                1 | 2 => (0, number & !LEVEL | 7),
                3 => (0, number & !LEVEL),
                _ => return None,
            },
            Form::Scheduler => match number >> LEVEL_BITS {
                // SCHED_FIFO and SCHED_RR; 4 is nothing.
                1 | 2 => (number & !LEVEL | 1, number & !LEVEL | 99),
                4 => return None,
                _ => (0, number & !LEVEL),
            },
            // 32 and 33 are libc's own.
            Form::Signal if number >> 1 != 16 => (1, LAST),
            // The last 32-bit number means "none" to the kernel.
            Form::User if number >> 32 != SHORT && number & SHORT != SHORT => (0, u64::MAX),
            _ => return None,
        };
        (least <= number && number <= most).then_some(number)
    }
}

/// What stands for an address that a server gives.
pub(super) const DHCP: &[u8] = b"dhcp";

/// A device that a workload is given: its path, and whether it may write there.
pub fn granted(text: &[u8]) -> (&[u8], bool) {
    match text.strip_suffix(b":r") {
        Some(path) => (path, false),
        None => (text, true),
    }
}

/// A block device by name, "LABEL=data": which of the four kinds of name, and the name. With
/// its kind it is a file's name, of at most NAME_MAX bytes.
pub fn named_source(text: &[u8]) -> Option<(usize, &[u8])> {
    const NAME_MAX: usize = 255;
    let (kind, name) = split(text, b'=');
    let kind = word_index(b"LABEL UUID PARTLABEL PARTUUID", b' ', kind)?;
    (!name.is_empty() && text.len() <= NAME_MAX && !has(name, b'/')).then_some((kind, name))
}

/// Is it one of these words?
fn is_listed(list: &[u8], word: &[u8]) -> bool {
    word_index(list, b' ', word).is_some()
}

/// What is before and after that byte.
#[inline(never)]
pub(super) fn split(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == at).unwrap_or(text.len());
    let (before, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    (before, rest.get(1..).unwrap_or(&[]))
}

/// A line of a text, counted from 0.
#[inline(never)]
pub(super) fn line(lines: &'static [u8], number: u8) -> &'static [u8] {
    let (mut line, mut rest) = split(lines, b'\n');
    for _ in 0..number {
        (line, rest) = split(rest, b'\n');
    }
    line
}

/// A sentence and an advice that are kept as "sentence|advice" in that line. Neither
/// a newline nor a `|` is part of any packed pair.
#[inline(never)]
pub(super) fn halves(lines: Packed, number: u8) -> (Packed, Packed) {
    let (sentence, advice) = split(line(lines.0, number), b'|');
    (Packed(sentence), Packed(advice))
}

/// The number at the start of a text: digits without leading zeros, which
/// other programs take for octal. What comes after it stays in `text`.
#[inline(never)]
pub(super) fn take(text: &mut &[u8]) -> Option<u64> {
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
#[inline(never)]
pub(super) fn eat(text: &mut &[u8], byte: u8) -> bool {
    let rest = text.strip_prefix(&[byte]);
    *text = rest.unwrap_or(text);
    rest.is_some()
}

/// A whole decimal number, and nothing else.
fn decimal(mut text: &[u8]) -> Option<u64> {
    take(&mut text).filter(|_| text.is_empty())
}

/// Three or four octal digits.
fn octal(text: &[u8]) -> Option<u64> {
    if !matches!(text.len(), 3 | 4) {
        return None;
    }
    text.iter()
        .try_fold(0, |number, digit| matches!(digit, b'0'..=b'7').then(|| number << 3 | u64::from(digit & 7)))
}

/// A number with one of these units, each of which is so many of the one before it.
fn with_unit(mut text: &[u8], units: &[u8], steps: &[u16]) -> Option<u64> {
    let mut number = take(&mut text)?;
    for (unit, step) in words(units, b' ').zip(steps) {
        number = number.checked_mul(u64::from(*step))?;
        if unit == text {
            return Some(number);
        }
    }
    None
}

/// Microseconds in each 100,000 µs: `50%`, `1.5` or `2` processors, to three decimals.
fn cpu(text: &[u8]) -> Option<u64> {
    let percent = text.strip_suffix(b"%");
    let mut text = percent.unwrap_or(text);
    let mut thousandths = take(&mut text)?.checked_mul(1000)?;
    if eat(&mut text, b'.') {
        let mut worth = 100;
        while let Some((digit @ b'0'..=b'9', rest)) = text.split_first().filter(|_| worth > 0) {
            thousandths = thousandths.checked_add(worth * u64::from(digit & 0xf))?;
            worth /= 10;
            text = rest;
        }
        // "1." is nothing.
        if worth == 100 {
            return None;
        }
    }
    if !text.is_empty() {
        return None;
    }
    thousandths.checked_mul(if percent.is_some() { 1 } else { 100 })
}

/// Where the kernel has the class of an I/O priority, above the level in it; a
/// scheduling policy and its priority are kept alike.
pub const LEVEL_BITS: u32 = 13;
const LEVEL: u64 = (1 << LEVEL_BITS) - 1;

/// A word, by its number in the list, and a level: `fifo:10`.
fn with_level(text: &[u8], list: &[u8]) -> Option<u64> {
    let (word, level) = split(text, b':');
    let number = word_index(list, b' ', word)? as u64;
    let level = if word.len() == text.len() { 0 } else { decimal(level).filter(|level| *level <= LEVEL)? };
    Some(number << LEVEL_BITS | level)
}

/// Names of signals 1 to 31; the numbers are the same on all our machines (signal(7)).
pub const SIGNALS: &str = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT \
    CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";
const REALTIME: u64 = 34;
const LAST: u64 = 64;

/// A signal's number. SIGRTMIN is 34, as glibc, systemd and busybox count.
fn signal(text: &[u8]) -> Option<u64> {
    let name = text.strip_prefix(b"SIG").unwrap_or(text);
    if let Some(index) = word_index(SIGNALS.as_bytes(), b' ', name) {
        return u64::try_from(index.saturating_add(1)).ok();
    }
    let (number, rest) = match name.split_at_checked(5)? {
        (b"RTMIN", rest) => (REALTIME, rest),
        (b"RTMAX", rest) => (LAST, rest),
        _ => return None,
    };
    let number = match rest {
        [] => number,
        [b'+', more @ ..] => number.checked_add(decimal(more)?)?,
        [b'-', less @ ..] => number.checked_sub(decimal(less)?)?,
        _ => return None,
    };
    Some(number).filter(|number| *number >= REALTIME)
}

/// Capabilities 0 to 40, as capabilities(7) has them without their CAP_.
pub(crate) const CAPABILITIES: &[u8] = b"chown dac-override dac-read-search fowner fsetid kill setgid setuid setpcap \
    linux-immutable net-bind-service net-broadcast net-admin net-raw ipc-lock ipc-owner sys-module sys-rawio \
    sys-chroot sys-ptrace sys-pacct sys-admin sys-boot sys-nice sys-resource sys-time sys-tty-config mknod \
    lease audit-write audit-control setfcap mac-override mac-admin syslog wake-alarm block-suspend audit-read \
    perfmon bpf checkpoint-restore";

/// A capability's number: `net-bind-service`, or `CAP_NET_BIND_SERVICE`.
#[inline(never)]
pub(super) fn capability(text: &[u8]) -> Option<u8> {
    let loud = text.strip_prefix(b"CAP_");
    let name = loud.unwrap_or(text);
    // Lower case is upper case and one bit more.
    let same = |(known, byte): (&u8, &u8)| match loud {
        Some(_) if *known == b'-' => *byte == b'_',
        Some(_) => *byte == *known & 0xdf,
        None => known == byte,
    };
    let is = |known: &[u8]| known.len() == name.len() && known.iter().zip(name).all(same);
    words(CAPABILITIES, b' ').zip(0..).find(|(known, _)| is(known)).map(|(_, number)| number)
}

/// Numbers of so many bits with these bytes between them, put together to one.
fn fields(mut text: &[u8], between: &[u8], bits: u32) -> Option<u64> {
    let mut number = 0u64;
    let mut between = between.iter();
    loop {
        let field = take(&mut text)?;
        if field.wrapping_shr(bits) != 0 {
            return None;
        }
        number = number.wrapping_shl(bits) | field;
        match between.next() {
            Some(byte) if eat(&mut text, *byte) => {}
            None if text.is_empty() => return Some(number),
            _ => return None,
        }
    }
}

/// `0-1,3`, as cpuset(7) has it.
fn is_cpuset(mut text: &[u8]) -> bool {
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

/// `8080`, or `5000-5010`.
pub fn port_range(mut text: &[u8]) -> Option<(u16, u16)> {
    let first = take(&mut text)?;
    let last = if eat(&mut text, b'-') { take(&mut text)? } else { first };
    let range = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    (text.is_empty() && first <= last).then_some(range)
}

/// An absolute path in its only spelling, so that two paths are the same place
/// when they are the same bytes.
#[inline(never)]
fn is_path(text: &[u8]) -> bool {
    let Some((b'/', mut rest)) = text.split_first() else { return false };
    let mut fine = text.len() < limits::PATH && !rest.ends_with(b"/");
    while !rest.is_empty() {
        let part;
        (part, rest) = split(rest, b'/');
        fine &= !matches!(part, b"" | b"." | b"..");
    }
    fine
}

/// Is `path` `above`, or below it?
fn is_within(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

/// Letters, digits and these others, at most so many, and the first is neither
/// a `-`, which would make it an option, nor a `.`.
#[inline(never)]
fn is_made_of(text: &[u8], others: &[u8], most: usize) -> bool {
    !matches!(text.first(), None | Some(b'-' | b'.'))
        && text.len() <= most
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || has(others, *byte))
}

/// Printable ASCII without spaces and commas.
#[inline(never)]
fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',')
}

//! Text without a heap and without `core::fmt`.
//!
//! `core::fmt` brings reachable panics on 32-bit targets and several kilobytes
//! everywhere; this is what corm needs of it. [`Show`] is `Display`, [`Sink`] is
//! `Write`, [`Text`] is a string on the stack, and [`put!`](crate::put) strings
//! pieces together:
//!
//! ```ignore
//! let mut line = Text::<80>::new();
//! put!(line, "web: exited with status ", 3);
//! ```
//!
//! Text that does not fit is cut and ends in "…", so a reader sees that it was.

use crate::pack::{self, Packed};
pub use crate::sys::c_str;
use core::ffi::CStr;

/// Something that takes bytes and cannot fail.
pub trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// Hands on what it has kept back. False if anything was lost.
    fn flush(&mut self) -> bool {
        true
    }
}

/// Something that can be printed for a person.
pub trait Show {
    fn show(&self, out: &mut dyn Sink);

    /// What goes into a template for it: itself, or something smaller to pass on.
    fn value(&self) -> Value<'_>
    where
        Self: Sized,
    {
        Value::Show(self)
    }
}

/// What takes the place of a NUL in a template. Most are text or a number, and
/// putting those into an array by themselves is half the code of putting a
/// pointer to each and to its methods there.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Bytes(&'a [u8]),
    Packed(Packed),
    Number(u64),
    /// A number that has its own way of being shown.
    By(fn(u64, &mut dyn Sink), u64),
    Show(&'a dyn Show),
}

/// Puts each argument into a [`Sink`], in order.
#[macro_export]
macro_rules! put {
    ($out:expr, $($piece:tt)*) => { $crate::pieces!([$crate::text::fill, &mut $out] [] [] $($piece)*) };
}

/// Calls a function with pieces of text as a template and what goes into it: the
/// literals in one string, a NUL for each of the others. One call is much less
/// code than one for each piece, and most of corm's code says something.
#[macro_export]
macro_rules! pieces {
    ([$function:path, $($argument:expr),+] [$($template:tt)*] [$($value:expr),*]) => {
        $function($($argument,)+ $crate::packed!(concat!($($template)*)), &[$($crate::text::Show::value(&$value)),*])
    };
    ($call:tt [$($template:tt)*] [$($value:expr),*] $literal:literal $(, $($rest:tt)*)?) => {
        $crate::pieces!($call [$($template)* $literal,] [$($value),*] $($($rest)*)?)
    };
    ($call:tt [$($template:tt)*] [$($value:expr),*] $next:expr $(, $($rest:tt)*)?) => {
        $crate::pieces!($call [$($template)* "\0",] [$($value,)* $next] $($($rest)*)?)
    };
}

/// Puts a template, with each NUL in it replaced by the next value. See [`pieces!`](crate::pieces).
pub fn fill(out: &mut dyn Sink, template: Packed, values: &[Value]) {
    let mut values = values.iter();
    for byte in template.0 {
        if *byte != 0 {
            pack::put(*byte, out);
            continue;
        }
        match values.next() {
            Some(Value::Bytes(bytes)) => out.put(bytes),
            Some(Value::Packed(text)) => text.show(out),
            Some(Value::Number(number)) => digits(*number, 10, 1, out),
            Some(Value::By(show, number)) => show(*number, out),
            Some(Value::Show(value)) => value.show(out),
            None => {}
        }
    }
}

/// The words of a text with a separator between them; there are no empty ones.
pub fn words(text: &[u8], separator: u8) -> Words<'_> {
    Words { rest: text, separator }
}

/// Which word of a list this is. Lists that are searched are one text: a table
/// of pointers to its words would take more room than they do.
#[inline(never)]
pub fn word_index(list: &[u8], separator: u8, word: &[u8]) -> Option<usize> {
    words(list, separator).position(|listed| listed == word)
}

/// See [`words`].
pub struct Words<'a> {
    rest: &'a [u8],
    separator: u8,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'a [u8]> {
        while let Some((word, rest)) = cut(self.rest, self.separator) {
            self.rest = rest;
            if !word.is_empty() {
                return Some(word);
            }
        }
        None
    }
}

/// What comes before the first `separator`, or all there is, and what comes
/// after it; `None` at the end.
#[inline(never)]
pub fn cut(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    if text.is_empty() {
        return None;
    }
    let end = text.iter().position(|byte| *byte == separator).unwrap_or(text.len());
    let (head, rest) = text.split_at_checked(end)?;
    Some((head, rest.get(1..).unwrap_or(&[])))
}

/// Whether that byte is in a text.
#[inline(never)]
#[expect(clippy::manual_contains, reason = "core's is ten times as long")]
pub fn has(text: &[u8], wanted: u8) -> bool {
    text.iter().any(|byte| *byte == wanted)
}

/// A number in `base` (2 to 16), if the text is nothing else and it fits.
#[inline(never)]
pub fn number(text: &[u8], base: u32) -> Option<u64> {
    let add = |sum: u64, byte: &u8| {
        let digit = char::from(*byte).to_digit(base)?;
        sum.checked_mul(base.into())?.checked_add(digit.into())
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

/// Up to `N` bytes of text.
#[derive(Clone)]
pub struct Text<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

const CUT: &[u8] = "…".as_bytes();

impl<const N: usize> Text<N> {
    pub const fn new() -> Self {
        Text { length: 0, bytes: [0; N] }
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// The text as UTF-8; empty if what was put in is not.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    /// The text as a C string, if it has room for the NUL and has none inside.
    pub fn as_c_str(&mut self) -> Option<&CStr> {
        *self.bytes.get_mut(self.length)? = 0;
        c_str(self.bytes.get(..=self.length)?).filter(|text| text.count_bytes() == self.length)
    }

    pub fn clear(&mut self) {
        self.length = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// Shortens to `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Sink for Text<N> {
    fn put(&mut self, bytes: &[u8]) {
        append(&mut self.bytes, &mut self.length, bytes);
    }
}

/// One function for texts of all sizes.
#[inline(never)]
fn append(buffer: &mut [u8], length: &mut usize, bytes: &[u8]) {
    let free = buffer.get_mut(*length..).unwrap_or(&mut []);
    for (to, from) in free.iter_mut().zip(bytes) {
        *to = *from;
    }
    if bytes.len() <= free.len() {
        *length = length.saturating_add(bytes.len());
        return;
    }
    *length = buffer.len();
    if let Some(end) = buffer.last_chunk_mut::<{ CUT.len() }>() {
        end.copy_from_slice(CUT);
    }
}

macro_rules! show_bytes {
    ($([$($generic:tt)*] $type:ty: $bytes:ident;)*) => {
        $(impl<$($generic)*> Show for $type {
            fn show(&self, out: &mut dyn Sink) {
                out.put(self.$bytes());
            }

            fn value(&self) -> Value<'_> {
                Value::Bytes(self.$bytes())
            }
        })*
    };
}
show_bytes! {
    [] &[u8]: as_ref;
    [] &str: as_bytes;
    [] &CStr: to_bytes;
    [const N: usize] Text<N>: as_bytes;
}

impl Show for Packed {
    fn show(&self, out: &mut dyn Sink) {
        fill(out, *self, &[]);
    }

    fn value(&self) -> Value<'_> {
        Value::Packed(*self)
    }
}

impl<T: Show> Show for &T {
    fn show(&self, out: &mut dyn Sink) {
        (**self).show(out);
    }

    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, out: &mut dyn Sink) {
        if let Some(value) = self {
            value.show(out);
        }
    }
}

impl Show for char {
    fn show(&self, out: &mut dyn Sink) {
        out.put(self.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

impl Show for u64 {
    fn show(&self, out: &mut dyn Sink) {
        digits(*self, 10, 1, out);
    }

    fn value(&self) -> Value<'_> {
        Value::Number(*self)
    }
}

impl Show for i64 {
    fn show(&self, out: &mut dyn Sink) {
        if *self < 0 {
            out.put(b"-");
        }
        self.unsigned_abs().show(out);
    }
}

macro_rules! show_as_u64 {
    ($($narrow:ty)*) => {
        $(impl Show for $narrow {
            fn show(&self, out: &mut dyn Sink) {
                (*self as u64).show(out);
            }

            fn value(&self) -> Value<'_> {
                Value::Number(*self as u64)
            }
        })*
    };
}
show_as_u64!(u8 u16 u32 usize);

/// A number in hexadecimal with leading zeros to a width, without a prefix.
pub struct Hex(pub u64, pub usize);

impl Show for Hex {
    fn show(&self, out: &mut dyn Sink) {
        digits(self.0, 16, self.1, out);
    }
}

/// A number in octal, as file modes are written: `0755`.
pub struct Octal(pub u32);

impl Show for Octal {
    fn show(&self, out: &mut dyn Sink) {
        out.put(b"0");
        digits(u64::from(self.0), 8, 1, out);
    }
}

/// A number with leading zeros to a width: `Zeros(7, 3)` is `007`.
pub struct Zeros(pub u64, pub usize);

impl Show for Zeros {
    fn show(&self, out: &mut dyn Sink) {
        digits(self.0, 10, self.1, out);
    }
}

/// Text padded with spaces on the right to a width in bytes.
pub struct Left<T>(pub T, pub usize);

/// Text padded with spaces on the left to a width in bytes.
pub struct Right<T>(pub T, pub usize);

impl<T: Show> Show for Left<T> {
    fn show(&self, out: &mut dyn Sink) {
        self.0.show(out);
        spaces(self.1.saturating_sub(width(&self.0)), out);
    }
}

impl<T: Show> Show for Right<T> {
    fn show(&self, out: &mut dyn Sink) {
        spaces(self.1.saturating_sub(width(&self.0)), out);
        self.0.show(out);
    }
}

fn width(value: &impl Show) -> usize {
    struct Count(usize);
    impl Sink for Count {
        fn put(&mut self, bytes: &[u8]) {
            self.0 = self.0.saturating_add(bytes.len());
        }
    }
    let mut count = Count(0);
    value.show(&mut count);
    count.0
}

fn spaces(count: usize, out: &mut dyn Sink) {
    for _ in 0..count {
        out.put(b" ");
    }
}

/// Writes `value` in `base` (2 to 16) with at least `least` digits.
fn digits(mut value: u64, base: u64, least: usize, out: &mut dyn Sink) {
    // 20 decimal digits hold u64::MAX; octal needs 22.
    let mut buffer = [b'0'; 24];
    let mut used = 0;
    for slot in buffer.iter_mut().rev() {
        let digit = value.checked_rem(base).unwrap_or(0) as u8;
        *slot = if digit < 10 { digit.wrapping_add(b'0') } else { digit.wrapping_add(b'a' - 10) };
        value = value.checked_div(base).unwrap_or(0);
        used += 1;
        if value == 0 && used >= least {
            break;
        }
    }
    out.put(buffer.get(buffer.len().saturating_sub(used)..).unwrap_or(&[]));
}

/// Bytes for people: `16M`, `1.5G`, `512`. Powers of 1024, one decimal where it says more.
pub struct Bytes(pub u64);

impl Show for Bytes {
    fn show(&self, out: &mut dyn Sink) {
        show_bytes(self.0, out);
    }

    fn value(&self) -> Value<'_> {
        Value::By(show_bytes, self.0)
    }
}

fn show_bytes(bytes: u64, out: &mut dyn Sink) {
    // Shifts: a division by a unit from a table could be one by zero, for all the compiler knows.
    for (shift, letter) in [(40u32, "T"), (30, "G"), (20, "M"), (10, "K")] {
        let whole = bytes.wrapping_shr(shift);
        if whole > 0 {
            let rest = bytes ^ whole.wrapping_shl(shift);
            // Below 2^40 * 10, so this cannot overflow.
            let tenth = rest.saturating_mul(10).wrapping_shr(shift);
            whole.show(out);
            if tenth > 0 && whole < 100 {
                out.put(b".");
                tenth.show(out);
            }
            return letter.show(out);
        }
    }
    bytes.show(out);
}

/// Milliseconds for people: `250ms`, `1.5s`, `2m`, `1h 30m`.
pub struct Millis(pub u64);

impl Show for Millis {
    fn show(&self, out: &mut dyn Sink) {
        show_millis(self.0, out);
    }

    fn value(&self) -> Value<'_> {
        Value::By(show_millis, self.0)
    }
}

fn show_millis(millis: u64, out: &mut dyn Sink) {
    let seconds = millis / 1000;
    if seconds == 0 {
        put_pair(out, "", millis, "ms");
    } else if seconds < 60 {
        seconds.show(out);
        let tenth = (millis % 1000) / 100;
        if tenth > 0 {
            put_pair(out, ".", tenth, "");
        }
        out.put(b"s");
    } else if seconds < 3600 {
        put_pair(out, "", seconds / 60, "m");
        put_rest(out, seconds % 60, "s");
    } else {
        put_pair(out, "", seconds / 3600, "h");
        put_rest(out, seconds / 60 % 60, "m");
    }
}

fn put_rest(out: &mut dyn Sink, number: u64, unit: &str) {
    if number > 0 {
        put_pair(out, " ", number, unit);
    }
}

fn put_pair(out: &mut dyn Sink, before: &str, number: u64, unit: &str) {
    before.show(out);
    number.show(out);
    unit.show(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: impl Show) -> std::string::String {
        let mut out = Text::<64>::new();
        put!(out, value);
        out.as_str().into()
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(text(0u64), "0");
        assert_eq!(text(u64::MAX), "18446744073709551615");
        assert_eq!(text(i64::MIN), "-9223372036854775808");
        assert_eq!(text(Hex(0xdead_beef, 9)), "0deadbeef");
        assert_eq!(text(Octal(0o755)), "0755");
        assert_eq!(text(Zeros(42, 6)), "000042");
        assert_eq!(text(Right(7u8, 3)), "  7");
        assert_eq!(text(Left("ab", 4)), "ab  ");
    }

    #[test]
    fn sizes_and_times_read_as_people_write_them() {
        assert_eq!(text(Bytes(512)), "512");
        assert_eq!(text(Bytes(16 << 20)), "16M");
        assert_eq!(text(Bytes((16 << 20) + (1 << 19))), "16.5M");
        assert_eq!(text(Bytes(u64::MAX)), "16777215T");
        assert_eq!(text(Millis(250)), "250ms");
        assert_eq!(text(Millis(1500)), "1.5s");
        assert_eq!(text(Millis(90_000)), "1m 30s");
        assert_eq!(text(Millis(5_400_000)), "1h 30m");
    }

    #[test]
    fn words_numbers_and_c_strings_are_found() {
        assert_eq!(words(b" a  bc d", b' ').collect::<std::vec::Vec<_>>(), [&b"a"[..], b"bc", b"d"]);
        assert_eq!(word_index(b"one two", b' ', b"two"), Some(1));
        assert_eq!(word_index(b"one two", b' ', b"tw"), None);
        assert_eq!(word_index(b"one two", b' ', b""), None);
        assert_eq!(cut(b"a=b=c", b'='), Some((&b"a"[..], &b"b=c"[..])));
        assert_eq!(cut(b"a", b'='), Some((&b"a"[..], &b""[..])));
        assert_eq!(cut(b"", b'='), None);
        assert_eq!(number(b"18446744073709551615", 10), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616", 10), None);
        assert_eq!(number(b"fF", 16), Some(255));
        for none in [&b""[..], b"+1", b"-1", b"1 ", b"f"] {
            assert_eq!(number(none, 10), None);
        }
        assert_eq!(c_str(b"ab\0c\0"), Some(c"ab"));
        assert_eq!(c_str(b"ab"), None);
        let mut text = Text::<8>::new();
        put!(text, "ab");
        assert_eq!(text.as_c_str(), Some(c"ab"));
        text.put(b"\0c");
        assert_eq!(text.as_c_str(), None);
    }

    #[test]
    fn text_that_does_not_fit_ends_in_an_ellipsis() {
        let mut small = Text::<8>::new();
        put!(small, "123456789");
        assert_eq!(small.as_str(), "12345…");
        put!(small, "more");
        assert_eq!(small.as_str(), "12345…");
        assert!(small.as_c_str().is_none());
    }
}

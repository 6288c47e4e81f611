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

use core::ffi::CStr;

/// Something that takes bytes and cannot fail.
pub trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// Something that can be printed for a person.
pub trait Show {
    fn show(&self, out: &mut dyn Sink);
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
        $function($($argument,)+ concat!($($template)*), &[$(&$value as &dyn $crate::text::Show),*])
    };
    ($call:tt [$($template:tt)*] [$($value:expr),*] $literal:literal $(, $($rest:tt)*)?) => {
        $crate::pieces!($call [$($template)* $literal,] [$($value),*] $($($rest)*)?)
    };
    ($call:tt [$($template:tt)*] [$($value:expr),*] $next:expr $(, $($rest:tt)*)?) => {
        $crate::pieces!($call [$($template)* "\0",] [$($value,)* $next] $($($rest)*)?)
    };
}

/// Puts a template, with each NUL in it replaced by the next value. See [`pieces!`](crate::pieces).
pub fn fill(out: &mut dyn Sink, template: &str, values: &[&dyn Show]) {
    let mut values = values.iter();
    for text in template.as_bytes().split(|byte| *byte == 0) {
        if !text.is_empty() {
            out.put(text);
        }
        if let Some(value) = values.next() {
            value.show(out);
        }
    }
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
        CStr::from_bytes_with_nul(self.bytes.get(..=self.length)?).ok()
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
        let free = self.bytes.get_mut(self.length..).unwrap_or(&mut []);
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
        }
        if bytes.len() <= free.len() {
            self.length = self.length.saturating_add(bytes.len());
            return;
        }
        self.length = N;
        if let Some(end) = self.bytes.last_chunk_mut::<{ CUT.len() }>() {
            end.copy_from_slice(CUT);
        }
    }
}

impl Show for str {
    fn show(&self, out: &mut dyn Sink) {
        out.put(self.as_bytes());
    }
}

impl Show for [u8] {
    fn show(&self, out: &mut dyn Sink) {
        out.put(self);
    }
}

impl Show for CStr {
    fn show(&self, out: &mut dyn Sink) {
        out.put(self.to_bytes());
    }
}

impl<const N: usize> Show for Text<N> {
    fn show(&self, out: &mut dyn Sink) {
        out.put(self.as_bytes());
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn show(&self, out: &mut dyn Sink) {
        (**self).show(out);
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
}

impl Show for i64 {
    fn show(&self, out: &mut dyn Sink) {
        if *self < 0 {
            out.put(b"-");
        }
        self.unsigned_abs().show(out);
    }
}

macro_rules! show_as {
    ($wide:ty: $($narrow:ty)*) => {
        $(impl Show for $narrow {
            fn show(&self, out: &mut dyn Sink) {
                (*self as $wide).show(out);
            }
        })*
    };
}
show_as!(u64: u8 u16 u32 usize);
show_as!(i64: i8 i16 i32 isize);

/// A number in hexadecimal, without a prefix.
pub struct Hex(pub u64);

impl Show for Hex {
    fn show(&self, out: &mut dyn Sink) {
        digits(self.0, 16, 1, out);
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
        // Shifts: a division by a unit from a table could be one by zero, for all the compiler knows.
        for (shift, letter) in [(40u32, "T"), (30, "G"), (20, "M"), (10, "K")] {
            let whole = self.0.wrapping_shr(shift);
            if whole > 0 {
                let rest = self.0 ^ whole.wrapping_shl(shift);
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
        self.0.show(out);
    }
}

/// Milliseconds for people: `250ms`, `1.5s`, `2m`, `1h 30m`.
pub struct Millis(pub u64);

impl Show for Millis {
    fn show(&self, out: &mut dyn Sink) {
        let millis = self.0;
        if millis < 1000 {
            put_pair(out, millis, "ms");
        } else if millis < 60_000 {
            (millis / 1000).show(out);
            let tenth = (millis % 1000) / 100;
            if tenth > 0 {
                out.put(b".");
                tenth.show(out);
            }
            out.put(b"s");
        } else if millis < 3_600_000 {
            put_pair(out, millis / 60_000, "m");
            rest(out, (millis / 1000) % 60, "s");
        } else {
            put_pair(out, millis / 3_600_000, "h");
            rest(out, (millis / 60_000) % 60, "m");
        }
    }
}

fn rest(out: &mut dyn Sink, number: u64, unit: &str) {
    if number > 0 {
        out.put(b" ");
        put_pair(out, number, unit);
    }
}

fn put_pair(out: &mut dyn Sink, number: u64, unit: &str) {
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
        assert_eq!(text(Hex(0xdead_beef)), "deadbeef");
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
    fn text_that_does_not_fit_ends_in_an_ellipsis() {
        let mut small = Text::<8>::new();
        put!(small, "123456789");
        assert_eq!(small.as_str(), "12345…");
        put!(small, "more");
        assert_eq!(small.as_str(), "12345…");
        assert!(small.as_c_str().is_none());
    }
}

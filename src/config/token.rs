//! The scalars of TOML: strings and integers, as they stand in the text.
//!
//! A string is never copied while the text is parsed: the tree keeps the raw
//! token, quotes and escapes included, which was checked once when it was
//! scanned, and [`decode`] gives its bytes wherever they are wanted.

use super::problem::Wrong;
use crate::text::{Sink, Text, has};

/// The bytes that a key or string token stands for.
#[inline(never)]
pub(super) fn decode(token: &[u8]) -> Decoded<'_> {
    let body = |quotes: usize| token.get(quotes..token.len().saturating_sub(quotes)).unwrap_or(&[]);
    let (rest, escapes) = match token {
        [b'"', b'"', b'"', _, _, _, ..] => (without_newline(body(3)), true),
        [b'\'', b'\'', b'\'', _, _, _, ..] => (without_newline(body(3)), false),
        [b'"', ..] => (body(1), true),
        [b'\'', ..] => (body(1), false),
        _ => (token, false),
    };
    Decoded { rest, escapes, pending: 0 }
}

/// The beginning of what a token stands for: 32 bytes, longer than any key. What
/// is cut off makes no other key of it.
#[inline(never)]
pub(super) fn word(token: &[u8]) -> Text<32> {
    let mut word = Text::new();
    for byte in decode(token).take(32) {
        word.put(&[byte]);
    }
    word
}

/// Does a token stand for the same bytes as another, or as a plain word does?
#[inline(never)]
pub(super) fn same(token: &[u8], mut other: Decoded) -> bool {
    let mut token = decode(token);
    loop {
        match (token.next(), other.next()) {
            (None, None) => return true,
            (one, other) if one != other => return false,
            _ => {}
        }
    }
}

/// A word as the token of a bare key.
pub(super) fn bare(word: &'static str) -> Decoded<'static> {
    Decoded { rest: word.as_bytes(), escapes: false, pending: 0 }
}

/// A newline right after the opening quotes of a multi-line string is not part of it.
fn without_newline(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\n").or_else(|| text.strip_prefix(b"\r\n")).unwrap_or(text)
}

#[derive(Clone)]
pub(super) struct Decoded<'a> {
    rest: &'a [u8],
    escapes: bool,
    /// Further bytes of a character, lowest first; no character has a zero byte.
    pending: u32,
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            if self.pending != 0 {
                let byte = self.pending as u8;
                self.pending >>= 8;
                return Some(byte);
            }
            let (byte, rest) = self.rest.split_first()?;
            if *byte != b'\\' || !self.escapes {
                self.rest = rest;
                return Some(*byte);
            }
            let escape = escape(self.rest, true).ok()?;
            self.rest = self.rest.get(escape.len..)?;
            let mut bytes = [0; 4];
            if let Some(character) = escape.character {
                character.encode_utf8(&mut bytes);
            }
            self.pending = u32::from_le_bytes(bytes);
        }
    }
}

pub(super) struct Escape {
    /// None: a line that goes on below.
    character: Option<char>,
    /// Bytes of it, the backslash included.
    pub len: usize,
}

/// The escape at the start of `text`.
pub(super) fn escape(text: &[u8], multiline: bool) -> Result<Escape, Wrong> {
    let short = |character| Ok(Escape { character: Some(character), len: 2 });
    match text.get(1).copied().unwrap_or(0) {
        b'b' => short('\u{8}'),
        b't' => short('\t'),
        b'n' => short('\n'),
        b'f' => short('\u{c}'),
        b'r' => short('\r'),
        b'"' => short('"'),
        b'\\' => short('\\'),
        b'u' => unicode(text, 6),
        b'U' => unicode(text, 10),
        b' ' | b'\t' | b'\r' | b'\n' if multiline => line_goes_on(text),
        _ => Err(Wrong::Escape),
    }
}

fn unicode(text: &[u8], len: usize) -> Result<Escape, Wrong> {
    let digits = text.get(2..len).ok_or(Wrong::Escape)?;
    let mut number = 0u32;
    for digit in digits {
        let value = (*digit as char).to_digit(16).ok_or(Wrong::Escape)?;
        number = number.wrapping_shl(4) | value;
    }
    match char::from_u32(number) {
        Some('\0') => Err(Wrong::Nul),
        Some(character) => Ok(Escape { character: Some(character), len }),
        None => Err(Wrong::NotUnicode),
    }
}

/// A backslash at the end of a line takes all white space up to the next text with it.
fn line_goes_on(text: &[u8]) -> Result<Escape, Wrong> {
    let mut rest = text.get(1..).unwrap_or(&[]);
    let mut newline = false;
    loop {
        rest = match rest {
            [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => {
                newline = true;
                rest
            }
            [b' ' | b'\t', rest @ ..] => rest,
            _ => break,
        };
    }
    let len = text.len().saturating_sub(rest.len());
    if newline { Ok(Escape { character: None, len }) } else { Err(Wrong::Escape) }
}

/// An integer token: decimal with a sign, or `0x`, `0o`, `0b`; single underscores between digits.
pub(super) fn integer(token: &[u8]) -> Result<i64, Wrong> {
    let (negative, digits) = match token {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, token),
    };
    let (base, digits) = match (token, digits) {
        ([b'0', b'x', rest @ ..], _) => (16, rest),
        ([b'0', b'o', rest @ ..], _) => (8, rest),
        ([b'0', b'b', rest @ ..], _) => (2, rest),
        (_, [b'0', _, ..]) => return Err(Wrong::Integer),
        _ => (10, digits),
    };
    // Counted downwards, where there is room for one more.
    let mut value = Some(0i64);
    let mut after_digit = false;
    for byte in digits {
        if *byte == b'_' && after_digit {
            after_digit = false;
            continue;
        }
        let digit = (*byte as char).to_digit(base).ok_or(Wrong::Integer)?;
        value = value
            .and_then(|value| value.checked_mul(i64::from(base)))
            .and_then(|value| value.checked_sub(i64::from(digit)));
        after_digit = true;
    }
    if !after_digit {
        return Err(Wrong::Integer);
    }
    if !negative {
        value = value.and_then(i64::checked_neg);
    }
    value.ok_or(Wrong::BigInteger)
}

/// What a token that is no integer was meant to be.
pub(super) fn misread(token: &[u8]) -> Wrong {
    let signed = match token {
        [b'-' | b'+', rest @ ..] => rest,
        _ => token,
    };
    match signed {
        b"inf" | b"nan" => Wrong::Float,
        [b'0'..=b'9', ..] => {
            if has(token, b':') || matches!(signed, [_, _, _, _, b'-', _, _, b'-', ..]) {
                Wrong::Date
            } else if has(token, b'.')
                || ((has(token, b'e') || has(token, b'E')) && !signed.starts_with(b"0x"))
            {
                Wrong::Float
            } else {
                Wrong::Integer
            }
        }
        _ if signed.len() < token.len() => Wrong::Integer,
        _ => Wrong::Word,
    }
}

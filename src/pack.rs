//! What corm says, at little more than half its size.
//!
//! A tenth of the binary would be messages. [`packed!`](crate::packed) rewrites a
//! text while corm is compiled: a byte from 0x80 on, or of a control character that no
//! text has, stands for two others, each of them a letter or such a byte again. [`put`] undoes it, with a table of 256
//! bytes and a few instructions. Text that is searched or compared stays as it is.

use crate::text::Sink;

/// The pairs, written out; each is two earlier ones or letters. They are what pair
/// encoding (the most frequent pair becomes one letter, 149 times) makes of corm's
/// own messages. Others than these give the same texts, in more or fewer bytes.
const FRAGMENTS: [&str; ABOVE + CONTROLS] = [
    "s ", "t ", "e ", "or", "  ", "er", "in", "th", "d ", "no", "an", "ro", "on", ", ", "re", "it", ": ",
    "a ", "es", "not ", "y ", "il", "mo", "st", "de", "is ", "ch", "un", "to", "or ", "    ", "al", "it ",
    "ar", "ne", "pro", "me", "the ", "lo", "ig", "its ", "(E", "se", "f ", "ing", "sy", "up", "ct", "ma",
    "ad", "us", "wor", "er ", "proc", "ou", "ed ", "and ", "cor", "in ", "en", "as ", "dev", "--", "can",
    "ti", "of ", "ab", "le", "gro", "work", "l ", "con", "cannot ", "group", "corm", "ker", "ex", "op",
    "no ", "o ", "at ", "on ", "to ", "co", "kerne", "ith", "ing ", "si", "di", "at", "ign", "na", "cgroup",
    "with", "es ", "le ", "ch ", "s/", "moun", "fil", "an ", "mod", "ac", "mor", "ver", "/proc", "(EN", "li",
    "this ", "ed", "        ", "st ", "sign", "ad ", "worklo", "em", "com", "= ", "; ", "ul", "me ", "too ",
    "/dev", "ts ", "res", "  -", "ap", "lin", "signal", "for ", "dire", "su", "ic", "conf", "ra", "wh",
    "kernel ", " is ", "direct", "director", "corm ", "run", "id", "ke ", "/proc/", "ow", "out ", "be ",
    "qu",
];

/// The bytes that stand for pairs: those from here on …
const FIRST: u8 = 0x80;
const ABOVE: usize = 128;
/// … and these. What is below, from NUL to newline, texts have themselves.
const FIRST_CONTROL: u8 = 0x0b;
const CONTROLS: usize = 21;

/// What a byte stands for, by its distance from [`FIRST`], around the end; zeros: itself.
static PAIRS: [[u8; 2]; ABOVE + 32] = pairs();

/// The byte for a fragment.
const fn code(index: usize) -> u8 {
    if index < ABOVE { FIRST + index as u8 } else { FIRST_CONTROL + (index - ABOVE) as u8 }
}

/// The fragment that a byte stands for.
const fn fragment(byte: u8) -> Option<usize> {
    match byte {
        FIRST.. => Some((byte - FIRST) as usize),
        FIRST_CONTROL..0x20 => Some(ABOVE + (byte - FIRST_CONTROL) as usize),
        _ => None,
    }
}

/// A fragment of fragments of … this often at most, or it does not compile.
const DEPTH: usize = 8;

/// Packs a text that is known while compiling; a NUL stays one.
#[macro_export]
macro_rules! packed {
    ($text:expr) => {{
        const TEXT: &[u8] = $text.as_bytes();
        const PACKED: [u8; $crate::pack::length(TEXT)] = $crate::pack::pack(TEXT);
        $crate::pack::Packed(&PACKED)
    }};
}

/// A packed text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packed(pub &'static [u8]);

impl Packed {
    pub const EMPTY: Packed = Packed(&[]);

    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Puts what a byte of a packed text stands for.
pub fn put(byte: u8, out: &mut dyn Sink) {
    // What is still to be put, the next of it last.
    let mut left = [byte; DEPTH];
    let mut count = 1usize;
    while let Some(next) = count.checked_sub(1) {
        let Some((byte, above)) = left.get_mut(next..).and_then(<[u8]>::split_first_mut) else { return };
        match PAIRS.get(usize::from(byte.wrapping_sub(FIRST))) {
            Some([first, second]) if *first != 0 => {
                *byte = *second;
                if let Some(above) = above.first_mut() {
                    *above = *first;
                }
                count = count.saturating_add(1);
            }
            _ => {
                out.put(&[*byte]);
                count = next;
            }
        }
    }
}

/// The length of a text when packed.
pub const fn length(text: &[u8]) -> usize {
    ways(text)[0].length as usize
}

/// `N` is the text's [`length`].
pub const fn pack<const N: usize>(text: &[u8]) -> [u8; N] {
    let ways = ways(text);
    let mut packed = [0; N];
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        packed[to] = ways[from].byte;
        from += width(ways[from].byte);
        to += 1;
    }
    packed
}

/// The shortest way to write a text from some place on: with this byte first.
#[derive(Clone, Copy)]
struct Way {
    byte: u8,
    length: u16,
}

/// The fragments that begin with a letter, counted from 1: looking through all of them
/// would make corm a slow thing to compile. 0 ends a chain.
struct Chains {
    first: [usize; FIRST as usize],
    next: [usize; FRAGMENTS.len() + 1],
}

const CHAINS: Chains = {
    let mut chains = Chains { first: [0; FIRST as usize], next: [0; FRAGMENTS.len() + 1] };
    let mut index = 0;
    while index < FRAGMENTS.len() {
        let letter = FRAGMENTS[index].as_bytes()[0] as usize;
        index += 1;
        chains.next[index] = chains.first[letter];
        chains.first[letter] = index;
    }
    chains
};

/// Texts are shorter.
const LONGEST: usize = 4096;

const fn ways(text: &[u8]) -> [Way; LONGEST] {
    let mut ways = [Way { byte: 0, length: 0 }; LONGEST];
    let mut at = text.len();
    while at > 0 {
        at -= 1;
        assert!(fragment(text[at]).is_none(), "a packed text is ASCII");
        let mut best = Way { byte: text[at], length: ways[at + 1].length + 1 };
        let mut link = CHAINS.first[text[at] as usize];
        while link > 0 {
            let fragment = FRAGMENTS[link - 1].as_bytes();
            if begins_with(text, at, fragment) {
                let length = ways[at + fragment.len()].length + 1;
                if length < best.length {
                    best = Way { byte: code(link - 1), length };
                }
            }
            link = CHAINS.next[link];
        }
        ways[at] = best;
    }
    ways
}

const fn begins_with(text: &[u8], at: usize, start: &[u8]) -> bool {
    if text.len() - at < start.len() {
        return false;
    }
    let mut index = 0;
    while index < start.len() {
        if text[at + index] != start[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// How many letters a byte stands for.
const fn width(byte: u8) -> usize {
    match fragment(byte) {
        Some(index) => FRAGMENTS[index].len(),
        None => 1,
    }
}

const fn pairs() -> [[u8; 2]; ABOVE + 32] {
    let mut pairs = [[0; 2]; ABOVE + 32];
    let mut depths = [1; FRAGMENTS.len()];
    let mut index = 0;
    while index < FRAGMENTS.len() {
        let text = FRAGMENTS[index].as_bytes();
        let place = code(index).wrapping_sub(FIRST) as usize;
        let mut cut = 1;
        while cut < text.len() {
            let (first, second) = text.split_at(cut);
            if let (Some(first), Some(second)) = (earlier(first, index), earlier(second, index)) {
                pairs[place] = [first, second];
                // The second one waits while the first is put.
                let (below, beside) = (depth(first, &depths) + 1, depth(second, &depths));
                depths[index] = if below > beside { below } else { beside };
                assert!(depths[index] <= DEPTH);
            }
            cut += 1;
        }
        assert!(pairs[place][0] != 0, "a fragment is two earlier ones or letters");
        index += 1;
    }
    pairs
}

const fn depth(byte: u8, depths: &[usize]) -> usize {
    match fragment(byte) {
        Some(index) => depths[index],
        None => 1,
    }
}

/// The byte for a letter or for a fragment before `end`.
const fn earlier(text: &[u8], end: usize) -> Option<u8> {
    if text.len() == 1 {
        return Some(text[0]);
    }
    let mut index = 0;
    while index < end {
        let fragment = FRAGMENTS[index].as_bytes();
        if fragment.len() == text.len() && begins_with(text, 0, fragment) {
            return Some(code(index));
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8]) -> std::string::String {
        let mut out = crate::text::Text::<256>::new();
        for byte in packed {
            put(*byte, &mut out);
        }
        out.as_str().into()
    }

    #[test]
    fn what_is_packed_comes_back() {
        let packed =
            packed!("cannot mount \0 on \0: it must be a directory there, not a symlink; \u{7f}\t\n");
        assert_eq!(
            unpacked(packed.0),
            "cannot mount \0 on \0: it must be a directory there, not a symlink; \u{7f}\t\n"
        );
        assert!(packed.0.len() < 50, "{}", packed.0.len());
        assert!(packed!("").is_empty());
    }

    #[test]
    fn every_byte_stands_for_its_fragment() {
        for (index, text) in FRAGMENTS.iter().enumerate() {
            assert_eq!(unpacked(&[code(index)]), *text);
            assert_eq!(fragment(code(index)), Some(index));
        }
        assert!((0..=b'\n').chain(b' '..FIRST).all(|letter| fragment(letter).is_none()));
    }
}

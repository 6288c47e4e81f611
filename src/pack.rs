//! What corm says, at little more than half its size.
//!
//! A tenth of the binary would be messages. [`packed!`](crate::packed) rewrites a
//! text while corm is compiled: a byte from 0x80 on stands for two others, each
//! of them a letter or such a byte again. [`put`] undoes it, with a table of 256
//! bytes and a few instructions. Text that is searched or compared stays as it is.

use crate::text::Sink;

/// The pairs, written out; each is two earlier ones or letters. They are what pair
/// encoding (the most frequent pair becomes one letter, 128 times) makes of corm's
/// own messages. Others than these give the same texts, in more or fewer bytes.
const FRAGMENTS: [&str; 128] = [
    "t ", "s ", "e ", "no", "or", "th", "er", " i", "an", ": ", "d ", "re", "ou", "in", "not ", "on", "ts ",
    "(E", "st", "le", "ne", ", ", "de", "ro", "can", "y ", "the ", "cannot ", "  ", "a ", "fi", "ch", "ar",
    "lo", "to", "ad", "l ", "me", "is ", "ma", "its ", "no ", "sy", "dev", "cor", "corm", "at", "us", "ker",
    "kerne", "n ", "or ", "of", "il", "oun", "it ", "gr", "er ", "pro", "moun", "al", "ct", "ing", "and ",
    "o ", " is ", "grou", "group", "ce", "wor", "work", "kernel ", "mo", "cgroup", "le ", "res", "ex", "it",
    "ed ", "di", " its ", " it ", "ith", "em", "li", "con", "op", "(EN", "too ", "na", "es ", "00", "with",
    "mod", "modu", "on ", "ce ", "out ", "un", "at ", "as ", "ke ", "si", "ck", "this ", "me ", "c ", "of ",
    "corm ", "ces", "ch ", "file", "s: ", "mount ", "ab", "fs ", "(ENO", "make ", "roo", "cu", "worklo",
    "co", "mor", "module", "ad ", "s/", "confi", "config",
];

/// What the bytes from this one on stand for is in [`PAIRS`].
const FIRST: u8 = 0x80;
static PAIRS: [[u8; 2]; FRAGMENTS.len()] = pairs();

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
        match byte.checked_sub(FIRST).and_then(|index| PAIRS.get(usize::from(index))) {
            Some([first, second]) => {
                *byte = *second;
                if let Some(above) = above.first_mut() {
                    *above = *first;
                }
                count = count.saturating_add(1);
            }
            None => {
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

/// The fragments that begin with a letter: looking through all of them would make
/// corm a slow thing to compile. 0 ends a chain.
struct Chains {
    first: [u8; FIRST as usize],
    next: [u8; FRAGMENTS.len()],
}

const CHAINS: Chains = {
    let mut chains = Chains { first: [0; FIRST as usize], next: [0; FRAGMENTS.len()] };
    let mut index = 0;
    while index < FRAGMENTS.len() {
        let letter = FRAGMENTS[index].as_bytes()[0] as usize;
        chains.next[index] = chains.first[letter];
        chains.first[letter] = FIRST + index as u8;
        index += 1;
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
        assert!(text[at] < FIRST, "a packed text is ASCII");
        let mut best = Way { byte: text[at], length: ways[at + 1].length + 1 };
        let mut link = CHAINS.first[text[at] as usize];
        while link >= FIRST {
            let index = (link - FIRST) as usize;
            let fragment = FRAGMENTS[index].as_bytes();
            if begins_with(text, at, fragment) {
                let length = ways[at + fragment.len()].length + 1;
                if length < best.length {
                    best = Way { byte: link, length };
                }
            }
            link = CHAINS.next[index];
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
    if byte < FIRST { 1 } else { FRAGMENTS[(byte - FIRST) as usize].len() }
}

const fn pairs() -> [[u8; 2]; FRAGMENTS.len()] {
    let mut pairs = [[0; 2]; FRAGMENTS.len()];
    let mut depths = [1; FRAGMENTS.len()];
    let mut index = 0;
    while index < FRAGMENTS.len() {
        let text = FRAGMENTS[index].as_bytes();
        let mut cut = 1;
        while cut < text.len() {
            let (first, second) = text.split_at(cut);
            if let (Some(first), Some(second)) = (earlier(first, index), earlier(second, index)) {
                pairs[index] = [first, second];
                // The second one waits while the first is put.
                let (below, beside) = (depth(first, &depths) + 1, depth(second, &depths));
                depths[index] = if below > beside { below } else { beside };
                assert!(depths[index] <= DEPTH);
            }
            cut += 1;
        }
        assert!(pairs[index][0] != 0, "a fragment is two earlier ones or letters");
        index += 1;
    }
    pairs
}

const fn depth(byte: u8, depths: &[usize]) -> usize {
    if byte < FIRST { 1 } else { depths[(byte - FIRST) as usize] }
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
            return Some(FIRST + index as u8);
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
        for (fragment, byte) in FRAGMENTS.iter().zip(FIRST..=u8::MAX) {
            assert_eq!(unpacked(&[byte]), *fragment);
        }
    }
}

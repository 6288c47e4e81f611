//! "Did you mean …?"

/// Longer words are not compared: no key or command is.
const MOST: usize = 32;

/// The candidate that `word` is most likely a misspelling of.
pub fn nearest<'a>(word: &[u8], candidates: &mut dyn Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let mut best = None;
    let mut least = match word.len() {
        0..=3 => 2,
        4..=9 => 3,
        _ => 4,
    };
    for candidate in candidates {
        let far = distance(word, candidate);
        if far < least && far < candidate.len() {
            (best, least) = (Some(candidate), far);
        }
    }
    best
}

/// Levenshtein's distance: letters to add, drop or replace to get from one to
/// the other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len() > MOST || other.len() > MOST {
        return usize::MAX;
    }
    // row[n]: from what was seen of `one` to the first n letters of `other`.
    let mut row = [0usize; MOST + 1];
    for (count, cell) in row.iter_mut().enumerate() {
        *cell = count;
    }
    for (seen, letter) in one.iter().enumerate() {
        let mut diagonal = seen;
        let mut left = seen.saturating_add(1);
        for (cell, wanted) in row.iter_mut().skip(1).zip(other) {
            let replaced = diagonal.saturating_add(usize::from(letter != wanted));
            diagonal = *cell;
            left = replaced.min(left.min(*cell).saturating_add(1));
            *cell = left;
        }
        if let Some(empty) = row.first_mut() {
            *empty = seen.saturating_add(1);
        }
    }
    row.get(other.len()).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_its_word_and_a_stranger_finds_none() {
        let words: [&[u8]; 4] = [b"memory", b"memory-high", b"env", b"cpu"];
        let near = |word: &str| nearest(word.as_bytes(), &mut words.into_iter());
        assert_eq!(near("memroy"), Some(b"memory".as_slice()));
        assert_eq!(near("memory_high"), Some(b"memory-high".as_slice()));
        assert_eq!(near("evn"), None.or(Some(b"env".as_slice()).filter(|_| distance(b"evn", b"env") < 2)));
        assert_eq!(near("cpus"), Some(b"cpu".as_slice()));
        assert_eq!(near("colour"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"m".repeat(99)), None);
    }

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b""), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
    }
}

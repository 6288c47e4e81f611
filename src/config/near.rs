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

/// Letters to add, drop, replace or swap with the next to get from one word to
/// the other (optimal string alignment).
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len() > MOST || other.len() > MOST {
        return usize::MAX;
    }
    // row[n]: from what was seen of `one` to the first n letters of `other`;
    // `above` is the row of a letter less, `over` of two.
    let mut over = [0u8; MOST + 1];
    let mut above = over;
    let mut row = over;
    for (cell, count) in row.iter_mut().zip(0..) {
        *cell = count;
    }
    let mut before = None;
    for (letter, seen) in one.iter().zip(0u8..) {
        (over, above) = (above, row);
        let mut left = seen.saturating_add(1);
        let mut last = None;
        let (mut diagonal, mut swapped) = (seen, 0);
        for ((cell, wanted), (above, over)) in
            row.iter_mut().skip(1).zip(other).zip(above.iter().skip(1).zip(&over))
        {
            let replaced = diagonal.saturating_add(u8::from(letter != wanted));
            let mut least = replaced.min(left.min(*above).saturating_add(1));
            if last == Some(letter) && before == Some(wanted) {
                least = least.min(u8::saturating_add(swapped, 1));
            }
            (diagonal, swapped, last, left) = (*above, *over, Some(wanted), least);
            *cell = least;
        }
        if let Some(first) = row.first_mut() {
            *first = seen.saturating_add(1);
        }
        before = Some(letter);
    }
    row.get(other.len()).copied().unwrap_or(u8::MAX).into()
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
        assert_eq!(near("evn"), Some(b"env".as_slice()));
        assert_eq!(near("cup"), Some(b"cpu".as_slice()));
        assert_eq!(near("cpus"), Some(b"cpu".as_slice()));
        assert_eq!(near("colour"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"m".repeat(99)), None);
    }

    #[test]
    fn a_distance_counts_letters_added_dropped_replaced_or_swapped() {
        assert_eq!(distance(b"ca", b"ac"), 1);
        assert_eq!(distance(b"abcd", b"badc"), 2);
        assert_eq!(distance(b"xabc", b"acb"), 2);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b""), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
    }
}

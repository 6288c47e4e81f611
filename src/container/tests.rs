//! What an init's help says is what it takes, and how numbers are read.

use super::options::{find, limit, number};
use super::persona::Kind;

/// The letters of its options, each that takes an argument with a colon.
fn letters(kind: Kind) -> String {
    let known = |letter: &u8| find(kind, *letter, &[*letter]);
    let letters = (b'A'..=b'z').filter_map(|letter| known(&letter));
    letters
        .map(|known| format!("{}{}", known.letter as char, if known.argument { ":" } else { "" }))
        .collect()
}

#[test]
fn the_help_is_the_table_of_options() {
    assert_eq!(letters(Kind::Tini), "e:ghlp:svw");
    assert_eq!(letters(Kind::DumbInit), "Vchr:v");
    assert_eq!(letters(Kind::Catatonit), "LPVgh");
    assert_eq!(letters(Kind::Corm), "PSVce:ghik:l:np:r:u:vw");
    assert_eq!(find(Kind::Tini, b'-', b"-"), None, "tini's --version is no option");
}

#[test]
fn a_long_option_goes_by_a_beginning_that_fits_no_other() {
    let letter = |name: &str| find(Kind::DumbInit, 0, name.as_bytes()).map(|known| known.letter as char);
    assert_eq!(letter("rewrite"), Some('r'));
    assert_eq!(letter("si"), Some('c'));
    assert_eq!(letter("ver"), None, "--verbose or --version");
    assert_eq!(letter(""), None);
    assert_eq!(letter("rewrites"), None);
    assert_eq!(find(Kind::Catatonit, 0, b"").map(|known| known.letter), Some(b'V'), "it has no other");
}

#[test]
fn numbers_are_read_as_strtol_reads_them() {
    assert_eq!(number(b" +5x"), Some((5, b"x".as_slice())));
    assert_eq!(number(b"-1"), Some((-1, b"".as_slice())));
    assert_eq!(number(b""), None);
    assert_eq!(number(b"- 1"), None);
    assert_eq!(number(b"99999999999999999999"), Some((i64::MAX, b"".as_slice())));
}

#[test]
fn a_limit_is_a_resource_with_one_value_or_two() {
    assert_eq!(limit(b"nofile=1024"), Some((7, 1024, 1024)));
    assert_eq!(limit(b"core=0:unlimited"), Some((4, 0, u64::MAX)));
    assert_eq!(limit(b"as=1G"), Some((9, 1 << 30, 1 << 30)));
    for wrong in ["nofile", "nofile=", "files=1", "nofile=2:1", "nofile=1:2:3"] {
        assert_eq!(limit(wrong.as_bytes()), None, "{wrong}");
    }
}

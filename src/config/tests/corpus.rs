//! `tests/config/good/*.toml` must be fine. `tests/config/bad/*.toml` must give
//! exactly the report in the `.expect` file beside it; `CORM_BLESS=1 cargo test
//! corpus` writes those anew, for a person to read.

use super::*;

#[test]
fn every_good_document_is_fine() {
    for path in corpus("good") {
        let text = std::fs::read(&path).unwrap();
        let read = read_files(&[("corm.toml", &text)]);
        assert!(read.problems.is_empty(), "{}:\n{}", path.display(), read.problems.concat());
        assert_eq!(read.outcome, Outcome::default());
    }
}

#[test]
fn every_bad_document_is_reported_as_expected() {
    let bless = std::env::var_os("CORM_BLESS").is_some();
    let mut wrong = Vec::new();
    for path in corpus("bad") {
        let text = std::fs::read(&path).unwrap();
        let read = read_files(&[("corm.toml", &text)]);
        let report = read.problems.concat();
        let expected = path.with_extension("expect");
        if bless {
            std::fs::write(&expected, &report).unwrap();
        }
        if read.problems.is_empty() || std::fs::read_to_string(&expected).ok() != Some(report.clone()) {
            wrong.push(format!("{}:\n{report}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn every_document_that_is_toml_means_what_it_means_to_the_toml_crate() {
    for path in corpus("good").into_iter().chain(corpus("bad")) {
        assert_means_the_same(&std::fs::read(&path).unwrap(), &path.display());
    }
}

#[test]
fn the_corpus_is_large() {
    assert!(corpus("good").len() + corpus("bad").len() >= 200);
}

//! What the pure parts decide, and real starts where the tests run as root.

mod devices;
mod plan;
mod report;
mod run;

use crate::config::{self, Config, Report, Shown, Sources, Tree, WorkloadId};
use std::boxed::Box;

/// A config that must be right.
fn config(text: &str) -> Box<Config> {
    struct Refuse;
    impl Report for Refuse {
        fn problem(&mut self, problem: &Shown) {
            panic!("the test's config is wrong: {}", super::tests::text(problem));
        }
    }
    let mut sources = Box::new(Sources::EMPTY);
    let mut tree = Box::new(Tree::EMPTY);
    let mut config = Box::new(Config::EMPTY);
    sources.add(b"test.toml", text.as_bytes()).expect("the test's config fits");
    config::read(&sources, &mut tree, &mut config, &mut Refuse);
    config
}

const FIRST: WorkloadId = WorkloadId(0);

fn text(value: &dyn crate::text::Show) -> std::string::String {
    struct Collect(std::vec::Vec<u8>);
    impl crate::text::Sink for Collect {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let mut collect = Collect(std::vec::Vec::new());
    value.show(&mut collect);
    std::string::String::from_utf8(collect.0).expect("text is UTF-8")
}

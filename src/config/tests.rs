//! The reader against a corpus of documents, against the `toml` crate, and
//! against documents nobody wrote.

use super::*;
use crate::text::{Show, Sink};
use std::string::String;
use std::vec::Vec;

/// All a reader needs, boxed: it is too large for a test's stack.
struct Read {
    sources: Box<Sources>,
    tree: Box<Tree>,
    config: Box<Config>,
    outcome: Outcome,
    /// Each problem as it is printed.
    problems: Vec<String>,
}

struct Collect(String);

impl Sink for Collect {
    fn put(&mut self, bytes: &[u8]) {
        self.0.push_str(core::str::from_utf8(bytes).expect("what is printed is UTF-8"));
    }
}

impl Report for Vec<String> {
    fn problem(&mut self, problem: &Shown) {
        let mut text = Collect(String::new());
        problem.show(&mut text);
        self.push(text.0);
    }
}

fn boxed<T>(value: T) -> Box<T> {
    Box::new(value)
}

fn read_files(files: &[(&str, &[u8])]) -> Read {
    let mut sources = boxed(Sources::EMPTY);
    for (name, text) in files {
        sources.add(name.as_bytes(), text).expect("the text fits");
    }
    let (mut tree, mut config) = (boxed(Tree::EMPTY), boxed(Config::EMPTY));
    let mut problems = Vec::new();
    let outcome = read(&sources, &mut tree, &mut config, &mut problems);
    Read { sources, tree, config, outcome, problems }
}

fn read_text(text: &str) -> Read {
    read_files(&[("corm.toml", text.as_bytes())])
}

#[test]
fn a_plain_config_is_read() {
    let text = r#"
[system]
hostname = "edge-01"
modules = ["virtio_net"]
sysctl = { "kernel.panic" = 10 }
on-failure = "halt"
exit-with = "web"

[mount."/data"]
source = "/dev/vda"
type = "ext4"
options = ["noatime"]

[network]
eth0 = { address = "10.0.2.15/24", gateway = "10.0.2.2" }

[workload.broker]
command = ["/bin/broker"]

[workload.web]
command = ["/bin/httpd", "-f"]
root = "/srv/web"
after = ["broker"]
stop = { signal = "INT", timeout = "2m" }
memroy = 3
[workload.web.limits]
memory = "64M"
cpu = "50%"
[workload.web.volumes]
"/www" = { source = "/data/www" }
"/tmp" = { tmpfs = "8M" }
"#;
    let read = read_text(text);
    for problem in &read.problems {
        println!("{problem}");
    }
    println!("{:?} {}", read.outcome, core::mem::size_of::<Config>());
}

//! Documents nobody wrote: whatever corm accepts, the `toml` crate accepts with
//! the same meaning; whatever it is given, it ends, and keeps its promises.

use super::*;
use proptest::prelude::*;

/// Pieces that documents are made of, and some that break them.
const PIECES: &[&str] = &[
    "[system]",
    "[workload.web]",
    "[workload.db.limits]",
    "[mount.\"/data\"]",
    "[network]",
    "[workload]",
    "[",
    "]",
    "{",
    "}",
    "[[",
    "]]",
    "hostname",
    "modules",
    "command",
    "limits",
    "memory",
    "after",
    "web",
    "db",
    "volumes",
    "\"/tmp\"",
    "tmpfs",
    "a",
    "b",
    "a.b",
    "a.b.c",
    "'q'",
    "\"q\"",
    "=",
    " = ",
    ".",
    ",",
    ", ",
    "\n",
    "\n\n",
    "\r\n",
    " ",
    "\t",
    "# c",
    "#",
    "\\",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "\"x\"",
    "'x'",
    "\"\\u00e9\"",
    "\"\\n\"",
    "\"\"",
    "\"\"\"\nx\\\n  y\"\"\"",
    "'''\nx'''",
    "\"64M\"",
    "1",
    "0",
    "-1",
    "+7",
    "0x1F",
    "0o7",
    "0b1",
    "1_0",
    "01",
    "1__0",
    "1.5",
    "1e3",
    "inf",
    "true",
    "false",
    "1979-05-27",
    "é",
    "🙂",
    "\u{1}",
    "\u{7f}",
    "[1, 2]",
    "[ \"a\", \"b\", ]",
    "{ a = 1 }",
    "{ a.b = 1, c = [] }",
    "{}",
    "[]",
    "[[1], [\"x\"]]",
];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat())
}

/// Lines that are mostly right, so that whole documents are.
fn lines() -> impl Strategy<Value = String> {
    let key = prop::sample::select(
        &["a", "b", "c", "a.b", "a.c", "b.a.c", "\"a\"", "'b'", "\"\\u0061\"", "1", "-", "a . b"][..],
    );
    let value = prop::sample::select(
        &[
            "1",
            "-0",
            "0xff",
            "\"x\"",
            "'x'",
            "true",
            "[]",
            "[1, [2, 'x'], ]",
            "{}",
            "{ a = 1 }",
            "{ a.b = 1, a.c = {} }",
            "[{ a = 1 }, { b = 2 }]",
            "\"\"\"\na\n\"\"\"",
            "'''a'b'''",
            "[\n1,\n# c\n2]",
            "1.5",
        ][..],
    );
    let line = prop_oneof![
        6 => (key.clone(), value).prop_map(|(key, value)| format!("{key} = {value}")),
        3 => key.prop_map(|key| format!("[{key}]")),
        1 => Just("# comment".to_string()),
        1 => Just(String::new()),
    ];
    prop::collection::vec(line, 0..9).prop_map(|lines| lines.join("\n"))
}

/// A document of the corpus with a few bytes changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<Vec<u8>> = corpus("good").into_iter().map(|path| std::fs::read(path).unwrap()).collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4u8, prop::sample::select(PIECES));
    (prop::sample::select(texts), prop::collection::vec(change, 1..4)).prop_map(|(mut text, changes)| {
        for (place, byte, how, piece) in changes {
            let at = place.index(text.len() + 1);
            match how {
                0 if at < text.len() => text[at] = byte,
                1 if at < text.len() => drop(text.remove(at)),
                2 => text.insert(at, byte),
                _ => drop(text.splice(at..at, piece.bytes())),
            }
        }
        text
    })
}

fn keeps_its_promises(text: &[u8]) {
    assert_means_the_same(text, &"generated");
    let read = read_files(&[("corm.toml", text)]);
    assert_eq!(read.problems.len(), usize::from(read.outcome.problems.min(crate::limits::CONFIG_PROBLEMS)));
    for problem in &read.problems {
        assert!(problem.lines().count() >= 3 && problem.starts_with("corm.toml:"), "{problem}");
        assert!(problem.bytes().all(|byte| byte == b'\n' || byte >= b' '), "{problem:?}");
    }
    for workload in &read.config.workloads {
        assert!(!read.config.words(workload.command).is_empty());
        let there = |id: &WorkloadId| read.config.workload(*id).is_some();
        assert!(read.config.edges(workload.after).iter().all(|id| *id == WorkloadId::LEFT_OUT || there(id)));
        assert_eq!(read.config.c_str(workload.name).to_bytes(), read.config.bytes(workload.name));
    }
    if let Some(id) = read.config.system.exit_with {
        assert!(read.config.workload(id).is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn soup_means_what_it_means_to_the_toml_crate(text in soup()) {
        keeps_its_promises(text.as_bytes());
    }

    #[test]
    fn lines_mean_what_they_mean_to_the_toml_crate(text in lines()) {
        keeps_its_promises(text.as_bytes());
    }

    #[test]
    fn changed_documents_mean_what_they_mean_to_the_toml_crate(text in mutated()) {
        keeps_its_promises(&text);
    }

    /// The other way round: what is of our subset is accepted.
    #[test]
    fn what_the_toml_crate_writes_is_read(table in table()) {
        let text = ::toml::to_string(&table).unwrap();
        let read = read_text(&text);
        prop_assert!(read.is_toml(), "{}\n{}", text, read.problems.concat());
        prop_assert_eq!(read.value(), ::toml::Value::Table(table));
    }
}

fn table() -> impl Strategy<Value = ::toml::Table> {
    use ::toml::Value;
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        "[^\0]{0,12}".prop_map(Value::String),
    ];
    // No tables in arrays: the crate writes them as [[...]].
    let array = prop::collection::vec(leaf.clone(), 0..4).prop_map(Value::Array);
    let value = prop_oneof![3 => leaf, 1 => array].prop_recursive(3, 24, 4, |inner| {
        prop::collection::btree_map("[^\0]{0,5}", inner, 0..4)
            .prop_map(|map| Value::Table(map.into_iter().collect()))
    });
    prop::collection::btree_map("[^\0]{0,5}", value, 0..5).prop_map(|map| map.into_iter().collect())
}

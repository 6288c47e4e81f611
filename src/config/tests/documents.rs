//! What happens across files, after an error, and at the capacities.

use super::*;

#[test]
fn a_drop_in_adds_workloads_tables_and_keys() {
    let read = read_files(&[
        ("corm.toml", b"[system]\nhostname = \"a\"\n[workload.web]\ncommand = [\"/bin/web\"]\n"),
        ("corm.d/1.toml", b"[workload.db]\ncommand = [\"/bin/db\"]\n[workload.web.limits]\npids = 3\n"),
        ("corm.d/2.toml", b"system.on-failure = \"halt\"\nworkload.web.limits.files = 4\n"),
        ("corm.d/3.toml", b"[workload.web]\nafter = [\"db\"]\n[workload.web.limits]\nmemory = \"1M\"\n"),
    ]);
    assert_eq!(read.problems, Vec::<String>::new());
    assert_eq!(read.config.system.on_failure, OnFailure::Halt);
    assert!(read.config.system.hostname.is_some());
    let [web, db] = read.config.workloads.as_slice() else { panic!() };
    assert_eq!((read.name(web), read.name(db)), ("web", "db"));
    assert_eq!(read.config.limit(web, Limit::Pids), Some(3));
    assert_eq!(read.config.limit(web, Limit::Files), Some(4));
    assert_eq!(read.config.limit(web, Limit::Memory), Some(1 << 20));
    assert_eq!(read.config.edges(web.after), [WorkloadId(1)]);
}

#[test]
fn a_key_defined_twice_across_files_names_both_places() {
    let main = b"[system]\nhostname = \"a\"\n[workload.web]\ncommand = [\"/bin/web\"]\nuser = 1\n";
    let read = read_files(&[
        ("/etc/corm.toml", main),
        ("/etc/corm.d/1.toml", b"# mine\n[workload.web]\n  user = 2\n"),
    ]);
    assert_eq!(
        read.problems,
        ["/etc/corm.d/1.toml:3:3: `user` is defined twice
    3 |   user = 2
      |   ^^^^ first at /etc/corm.toml:5:1
      = skipped up to the next [table]
      = workload `web` is left out
"]
    );
    assert!(read.config.workloads.is_empty());
    assert!(read.config.system.hostname.is_some());
}

#[test]
fn an_inline_table_of_another_file_is_closed() {
    let read = read_files(&[
        ("1.toml", b"[workload.web]\ncommand = [\"/bin/web\"]\nlimits = { pids = 1 }\n"),
        ("2.toml", b"[workload.web.limits]\nfiles = 2\n"),
    ]);
    assert!(read.problems.concat().contains("2.toml:1:15: `limits` is defined twice"), "{:?}", read.problems);
    assert!(read.config.workloads.is_empty());
}

#[test]
fn each_file_alone_is_held_to_toml() {
    let twice = b"[system]\nhostname = \"a\"\n[system]\n";
    assert_eq!(read_files(&[("1.toml", b"[system]\n"), ("2.toml", twice)]).problems.len(), 1);
    let dotted = b"[workload.a.limits]\n[workload]\na.limits.pids = 1\n";
    assert_eq!(
        read_files(&[("1.toml", b"[workload.a]\ncommand = [\"/a\"]\n"), ("2.toml", dotted)]).problems.len(),
        1
    );
}

#[test]
fn a_syntax_error_costs_its_table_and_no_other() {
    let read = read_text(
        "[workload.a]\ncommand = [\"/a\"]\n\n[workload.b]\ncommand = [\"/b]\nlimits = { pids = 1 }\n\n\
         [workload.b.security]\n\n[workload.c]\ncommand = [\"/c\"]\n[mount.\"/x\"]\ntype = tmpfs\n[mount.\"/y\"]\ntype = \"tmpfs\"\n",
    );
    assert_eq!(read.outcome, Outcome { problems: 2, left_out: 2 });
    let names: Vec<_> = read.config.workloads.iter().map(|workload| read.name(workload)).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(read.config.mounts.len(), 1);
}

/// What was lost could have been a limit or a wall.
#[test]
fn a_workload_with_a_damaged_table_anywhere_does_not_run() {
    for damaged in [
        "[workload.web.limits]\nmemory = 64M\n",
        "[workload.web.limits\nmemory = \"64M\"\n",
        "[workload.web.limits] memory = \"64M\"\n",
        "[workload]\nweb.limits.memory = 64M\n",
        "workload.web.limits.memory = 64M\n",
        "[workload]\nweb = { user = 5, }\n",
        "[workload.web.limits]\npids = 1\npids = 2\n",
        "[workload.web.limits]\n[workload.web.limits]\n",
        "[workload.web.security]\nfoo = [\n[workload.x]\ncommand = [\"/x\"]\n",
        "[workload.web.limits.\npids = 1\n",
        "[workload.web]\nuser = 5 5\n",
        "[workload.web]\n\u{1}\n",
    ] {
        let read = read_files(&[
            ("1.toml", damaged.as_bytes()),
            ("2.toml", b"[workload.web]\ncommand = [\"/web\"]\n"),
        ]);
        assert!(read.outcome.problems > 0);
        assert!(!read.config.workloads.iter().any(|workload| read.name(workload) == "web"), "{damaged}");
    }
}

#[test]
fn what_system_says_before_an_error_counts() {
    let read = read_text("[system]\nhostname = \"a\"\nmodules = [\"x\", 'y]\non-failure = \"halt\"\n");
    assert_eq!(read.outcome.problems, 1);
    assert!(read.config.system.hostname.is_some());
    assert!(read.config.system.modules.is_empty());
    assert_eq!(read.config.system.on_failure, OnFailure::Reboot);
}

#[test]
fn a_workload_that_waits_for_one_that_is_left_out_runs_without_it() {
    let read = read_text("[workload.a]\ncommand = [\"/a\"]\nafter = [\"b\"]\n[workload.b]\n");
    assert_eq!(read.outcome, Outcome { problems: 1, left_out: 1 });
    assert_eq!(read.config.workloads.len(), 1);
    assert!(read.config.edges(read.config.workloads[0].after).is_empty());
}

#[test]
fn a_cycle_costs_one_workload() {
    let read = read_text(
        "[workload.a]\ncommand = [\"/a\"]\nafter = [\"b\"]\n[workload.b]\ncommand = [\"/b\"]\nafter = [\"c\"]\n\
         [workload.c]\ncommand = [\"/c\"]\nafter = [\"a\"]\n[workload.d]\ncommand = [\"/d\"]\nafter = [\"c\"]\n",
    );
    assert_eq!(read.outcome, Outcome { problems: 1, left_out: 1 });
    assert!(read.problems[0].contains("a -> b -> c -> a"), "{}", read.problems[0]);
    let names: Vec<_> = read.config.workloads.iter().map(|workload| read.name(workload)).collect();
    assert_eq!(names, ["a", "b", "d"]);
}

#[test]
fn a_chain_through_all_workloads_is_no_cycle_and_its_closing_is_one() {
    let chain = |last: usize| {
        let mut text = String::new();
        for index in 0..crate::limits::WORKLOADS {
            let next = if index == 255 { last } else { index + 1 };
            text += &format!("[workload.w{index}]\ncommand = [\"/a\"]\nafter = [\"w{next}\"]\n");
        }
        text + "[workload.free]\ncommand = [\"/a\"]\n"
    };
    let read = read_text(&chain(0));
    assert_eq!(read.outcome, Outcome { problems: 1, left_out: 1 });
    assert!(read.problems[0].ends_with("= workload `w255` is left out\n"), "{}", read.problems[0]);
    assert_eq!(read.config.workloads.len(), 256);
}

#[test]
fn numbers_of_problems_are_bounded_and_counted() {
    let text =
        "[system]\n".to_string() + &(0..200).map(|index| format!("key{index} = 1\n")).collect::<String>();
    let read = read_text(&text);
    assert_eq!(read.outcome.problems, 200);
    assert_eq!(read.problems.len(), usize::from(crate::limits::CONFIG_PROBLEMS));
}

#[test]
fn more_values_than_there_is_room_for_are_told_once() {
    let text = format!(
        "[workload.a]\ncommand = [\"/a\"]\n[system]\nmodules = [{}]\n[workload.b]\ncommand = [\"/b\"]\n",
        "\"a\",".repeat(9000)
    );
    let read = read_text(&text);
    assert_eq!(read.outcome.problems, 1);
    assert!(read.problems[0].contains("too many keys and values"), "{}", read.problems[0]);
    assert_eq!(read.config.workloads.len(), 1);
}

#[test]
fn more_words_than_there_is_room_for_leave_out_who_has_them() {
    let words = "\"\",".repeat(4000);
    let text =
        format!("[workload.a]\ncommand = [\"/a\", {words}]\n[workload.b]\ncommand = [\"/b\", {words}]\n");
    let read = read_text(&text);
    assert_eq!(read.outcome, Outcome { problems: 1, left_out: 1 });
    assert!(read.problems[0].contains("too many strings in arrays"), "{}", read.problems[0]);
    assert_eq!(read.config.workloads.len(), 1);
}

#[test]
fn what_a_workload_that_is_left_out_took_is_given_back() {
    let words = "\"\",".repeat(1000);
    let bad: String = (0..6)
        .map(|index| format!("[workload.bad{index}]\ncommand = [\"/a\", {words}]\nuser = \"x\"\n"))
        .collect();
    let read = read_text(&(bad + "[workload.good]\ncommand = [\"/good\"]\n"));
    assert_eq!(read.outcome, Outcome { problems: 6, left_out: 6 });
    assert_eq!((read.config.workloads.len(), read.config.words.len()), (1, 1));
}

#[test]
fn the_same_tables_can_read_again() {
    let mut read = read_text("[system]\nhostname = \"a\"\n[workload.web]\ncommand = [\"/a\"]\n");
    let (mut sources, mut problems) = (Box::new(Sources::EMPTY), Vec::new());
    sources.add(b"2.toml", b"[workload.db]\ncommand = [\"/b\"]\n").unwrap();
    let outcome = super::super::read(&sources, &mut read.tree, &mut read.config, &mut problems);
    assert_eq!(outcome, Outcome::default());
    assert!(read.config.system.hostname.is_none());
    assert_eq!(read.name(&read.config.workloads[0]), "db");
}

#[test]
fn files_that_do_not_fit_leave_no_trace() {
    let mut sources = Box::new(Sources::EMPTY);
    assert_eq!(sources.add(b"large.toml", &[b'#'; crate::limits::CONFIG_TEXT]), Err(Full::Text));
    assert!(sources.is_empty());
    assert_eq!(sources.add(b"1.toml", b"# one\n"), Ok(()));
    for _ in 1..crate::limits::CONFIG_FILES {
        sources.add(b"x", b"").unwrap();
    }
    assert_eq!(sources.add(b"y", b""), Err(Full::Files));
}

/// Tables in statics must be all zeros, or they take their size in the binary.
#[test]
fn a_wrong_module_or_setting_of_the_machine_costs_no_other_one() {
    let read = read_text(
        "[system]\nmodules = [\"one\", \"../two\", 3, \"four\"]\n\
         sysctl = { \"a.b\" = 1, \"c..d\" = 2, \"e.f\" = true, \"g.h\" = \"4\" }\n\
         [workload.w]\ncommand = [\"/w\"]\nenv = { A = \"1\", B = 2 }\n",
    );
    let (config, system) = (&read.config, &read.config.system);
    let modules: Vec<_> = config.words(system.modules).iter().map(|word| config.bytes(*word)).collect();
    assert_eq!(modules, [b"one".as_slice(), b"four"]);
    let pairs = config.pairs(system.sysctl).iter();
    let settings: Vec<_> = pairs.map(|pair| (config.bytes(pair.key), config.bytes(pair.value))).collect();
    assert_eq!(settings, [(b"a.b".as_slice(), b"1".as_slice()), (b"g.h", b"4")]);
    assert_eq!(read.problems.len(), 5, "{}", read.problems.concat());
    // A workload is all or nothing.
    assert!(config.ids().next().is_none());
}

#[test]
fn empty_tables_are_all_zeros() {
    fn zeros<T>(value: &T) -> bool {
        let start: *const u8 = core::ptr::from_ref(value).cast();
        #[expect(unsafe_code, reason = "looks at padding too; a test only")]
        // SAFETY: in bounds of `value`, which was made of zeroed memory by `Box::new_zeroed` or a constant.
        (0..size_of::<T>()).all(|at| unsafe { start.add(at).read_volatile() } == 0)
    }
    static SOURCES: crate::sys::cell::TakeOnce<Sources> = crate::sys::cell::TakeOnce::new(Sources::EMPTY);
    static TREE: crate::sys::cell::TakeOnce<Tree> = crate::sys::cell::TakeOnce::new(Tree::EMPTY);
    static CONFIG: crate::sys::cell::TakeOnce<Config> = crate::sys::cell::TakeOnce::new(Config::EMPTY);
    assert!(zeros(SOURCES.take().unwrap()));
    assert!(zeros(TREE.take().unwrap()));
    assert!(zeros(CONFIG.take().unwrap()));
}

/// Linear time: the worst documents of 64 KiB that we know, in a debug build.
#[test]
fn no_document_takes_long() {
    let keys: String = (0..8000).map(|index| format!("a{index}=1\n")).collect();
    let dotted = "a.".repeat(14) + "a=1\n";
    let quotes = "\"".repeat(65_000);
    let brackets = "[".repeat(65_000);
    let headers = "[a\n".repeat(20_000);
    let backslashes = format!("a=\"\"\"{}", "\\\n".repeat(30_000));
    let same_hash_bits: String = (0..7000).map(|index| format!("{index:04}=1\n")).collect();
    let unknown =
        "[workload]\n".to_string() + &(0..6000).map(|index| format!("w{index}=1\n")).collect::<String>();
    let edges =
        "[workload.a]\nafter=[".to_string() + &"\"b\",".repeat(8000) + "]\n[workload.b]\nafter=[\"a\"]";
    for text in
        [keys, dotted.repeat(2000), quotes, brackets, headers, backslashes, same_hash_bits, unknown, edges]
    {
        let text = &text[..text.len().min(65_000)];
        let start = std::time::Instant::now();
        read_text(text);
        let took = start.elapsed();
        assert!(took < std::time::Duration::from_millis(1500), "{took:?} for {}…", &text[..20]);
    }
}

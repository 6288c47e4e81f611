use super::control::value_of;

#[test]
fn a_key_is_found_whole_among_others_that_begin_like_it() {
    let events = b"low 0\noom 7\noom_kill 3\noom_group_kill 1\n";
    assert_eq!(value_of(events, b"oom_kill"), Some(3));
    assert_eq!(value_of(events, b"oom"), Some(7));
    assert_eq!(value_of(events, b"kill"), None);
    assert_eq!(value_of(b"4096\n", b""), Some(4096));
    assert_eq!(value_of(b"max\n", b""), None);
}

//! What runs under an init: it says what it finds and what it is sent.
//!
//! Each word of the command line is done in order; a line of output each.

use std::io::Write;

fn main() {
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<i32>().ok()).expect("a number");
        match word.as_str() {
            "state" => state(),
            "ready" => say("ready"),
            "signals" => signals(),
            "ignore" => ignore(number()),
            "stop" => raise(libc::SIGSTOP),
            "exit" => std::process::exit(number()),
            "die" => raise(number()),
            "orphans" => orphans(number()),
            "close" => close(),
            "regroup" => regroup(),
            "leave" => leave(),
            "wait" => wait(),
            "told" => drop(std::io::stdin().read_line(&mut String::new())),
            "become" => become_root(),
            "terminal" => want_terminal(),
            "pause" => pause_until_continued(),
            "shares" => say(&format!("foreground {}", foreground())),
            word => say(word),
        }
    }
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

/// What an init decides about its child.
fn state() {
    // SAFETY: no pointers.
    let (pid, group, session) = unsafe { (libc::getpid(), libc::getpgrp(), libc::getsid(0)) };
    say(&format!("leads group: {}, session: {}", pid == group, pid == session));
    say(&format!("foreground: {}", foreground()));
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    for field in ["SigBlk", "SigIgn", "NoNewPrivs", "Uid", "Gid", "Groups"] {
        say(status.lines().find(|line| line.starts_with(field)).unwrap_or(field));
    }
    say(&format!("directory: {}", std::env::current_dir().expect("a directory").display()));
    for fd in 0..20 {
        // SAFETY: no pointers.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0 {
            say(&format!("descriptor {fd}"));
        }
    }
    for name in ["LISTEN_PID", "COLOUR"] {
        let value =
            std::env::var(name).map(|value| if value == pid.to_string() { "mine".into() } else { value });
        say(&format!("{name}={value:?}"));
    }
    for (name, resource) in [("files", libc::RLIMIT_NOFILE), ("core", libc::RLIMIT_CORE)] {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is a writable rlimit.
        unsafe { libc::getrlimit(resource, &raw mut limit) };
        say(&format!("{name}: {} of {}", limit.rlim_cur, limit.rlim_max));
    }
}

/// Are we in the foreground of the terminal that stdin is?
fn foreground() -> String {
    // SAFETY: no pointers.
    match unsafe { libc::tcgetpgrp(0) } {
        -1 => "no terminal".to_owned(),
        // SAFETY: no pointers.
        group => (group == unsafe { libc::getpgrp() }).to_string(),
    }
}

/// For good, which a set-uid program may.
fn become_root() {
    // SAFETY: no pointers.
    assert_eq!(unsafe { libc::setresuid(0, 0, 0) }, 0, "not set-uid root");
}

/// Stops in the background, until we are in the foreground.
fn want_terminal() {
    let mut settings = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: `settings` is written before it is read.
    unsafe {
        libc::tcgetattr(0, settings.as_mut_ptr());
        libc::tcsetattr(0, libc::TCSANOW, settings.as_ptr());
    }
}

/// Until a SIGCONT comes, before or after the process is stopped.
fn pause_until_continued() {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut signal = 0;
    // SAFETY: `set` is written before it is read; a signal of it is writable.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCONT);
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        say("pauses");
        libc::sigwait(set.as_ptr(), &raw mut signal);
    }
}

/// Says the number of every signal that comes. Blocked ones come one after the
/// other, the lowest first.
fn signals() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `all` is written before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
    say("ready");
    loop {
        let mut signal = 0;
        // SAFETY: both are valid for the call.
        unsafe { libc::sigwait(all.as_ptr(), &raw mut signal) };
        say(&signal.to_string());
    }
}

fn ignore(signal: i32) {
    // SAFETY: SIG_IGN is no function.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

fn raise(signal: i32) {
    // SAFETY: no pointers.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// Orphans that are dead already when we go on.
fn orphans(count: i32) {
    for _ in 0..count {
        if fork() == 0 {
            fork();
            exit();
        }
        // SAFETY: no status is asked for. Of our own child only, not of those that came to us.
        unsafe { libc::wait(std::ptr::null_mut()) };
    }
    say("orphaned");
}

fn close() {
    for fd in 0..3 {
        // SAFETY: nobody uses them again.
        unsafe { libc::close(fd) };
    }
}

/// Into the process group of a child of ours.
fn regroup() {
    let child = fork();
    if child == 0 {
        wait();
    }
    // SAFETY: no pointers.
    unsafe {
        libc::setpgid(child, child);
        libc::setpgid(0, child);
    }
}

/// Goes on as a child in a session of its own; the parent ends with status 7.
fn leave() {
    let parent = std::process::id();
    if fork() != 0 {
        // SAFETY: no pointers.
        unsafe { libc::_exit(7) };
    }
    // SAFETY: no pointers.
    unsafe { libc::setsid() };
    // SAFETY: no pointers.
    while unsafe { libc::getppid() } as u32 == parent {
        std::thread::yield_now();
    }
    say("left");
}

fn wait() -> ! {
    loop {
        // SAFETY: no pointers.
        unsafe { libc::pause() };
    }
}

fn fork() -> i32 {
    // SAFETY: there is one thread.
    unsafe { libc::fork() }
}

fn exit() -> ! {
    // SAFETY: no pointers.
    unsafe { libc::_exit(0) }
}

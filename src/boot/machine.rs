//! What this machine is, in one line, and what its kernel lacks, in another.

use crate::sys::BorrowedFd;
use crate::sys::fs::{self, Open};
use crate::sys::landlock;
use crate::sys::machine::{self, Names};
use crate::text::{self, Bytes, Sink, Text};
use crate::{cgroup, info, warn};
use core::ffi::CStr;

/// `version 0.1.0 on BOARD, Linux RELEASE MACHINE, n cpus, memory`.
pub(super) fn banner() {
    let names = Names::read();
    let cpus = machine::processors();
    info!(
        concat!("version ", env!("CARGO_PKG_VERSION"), " on "),
        board(),
        ", Linux ",
        names.release(),
        " ",
        names.machine(),
        ", ",
        cpus,
        if cpus == 1 { " cpu, " } else { " cpus, " },
        Bytes(machine::memory())
    );
    report_missing();
}

type Board = Text<128>;

/// The device tree's model, or what the firmware's DMI tables say.
fn board() -> Board {
    let mut board = Board::new();
    put_name(&mut board, c"/proc/device-tree/model");
    if board.is_empty() {
        put_name(&mut board, c"/sys/class/dmi/id/sys_vendor");
        put_name(&mut board, c"/sys/class/dmi/id/product_name");
    }
    if board.is_empty() {
        board.put(b"a board without a name");
    }
    board
}

/// Puts a file's text, but not a second time what is there already.
fn put_name(board: &mut Board, path: &CStr) {
    let mut buffer = [0; 64];
    let text = fs::read_file(BorrowedFd::CWD, path, &mut buffer).unwrap_or(&[]);
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let text = text.get(..end).unwrap_or(&[]).trim_ascii();
    if text.starts_with(board.as_bytes()) {
        board.clear();
    } else if !text.is_empty() {
        board.put(b" ");
    }
    board.put(text);
}

/// What corm's walls and limits are made of.
fn report_missing() {
    let mut missing = Text::<200>::new();
    let mut note = |kind: &str, name: &[u8]| {
        let comma = if missing.is_empty() { "" } else { ", " };
        crate::put!(missing, comma, kind, name);
    };
    let mut buffer = [0; 128];
    let path = c"/sys/fs/cgroup/cgroup.controllers";
    match fs::read_file(BorrowedFd::CWD, path, &mut buffer) {
        Err(_) => note("cgroup v2", b""),
        Ok(controllers) => {
            for wanted in text::words(cgroup::CONTROLLERS, b' ') {
                if text::word_index(controllers.trim_ascii(), b' ', wanted).is_none() {
                    note("cgroup controller ", wanted);
                }
            }
        }
    }
    if !machine::has_seccomp_filter() {
        note("seccomp filters", b"");
    }
    if landlock::version() == 0 {
        note("Landlock", b"");
    }
    if fs::open(BorrowedFd::CWD, c"/proc/self/ns/user", Open::PATH).is_err() {
        note("user namespaces", b"");
    }
    if !missing.is_empty() {
        warn!("this kernel lacks: ", missing);
    }
}

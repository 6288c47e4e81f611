//! `corm version`.

use super::commands::Command;
use super::{Streams, Words, exit};
use crate::sys::BorrowedFd;
use crate::sys::fs;
use crate::{limits, put};

const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else {
    "armv7"
};

pub(super) fn run(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    let mut verbose = false;
    for word in words {
        match word.to_bytes() {
            b"-v" => verbose = true,
            word => return this.misused(word, streams),
        }
    }
    let out = &mut *streams.out;
    put!(*out, "corm ", env!("CARGO_PKG_VERSION"), "\n");
    if verbose {
        let mut buffer = [0; 128];
        let kernel = fs::read_file(BorrowedFd::CWD, c"/proc/sys/kernel/osrelease", &mut buffer);
        put!(*out, "machine    ", ARCHITECTURE, "\n");
        match kernel {
            Ok(release) => put!(*out, "kernel     ", release.trim_ascii_end(), "\n"),
            Err(errno) => put!(*out, "kernel     unknown: ", errno, "\n"),
        }
        put!(*out, "at most    ", limits::WORKLOADS, " workloads, ", limits::MOUNTS, " mounts, ");
        put!(*out, limits::INTERFACES, " interfaces, ", limits::CONFIG_TEXT, " bytes of config\n");
    }
    exit::OK
}

//! What a workload with a network finds in its /etc: `hosts`, `resolv.conf`, `hostname`.
//!
//! Addresses follow from the config alone, so its hosts(5) is written once, before its first start, and
//! is right for as long as the config is. Name servers come and go: the machine has one resolv.conf(5)
//! in /run, which is rewritten in place, and each workload has a mount of it. The hostname is the
//! kernel's own file.

use super::uplink::Path;
use crate::config::address::Cidr;
use crate::config::{Config, Workload};
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd, io};
use crate::text::{Sink, Text};
use core::ffi::CStr;

/// The machine's resolv.conf(5), as PID 1 keeps it.
pub const RESOLVERS: &CStr = c"/run/corm/resolv.conf";

/// Where each is in a workload's root.
pub const PLACES: [&CStr; 3] = [c"/etc/hosts", c"/etc/resolv.conf", c"/etc/hostname"];

/// Where the machine keeps a workload's hosts(5).
pub fn hosts_path(name: &[u8]) -> Path {
    let mut path = Path::new();
    put!(path, "/run/corm/hosts.", name);
    path
}

/// hosts(5) for a workload: all that are on the same link, by `line`.
pub fn hosts(config: &Config, workload: &Workload, line: &mut dyn FnMut(&[u8])) {
    line(b"127.0.0.1 localhost\n::1 localhost\n");
    let link = |one: &Workload| config.bytes(one.connection.link);
    for other in &config.workloads {
        if other.network != workload.network || link(other) != link(workload) {
            continue;
        }
        for word in config.words(other.connection.addresses) {
            if let Some(address) = Cidr::parse(config.bytes(*word)) {
                let mut text = Text::<96>::new();
                put!(text, address.ip, " ", config.bytes(other.name), "\n");
                line(text.as_bytes());
            }
        }
    }
}

/// Writes it.
pub fn write_hosts(config: &Config, workload: &Workload) -> Result<(), Errno> {
    /// Bytes that are written at once.
    const BLOCK: usize = 2048;
    let mut path = hosts_path(config.bytes(workload.name));
    let file = open(path.as_c_str().ok_or(Errno::ENAMETOOLONG)?)?;
    let mut block = Text::<BLOCK>::new();
    let mut written = Ok(());
    hosts(config, workload, &mut |line| {
        if block.len().saturating_add(line.len()) > BLOCK {
            written = written.and(io::write_all(file.borrow(), block.as_bytes()));
            block.clear();
        }
        block.put(line);
    });
    written.and(io::write_all(file.borrow(), block.as_bytes()))
}

/// A file that others have mounted stays the same file.
fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    let how = Open::WRITE | Open::CREATE | Open::TRUNCATE | Open::NO_FOLLOW;
    fs::open_mode(BorrowedFd::CWD, path, how, 0o644)
}

/// Rewrites the machine's resolv.conf.
pub fn write_resolvers(text: &[u8]) -> Result<(), Errno> {
    io::write_all(open(RESOLVERS)?.borrow(), text)
}

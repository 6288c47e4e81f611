//! What the config says about the machine itself and takes no time: hostname,
//! loopback, sysctl.

use super::Found;
use crate::config::{Config, Pair};
use crate::sys::interface::Stack;
use crate::sys::{BorrowedFd, Errno, fs, machine};
use crate::text::{Sink, Text};
use crate::{limits, warn};

/// Hostname, loopback, sysctl. Never waits.
pub fn prepare(config: &Config, found: &Found) {
    if let Some(name) = config.system.hostname {
        let name = config.bytes(name);
        if let Err(errno) = machine::set_hostname(name) {
            warn!("hostname ", name, ": ", errno);
        }
    }
    // A container's loopback is up, or not ours to turn on.
    if !found.container
        && let Err(errno) = Stack::open().and_then(|stack| stack.turn_on(c"lo"))
    {
        warn!("cannot turn on the loopback interface: ", errno);
    }
    let modules_follow = !config.system.modules.is_empty();
    for pair in config.pairs(config.system.sysctl) {
        match write_sysctl(config, pair) {
            // A module may bring it: `late` tries again.
            Err(Errno::ENOENT) if modules_follow => {}
            result => report_sysctl(config, pair, result),
        }
    }
}

/// Whether this sysctl is there to be written.
pub(super) fn has_sysctl(config: &Config, pair: &Pair) -> bool {
    let mut path = sysctl_path(config.bytes(pair.key));
    path.as_c_str().is_some_and(|path| fs::stat(BorrowedFd::CWD, path, fs::Follow::Yes).is_ok())
}

pub(super) fn write_sysctl(config: &Config, pair: &Pair) -> Result<(), Errno> {
    let mut path = sysctl_path(config.bytes(pair.key));
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    fs::write_file(BorrowedFd::CWD, path, config.bytes(pair.value))
}

pub(super) fn report_sysctl(config: &Config, pair: &Pair, result: Result<(), Errno>) {
    if let Err(errno) = result {
        let (key, value) = (config.bytes(pair.key), config.bytes(pair.value));
        let path = sysctl_path(key);
        warn!("sysctl ", key, ": cannot write ", value, " to ", path, ": ", errno);
    }
}

/// As sysctl(8) has it: the first separator decides. `net.ipv4.conf.eth0/1.mtu`
/// has dots between directories and a slash for a dot in a name;
/// `net/ipv4/conf/eth0.1/mtu` is a path as it is.
fn sysctl_path(key: &[u8]) -> Text<{ limits::PATH }> {
    let mut path = Text::new();
    path.put(b"/proc/sys/");
    let dotted = key.iter().find(|byte| matches!(byte, b'.' | b'/')) == Some(&b'.');
    for &byte in key {
        path.put(match byte {
            b'.' if dotted => b"/",
            b'/' if dotted => b".",
            _ => core::slice::from_ref(&byte),
        });
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysctl_keys_become_paths() {
        for (key, path) in [
            ("kernel.panic", "/proc/sys/kernel/panic"),
            ("kernel/panic", "/proc/sys/kernel/panic"),
            ("net.ipv4.conf.eth0/1.forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
            ("net/ipv4/conf/eth0.1/forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
            ("panic", "/proc/sys/panic"),
        ] {
            assert_eq!(sysctl_path(key.as_bytes()).as_str(), path);
        }
    }
}

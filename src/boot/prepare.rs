//! What the config says about the machine itself and takes no time: hostname,
//! loopback, sysctl.

use super::{Found, complain};
use crate::config::{Config, Network, Pair};
use crate::sys::{BorrowedFd, Errno, fs, machine};
use crate::text::{Sink, Text};
use crate::{limits, net};

/// Hostname, loopback, sysctl. Never waits.
pub fn prepare(config: &Config, found: &Found) {
    if let Some(name) = config.system.hostname {
        let name = config.bytes(name);
        complain!(machine::set_hostname(name), "hostname ", name);
    }
    if !found.container && uses_network(config) {
        turn_on_loopback();
    }
    for pair in config.pairs(config.system.sysctl) {
        write_sysctl(config, pair, !config.system.modules.is_empty());
    }
}

/// Whether a workload sees the machine's own network. Where none does, the
/// loopback can wait: turning it on is a tenth of a boot's instructions.
fn uses_network(config: &Config) -> bool {
    config.workloads.iter().any(|workload| workload.privileged || workload.network == Network::Host)
}

fn turn_on_loopback() {
    complain!(net::workload::turn_on_loopback(), "cannot turn on the loopback interface");
}

/// What nobody waits for, a third of a boot's system calls: the banner, what the
/// kernel lacks, links in /dev, a loopback without users. To be called once the
/// first workloads are on their way. Never waits.
pub fn introduce(config: &Config, found: &Found) {
    super::machine::banner();
    // A container's /dev is its maker's, and its loopback is up or not ours to turn on.
    if !found.container {
        super::mounts::link_descriptors();
        if !uses_network(config) {
            turn_on_loopback();
        }
    }
}

/// Whether this sysctl is there to be written.
pub(super) fn has_sysctl(config: &Config, pair: &Pair) -> bool {
    let mut path = sysctl_path(config.bytes(pair.key));
    path.as_c_str().is_some_and(|path| fs::stat(BorrowedFd::CWD, path, fs::Follow::Yes).is_ok())
}

/// `may_come`: a module may bring what is missing, so `late` tries again.
pub(super) fn write_sysctl(config: &Config, pair: &Pair, may_come: bool) {
    let (key, value) = (config.bytes(pair.key), config.bytes(pair.value));
    let mut path = sysctl_path(key);
    let result = match path.as_c_str() {
        Some(path) => fs::write_file(BorrowedFd::CWD, path, value),
        None => Err(Errno::ENAMETOOLONG),
    };
    if !(may_come && result == Err(Errno::ENOENT)) {
        complain!(result, "sysctl ", key, ": cannot write ", value, " to ", path);
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

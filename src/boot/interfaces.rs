//! The machine's own interfaces, its bridges, and the firewall before them.
//!
//! Nothing has an address before the firewall stands. Where it cannot be set up,
//! there are no bridges: nothing that was to be behind it is reached, or gets out.

use super::complain;
use super::late::Patience;
use crate::config::address::Cidr;
use crate::config::{Config, Interface};
use crate::net::conversation::{Conversation, Trouble};
use crate::net::link::{self, Kind};
use crate::net::{firewall, rules, uplink};
use crate::sys::fs::Follow;
use crate::sys::netlink::Family;
use crate::sys::{BorrowedFd, Errno, fs, socket};
use crate::text::Text;
use crate::{error, info, limits, log, put, warn};

/// Modules that an interface or the firewall needs: the kernel would ask modprobe(8) for them, also
/// for the first of nf_tables's.
pub(super) fn modules(config: &Config) -> impl Iterator<Item = &'static [u8]> {
    use crate::config::Network;
    let interfaces = |is: fn(&Interface) -> bool| config.interfaces.iter().any(is);
    let workloads = |network| config.workloads.iter().any(|workload| workload.network == network);
    let wanted: [(bool, &'static [u8]); 6] = [
        (interfaces(|interface| interface.dhcp), b"af_packet"),
        (interfaces(|interface| interface.bridge), b"bridge veth"),
        (interfaces(|interface| interface.vlan.is_some()), b"8021q"),
        (workloads(Network::Macvlan), b"macvlan"),
        (workloads(Network::Ipvlan), b"ipvlan"),
        (
            rules::is_wanted(config),
            b"crc32c_generic nf_tables nft_chain_nat nft_nat nft_masq nft_ct nft_counter nft_fib_inet",
        ),
    ];
    wanted.into_iter().filter(|(wanted, _)| *wanted).flat_map(|(_, names)| crate::text::words(names, b' '))
}

/// Makes the firewall and gives it to whoever is at the other end of `keeper`. Says whether the
/// network is guarded: by it, or because there is nothing to guard.
pub(super) fn guard(config: &Config, keeper: Option<BorrowedFd>) -> bool {
    if !rules::is_wanted(config) {
        return true;
    }
    let made = firewall::make(config).and_then(|table| {
        let keeper = keeper.ok_or(Errno::EPIPE);
        let sent = keeper.and_then(|keeper| socket::send_descriptor(keeper, table.borrow()));
        sent.map_err(|errno| Trouble::new(link::What::Firewall, errno))
    });
    if let Err(trouble) = &made {
        error!("cannot ", *trouble, "; there will be no bridges");
    }
    made.is_ok()
}

/// Waits for each interface of `[network]` and configures it; makes those that are to be made.
pub(super) fn configure(config: &Config, guarded: bool, patience: &mut Patience) {
    if config.interfaces.is_empty() {
        return;
    }
    let kernel = match Conversation::open(Family::Route) {
        Ok(kernel) => kernel,
        Err(trouble) => return warn!("network: cannot ", trouble),
    };
    for interface in config.interfaces.iter().filter(|interface| guarded || !interface.bridge) {
        let name = config.bytes(interface.name);
        let done = find_or_make(config, interface, &kernel, patience)
            .and_then(|index| uplink::set_up(config, interface, &kernel, index));
        match done {
            Ok(()) => {
                let mut addresses = log::Line::new();
                for address in config.words(interface.addresses) {
                    put!(addresses, " ", config.bytes(*address));
                }
                info!("network ", name, ":", addresses);
            }
            Err(trouble) if trouble.what == link::What::Find => {
                let seconds = Patience::SECONDS;
                warn!("network ", name, ": not there after ", seconds, "s; is its driver among the modules?");
            }
            Err(trouble) => warn!("network ", name, ": cannot ", trouble),
        }
    }
    if guarded && rules::is_wanted(config) {
        forward(config);
    }
}

fn find(kernel: &Conversation, name: &[u8], patience: &mut Patience) -> Result<u32, Trouble> {
    let mut found = kernel.find(name);
    patience.wait_for(&mut || {
        if found.is_err() {
            found = kernel.find(name);
        }
        !found.as_ref().is_err_and(|trouble| trouble.errno == Errno::ENODEV)
    });
    found
}

fn find_or_make(
    config: &Config,
    interface: &Interface,
    kernel: &Conversation,
    patience: &mut Patience,
) -> Result<u32, Trouble> {
    let name = config.bytes(interface.name);
    let kind = match interface.vlan {
        Some((link, number)) => {
            Some(Kind::Vlan { link: find(kernel, config.bytes(link), patience)?, number })
        }
        None => interface.bridge.then_some(Kind::Bridge),
    };
    if let Some(kind) = kind {
        match kernel.say(&mut |out| link::make(out, name, kind, None)) {
            Err(trouble) if trouble.errno != Errno::EEXIST => return Err(trouble),
            _ => {}
        }
    }
    find(kernel, name, patience)
}

/// Lets packets through the machine, which the firewall stands in the way of.
fn forward(config: &Config) {
    let bridges = || config.interfaces.iter().filter(|interface| interface.bridge);
    let has_six = |list| {
        config.words(list).iter().any(|word| Cidr::parse(config.bytes(*word)).is_some_and(|it| it.ip.six))
    };
    let six = bridges().any(|bridge| has_six(bridge.addresses));
    // Where br_netfilter is loaded, what stays on a bridge would go through the rules for what leaves it.
    for key in
        [c"/proc/sys/net/bridge/bridge-nf-call-iptables", c"/proc/sys/net/bridge/bridge-nf-call-ip6tables"]
    {
        let result = fs::write_file(BorrowedFd::CWD, key, b"0");
        complain!(
            result.or_else(|errno| if errno == Errno::ENOENT { Ok(()) } else { Err(errno) }),
            "cannot write 0 to ",
            key
        );
    }
    // Nobody is told of shorter ways: there are none.
    write(b"ipv4/conf/all/send_redirects", b"0");
    for interface in &config.interfaces {
        let name = config.bytes(interface.name);
        if interface.bridge {
            // Published ports are there for the machine itself on 127.0.0.1; nothing else gets in, by a rule.
            write_of(b"ipv4/conf/", name, b"/route_localnet", b"1");
            write_of(b"ipv4/conf/", name, b"/send_redirects", b"0");
        } else if six {
            // A router would not listen to routers.
            write_of(b"ipv6/conf/", name, b"/accept_ra", b"2");
        }
    }
    if bridges().next().is_some() {
        write(b"ipv4/ip_forward", b"1");
    }
    if six {
        write(b"ipv6/conf/all/forwarding", b"1");
    }
}

fn write(key: &[u8], value: &[u8]) {
    write_of(key, b"", b"", value);
}

/// Writes a setting of the network's.
#[inline(never)]
fn write_of(before: &[u8], name: &[u8], after: &[u8], value: &[u8]) {
    let mut path = Text::<{ limits::PATH }>::new();
    put!(path, "/proc/sys/net/", before, name, after);
    let result = match path.as_c_str() {
        Some(path) => fs::write_file(BorrowedFd::CWD, path, value),
        None => Err(Errno::ENAMETOOLONG),
    };
    complain!(result, "cannot write ", value, " to ", path);
}

/// Brings the addresses that machines had by DHCP before their restart to where PID 1 finds them
/// without waiting for a disk.
pub(super) fn recall_leases(config: &Config) {
    for interface in config.interfaces.iter().filter(|interface| interface.dhcp) {
        let name = config.bytes(interface.name);
        let [mut kept, mut here] = [uplink::KEPT, uplink::HERE].map(|place| uplink::lease_path(place, name));
        let Some((kept, here)) = kept.as_c_str().zip(here.as_c_str()) else { continue };
        // Most machines have none. A disk may have anything there, but only a file is read.
        if !fs::stat(BorrowedFd::CWD, kept, Follow::No).is_ok_and(|stat| stat.is_regular()) {
            continue;
        }
        let mut text = [0; uplink::ADDRESS];
        if let Ok(text) = fs::read_file(BorrowedFd::CWD, kept, &mut text) {
            complain!(uplink::replace(here, text, false), "cannot write ", here);
        }
    }
}

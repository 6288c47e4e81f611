//! A workload's own network: its namespace, and the one interface in it.
//!
//! PID 1 makes it before the workload's first start and keeps it over restarts by
//! its descriptor. It steps into the new namespace for as long as it takes to open
//! that descriptor and a socket, and says all the rest from outside through the two
//! sockets. Starts then cost two calls of setns(2) around clone3(2), and nothing in
//! the child. Everything is gone with the descriptor.

use super::conversation::{Conversation, Trouble};
use super::link::{self, Kind, What};
use crate::config::address::{Cidr, Ip, Route, ip};
use crate::config::{Config, Connection, List, Network, Str, Workload, WorkloadId};
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::netlink::Family;
use crate::sys::process::{self, Namespaces};
use crate::sys::{BorrowedFd, Errno, OwnedFd};
use crate::text::Text;

/// What the interface is called inside.
const INSIDE: &[u8] = b"eth0";

/// The namespace the caller is in now.
pub fn namespace() -> Result<OwnedFd, Trouble> {
    fs::open(BorrowedFd::CWD, c"/proc/thread-self/ns/net", Open::READ)
        .map_err(|errno| Trouble::new(What::Namespace, errno))
}

/// Turns the loopback interface of the caller's namespace on.
pub fn turn_on_loopback() -> Result<(), Errno> {
    let socket = crate::sys::netlink::open(Family::Route)?;
    Conversation(socket).say(&mut link::turn_on_loopback).map_err(|trouble| trouble.errno)
}

/// Makes a workload's network. `home` is the namespace of the machine, which the caller is in.
pub fn make(
    config: &Config,
    workload: &Workload,
    id: WorkloadId,
    home: BorrowedFd,
) -> Result<OwnedFd, Trouble> {
    let connection = &workload.connection;
    let outer = Conversation::open(Family::Route)?;
    let link = outer.find(config.bytes(connection.link))?;
    process::unshare(Namespaces::NETWORK).map_err(|errno| Trouble::new(What::Namespace, errno))?;
    let inside = step_inside();
    go_home(home);
    let (namespace, inner) = inside?;
    let number = namespace.borrow().number() as u32;
    let mut peer = Text::<16>::new();
    put!(peer, "corm", id.0);
    let peer = peer.as_bytes();
    match workload.network {
        Network::Bridge => {
            inner.say(&mut |out| link::make_pair(out, INSIDE, peer, home.number() as u32))?;
        }
        Network::Macvlan => {
            outer.say(&mut |out| link::make(out, INSIDE, Kind::Macvlan { link }, Some(number)))?;
        }
        Network::Ipvlan => {
            outer.say(&mut |out| link::make(out, INSIDE, Kind::Ipvlan { link }, Some(number)))?;
        }
        Network::Moved | Network::None | Network::Host => {
            outer.say(&mut |out| link::move_into(out, link, INSIDE, number))?;
        }
    }
    let index = inner.find(INSIDE)?;
    inner.say(&mut |out| {
        link::turn_on_loopback(out);
        for word in config.words(connection.addresses) {
            if let Some(address) = Cidr::parse(config.bytes(*word)) {
                link::add_address(out, index, &address);
            }
        }
        link::turn_on(out, index);
        for gateway in gateways(config, workload) {
            link::add_route(out, index, &Route::default(gateway));
        }
    })?;
    if workload.network == Network::Bridge {
        let port = outer.find(peer)?;
        outer.say(&mut |out| {
            link::connect(out, port, link, config.bytes(workload.name), !connection.open);
            link::turn_on(out, port);
        })?;
    }
    Ok(namespace)
}

/// The routers of its default routes: those of the config and, on a bridge, the bridge, where it
/// can be reached from the workload's addresses.
fn gateways<'c>(config: &'c Config, workload: &Workload) -> impl Iterator<Item = Ip> + 'c {
    let Connection { link, addresses, gateways, .. } = workload.connection;
    let bridge = config.interface(config.bytes(link)).filter(|_| workload.network == Network::Bridge);
    let cidr = |word: &Str| Cidr::parse(config.bytes(*word));
    let reached = move |ip: &Ip| config.words(addresses).iter().filter_map(cidr).any(|own| own.has(ip));
    let of_bridge = config.words(bridge.map_or(List::EMPTY, |bridge| bridge.addresses));
    let first =
        |six| of_bridge.iter().filter_map(cidr).map(|own| own.ip).find(|ip| ip.six == six && reached(ip));
    let given = config.words(gateways).iter().filter_map(|word| ip(config.bytes(*word)));
    [first(false), first(true)].into_iter().flatten().chain(given)
}

/// In the new namespace: what it takes to be out of it again.
fn step_inside() -> Result<(OwnedFd, Conversation), Trouble> {
    let namespace = namespace()?;
    let inner = Conversation::open(Family::Route)?;
    // Its ports are all its own, and nothing in it has to be root for the first 1024. It is a file of
    // the namespace that the caller is in. A kernel without IPv4 has no such thing.
    let _ = fs::write_file(BorrowedFd::CWD, c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0");
    Ok((namespace, inner))
}

/// Back into the machine's namespace.
pub fn go_home(home: BorrowedFd) {
    /// setns(2) needs a hundred bytes of memory, which the kernel kills others for.
    const TRIES: u8 = 100;
    for _ in 0..TRIES {
        if process::enter(home, Namespaces::NETWORK).is_ok() {
            return;
        }
    }
}

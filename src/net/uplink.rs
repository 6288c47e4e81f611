//! One of the machine's own interfaces: what the config says of it, and what DHCP has got for it.
//!
//! All of it can be said again at any time: what is there already is left alone or replaced. So
//! nobody has to know what is missing after a cable was pulled, or somebody has turned an interface
//! off.

use super::conversation::{Conversation, Trouble};
use super::dhcp::Lease;
use super::link;
use super::message::Messages;
use crate::config::address::{Cidr, Route, ip, mac as mac_of};
use crate::config::{Config, Interface};
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, Errno, io};
use crate::text::Text;
use core::ffi::CStr;

/// Puts everything there that the config says, and turns it on. Tries everything; what it could
/// not do first. What is there already is no trouble.
pub fn set_up(
    config: &Config,
    interface: &Interface,
    kernel: &Conversation,
    index: u32,
) -> Result<(), Trouble> {
    let mac = interface.mac.and_then(|mac| mac_of(config.bytes(mac)));
    kernel.say(&mut |out| {
        if let Some(mac) = &mac {
            link::set_mac(out, index, mac);
        }
        if let Some(mtu) = interface.mtu {
            link::set_mtu(out, index, mtu);
        }
        for word in config.words(interface.addresses) {
            if let Some(address) = Cidr::parse(config.bytes(*word)) {
                link::add_address(out, index, &address);
            }
        }
        link::turn_on(out, index);
        for word in config.words(interface.gateways) {
            add_route(out, index, ip(config.bytes(*word)).map(Route::default));
        }
        for word in config.words(interface.routes) {
            add_route(out, index, Route::parse(config.bytes(*word)));
        }
    })
}

fn add_route(out: &mut Messages, index: u32, route: Option<Route>) {
    if let Some(route) = route {
        link::add_route(out, index, &route);
    }
}

/// The kernel takes the lowest one: a default route of the config is better than one that came
/// by itself, and the config's first interface better than its next.
const METRIC: u32 = 100;

/// Puts a lease on it. `slot` is its place in the config.
pub fn take(
    interface: &Interface,
    slot: usize,
    kernel: &Conversation,
    index: u32,
    lease: &Lease,
) -> Result<(), Trouble> {
    let own = lease.cidr();
    kernel.say(&mut |out| {
        if lease.mtu != 0 && interface.mtu.is_none() {
            link::set_mtu(out, index, lease.mtu.into());
        }
        link::add_address(out, index, &own);
        for route in &lease.routes {
            let route = Route { metric: Some(METRIC.saturating_add(slot as u32)), ..*route };
            link::add_leased_route(out, index, &route, &own);
        }
    })
}

/// Where the address of a lease is kept: over a restart, if somebody has made that directory on a
/// disk, and where PID 1 reads it.
pub const KEPT: &str = "/var/lib/corm/dhcp-";
pub const HERE: &str = "/run/corm/dhcp-";
/// Bytes of it.
pub const ADDRESS: usize = 20;

pub type Path = Text<64>;

pub fn lease_path(place: &str, interface: &[u8]) -> Path {
    let mut path = Path::new();
    put!(path, place, interface);
    path
}

/// A new file in the place of an old one, of which there is always one or the other. `synced`: it is on
/// its disk when this returns.
pub fn replace(path: &CStr, text: &[u8], synced: bool) -> Result<(), Errno> {
    let mut fresh = Text::<80>::new();
    put!(fresh, path, ".new");
    let fresh = fresh.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    // Whatever is left there of an earlier time, or was put there, is not written to.
    let _ = fs::remove_file(BorrowedFd::CWD, fresh);
    let how = Open::WRITE | Open::CREATE | Open::EXCLUSIVE;
    let file = fs::open_mode(BorrowedFd::CWD, fresh, how, 0o644)?;
    io::write_all(file.borrow(), text)?;
    if synced {
        fs::sync_file(file.borrow())?;
    }
    fs::rename(fresh, path)
}

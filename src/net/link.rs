//! rtnetlink(7): what corm says about interfaces, addresses and routes. Pure.
//!
//! Each function adds one message. Its sequence number is the [`What`] of it, so
//! that a refusal says what was refused without anybody keeping books.

use super::message::{self, APPEND, CREATE, DUMP, EXCLUSIVE, Messages, REPLACE};
use crate::config::address::{Cidr, Route};
use crate::pack::{self, Packed};
use crate::packed;
use crate::text::{self, Show, Sink};

macro_rules! whats {
    ($($what:ident $phrase:literal)*) => {
        /// What a message is to do. Numbers are sequence numbers, and rows of `PHRASES`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum What {
            $($what),*
        }

        impl What {
            const ALL: &[What] = &[$(What::$what),*];

            /// From a sequence number.
            pub fn from_sequence(number: u32) -> Option<What> {
                What::ALL.get(number as usize).copied()
            }
        }

        /// How each reads after "cannot ", with a NUL behind it.
        static PHRASES: Packed = packed!(concat!($($phrase, "\0"),*));
    };
}

whats! {
    Talk "talk to the kernel"
    Find "find it"
    Make "make it"
    Namespace "make a network namespace"
    Loopback "turn its loopback interface on"
    Mac "set its MAC address"
    Mtu "set its MTU"
    TurnOn "turn it on"
    Address "set its address"
    Remove "remove its address"
    Listen "listen for changes"
    Route "set a route"
    Connect "connect it"
    Isolate "keep it from its neighbours"
    Move "move it"
    Settings "write its settings"
    Firewall "set up the firewall"
}

impl Show for What {
    fn show(&self, out: &mut dyn Sink) {
        let phrase = text::words(PHRASES.0, 0).nth(*self as usize).unwrap_or_default();
        phrase.iter().for_each(|byte| pack::put(*byte, out));
    }
}

// RTM_*
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;

const DELETE_LINK: u16 = 17;

// IFLA_*
const MAC: u16 = 1;
const NAME: u16 = 3;
const MTU: u16 = 4;
const LINK: u16 = 5;
const MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const ALIAS: u16 = 20;
const NAMESPACE: u16 = 28;

// IFLA_INFO_*
const KIND: u16 = 1;
const DATA: u16 = 2;
const PORT_DATA: u16 = 5;

/// The loopback interface's number in every namespace.
const LOOPBACK: u32 = 1;

/// `struct ifinfomsg` (IFF_UP is 1): family and type (4), index (4), flags (4), which of them are meant (4).
fn about(index: u32, up: bool) -> [u8; 16] {
    let up = u8::from(up);
    let [a, b, c, d] = index.to_ne_bytes();
    // All the machines are little-endian.
    [0, 0, 0, 0, a, b, c, d, up, 0, 0, 0, up, 0, 0, 0]
}

/// Asks for an interface; the answer's number is at [`INDEX`].
pub fn find(out: &mut Messages, name: &[u8]) {
    out.begin(GET_LINK, 0, What::Find as u32, &about(0, false));
    out.text(NAME, name);
}

/// Where in an answer's payload the number of an interface is.
pub const INDEX: usize = 4;

/// Asks for all interfaces; they come as if each had just changed.
pub fn list(out: &mut Messages) {
    out.begin(GET_LINK, DUMP, What::Find as u32, &about(0, false));
}

/// An interface that is there, has changed, or is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link<'m> {
    pub index: u32,
    pub name: &'m [u8],
    /// `None`: it is no Ethernet.
    pub mac: Option<[u8; 6]>,
    /// Somebody has turned it on.
    pub is_on: bool,
    /// ... and there is a carrier.
    pub is_ready: bool,
    pub is_gone: bool,
}

/// What a message says about an interface.
pub fn read<'m>(message: &message::Message<'m>) -> Option<Link<'m>> {
    const ON: u32 = 1;
    /// IFF_RUNNING and IFF_LOWER_UP.
    const READY: u32 = 0x40 | 0x1_0000 | ON;
    let is_gone = message.kind == DELETE_LINK;
    let fixed = message.payload;
    // What bridges say of their ports is of another family.
    if !(is_gone || message.kind == NEW_LINK) || fixed.first() != Some(&0) {
        return None;
    }
    let index = message::number(fixed.get(INDEX..)?)?;
    let flags = message::number(fixed.get(8..)?)?;
    let attributes = fixed.get(16..)?;
    let name = message::find(attributes, NAME)?;
    let mac = message::find(attributes, MAC);
    Some(Link {
        index,
        name: name.strip_suffix(b"\0").unwrap_or(name),
        mac: mac.filter(|mac| mac.len() == 6).and_then(|mac| mac.first_chunk().copied()),
        is_on: flags & ON != 0,
        is_ready: flags & READY == READY,
        is_gone,
    })
}

/// Name servers that a router has told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told<'m> {
    /// The interface it was told on.
    pub index: u32,
    /// Seconds; 0: they are none any more. [`u32::MAX`]: for ever.
    pub lifetime: u32,
    pub servers: &'m [[u8; 16]],
}

/// What a message says about name servers: `struct nduseroptmsg` and RFC 8106's option, as the router has
/// sent it.
pub fn read_told<'m>(message: &message::Message<'m>) -> Option<Told<'m>> {
    const NEW_OPTION: u16 = 68;
    const FIXED: usize = 16;
    const ADVERTISEMENT: u8 = 134;
    const NAME_SERVERS: u8 = 25;
    let fixed = message.payload;
    if message.kind != NEW_OPTION || fixed.get(8) != Some(&ADVERTISEMENT) {
        return None;
    }
    let option = fixed.get(FIXED..)?;
    let [kind, words, _, _, lifetime @ ..] = option.first_chunk::<8>()?;
    let option = option.get(..usize::from(*words).saturating_mul(8)).filter(|_| *kind == NAME_SERVERS)?;
    Some(Told {
        index: message::number(fixed.get(4..)?)?,
        lifetime: u32::from_be_bytes(*lifetime),
        servers: option.get(8..)?.as_chunks().0,
    })
}

/// What kind of interface is to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Bridge,
    Vlan {
        link: u32,
        number: u16,
    },
    /// Neighbours on the same link do not see each other.
    Macvlan {
        link: u32,
    },
    Ipvlan {
        link: u32,
    },
}

/// Makes an interface, in another namespace if one is given.
#[inline(never)]
pub fn make(out: &mut Messages, name: &[u8], kind: Kind, namespace: Option<u32>) {
    const PRIVATE: u16 = 1;
    let (word, link): (&[u8], u32) = match kind {
        Kind::Bridge => (b"bridge", 0),
        Kind::Vlan { link, .. } => (b"vlan", link),
        Kind::Macvlan { link } => (b"macvlan", link),
        Kind::Ipvlan { link } => (b"ipvlan", link),
    };
    begin_new(out);
    if let Some(namespace) = namespace {
        out.number(NAMESPACE, namespace);
    }
    if link != 0 {
        out.number(LINK, link);
    }
    out.text(NAME, name);
    let info = out.nest(LINK_INFO);
    out.attribute(KIND, word);
    let data = if link == 0 { None } else { Some(out.nest(DATA)) };
    match kind {
        Kind::Bridge => {}
        // IFLA_VLAN_ID
        Kind::Vlan { number, .. } => out.attribute(1, &number.to_ne_bytes()),
        // IFLA_MACVLAN_MODE
        Kind::Macvlan { .. } => out.number(1, PRIVATE.into()),
        // IFLA_IPVLAN_MODE, layer 2, and IFLA_IPVLAN_FLAGS
        Kind::Ipvlan { .. } => {
            out.attribute(1, &[0; 2]);
            out.attribute(2, &PRIVATE.to_ne_bytes());
        }
    }
    if let Some(data) = data {
        out.end(data);
    }
    out.end(info);
}

fn begin_new(out: &mut Messages) {
    out.begin(NEW_LINK, CREATE | EXCLUSIVE, What::Make as u32, &about(0, false));
}

/// Makes a pair: `name` here, and `peer` in that namespace.
pub fn make_pair(out: &mut Messages, name: &[u8], peer: &[u8], namespace: u32) {
    begin_new(out);
    out.text(NAME, name);
    let info = out.nest(LINK_INFO);
    out.attribute(KIND, b"veth");
    let data = out.nest(DATA);
    // VETH_INFO_PEER
    let other = out.nest(1);
    out.put(&about(0, false));
    out.number(NAMESPACE, namespace);
    out.text(NAME, peer);
    out.end(other);
    out.end(data);
    out.end(info);
}

/// The peer of a pair becomes a port of a bridge, with a name for people. An isolated one passes
/// nothing to other isolated ones (IFLA_BRPORT_ISOLATED, Linux 4.18); it is turned on once it is.
pub fn connect(out: &mut Messages, index: u32, bridge: u32, alias: &[u8], isolated: bool) {
    const ISOLATED: u16 = 33;
    change(out, What::Connect, index);
    out.number(MASTER, bridge);
    change(out, What::Connect, index);
    out.text(ALIAS, alias);
    change(out, What::Isolate, index);
    let info = out.nest(LINK_INFO);
    out.attribute(KIND, b"bridge_slave");
    let data = out.nest(PORT_DATA);
    out.attribute(ISOLATED, &[isolated.into()]);
    out.end(data);
    out.end(info);
}

fn change(out: &mut Messages, what: What, index: u32) {
    out.begin(NEW_LINK, 0, what as u32, &about(index, false));
}

pub fn turn_on(out: &mut Messages, index: u32) {
    out.begin(NEW_LINK, 0, What::TurnOn as u32, &about(index, true));
}

pub fn turn_on_loopback(out: &mut Messages) {
    out.begin(NEW_LINK, 0, What::Loopback as u32, &about(LOOPBACK, true));
}

pub fn set_mac(out: &mut Messages, index: u32, mac: &[u8; 6]) {
    change(out, What::Mac, index);
    out.attribute(MAC, mac);
}

pub fn set_mtu(out: &mut Messages, index: u32, mtu: u32) {
    change(out, What::Mtu, index);
    out.number(MTU, mtu);
}

/// Moves an interface into a namespace, where it has another name.
pub fn move_into(out: &mut Messages, index: u32, name: &[u8], namespace: u32) {
    change(out, What::Move, index);
    out.number(NAMESPACE, namespace);
    out.text(NAME, name);
}

/// `struct ifaddrmsg` and IFA_*.
#[inline(never)]
pub fn add_address(out: &mut Messages, index: u32, address: &Cidr) {
    const BROADCAST: u16 = 4;
    begin_address(out, NEW_ADDRESS, CREATE | REPLACE, What::Address, index, address);
    if !address.ip.six && address.length < 31 {
        let [a, b, c, d, ..] = address.ip.all;
        let all = u32::from_be_bytes([a, b, c, d]) | u32::MAX.wrapping_shr(address.length.into());
        out.attribute(BROADCAST, &all.to_be_bytes());
    }
}

/// Removes it, and with it the routes that are under it.
pub fn remove_address(out: &mut Messages, index: u32, address: &Cidr) {
    begin_address(out, DELETE_ADDRESS, 0, What::Remove, index, address);
}

#[inline(never)]
fn begin_address(out: &mut Messages, kind: u16, how: u16, what: What, index: u32, address: &Cidr) {
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    /// IFA_F_NODAD: the config says whose it is.
    const NOBODY_IS_ASKED: u8 = 2;
    let [a, b, c, d] = index.to_ne_bytes();
    let flags = if address.ip.six { NOBODY_IS_ASKED } else { 0 };
    let fixed = [family(address), address.length, flags, 0, a, b, c, d];
    out.begin(kind, how, what as u32, &fixed);
    out.attribute(LOCAL, address.ip.bytes());
    out.attribute(ADDRESS, address.ip.bytes());
}

/// RTPROT_STATIC and RTPROT_DHCP: who made a route.
const STATIC: u8 = 4;
const LEASED: u8 = 16;

pub fn add_route(out: &mut Messages, index: u32, route: &Route) {
    begin_route(out, index, route, STATIC, 0);
}

/// A route that goes with an address: the kernel removes it when that goes. Its router need not be
/// in that address's network (RTNH_F_ONLINK).
pub fn add_leased_route(out: &mut Messages, index: u32, route: &Route, own: &Cidr) {
    const SOURCE: u16 = 7;
    const ON_LINK: u8 = 4;
    let flags = if route.via.is_some_and(|via| !own.has(&via)) { ON_LINK } else { 0 };
    begin_route(out, index, route, LEASED, flags);
    out.attribute(SOURCE, own.ip.bytes());
}

/// `struct rtmsg` and RTA_*.
#[inline(never)]
fn begin_route(out: &mut Messages, index: u32, route: &Route, protocol: u8, flags: u8) {
    const DESTINATION: u16 = 1;
    const INTERFACE: u16 = 4;
    const GATEWAY: u16 = 5;
    const METRIC: u16 = 6;
    const MAIN: u8 = 254;
    const ANYWHERE: u8 = 0;
    const ON_THE_LINK: u8 = 253;
    const UNICAST: u8 = 1;
    let scope = if route.via.is_some() { ANYWHERE } else { ON_THE_LINK };
    let fixed = [family(&route.to), route.to.length, 0, 0, MAIN, protocol, scope, UNICAST, flags, 0, 0, 0];
    // IPv6 tells routes apart by their gateways too; there nothing is replaced.
    let how = if route.to.ip.six { APPEND } else { REPLACE };
    out.begin(NEW_ROUTE, CREATE | how, What::Route as u32, &fixed);
    // IPv4 wants no bits behind the prefix.
    if route.to.length > 0 {
        out.attribute(DESTINATION, route.to.ip.bytes());
    }
    if let Some(via) = route.via {
        out.attribute(GATEWAY, via.bytes());
    }
    if let Some(metric) = route.metric {
        out.number(METRIC, metric);
    }
    out.number(INTERFACE, index);
}

fn family(address: &Cidr) -> u8 {
    (if address.ip.six { libc::AF_INET6 } else { libc::AF_INET }) as u8
}

/// Rows are found by number.
#[cfg(test)]
pub(super) fn check_phrases() {
    assert_eq!(text::words(PHRASES.0, 0).count(), What::ALL.len());
}

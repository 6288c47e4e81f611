//! nf_tables: the firewall of a config, as one transaction. Pure.
//!
//! The table `inet corm` is made anew each time; the kernel takes all of a
//! transaction or nothing. nft(8) would write it so:
//!
//! ```text
//! table inet corm {                       # flags owner: it is nobody else's to change
//!   chain prerouting  { type nat hook prerouting priority -100; fib daddr type local jump published }
//!   chain output      { type nat hook output priority -100; fib daddr type local jump published }
//!   chain published   { tcp dport 8080 counter dnat ip to 10.88.0.2:80 }
//!   chain postrouting { type nat hook postrouting priority 100
//!     ip saddr 10.88.0.0/24 oifname != "br0" counter masquerade
//!     ct status dnat oifname "br0" ip saddr 10.88.0.0/24 masquerade
//!     ct status dnat oifname "br0" ip saddr 127.0.0.0/8 masquerade
//!   }
//!   chain input       { type filter hook input priority 0; policy drop
//!     ct state established,related accept
//!     iifname "lo" accept
//!     ip daddr 127.0.0.0/8 counter drop
//!     meta l4proto { icmp, icmpv6 } accept
//!     tcp dport 22 counter accept
//!     counter
//!   }
//!   chain forward     { type filter hook forward priority 0; policy drop
//!     ct state established,related accept
//!     ct status dnat accept
//!     oifname "br0" counter drop
//!     iifname "br0" ip saddr 10.88.0.2 ip daddr 10.0.0.0/8 tcp dport 443 counter accept
//!     counter
//!   }
//! }
//! ```

use super::link::What;
use super::message::{APPEND, CREATE, Messages, Nest};
use crate::config::address::{Cidr, Egress, Ip, Ports, Protocol, Published};
use crate::config::{Config, List, Network, Str};

/// Whether there is anything for a firewall to do: what a bridge has on it must not be everybody's,
/// and who names ports of the machine wants the others closed.
pub fn is_wanted(config: &Config) -> bool {
    config.interfaces.iter().any(|interface| interface.bridge)
        || config.workloads.iter().any(|workload| !workload.connection.ports.is_empty())
}

/// All of it.
pub fn write(config: &Config, out: &mut Messages) {
    let mut table = Table { out, rule: None };
    table.begin();
    table.publish(config);
    table.translate(config);
    table.guard_machine(config);
    table.guard_bridges(config);
    table.end();
}

/// The words behind texts of a config.
fn parsed<'c, T: 'c>(
    config: &'c Config,
    list: List<Str>,
    parse: fn(&[u8]) -> Option<T>,
) -> impl Iterator<Item = T> + 'c {
    config.words(list).iter().filter_map(move |word| parse(config.bytes(*word)))
}

// Of struct nlmsghdr: types, the ones with a part of the kernel in them.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NF_TABLES: u16 = 10;
const NEW_TABLE: u16 = NF_TABLES << 8;
const DELETE_TABLE: u16 = NEW_TABLE | 2;
const NEW_CHAIN: u16 = NEW_TABLE | 3;
const NEW_RULE: u16 = NEW_TABLE | 6;

/// IPv4 and IPv6 (NFPROTO_INET).
const INET: u8 = 1;

const NAME: &[u8] = b"corm";

/// A chain: its name and, if packets come by themselves, type, hook, priority and policy.
struct Chain {
    name: &'static [u8],
    hooked: Option<(&'static [u8], u32, i32, u32)>,
}

const ACCEPT: u32 = 1;
const DROP: u32 = 0;
/// NFT_JUMP.
const JUMP: u32 = 0xffff_fffd;

const PUBLISHED: &[u8] = b"published";
const PREROUTING: &[u8] = b"prerouting";
const OUTPUT: &[u8] = b"output";
const POSTROUTING: &[u8] = b"postrouting";
const INPUT: &[u8] = b"input";
const FORWARD: &[u8] = b"forward";

static CHAINS: [Chain; 6] = [
    Chain { name: PUBLISHED, hooked: None },
    Chain { name: PREROUTING, hooked: Some((b"nat", 0, -100, ACCEPT)) },
    Chain { name: OUTPUT, hooked: Some((b"nat", 3, -100, ACCEPT)) },
    Chain { name: POSTROUTING, hooked: Some((b"nat", 4, 100, ACCEPT)) },
    Chain { name: INPUT, hooked: Some((b"filter", 1, 0, DROP)) },
    Chain { name: FORWARD, hooked: Some((b"filter", 2, 0, DROP)) },
];

/// What an expression's attribute is.
enum Value<'a> {
    /// All numbers are in network order.
    Number(u32),
    /// What is compared or loaded, as it is in a packet or a register.
    Data(&'a [u8]),
    /// What becomes of the packet; perhaps the chain it goes on in.
    Verdict(u32, &'a [u8]),
}
use Value::{Data, Number, Verdict};

/// The two registers that are used, and the one that a verdict is put in.
const FIRST: u32 = 1;
const SECOND: u32 = 2;
const VERDICT: u32 = 0;

// NFT_CMP_*
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;

/// NFT_META_*.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Meta {
    InName = 6,
    OutName = 7,
    Family = 15,
    Protocol = 16,
}

/// Which address of a packet: where it is in an IPv4 and in an IPv6 header.
#[derive(Clone, Copy)]
enum End {
    Source,
    Destination,
}

struct Table<'m, 'b> {
    out: &'m mut Messages<'b>,
    /// The rule that is being written, with its list of expressions.
    rule: Option<Nest>,
}

impl Table<'_, '_> {
    fn message(&mut self, kind: u16, flags: u16, family: u8, resource: u8) {
        // struct nfgenmsg: family, version, resource in network order.
        self.out.begin(kind, flags, What::Firewall as u32, &[family, 0, 0, resource]);
    }

    /// Begins the transaction: the table, empty, with its chains.
    fn begin(&mut self) {
        const TABLE_NAME: u16 = 1;
        const TABLE_FLAGS: u16 = 2;
        /// NFT_TABLE_F_OWNER, Linux 5.12: nobody else changes it, and it goes with the socket.
        const OWNER: u32 = 2;
        self.message(BATCH_BEGIN, 0, 0, NF_TABLES as u8);
        // To delete it, there has to be one.
        for kind in [NEW_TABLE, DELETE_TABLE, NEW_TABLE] {
            self.message(kind, if kind == NEW_TABLE { CREATE } else { 0 }, INET, 0);
            self.out.text(TABLE_NAME, NAME);
            if kind == NEW_TABLE {
                self.number(TABLE_FLAGS, OWNER);
            }
        }
        for chain in &CHAINS {
            self.chain(chain);
        }
    }

    fn chain(&mut self, chain: &Chain) {
        self.message(NEW_CHAIN, CREATE, INET, 0);
        // NFTA_CHAIN_*
        self.out.text(1, NAME);
        self.out.text(3, chain.name);
        if let Some((kind, hook, priority, policy)) = chain.hooked {
            let nest = self.out.nest(4);
            self.number(1, hook);
            self.number(2, priority as u32);
            self.out.end(nest);
            self.number(5, policy);
            self.out.text(7, kind);
        }
    }

    fn number(&mut self, kind: u16, value: u32) {
        self.out.attribute(kind, &value.to_be_bytes());
    }

    /// Begins a rule.
    #[inline(never)]
    fn rule(&mut self, chain: &[u8]) -> &mut Self {
        self.end_rule();
        self.message(NEW_RULE, CREATE | APPEND, INET, 0);
        // NFTA_RULE_*
        self.out.text(1, NAME);
        self.out.text(2, chain);
        self.rule = Some(self.out.nest(4));
        self
    }

    fn end_rule(&mut self) {
        if let Some(list) = self.rule.take() {
            self.out.end(list);
        }
    }

    fn end(&mut self) {
        self.end_rule();
        self.message(BATCH_END, 0, 0, NF_TABLES as u8);
    }

    /// Adds an expression to the rule: its name, and its attributes by number.
    #[inline(never)]
    fn add(&mut self, name: &[u8], attributes: &[(u16, Value)]) -> &mut Self {
        // NFTA_LIST_ELEM, NFTA_EXPR_*
        let element = self.out.nest(1);
        self.out.text(1, name);
        let list = self.out.nest(2);
        for (kind, value) in attributes {
            match value {
                Number(number) => self.number(*kind, *number),
                Data(bytes) => {
                    let nest = self.out.nest(*kind);
                    self.out.attribute(1, bytes);
                    self.out.end(nest);
                }
                Verdict(code, chain) => {
                    let nest = self.out.nest(*kind);
                    let verdict = self.out.nest(2);
                    self.number(1, *code);
                    if !chain.is_empty() {
                        self.out.text(2, chain);
                    }
                    self.out.end(verdict);
                    self.out.end(nest);
                }
            }
        }
        self.out.end(list);
        self.out.end(element);
        self
    }

    #[inline(never)]
    fn compare(&mut self, how: u32, bytes: &[u8]) -> &mut Self {
        self.add(b"cmp", &[(1, Number(FIRST)), (2, Number(how)), (3, Data(bytes))])
    }

    fn mask(&mut self, mask: &[u8]) -> &mut Self {
        let nothing = [0; 16];
        let none = nothing.get(..mask.len()).unwrap_or(&[]);
        let length = mask.len() as u32;
        self.add(
            b"bitwise",
            &[(1, Number(FIRST)), (2, Number(FIRST)), (3, Number(length)), (4, Data(mask)), (5, Data(none))],
        )
    }

    #[inline(never)]
    fn meta(&mut self, key: Meta, how: u32, bytes: &[u8]) -> &mut Self {
        self.add(b"meta", &[(1, Number(FIRST)), (2, Number(key as u32))]).compare(how, bytes)
    }

    /// Interface names are compared in all their sixteen bytes.
    fn interface(&mut self, key: Meta, how: u32, name: &[u8]) -> &mut Self {
        let mut whole = [0u8; 16];
        for (to, from) in whole.iter_mut().zip(name) {
            *to = *from;
        }
        self.meta(key, how, &whole)
    }

    /// Any of these bits is set in what the connection is.
    fn connection(&mut self, key: u32, bits: u32) -> &mut Self {
        self.add(b"ct", &[(1, Number(FIRST)), (2, Number(key))])
            .mask(&bits.to_ne_bytes())
            .compare(NOT_EQUAL, &[0; 4])
    }

    /// It belongs to what was allowed to begin.
    fn is_known(&mut self) -> &mut Self {
        const STATE: u32 = 0;
        const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
        self.connection(STATE, ESTABLISHED_OR_RELATED)
    }

    /// It came for a published port.
    fn is_published(&mut self) -> &mut Self {
        const STATUS: u32 = 2;
        const DESTINATION_NAT: u32 = 1 << 5;
        self.connection(STATUS, DESTINATION_NAT)
    }

    /// It is for an address of this machine.
    fn is_local(&mut self) -> &mut Self {
        const ADDRESS_TYPE: u32 = 3;
        const DESTINATION: u32 = 2;
        const LOCAL: u32 = 2;
        self.add(b"fib", &[(1, Number(FIRST)), (2, Number(ADDRESS_TYPE)), (3, Number(DESTINATION))])
            .compare(EQUAL, &LOCAL.to_ne_bytes())
    }

    fn family(&mut self, six: bool) -> &mut Self {
        let family = if six { libc::AF_INET6 } else { libc::AF_INET };
        self.meta(Meta::Family, EQUAL, &[family as u8])
    }

    /// One of its addresses, which are of that family, is in that network.
    #[inline(never)]
    fn network(&mut self, end: End, network: &Cidr) -> &mut Self {
        const HEADER: u32 = 1;
        let ip = network.network();
        let offset = match (ip.six, end) {
            (false, End::Source) => 12,
            (false, End::Destination) => 16,
            (true, End::Source) => 8,
            (true, End::Destination) => 24,
        };
        // Whole bytes are compared as they are.
        let (bytes, odd) = (usize::from(network.length >> 3), network.length & 7 != 0);
        let size = if odd { ip.bytes().len() } else { bytes };
        if size == 0 {
            return self;
        }
        self.add(
            b"payload",
            &[(1, Number(FIRST)), (2, Number(HEADER)), (3, Number(offset)), (4, Number(size as u32))],
        );
        if odd {
            self.mask(network.mask().get(..size).unwrap_or(&[]));
        }
        self.compare(EQUAL, ip.all.get(..size).unwrap_or(&[]))
    }

    /// It goes to one of these ports.
    #[inline(never)]
    fn ports(&mut self, protocol: Protocol, ports: Ports) -> &mut Self {
        const BEHIND_HEADER: u32 = 2;
        const DESTINATION: u32 = 2;
        self.meta(Meta::Protocol, EQUAL, &[protocol.number()]);
        self.add(
            b"payload",
            &[(1, Number(FIRST)), (2, Number(BEHIND_HEADER)), (3, Number(DESTINATION)), (4, Number(2))],
        );
        let Ports { first, last } = ports;
        if first == last {
            return self.compare(EQUAL, &first.to_be_bytes());
        }
        self.compare(AT_LEAST, &first.to_be_bytes()).compare(AT_MOST, &last.to_be_bytes())
    }

    fn count(&mut self) -> &mut Self {
        self.add(b"counter", &[])
    }

    fn verdict(&mut self, code: u32, chain: &[u8]) {
        self.add(b"immediate", &[(1, Number(VERDICT)), (2, Verdict(code, chain))]);
    }

    fn count_and(&mut self, code: u32) {
        self.count().verdict(code, &[]);
    }

    fn masquerade(&mut self) {
        self.count().add(b"masq", &[]);
    }

    /// Goes on to that address, and that port unless they are the same.
    fn redirect(&mut self, to: &Ip, port: Option<u16>) {
        // NFTA_NAT_*
        const DESTINATION: u32 = 1;
        let family = if to.six { libc::AF_INET6 } else { libc::AF_INET };
        self.add(b"immediate", &[(1, Number(FIRST)), (2, Data(to.bytes()))]);
        const PORT_IS_GIVEN: u32 = 2;
        let nat = [
            (1, Number(DESTINATION)),
            (2, Number(family as u32)),
            (3, Number(FIRST)),
            (5, Number(SECOND)),
            (7, Number(PORT_IS_GIVEN)),
        ];
        match port {
            None => self.add(b"nat", nat.get(..3).unwrap_or(&[])),
            Some(port) => {
                self.add(b"immediate", &[(1, Number(SECOND)), (2, Data(&port.to_be_bytes()))]);
                self.add(b"nat", &nat)
            }
        };
    }

    /// Published ports lead to their workloads, for packets from outside and the machine's own.
    fn publish(&mut self, config: &Config) {
        for chain in [PREROUTING, OUTPUT] {
            self.rule(chain).is_local().verdict(JUMP, PUBLISHED);
        }
        for workload in config.workloads.iter().filter(|it| it.network == Network::Bridge) {
            let connection = &workload.connection;
            for published in parsed(config, connection.ports, Published::parse) {
                for address in parsed(config, connection.addresses, Cidr::parse) {
                    let Published { protocol, ports, to } = published;
                    let port = if to == ports.first { None } else { Some(to) };
                    self.rule(PUBLISHED).family(address.ip.six).ports(protocol, ports).count();
                    self.redirect(&address.ip, port);
                }
            }
        }
    }

    /// Whose address goes out in the place of the sender's.
    fn translate(&mut self, config: &Config) {
        let loopback = Cidr { ip: Ip { six: false, all: LOOPBACK }, length: 8 };
        for bridge in config.interfaces.iter().filter(|interface| interface.bridge) {
            let name = config.bytes(bridge.name);
            let own = || parsed(config, bridge.addresses, Cidr::parse);
            for network in own().filter(|_| bridge.masquerade) {
                self.rule(POSTROUTING).interface(Meta::OutName, NOT_EQUAL, name).family(network.ip.six);
                self.network(End::Source, &network).masquerade();
            }
            // Answers to these would not find their way back through this machine.
            for network in own().chain([loopback]) {
                self.rule(POSTROUTING)
                    .is_published()
                    .interface(Meta::OutName, EQUAL, name)
                    .family(network.ip.six);
                self.network(End::Source, &network).masquerade();
            }
        }
    }

    /// What reaches the machine itself.
    fn guard_machine(&mut self, config: &Config) {
        const ICMP: [u8; 2] = [libc::IPPROTO_ICMP as u8, libc::IPPROTO_ICMPV6 as u8];
        self.rule(INPUT).is_known().verdict(ACCEPT, &[]);
        self.rule(INPUT).interface(Meta::InName, EQUAL, b"lo").verdict(ACCEPT, &[]);
        // Bridges take packets for it, or published ports would not be there for the machine itself.
        let loopback = Cidr { ip: Ip { six: false, all: LOOPBACK }, length: 8 };
        self.rule(INPUT).family(false).network(End::Destination, &loopback).count_and(DROP);
        for protocol in ICMP {
            self.rule(INPUT).meta(Meta::Protocol, EQUAL, &[protocol]).verdict(ACCEPT, &[]);
        }
        for workload in config.workloads.iter().filter(|it| it.network == Network::Host) {
            for Published { protocol, ports, .. } in
                parsed(config, workload.connection.ports, Published::parse)
            {
                self.rule(INPUT).ports(protocol, ports).count_and(ACCEPT);
            }
        }
        self.rule(INPUT).count();
    }

    /// What goes through the machine.
    fn guard_bridges(&mut self, config: &Config) {
        self.rule(FORWARD).is_known().verdict(ACCEPT, &[]);
        self.rule(FORWARD).is_published().count_and(ACCEPT);
        for bridge in config.interfaces.iter().filter(|interface| interface.bridge) {
            self.rule(FORWARD).interface(Meta::OutName, EQUAL, config.bytes(bridge.name)).count_and(DROP);
        }
        for workload in config.workloads.iter().filter(|it| it.network == Network::Bridge) {
            let connection = &workload.connection;
            let name = config.bytes(connection.link);
            for address in parsed(config, connection.addresses, Cidr::parse) {
                for door in parsed(config, connection.egress, Egress::parse) {
                    self.let_out(name, &address, &door);
                }
            }
        }
        self.rule(FORWARD).count();
    }

    fn let_out(&mut self, bridge: &[u8], from: &Cidr, door: &Egress) {
        if door.to.is_some_and(|to| to.ip.six != from.ip.six) {
            return;
        }
        let from = Cidr { length: if from.ip.six { 128 } else { 32 }, ..*from };
        let protocols = [Protocol::Tcp, Protocol::Udp];
        let any_protocol = door.ports.is_none() && door.protocol.is_none();
        let wanted = |protocol: &Protocol| door.protocol.is_none_or(|only| only == *protocol);
        for protocol in protocols.into_iter().filter(wanted) {
            self.rule(FORWARD).interface(Meta::InName, EQUAL, bridge).family(from.ip.six);
            self.network(End::Source, &from);
            if let Some(to) = door.to {
                self.network(End::Destination, &to);
            }
            if !any_protocol {
                self.ports(protocol, door.ports.unwrap_or(Ports { first: 0, last: u16::MAX }));
            }
            self.count_and(ACCEPT);
            if any_protocol {
                return;
            }
        }
    }
}

const LOOPBACK: [u8; 16] = {
    let mut all = [0; 16];
    all[0] = 127;
    all
};

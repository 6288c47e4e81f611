//! `[network.NAME]` and `[workload.NAME.network]`.
//!
//! What a workload on a bridge has for an address follows from the config alone,
//! so that it is the same at every boot and the firewall can be made once: its
//! own, or the first one that nobody else has, in the order of the file.

use super::super::address::{Cidr, ip};
use super::super::form::{DHCP, SPECIAL};
use super::super::problem::Wrong;
use super::super::schema::Key;
use super::super::source::Span;
use super::super::tree::{NOWHERE, NodeId};
use super::super::types::*;
use super::Reader;
use crate::limits;
use crate::text::{Show, Text};

impl Reader<'_> {
    pub(super) fn read_interface(&mut self, table: NodeId, name: Str) {
        if self.bad {
            return;
        }
        let given = &self.given;
        let place = self.tree.node(table).key;
        let bridge = given.is(Key::MakeBridge);
        let addresses = given.entries(Key::Address);
        let dhcp = self.config.words(addresses).iter().any(|word| self.config.bytes(*word) == DHCP);
        let vlan = given.string(Key::Link).zip(given.short(Key::Vlan, SPECIAL).map(|number| number as u16));
        let interface = Interface {
            name,
            addresses,
            dhcp,
            gateways: given.entries(Key::Gateway),
            routes: given.entries(Key::Routes),
            mtu: given.short(Key::Mtu, SPECIAL),
            mac: given.string(Key::Mac),
            bridge,
            vlan,
            masquerade: given.is(Key::Masquerade),
        };
        let is_vlan = [Key::Link, Key::Vlan].map(|key| given.get(key).node != NOWHERE);
        let fine = !is_vlan.contains(&true) || vlan.is_some() && !bridge;
        let masquerade = given.get(Key::Masquerade).node;
        if !fine {
            self.wrong(place, Wrong::VlanAlone.into());
        } else if interface.masquerade && !bridge {
            self.wrong(self.tree.node(masquerade).key, Wrong::BridgeOnly.into());
        }
        if dhcp && bridge {
            self.wrong(self.tree.node(self.given.get(Key::Address).node).key, Wrong::DhcpOnBridge.into());
        }
        // A gateway that nothing reaches is told by itself.
        let addressed =
            bridge || self.given.get(Key::Address).node != NOWHERE || !interface.gateways.is_empty();
        if !self.bad && !addressed {
            self.wrong(place, Wrong::NoAddress.into());
        }
        self.check_gateways(interface.addresses, interface.gateways);
        if !self.bad && self.config.interfaces.push(interface).is_err() {
            self.too_many(place, Wrong::Interfaces, limits::INTERFACES);
        }
    }

    /// Whether an address is in one of those networks.
    fn is_reached(&self, networks: List<Str>, address: &[u8]) -> bool {
        ip(address).is_some_and(|ip| self.networks(networks).any(|network| network.has(&ip)))
    }

    #[inline(never)]
    fn check_gateways(&mut self, addresses: List<Str>, gateways: List<Str>) {
        let mut node = self.elements(self.given.get(Key::Gateway).node);
        for index in 0..gateways.len() {
            let gateway = self.config.words(gateways).get(index).copied().unwrap_or_default();
            let place = node.map_or(Span::default(), |node| self.tree.node(node).value);
            if addresses.is_empty() {
                self.wrong(place, Wrong::GatewayAlone.into());
            } else if !self.is_reached(addresses, self.config.bytes(gateway)) {
                self.wrong(place, Wrong::Gateway.into());
            }
            node = node.and_then(|node| self.tree.next(node));
        }
    }

    #[inline(never)]
    pub(super) fn read_connection(&mut self) -> (Network, Connection) {
        const KINDS: [(Key, Network); 5] = [
            (Key::NetworkMode, Network::None),
            (Key::Bridge, Network::Bridge),
            (Key::Macvlan, Network::Macvlan),
            (Key::Ipvlan, Network::Ipvlan),
            (Key::Moved, Network::Moved),
        ];
        let given = &self.given;
        let mut network = Network::None;
        let mut link = NOWHERE;
        let mut surplus = NOWHERE;
        for (key, kind) in KINDS {
            let node = given.get(key).node;
            if node != NOWHERE {
                surplus = if link == NOWHERE { surplus } else { node };
                (network, link) = (kind, node);
            }
        }
        if given.is(Key::Privileged)
            || link != NOWHERE && network == Network::None && given.is(Key::NetworkMode)
        {
            network = Network::Host;
        }
        let connection = Connection {
            link: KINDS
                .iter()
                .find(|(_, kind)| *kind == network)
                .and_then(|(key, _)| given.string(*key))
                .unwrap_or_default(),
            addresses: given.entries(Key::Address),
            gateways: given.entries(Key::Gateway),
            ports: given.entries(Key::Ports),
            egress: given.entries(Key::Egress),
            open: given.is(Key::Open),
        };
        let at = |key| given.get(key).node;
        let bridged = network == Network::Bridge;
        let has_link = network.is_connected();
        let publishes = bridged || network == Network::Host;
        let early = if has_link && given.is(Key::Early) { at(Key::Early) } else { NOWHERE };
        let rules = [
            (surplus, Wrong::NotOneNetwork),
            (early, Wrong::TooEarly),
            (if publishes { NOWHERE } else { at(Key::Ports) }, Wrong::PortsNowhere),
            (if bridged { NOWHERE } else { at(Key::Egress) }, Wrong::BridgeOnly),
            (if bridged { NOWHERE } else { at(Key::Open) }, Wrong::BridgeOnly),
            (if has_link { NOWHERE } else { at(Key::Address) }, Wrong::BridgeOnly),
            (if has_link && !bridged { NOWHERE } else { at(Key::Gateway) }, Wrong::GatewayAlone),
        ];
        for (node, wrong) in rules {
            if node != NOWHERE {
                self.wrong(self.tree.node(node).key, wrong.into());
            }
        }
        if bridged {
            self.check_bridge(link, &connection);
        } else {
            self.check_gateways(connection.addresses, connection.gateways);
        }
        (network, connection)
    }

    /// The bridge is there, and the addresses are in its networks and nobody else's.
    fn check_bridge(&mut self, link: NodeId, connection: &Connection) {
        let config = &self.config;
        let bridge = config.interface(config.bytes(connection.link)).filter(|interface| interface.bridge);
        let Some(networks) = bridge.map(|bridge| bridge.addresses) else {
            self.wrong(self.tree.node(link).value, Wrong::NoBridge.into());
            return;
        };
        let mut node = self.elements(self.given.get(Key::Address).node);
        for index in 0..connection.addresses.len() {
            let word = self.config.words(connection.addresses).get(index).copied().unwrap_or_default();
            let address = Cidr::parse(self.config.bytes(word));
            if let (Some(address), Some(at)) = (address, node)
                && (self.is_taken(address)
                    || !self.networks(networks).any(|it| it.has(&address.ip) && it.length == address.length))
            {
                self.wrong(self.tree.node(at).value, Wrong::NotOnBridge.into());
            }
            node = node.and_then(|node| self.tree.next(node));
        }
    }

    fn networks(&self, list: List<Str>) -> impl Iterator<Item = Cidr> {
        let config = &self.config;
        config.words(list).iter().filter_map(|word| Cidr::parse(config.bytes(*word)))
    }

    /// Whether a bridge or a workload on one has this address.
    fn is_taken(&self, address: Cidr) -> bool {
        let of_workloads = self.config.workloads.iter().map(|workload| workload.connection.addresses);
        let of_bridges = self.config.interfaces.iter().map(|interface| interface.addresses);
        of_workloads.chain(of_bridges).any(|list| self.networks(list).any(|it| it.ip == address.ip))
    }

    /// Workloads on a bridge that name no address get one of each of its networks.
    #[inline(never)]
    pub(super) fn fill_pools(&mut self) {
        for index in 0..self.config.workloads.len() {
            let Some(workload) = self.config.workloads.get(index) else { return };
            let Connection { link, addresses, .. } = workload.connection;
            if workload.network != Network::Bridge || !addresses.is_empty() {
                continue;
            }
            let start = self.config.words.len();
            let networks =
                self.config.interface(self.config.bytes(link)).map_or(List::EMPTY, |bridge| bridge.addresses);
            for nth in 0..networks.len() {
                let Some(network) = self.networks(networks).nth(nth) else { break };
                let free = (1..=limits::POOL).filter_map(|number| network.nth(number));
                let mut free = free.map(|ip| Cidr { ip, length: network.length });
                let place = Span::default();
                let Some(address) = free.find(|address| !self.is_taken(*address)) else { continue };
                let mut text = Text::<64>::new();
                address.show(&mut text);
                if self.intern(place, &mut text.as_bytes().iter().copied())
                    && self.config.words.push(Str::unpacked(self.value)).is_err()
                {
                    self.too_many(place, Wrong::Words, limits::WORDS);
                }
            }
            self.list(start, self.config.words.len());
            let list = List::unpacked(self.value);
            if let Some(workload) = self.config.workloads.get_mut(index) {
                workload.connection.addresses = list;
            }
        }
    }
}

//! The name servers that the machine knows now: plain data, one place for all who want them.
//!
//! What the config says comes first, then what leases say, then what routers say. Each is known for
//! a time and by way of one interface, and goes with either.

use crate::config::Config;
use crate::config::address::Ip;
use crate::limits;
use crate::put;
use crate::text::Sink;
use heapless::Vec;

/// Who has told of a server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
#[repr(u8)]
pub enum Teller {
    Lease,
    Router,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Server {
    pub address: Ip,
    pub teller: Teller,
    /// The place in the config of the interface it was told on.
    pub interface: u8,
    /// In milliseconds since boot.
    pub until: u64,
}

/// Servers in their order, and the domain that short names are in.
#[derive(Clone, Debug)]
pub struct Resolvers {
    pub servers: Vec<Server, { limits::RESOLVERS }>,
    pub domain: (u8, [u8; 127]),
    /// The place in the config of the interface whose lease has told it.
    pub domain_of: u8,
}

impl Resolvers {
    pub const NONE: Resolvers = Resolvers { servers: Vec::new(), domain: (0, [0; 127]), domain_of: 0 };

    pub fn domain(&self) -> &[u8] {
        let (length, letters) = &self.domain;
        letters.get(..usize::from(*length)).unwrap_or(&[])
    }

    /// Forgets what somebody has told on an interface. Says whether there was anything.
    pub fn forget(&mut self, teller: Teller, interface: u8) -> bool {
        let domain = teller == Teller::Lease && interface == self.domain_of && self.domain.0 > 0;
        if domain {
            self.domain.0 = 0;
        }
        self.keep(&mut |server| server.teller != teller || server.interface != interface) || domain
    }

    /// Forgets whose time is over.
    pub fn expire(&mut self, now: u64) -> bool {
        self.keep(&mut |server| now < server.until)
    }

    #[inline(never)]
    fn keep(&mut self, is_kept: &mut dyn FnMut(&Server) -> bool) -> bool {
        let before = self.servers.len();
        self.servers.retain(|server| is_kept(server));
        before != self.servers.len()
    }

    /// Learns of a server, or that it is known for another time. Says whether it is a new one. There is
    /// room for enough, and what is beyond it nobody would ask; no router takes that of a lease.
    pub fn add(&mut self, new: Server) -> bool {
        let same = |server: &&mut Server| server.address == new.address && server.interface == new.interface;
        if let Some(server) = self.servers.iter_mut().find(same) {
            server.until = new.until;
            return false;
        }
        if self.servers.is_full() && self.servers.last().is_some_and(|last| last.teller > new.teller) {
            self.servers.pop();
        }
        let place = self.servers.iter().position(|server| server.teller > new.teller);
        self.servers.insert(place.unwrap_or(self.servers.len()), new).is_ok()
    }

    /// When the next one's time is over.
    #[inline(always)]
    pub fn due(&self) -> Option<u64> {
        self.servers.iter().map(|server| server.until).min().filter(|until| *until != u64::MAX)
    }
}

/// Whether an IPv6 address that a router tells can be a name server's: not the unspecified one, the
/// loopback's, one for many, or one of IPv4 in disguise.
pub fn may_serve(address: &[u8; 16]) -> bool {
    !matches!(
        address,
        [0xff, ..]
            | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ..]
            | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..]
    )
}

/// resolv.conf(5). An address that is only good on one interface has its name behind it.
pub fn write(config: &Config, resolvers: &Resolvers, out: &mut dyn Sink) {
    put!(*out, "# By corm, from its config and what the network says.\n");
    if !resolvers.domain().is_empty() {
        put!(*out, "search ", resolvers.domain(), "\n");
    }
    // Who asks takes the first three.
    for word in config.words(config.dns).iter().take(limits::RESOLVERS) {
        put!(*out, "nameserver ", config.bytes(*word), "\n");
    }
    for server in &resolvers.servers {
        put!(*out, "nameserver ", server.address);
        if server.address.six && matches!(server.address.all, [0xfe, 0x80..=0xbf, ..]) {
            let interface = config.interfaces.get(usize::from(server.interface));
            put!(*out, "%", interface.map_or(&b""[..], |interface| config.bytes(interface.name)));
        }
        put!(*out, "\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::address::ip;
    use crate::text::Text;
    use std::string::String;

    fn server(address: &str, teller: Teller, interface: u8, until: u64) -> Server {
        Server { address: ip(address.as_bytes()).unwrap(), teller, interface, until }
    }

    fn file(resolvers: &Resolvers) -> String {
        let mut text = Text::<512>::new();
        let config = crate::net::tests::config(
            "[network]\ndns = \"192.0.2.1\"\neth0.address = \"dhcp\"\neth1.address = \"dhcp\"",
        );
        write(&config, resolvers, &mut text);
        text.as_str().split_once('\n').unwrap().1.into()
    }

    #[test]
    fn no_router_takes_the_room_of_a_lease_and_a_domain_goes_with_its_lease() {
        let mut known = Resolvers::NONE;
        for number in 0..=limits::RESOLVERS {
            let added = known.add(server(&std::format!("2001:db8::{number}"), Teller::Router, 0, u64::MAX));
            assert_eq!(added, number < limits::RESOLVERS);
        }
        assert!(known.add(server("192.0.2.53", Teller::Lease, 1, u64::MAX)));
        assert!(file(&known).starts_with("nameserver 192.0.2.1\nnameserver 192.0.2.53\n"));
        known.domain.0 = 3;
        known.domain.1[..3].copy_from_slice(b"lan");
        known.domain_of = 1;
        assert!(file(&known).starts_with("search lan\n"));
        assert!(!known.forget(Teller::Lease, 0));
        assert!(known.forget(Teller::Lease, 1) && known.domain().is_empty());
        assert_eq!(known.servers.len(), limits::RESOLVERS - 1, "those of routers stay");
    }

    #[test]
    fn what_no_machine_has_is_no_server() {
        for (address, may) in [
            ("::", false),
            ("::1", false),
            ("ff02::1", false),
            ("::ffff:192.0.2.1", false),
            ("fe80::1", true),
            ("2001:db8::53", true),
            ("fd00::1", true),
        ] {
            let parsed: std::net::Ipv6Addr = address.parse().unwrap();
            assert_eq!(may_serve(&parsed.octets()), may, "{address}");
        }
    }

    #[test]
    fn the_configs_come_first_then_leases_then_routers_and_each_goes_with_its_time() {
        let mut known = Resolvers::NONE;
        assert!(known.add(server("fe80::1", Teller::Router, 1, 500)));
        assert!(known.add(server("2001:db8::53", Teller::Router, 1, u64::MAX)));
        assert!(known.add(server("192.0.2.53", Teller::Lease, 0, u64::MAX)));
        assert!(!known.add(server("fe80::1", Teller::Router, 1, 900)), "it is known, for longer now");
        assert_eq!(
            file(&known),
            "nameserver 192.0.2.1\nnameserver 192.0.2.53\nnameserver fe80::1%eth1\nnameserver 2001:db8::53\n"
        );
        assert_eq!(known.due(), Some(900));
        assert!(!known.expire(899) && known.expire(900) && !known.expire(900));
        assert_eq!(known.due(), None);
        assert!(!known.forget(Teller::Lease, 1) && known.forget(Teller::Lease, 0));
        assert_eq!(file(&known), "nameserver 192.0.2.1\nnameserver 2001:db8::53\n");
    }

    #[test]
    fn there_is_room_for_some_and_no_harm_in_more() {
        let mut known = Resolvers::NONE;
        for number in 0..20u8 {
            let _ = known.add(server(&std::format!("10.0.0.{}", number + 1), Teller::Router, 0, 1));
        }
        assert_eq!(known.servers.len(), limits::RESOLVERS);
    }
}

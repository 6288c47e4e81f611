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
}

impl Resolvers {
    pub const NONE: Resolvers = Resolvers { servers: Vec::new(), domain: (0, [0; 127]) };

    pub fn domain(&self) -> &[u8] {
        let (length, letters) = &self.domain;
        letters.get(..usize::from(*length)).unwrap_or(&[])
    }

    /// Forgets what somebody has told on an interface. Says whether there was anything.
    pub fn forget(&mut self, teller: Teller, interface: u8) -> bool {
        self.keep(&mut |server| server.teller != teller || server.interface != interface)
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

    /// Learns of a server, or that it is known for another time. Says whether it is a new one; there is
    /// room for enough, and what is beyond it nobody would ask.
    pub fn add(&mut self, new: Server) -> bool {
        let same = |server: &&mut Server| server.address == new.address && server.interface == new.interface;
        if let Some(server) = self.servers.iter_mut().find(same) {
            server.until = new.until;
            return false;
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

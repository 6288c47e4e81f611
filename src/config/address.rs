//! What texts of a config mean to a network: addresses, routes, ports.
//!
//! The config keeps them as text that was found well-formed, and whoever sets a
//! network up reads it again: that is once a boot, and takes less room than a pool
//! for each. An address is written as inet_pton(3) reads it, but for IPv4 in the
//! tail of IPv6. Each function takes what it knows from the start of a text.

use super::form::{eat, take};
use crate::put;
use crate::text::{Hex, Show, Sink};

/// An address, IPv4 in the first four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ip {
    pub six: bool,
    pub all: [u8; 16],
}

impl Ip {
    pub fn bytes(&self) -> &[u8] {
        self.all.get(..if self.six { 16 } else { 4 }).unwrap_or(&[])
    }

    fn bits(self) -> u8 {
        if self.six { 128 } else { 32 }
    }

    /// Takes one from the start of a text.
    #[inline(never)]
    pub fn take(text: &mut &[u8]) -> Option<Ip> {
        let mut rest = *text;
        let four = Ip::take_four(&mut rest);
        *text = if four.is_some() { rest } else { text };
        four.or_else(|| Ip::take_six(text))
    }

    fn take_four(text: &mut &[u8]) -> Option<Ip> {
        let mut all = [0; 16];
        for (index, byte) in all.iter_mut().take(4).enumerate() {
            if index > 0 && !eat(text, b'.') {
                return None;
            }
            *byte = u8::try_from(take(text)?).ok()?;
        }
        Some(Ip { six: false, all })
    }

    fn take_six(text: &mut &[u8]) -> Option<Ip> {
        // What stands before the gap, and what behind it.
        let (mut head, mut tail) = (0u128, 0u128);
        let (mut used, mut gap) = (0u32, false);
        while used < 8 {
            let mut gap_is_here = false;
            if !gap && text.starts_with(b"::") {
                (gap, gap_is_here) = (true, true);
                *text = text.get(2..)?;
            } else if used > 0 && !eat(text, b':') {
                return None;
            }
            match take_hex(text) {
                Some(group) if gap => tail = tail << 16 | u128::from(group),
                Some(group) => head |= u128::from(group).wrapping_shl(112u32.wrapping_sub(used << 4)),
                None if gap_is_here => break,
                None => return None,
            }
            used += 1;
            if gap && !text.starts_with(b":") {
                break;
            }
        }
        let whole = gap && used < 8 || !gap && used == 8;
        whole.then(|| Ip { six: true, all: (head | tail).to_be_bytes() })
    }
}

/// One to four hexadecimal digits.
fn take_hex(text: &mut &[u8]) -> Option<u16> {
    let mut number = None;
    for _ in 0..4 {
        let Some((digit, rest)) = text.split_first() else { break };
        let Some(digit) = char::from(*digit).to_digit(16) else { break };
        number = Some(number.unwrap_or(0u16).wrapping_shl(4) | digit as u16);
        *text = rest;
    }
    number
}

impl Show for Ip {
    fn show(&self, out: &mut dyn Sink) {
        if !self.six {
            let [a, b, c, d, ..] = self.all;
            return put!(*out, a, ".", b, ".", c, ".", d);
        }
        // As RFC 5952 has it, but that it is the first run of zeros that is left out, not the longest.
        let group =
            |index: u32| u128::from_be_bytes(self.all).wrapping_shr(112u32.wrapping_sub(index << 4)) as u16;
        let start = (0..8).find(|index| group(*index) == 0).unwrap_or(8);
        let end = (start..8).find(|index| group(*index) != 0).unwrap_or(8);
        for index in 0..8 {
            if index == start {
                out.put(b"::");
            } else if index < start || index >= end {
                let colon = if index == 0 || index == end { "" } else { ":" };
                put!(*out, colon, Hex(group(index).into(), 1));
            }
        }
    }
}

/// An address and how many bits of it are its network's: `192.0.2.5/24`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    pub ip: Ip,
    pub length: u8,
}

impl Cidr {
    /// Takes one; an address alone is a network of one.
    pub fn take(text: &mut &[u8]) -> Option<Cidr> {
        let ip = Ip::take(text)?;
        let mut length = ip.bits().into();
        let mut rest = *text;
        if eat(&mut rest, b'/')
            && let Some(number) = take(&mut rest)
        {
            (length, *text) = (number, rest);
        }
        u8::try_from(length).ok().filter(|length| *length <= ip.bits()).map(|length| Cidr { ip, length })
    }

    /// An address with its prefix length, and nothing else.
    pub fn parse(text: &[u8]) -> Option<Cidr> {
        let slash = crate::text::has(text, b'/');
        whole(text, Cidr::take).filter(|_| slash)
    }

    /// The bits of an address that are its machine's. IPv4 has its in the first four bytes.
    fn host(&self) -> u128 {
        u128::MAX.checked_shr(self.length.into()).unwrap_or(0)
    }

    /// The bits that are its network's.
    pub fn mask(&self) -> [u8; 16] {
        (!self.host()).to_be_bytes()
    }

    /// Whether an address is in that network.
    #[inline(never)]
    pub fn has(&self, ip: &Ip) -> bool {
        let [one, other] = [self.ip, *ip].map(|ip| u128::from_be_bytes(ip.all));
        self.ip.six == ip.six && (one ^ other) & !self.host() == 0
    }

    /// The network itself: no bits behind the prefix.
    pub fn network(&self) -> Ip {
        Ip { all: (u128::from_be_bytes(self.ip.all) & !self.host()).to_be_bytes(), ..self.ip }
    }

    /// The address so many places behind the first one of that network, if it is for one machine:
    /// neither the first, which is the network itself, nor the last of IPv4, which is all of it.
    pub fn nth(&self, number: u16) -> Option<Ip> {
        let shift = if self.ip.six { 0 } else { 96 };
        let number = u128::from(number) << shift;
        let all = u128::from_be_bytes(self.network().all).wrapping_add(number);
        let ip = Ip { all: all.to_be_bytes(), ..self.ip };
        let is_last = !self.ip.six && (all & self.host()) >> shift == self.host() >> shift;
        (number != 0 && self.has(&ip) && !is_last).then_some(ip)
    }
}

impl Show for Cidr {
    fn show(&self, out: &mut dyn Sink) {
        put!(*out, self.ip, "/", self.length);
    }
}

/// `10.1.0.0/16 via 10.0.2.3 metric 50`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    pub to: Cidr,
    pub via: Option<Ip>,
    /// The kernel's own where none is given.
    pub metric: Option<u32>,
}

impl Route {
    pub fn parse(text: &[u8]) -> Option<Route> {
        let mut words = crate::text::words(text, b' ');
        let mut route = Route { to: Cidr::parse(words.next()?)?, via: None, metric: None };
        while let Some(word) = words.next() {
            let value = words.next()?;
            match word {
                b"via" if route.via.is_none() => {
                    route.via = Some(whole(value, Ip::take).filter(|via| via.six == route.to.ip.six)?);
                }
                b"metric" if route.metric.is_none() => {
                    route.metric = Some(u32::try_from(whole(value, take)?).ok()?)
                }
                _ => return None,
            }
        }
        Some(route)
    }

    /// The one for all that no other route is for.
    pub fn default(via: Ip) -> Route {
        Route { to: Cidr { ip: Ip { all: [0; 16], ..via }, length: 0 }, via: Some(via), metric: None }
    }
}

/// Some ports of TCP or UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

impl Ports {
    fn take(text: &mut &[u8]) -> Option<Ports> {
        let port = |text: &mut &[u8]| u16::try_from(take(text)?).ok().filter(|port| *port != 0);
        let first = port(text)?;
        let last = if eat(text, b'-') { port(text)? } else { first };
        (first <= last).then_some(Ports { first, last })
    }
}

/// TCP or UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    fn take(text: &mut &[u8]) -> Option<Protocol> {
        let protocol = match *text {
            b"/tcp" => Protocol::Tcp,
            b"/udp" => Protocol::Udp,
            _ => return None,
        };
        *text = &[];
        Some(protocol)
    }

    /// As IP has it.
    pub fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        }
    }
}

/// `8080:80/tcp`, `5000-5010/udp`: ports of the machine, and which ones of the workload they lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Published {
    pub protocol: Protocol,
    pub ports: Ports,
    /// The same ones where it is a range.
    pub to: u16,
}

impl Published {
    pub fn parse(text: &[u8]) -> Option<Published> {
        whole(text, |text| {
            let ports = Ports::take(text)?;
            let to = if eat(text, b':') { Ports::take(text)? } else { ports };
            let fits = ports == to || ports.first == ports.last && to.first == to.last;
            let protocol = if text.is_empty() { Protocol::Tcp } else { Protocol::take(text)? };
            fits.then_some(Published { protocol, ports, to: to.first })
        })
    }
}

/// `10.0.0.0/8`, `any:443`, `192.0.2.1:53/udp`: where a workload may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Egress {
    /// `None`: anywhere.
    pub to: Option<Cidr>,
    /// `None`: all of all protocols.
    pub ports: Option<Ports>,
    /// `None`: both.
    pub protocol: Option<Protocol>,
}

impl Egress {
    pub fn parse(text: &[u8]) -> Option<Egress> {
        whole(text, |text| {
            let to = match text.strip_prefix(b"any") {
                Some(rest) => {
                    *text = rest;
                    None
                }
                None => Some(Cidr::take(text)?),
            };
            let ports = if eat(text, b':') { Some(Ports::take(text)?) } else { None };
            let protocol = Protocol::take(text);
            Some(Egress { to, ports, protocol })
        })
    }
}

/// `02:00:00:00:00:01`.
pub fn mac(text: &[u8]) -> Option<[u8; 6]> {
    let mut rest = text;
    let mut mac = [0; 6];
    for byte in &mut mac {
        let (digits, after) = super::form::split(rest, b':');
        *byte = crate::text::number(digits, 16).filter(|_| digits.len() == 2)? as u8;
        rest = after;
    }
    let [first, ..] = mac;
    // A multicast address is nobody's own. A text of this length has had nothing behind it.
    (text.len() == 17 && first & 1 == 0).then_some(mac)
}

/// What a text is, if it is nothing else.
fn whole<T>(mut text: &[u8], take: impl FnOnce(&mut &[u8]) -> Option<T>) -> Option<T> {
    take(&mut text).filter(|_| text.is_empty())
}

/// An address, and nothing else.
pub fn ip(text: &[u8]) -> Option<Ip> {
    whole(text, Ip::take)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;
    use proptest::prelude::*;
    use std::net::IpAddr;
    use std::string::{String, ToString};

    fn show(value: impl Show) -> String {
        let mut text = Text::<64>::new();
        value.show(&mut text);
        text.as_str().into()
    }

    fn std_ip(ip: Ip) -> IpAddr {
        if ip.six { IpAddr::from(ip.all) } else { IpAddr::from(<[u8; 4]>::try_from(ip.bytes()).unwrap()) }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":",
            ":::",
            "1",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "01.2.3.4",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "12345::",
            "1:2:3:4:5:6:7:8:9",
            "::1:",
            "1:2:3:4:5:6:7::8",
            "g::",
            "1.2.3.4 ",
            "fe80::1%eth0",
        ] {
            assert_eq!(ip(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn networks_have_their_addresses() {
        let net = |text: &str| Cidr::parse(text.as_bytes()).unwrap();
        let has = |network, other: &str| net(network).has(&ip(other.as_bytes()).unwrap());
        assert!(has("10.88.0.1/24", "10.88.0.255") && !has("10.88.0.1/24", "10.88.1.0"));
        assert!(has("0.0.0.0/0", "1.2.3.4") && !has("0.0.0.0/0", "::1"));
        assert!(has("192.0.2.4/31", "192.0.2.5") && !has("192.0.2.4/31", "192.0.2.6"));
        assert!(has("fd00::1/20", "fd00:fff::1") && !has("fd00::1/20", "fd00:1000::1"));
        let nth = |network, number| net(network).nth(number).map(show);
        assert_eq!(nth("10.88.0.77/24", 2).as_deref(), Some("10.88.0.2"));
        assert_eq!(nth("10.88.0.1/16", 300).as_deref(), Some("10.88.1.44"));
        assert_eq!(nth("10.88.0.1/24", 254).as_deref(), Some("10.88.0.254"));
        assert_eq!(nth("10.88.0.129/25", 1).as_deref(), Some("10.88.0.129"));
        for number in [0, 255, 256] {
            assert_eq!(nth("10.88.0.1/24", number), None, "{number}");
        }
        assert_eq!(nth("fd00:1::1/64", 0x102).as_deref(), Some("fd00:1::102"));
        for text in ["10.0.0.1", "10.0.0.1/33", "::1/129", "10.0.0.1/", "10.0.0.1/024", "any/8"] {
            assert_eq!(Cidr::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn routes_ports_and_doors_are_what_they_say() {
        let route = Route::parse(b"10.1.0.0/16 via 10.0.2.3 metric 50").unwrap();
        assert_eq!(
            (show(route.to), route.via.map(show), route.metric),
            ("10.1.0.0/16".into(), Some("10.0.2.3".into()), Some(50))
        );
        assert!(Route::parse(b"fd00::/8").is_some());
        for text in [
            "10.1.0.0/16 via",
            "10.1.0.0/16 via fd00::1",
            "10.0.0.0/8 metric x",
            "10.0.0.0/8 dev eth0",
            "10.0.0.0/8 metric 1 metric 2",
        ] {
            assert_eq!(Route::parse(text.as_bytes()), None, "{text}");
        }
        let port = |text: &str| {
            Published::parse(text.as_bytes()).map(|it| (it.protocol, it.ports.first, it.ports.last, it.to))
        };
        assert_eq!(port("8080:80/tcp"), Some((Protocol::Tcp, 8080, 8080, 80)));
        assert_eq!(port("53/udp"), Some((Protocol::Udp, 53, 53, 53)));
        assert_eq!(port("5000-5010:5000-5010/udp"), Some((Protocol::Udp, 5000, 5010, 5000)));
        for text in
            ["", "0", "65536", "80:", "10-5", "1-3:2-4", "1-3:1", "80/sctp", "80/tcp/udp", "8080:80:1"]
        {
            assert_eq!(port(text), None, "{text}");
        }
        let egress = |text: &str| {
            Egress::parse(text.as_bytes())
                .map(|it| (it.to.map(show), it.ports.map(|it| it.first), it.protocol))
        };
        assert_eq!(egress("any"), Some((None, None, None)));
        assert_eq!(
            egress("10.0.0.0/8:443/udp"),
            Some((Some("10.0.0.0/8".into()), Some(443), Some(Protocol::Udp)))
        );
        assert_eq!(egress("10.0.0.5/tcp"), Some((Some("10.0.0.5/32".into()), None, Some(Protocol::Tcp))));
        assert_eq!(egress("fd00::/8:443"), Some((Some("fd00::/8".into()), Some(443), None)));
        for text in ["", "anything", "any:", "any:0", "10.0.0.0/33", "example.org"] {
            assert_eq!(egress(text), None, "{text}");
        }
        assert_eq!(mac(b"02:00:5e:00:00:fF"), Some([2, 0, 0x5e, 0, 0, 0xff]));
        for text in [
            "02:00:5e:00:00",
            "02:00:5e:00:00:01:02",
            "03:00:00:00:00:01",
            "2:0:0:0:0:0",
            "02-00-00-00-00-01",
        ] {
            assert_eq!(mac(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_what_they_are_to_everybody_else(bytes: [u8; 16], zeros: u16, six: bool) {
            let mut all = bytes;
            for (index, byte) in all.iter_mut().enumerate() {
                if zeros >> index & 1 == 1 || (!six && index > 3) {
                    *byte = 0;
                }
            }
            let one = Ip { six, all };
            prop_assert_eq!(ip(show(one).as_bytes()), Some(one));
            prop_assert_eq!(show(one).parse(), Ok(std_ip(one)));
            let theirs = std_ip(one).to_string();
            // But for `::ffff:1.2.3.4`.
            if !(six && theirs.contains('.')) {
                prop_assert_eq!(ip(theirs.as_bytes()), Some(one));
            }
        }

        #[test]
        fn texts_that_std_refuses_are_refused(text in "[0-9a-f:.]{0,20}") {
            if let Some(one) = ip(text.as_bytes()) {
                prop_assert_eq!(text.parse(), Ok(std_ip(one)));
            }
        }
    }
}

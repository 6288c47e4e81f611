//! DHCP messages, and the ARP ones that go with them.
//!
//! A message is a fixed part of 240 bytes and options, each a number, a length and that many bytes.
//! Options may go on in two fields of the fixed part, and one that is longer than 255 bytes is in
//! pieces (RFC 3396): whoever wants one gets all of its pieces together. An option that lies about
//! its length ends the field it is in, and what came before counts.

use crate::config::address::{Cidr, Ip, Route};
use heapless::Vec;

/// What a message is (option 53).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
}

/// An IPv4 address on the wire.
pub type Four = [u8; 4];

/// What a server gives for a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Zeros: none.
    pub address: Four,
    /// Bits of it that are the network's.
    pub length: u8,
    /// Who gives it.
    pub server: Four,
    pub routes: Vec<Route, ROUTES>,
    pub resolvers: Vec<Four, RESOLVERS>,
    /// Its length and its letters.
    pub domain: (u8, [u8; DOMAIN]),
    /// 0: nothing was said.
    pub mtu: u16,
    /// Seconds for which it is given, after which it is to be asked for again, and after which anybody
    /// may be asked. The first is [`FOREVER`] or a time; the others may be nonsense.
    pub seconds: u32,
    pub renew: u32,
    pub rebind: u32,
}

/// Routes of a lease: a default one and some; a network that has more speaks a routing protocol.
const ROUTES: usize = 8;
/// resolv.conf(5) takes no more.
const RESOLVERS: usize = 3;
/// Bytes of a domain: half of what DNS could have, and longer than any that were seen.
const DOMAIN: usize = 127;
/// A lease that does not end.
pub const FOREVER: u32 = u32::MAX;
/// A lease for less is as good as none: nobody could renew it in time.
const SHORTEST: u32 = 10;
/// The least that IPv4 lets all networks carry. Whoever says less wants harm: IPv6 ends below 1280.
const LEAST_MTU: u16 = 576;

impl Lease {
    pub const NONE: Lease = Lease {
        address: [0; 4],
        length: 0,
        server: [0; 4],
        routes: Vec::new(),
        resolvers: Vec::new(),
        domain: (0, [0; DOMAIN]),
        mtu: 0,
        seconds: 0,
        renew: 0,
        rebind: 0,
    };

    pub fn cidr(&self) -> Cidr {
        Cidr { ip: ip(self.address), length: self.length }
    }

    pub fn domain(&self) -> &[u8] {
        let (length, letters) = &self.domain;
        letters.get(..usize::from(*length)).unwrap_or(&[])
    }
}

/// As the rest of corm has it.
pub fn ip(four: Four) -> Ip {
    let mut all = [0; 16];
    all.iter_mut().zip(four).for_each(|(to, from)| *to = from);
    Ip { six: false, all }
}

/// `BOOTREPLY`, Ethernet, six bytes of address.
const REPLY: [u8; 3] = [2, 1, 6];
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Where things are.
const XID: usize = 4;
const YOURS: usize = 16;
const MAC: usize = 28;
const NAME: usize = 44;
const FILE: usize = 108;
const MAGIC: usize = 236;
const OPTIONS: usize = 240;

// Options.
const MASK: u8 = 1;
const ROUTER: u8 = 3;
const DNS: u8 = 6;
const HOSTNAME: u8 = 12;
const DOMAIN_NAME: u8 = 15;
const MTU: u8 = 26;
const WANTED: u8 = 50;
const TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const KIND: u8 = 53;
const SERVER: u8 = 54;
const LIST: u8 = 55;
const LARGEST: u8 = 57;
const RENEW: u8 = 58;
const REBIND: u8 = 59;
const CLIENT: u8 = 61;
const CLASSLESS_ROUTES: u8 = 121;

/// The options of a message.
struct Options<'m> {
    message: &'m [u8],
    overload: u8,
}

/// All that is kept of one option: eight long routes take 72 bytes.
type Value = Vec<u8, 256>;

impl Options<'_> {
    /// Everything that is said under that number; what is beyond a value's room is dropped.
    #[inline(never)]
    fn get(&self, wanted: u8) -> Value {
        let mut value = Value::new();
        let fields = [(OPTIONS, usize::MAX, 3), (FILE, MAGIC, 1), (NAME, FILE, 2)];
        for (from, to, bit) in fields {
            let end = to.min(self.message.len());
            // The options proper always; the fields if they are said to have some.
            if bit != 3 && self.overload & bit == 0 {
                continue;
            }
            let mut rest = self.message.get(from..end).unwrap_or(&[]);
            while let Some((&code, after)) = rest.split_first() {
                rest = after;
                if code == 0 {
                    continue;
                }
                let Some((&length, after)) = rest.split_first().filter(|_| code != 255) else { break };
                let Some((bytes, after)) = after.split_at_checked(length.into()) else { break };
                rest = after;
                if code == wanted {
                    for byte in bytes {
                        let _ = value.push(*byte);
                    }
                }
            }
        }
        value
    }

    fn four(&self, wanted: u8) -> Option<Four> {
        self.get(wanted).first_chunk().copied()
    }

    fn number(&self, wanted: u8) -> u32 {
        self.four(wanted).map_or(0, u32::from_be_bytes)
    }
}

/// What a server has said to the machine with that MAC address in the exchange with that number:
/// an offer, an acknowledgement or a refusal, with nothing but the server in it. `None`: it is not for
/// us, or cannot be used.
pub fn read(message: &[u8], xid: u32, mac: &[u8; 6]) -> Option<(Kind, Lease)> {
    let is_ours = message.starts_with(&REPLY)
        && message.get(XID..)?.starts_with(&xid.to_be_bytes())
        && message.get(MAC..)?.starts_with(mac)
        && message.get(MAGIC..)?.starts_with(&COOKIE);
    if !is_ours {
        return None;
    }
    let mut options = Options { message, overload: 0 };
    options.overload = options.get(OVERLOAD).first().copied().unwrap_or(0);
    let mut lease = Lease { server: options.four(SERVER)?, ..Lease::NONE };
    let kind = match options.get(KIND).as_slice() {
        [2] => Kind::Offer,
        [5] => Kind::Ack,
        [6] => return Some((Kind::Nak, lease)),
        _ => return None,
    };
    lease.address = *message.get(YOURS..)?.first_chunk()?;
    let [first, ..] = lease.address;
    lease.length = match options.four(MASK).map(u32::from_be_bytes) {
        Some(mask) => mask.leading_ones() as u8,
        // As it was before there were masks.
        None => first.leading_ones().saturating_add(1).saturating_mul(8) as u8,
    };
    lease.seconds = options.number(TIME);
    if !is_for_a_machine(lease.address) || !(1..=32).contains(&lease.length) || lease.seconds < SHORTEST {
        return None;
    }
    (lease.renew, lease.rebind) = (options.number(RENEW), options.number(REBIND));
    lease.mtu = options.get(MTU).first_chunk().map_or(0, |mtu| u16::from_be_bytes(*mtu));
    if lease.mtu < LEAST_MTU {
        lease.mtu = 0;
    }
    for server in options.get(DNS).as_chunks().0 {
        if is_for_a_machine(*server) {
            // The first ones are enough.
            let _ = lease.resolvers.push(*server);
        }
    }
    read_routes(&options, &mut lease);
    read_domain(&options.get(DOMAIN_NAME), &mut lease.domain);
    Some((kind, lease))
}

/// Option 121 is all there is where it is there (RFC 3442).
fn read_routes(options: &Options, lease: &mut Lease) {
    let classless = options.get(CLASSLESS_ROUTES);
    let mut rest = classless.as_slice();
    while let Some((&length, after)) = rest.split_first() {
        let Some((bits, after)) = after.split_at_checked(usize::from(length).div_ceil(8)) else { break };
        let Some((via, after)) = after.split_first_chunk().filter(|_| length <= 32) else { break };
        rest = after;
        let mut to = [0; 4];
        to.iter_mut().zip(bits).for_each(|(to, from)| *to = *from);
        let via = Some(*via).filter(|via| *via != [0; 4]).map(ip);
        // Bits behind the prefix are to be nothing.
        let to = Cidr { ip: Cidr { ip: ip(to), length }.network(), length };
        let _ = lease.routes.push(Route { to, via, metric: None });
    }
    if classless.is_empty()
        && let Some(router) = options.four(ROUTER).filter(|router| is_for_a_machine(*router))
    {
        let _ = lease.routes.push(Route::default(ip(router)));
    }
}

/// It goes into a file that others read: letters, digits, `-`, `_` and dots, or nothing.
fn read_domain(text: &[u8], (length, letters): &mut (u8, [u8; DOMAIN])) {
    // Some send the NUL of their string.
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.len() <= letters.len() && text.iter().all(is_fine) {
        *length = text.len() as u8;
        letters.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    }
}

/// Not of this network or this machine, not of a group, not everybody.
fn is_for_a_machine(address: Four) -> bool {
    !matches!(address, [0 | 127 | 224.., ..])
}

/// What the machine says.
pub struct Request<'a> {
    pub kind: Kind,
    pub xid: u32,
    /// Since it began to ask.
    pub seconds: u16,
    pub mac: [u8; 6],
    /// The address it has, if it may use it.
    pub own: Four,
    /// The one it wants.
    pub wanted: Option<Four>,
    /// The one server it speaks to.
    pub server: Option<Four>,
    pub hostname: &'a [u8],
}

/// What goes out: with the headers of IP and UDP, and padded as BOOTP has it, since there are
/// relays that drop what is shorter.
pub type Packet = Vec<u8, PACKET>;
const PACKET: usize = HEADERS + OPTIONS + 128;
const SHORTEST_MESSAGE: usize = 300;

/// Bytes of the headers of IP and UDP in what [`Request::write`] writes.
pub const HEADERS: usize = 28;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;

impl Request<'_> {
    /// A packet from `own` to everybody.
    pub fn write(&self) -> Packet {
        let mut out = Packet::new();
        let mut put = |bytes: &[u8]| {
            // It has room for all that is put here: a hostname has 64 bytes.
            let _ = out.extend_from_slice(bytes);
        };
        put(&[0; HEADERS]);
        // BOOTREQUEST, Ethernet, six bytes, no relay.
        put(&[1, 1, 6, 0]);
        put(&self.xid.to_be_bytes());
        put(&self.seconds.to_be_bytes());
        put(&[0; 2]);
        put(&self.own);
        put(&[0; MAC - YOURS]);
        put(&self.mac);
        put(&[0; MAGIC - MAC - 6]);
        put(&COOKIE);
        put(&[KIND, 1, self.kind as u8, CLIENT, 7, 1]);
        put(&self.mac);
        for (option, address) in [(WANTED, self.wanted), (SERVER, self.server)] {
            if let Some(address) = address {
                put(&[option, 4]);
                put(&address);
            }
        }
        if self.kind != Kind::Decline {
            put(&[LARGEST, 2, 5, 120]);
            put(&[LIST, 9, CLASSLESS_ROUTES, MASK, ROUTER, DNS, DOMAIN_NAME, MTU, TIME, RENEW, REBIND]);
            if !self.hostname.is_empty() {
                put(&[HOSTNAME, self.hostname.len() as u8]);
                put(self.hostname);
            }
        }
        put(&[255]);
        // One that is longer stays as it is.
        let whole = out.len().max(HEADERS + SHORTEST_MESSAGE);
        let _ = out.resize(whole, 0);
        write_headers(&mut out, self.own);
        out
    }
}

fn write_headers(packet: &mut [u8], own: Four) {
    let length = packet.len() as u16;
    let datagram = length.wrapping_sub(20);
    let [length_a, length_b] = length.to_be_bytes();
    let [datagram_a, datagram_b] = datagram.to_be_bytes();
    let [[from_a, from_b], [to_a, to_b]] = [CLIENT_PORT, SERVER_PORT].map(u16::to_be_bytes);
    let [a, b, c, d] = own;
    // Version 4, 20 bytes; 64 hops; UDP.
    #[rustfmt::skip]
    let headers: [u8; HEADERS] = [
        0x45, 0, length_a, length_b, 0, 0, 0, 0, 64, 17, 0, 0, a, b, c, d, 255, 255, 255, 255,
        from_a, from_b, to_a, to_b, datagram_a, datagram_b, 0, 0,
    ];
    packet.iter_mut().zip(headers).for_each(|(to, from)| *to = from);
    let (header, rest) = packet.split_at_checked(20).unwrap_or((&[], &[]));
    // UDP's covers the addresses, the protocol and the length too.
    let addresses = header.get(12..).unwrap_or(&[]);
    let of_udp = checksum([addresses, &[0, 17, datagram_a, datagram_b], rest]);
    let of_ip = checksum([header, &[], &[]]);
    for (place, sum) in [(10, of_ip), (26, of_udp)] {
        if let Some(place) = packet.get_mut(place..).and_then(|rest| rest.first_chunk_mut()) {
            *place = sum.to_be_bytes();
        }
    }
}

/// The Internet's checksum, of parts with an even length each.
fn checksum(parts: [&[u8]; 3]) -> u16 {
    let mut sum = 0u32;
    for pair in parts.iter().flat_map(|part| part.as_chunks().0) {
        sum = sum.wrapping_add(u16::from_be_bytes(*pair).into());
    }
    for _ in 0..2 {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    !(sum as u16)
}

/// The message in a packet that came: IPv4 and UDP, to the client's port. Its checksums were its
/// network card's affair, and a virtual machine's neighbour leaves them out.
pub fn unpack(packet: &[u8]) -> Option<&[u8]> {
    let length = u16::from_be_bytes(*packet.get(2..)?.first_chunk()?);
    let packet = packet.get(..length.into())?;
    let (first, protocol) = (*packet.first()?, *packet.get(9)?);
    // Of a fragment only the first one has ports, and more of them are not read.
    let fragment = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & 0x3fff;
    let datagram = packet.get(usize::from(first & 15).saturating_mul(4)..)?;
    let port = u16::from_be_bytes(*datagram.get(2..)?.first_chunk()?);
    let is_ours = first >> 4 == 4 && protocol == 17 && fragment == 0 && port == CLIENT_PORT;
    let length = u16::from_be_bytes(*datagram.get(4..)?.first_chunk()?);
    datagram.get(8..length.into()).filter(|_| is_ours)
}

/// The same as the kernel does it, so that nobody else's packets wake PID 1: UDP, not a later
/// fragment, and that port. `struct sock_filter`: code, jumps if so and if not, value.
pub const FILTER: &[u64] = &[
    instruction(0x30, 0, 0, 9),
    instruction(0x15, 0, 6, 17),
    instruction(0x28, 0, 0, 6),
    instruction(0x45, 4, 0, 0x1fff),
    instruction(0xb1, 0, 0, 0),
    instruction(0x48, 0, 0, 2),
    instruction(0x15, 0, 1, CLIENT_PORT as u32),
    ALL,
    NOTHING,
];
/// Takes a packet, and takes none.
pub const ALL: u64 = instruction(0x06, 0, 0, 0xffff);
pub const NOTHING: u64 = instruction(0x06, 0, 0, 0);

const fn instruction(code: u16, yes: u8, no: u8, value: u32) -> u64 {
    code as u64 | (yes as u64) << 16 | (no as u64) << 24 | (value as u64) << 32
}

/// Ethernet, IPv4, and how long their addresses are: what all ARP messages begin with.
const ARP: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// Asks who has an address, without saying that it could be ours (RFC 5227).
pub fn probe(mac: &[u8; 6], address: Four) -> [u8; 28] {
    let ([a, b, c, d, e, f], [one, two, three, four]) = (*mac, address);
    let [hard, soft, ip, v4, six, bytes] = ARP;
    #[rustfmt::skip]
    let out = [
        hard, soft, ip, v4, six, bytes, 0, 1, a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        one, two, three, four,
    ];
    out
}

/// Whether that ARP message shows that another one has the address, or is about to take it.
pub fn is_taken(packet: &[u8], mac: &[u8; 6], address: Four) -> bool {
    let [hardware, sender, asker, wanted] =
        [8..14, 14..18, 14..18, 24..28].map(|place| packet.get(place).unwrap_or(&[]));
    packet.starts_with(&ARP) && hardware != mac && (sender == address || asker == [0; 4] && wanted == address)
}

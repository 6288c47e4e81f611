//! A client against servers that do what they should and what they should not, in simulated time.

use super::message::{self, FOREVER, Four, HEADERS, Kind, Lease};
use super::{Action, Client, Gone, Listen, To};
use crate::config::address::Route;
use crate::text::{Show, Text};
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 8];
const ONE: Four = [10, 0, 0, 1];
const TWO: Four = [10, 0, 0, 2];
const OURS: Four = [10, 0, 0, 50];
const SECOND: u64 = 1000;

/// A reply as a server writes it, with the headers that it comes in.
#[derive(Clone)]
struct Reply {
    xid: [u8; 4],
    mac: [u8; 6],
    address: Four,
    file: Vec<u8>,
    name: Vec<u8>,
    options: Vec<u8>,
}

impl Reply {
    /// To what was sent last.
    fn to(sent: &[u8], kind: u8, server: Four, address: Four, seconds: u32) -> Reply {
        let mut xid = [0; 4];
        xid.copy_from_slice(&sent[HEADERS + 4..HEADERS + 8]);
        let reply = Reply { xid, mac: MAC, address, file: Vec::new(), name: Vec::new(), options: Vec::new() };
        let reply = reply.with(53, &[kind]).with(54, &server);
        if kind == 6 { reply } else { reply.with(51, &seconds.to_be_bytes()).with(1, &[255, 255, 255, 0]) }
    }

    fn with(mut self, option: u8, value: &[u8]) -> Reply {
        self.options.extend([option, value.len() as u8]);
        self.options.extend(value);
        self
    }

    fn message(&self) -> Vec<u8> {
        let mut out = std::vec![0; 240];
        out[..3].copy_from_slice(&[2, 1, 6]);
        out[4..8].copy_from_slice(&self.xid);
        out[16..20].copy_from_slice(&self.address);
        out[28..34].copy_from_slice(&self.mac);
        out[44..44 + self.name.len()].copy_from_slice(&self.name);
        out[108..108 + self.file.len()].copy_from_slice(&self.file);
        out[236..240].copy_from_slice(&[99, 130, 83, 99]);
        out.extend(&self.options);
        out.push(255);
        out
    }

    fn packet(&self) -> Vec<u8> {
        packed(&self.message())
    }

    fn read(&self) -> Option<(Kind, Lease)> {
        message::read(&self.message(), u32::from_be_bytes(self.xid), &MAC)
    }
}

fn packed(message: &[u8]) -> Vec<u8> {
    let mut out = std::vec![0; HEADERS];
    let length = (HEADERS + message.len()) as u16;
    out[0] = 0x45;
    out[2..4].copy_from_slice(&length.to_be_bytes());
    out[9] = 17;
    out[20..24].copy_from_slice(&[0, 67, 0, 68]);
    out[24..26].copy_from_slice(&(length - 20).to_be_bytes());
    out.extend(message);
    out
}

/// A client and its clock.
struct World {
    client: Client,
    now: u64,
    /// What was sent last.
    sent: Vec<u8>,
}

impl World {
    fn new() -> World {
        let mut client = Client::NEW;
        client.start(MAC, 12345, 5 * SECOND);
        World { client, now: 5 * SECOND, sent: Vec::new() }
    }

    /// All that is to be done now.
    fn act(&mut self) -> Vec<Action> {
        let mut all = Vec::new();
        while let Some(action) = self.client.poll(self.now) {
            if let Action::Send(kind, _) = action {
                self.sent = self.client.message(kind, b"host", self.now).to_vec();
            }
            all.push(action);
            assert!(all.len() < 8, "{all:?}");
        }
        all
    }

    /// Goes to when there is something to do, and does it.
    fn next(&mut self) -> Vec<Action> {
        let due = self.client.due().expect("something is due");
        self.now = self.now.max(due);
        self.act()
    }

    fn hear(&mut self, reply: &Reply) -> Vec<Action> {
        self.client.receive(&reply.packet(), self.now);
        self.act()
    }

    fn reply(&self, kind: u8, server: Four, address: Four, seconds: u32) -> Reply {
        Reply::to(&self.sent, kind, server, address, seconds)
    }

    /// Until the lease is taken.
    fn bind(&mut self, seconds: u32) {
        assert_eq!(self.act(), [DISCOVER]);
        assert_eq!(self.hear(&self.reply(2, ONE, OURS, seconds)), [REQUEST]);
        assert_eq!(self.hear(&self.reply(5, ONE, OURS, seconds)), [Action::Probe]);
        self.settle();
    }

    fn settle(&mut self) {
        assert_eq!(self.client.listens(), Listen::Arp);
        assert_eq!(self.next(), [Action::Probe]);
        assert_eq!(self.next(), [Action::Probe]);
        assert_eq!(self.next(), [Action::Take]);
        assert!(self.client.is_bound() && self.client.listens() == Listen::Nothing);
    }

    /// What an option of the last message is.
    fn option(&self, wanted: u8) -> Option<Vec<u8>> {
        let mut rest = &self.sent[HEADERS + 240..];
        while let [code, length, after @ ..] = rest {
            if *code == 255 {
                break;
            }
            let (value, next) = after.split_at((*length).into());
            if *code == wanted {
                return Some(value.to_vec());
            }
            rest = next;
        }
        None
    }

    fn own(&self) -> &[u8] {
        &self.sent[HEADERS + 12..HEADERS + 16]
    }
}

const DISCOVER: Action = Action::Send(Kind::Discover, To::All);
const REQUEST: Action = Action::Send(Kind::Request, To::All);
const RENEWAL: Action = Action::Send(Kind::Request, To::Server);

fn routes(lease: &Lease) -> Vec<String> {
    let show = |route: &Route| {
        let mut text = Text::<64>::new();
        route.to.show(&mut text);
        if let Some(via) = route.via {
            crate::put!(text, " via ", via);
        }
        text.as_str().into()
    };
    lease.routes.iter().map(show).collect()
}

#[test]
fn a_lease_is_asked_for_probed_and_taken() {
    let mut world = World::new();
    assert_eq!(world.act(), [DISCOVER]);
    assert_eq!((world.option(50), world.option(54)), (None, None));
    assert_eq!(world.option(12).as_deref(), Some(&b"host"[..]));
    assert_eq!(world.option(61).as_deref(), Some(&[1, 2, 0, 0, 0, 0, 7][..]));
    let list = world.option(55).unwrap();
    let place = |option| list.iter().position(|it| *it == option).unwrap();
    assert!(place(121) < place(3), "RFC 3442 wants it first");
    let offer = world.reply(2, ONE, OURS, 3600).with(3, &ONE).with(6, &[9, 9, 9, 9, 0, 0, 0, 0, 8, 8, 8, 8]);
    assert_eq!(world.hear(&offer.with(15, b"example.org\0").with(26, &[5, 0])), [REQUEST]);
    assert_eq!((world.option(50), world.option(54)), (Some(OURS.to_vec()), Some(ONE.to_vec())));
    assert_eq!(world.own(), [0; 4]);
    let ack = world.reply(5, ONE, OURS, 3600).with(3, &ONE).with(6, &[9, 9, 9, 9, 0, 0, 0, 0, 8, 8, 8, 8]);
    assert_eq!(world.hear(&ack.with(15, b"example.org\0").with(26, &[5, 0])), [Action::Probe]);
    let asked = world.now;
    world.settle();
    let lease = world.client.lease();
    assert_eq!((lease.address, lease.length, lease.mtu), (OURS, 24, 1280));
    assert_eq!(lease.resolvers, [[9, 9, 9, 9], [8, 8, 8, 8]]);
    assert_eq!(lease.domain(), b"example.org");
    assert_eq!(routes(lease), ["0.0.0.0/0 via 10.0.0.1"]);
    assert_eq!(world.client.due(), Some(asked + 1800 * SECOND), "half of it");
}

#[test]
fn what_goes_out_is_a_datagram_that_others_read() {
    let mut world = World::new();
    let _ = world.act();
    let packet = &world.sent;
    let sum = |parts: &[&[u8]]| {
        let words = parts.iter().flat_map(|part| part.chunks(2));
        let sum: u64 = words.map(|pair| u64::from(pair[0]) << 8 | u64::from(pair[1])).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        (folded & 0xffff) + (folded >> 16)
    };
    assert_eq!(sum(&[&packet[..20]]), 0xffff, "its header's checksum");
    assert_eq!(sum(&[&packet[12..20], &[0, 17], &packet[24..26], &packet[20..]]), 0xffff, "and UDP's");
    assert_eq!(packet[2..4], (packet.len() as u16).to_be_bytes());
    assert_eq!(packet[24..26], (packet.len() as u16 - 20).to_be_bytes());
    assert_eq!(packet[12..20], [0, 0, 0, 0, 255, 255, 255, 255]);
    assert_eq!(packet[20..24], [0, 68, 0, 67]);
    assert!(packet.len() >= 28 + 300, "relays drop what is shorter");
}

#[test]
fn questions_without_an_answer_are_further_and_further_apart() {
    let mut world = World::new();
    let mut times = Vec::new();
    for _ in 0..8 {
        let asked = world.next();
        assert_eq!(asked, [DISCOVER]);
        times.push(world.now);
    }
    for (gap, wait) in times.windows(2).map(|two| two[1] - two[0]).zip([4, 8, 16, 32, 64, 64, 64]) {
        let wait = wait * SECOND;
        assert!((wait - SECOND..=wait + SECOND).contains(&gap), "{gap}, not {wait}");
    }
    let gaps: Vec<u64> = times.windows(2).map(|two| (two[1] - two[0]) % SECOND).collect();
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "it is not the same for all: {gaps:?}");
}

#[test]
fn of_two_servers_the_first_one_is_taken_and_the_other_one_left_alone() {
    let mut world = World::new();
    let _ = world.act();
    let (first, second) = (world.reply(2, TWO, OURS, 600), world.reply(2, ONE, [10, 0, 0, 60], 600));
    assert_eq!(world.hear(&first), [REQUEST]);
    assert_eq!(world.option(54), Some(TWO.to_vec()));
    assert_eq!(world.hear(&second), []);
    // Neither may the other one accept or refuse.
    assert_eq!(world.hear(&world.reply(6, ONE, [0; 4], 0)), []);
    assert_eq!(world.hear(&world.reply(5, ONE, [10, 0, 0, 60], 600)), []);
    assert_eq!(world.hear(&world.reply(5, ONE, OURS, 600)), []);
    assert_eq!(world.hear(&world.reply(5, TWO, OURS, 600)), [Action::Probe]);
}

#[test]
fn a_server_that_offers_and_then_is_silent_is_given_up() {
    let mut world = World::new();
    let _ = world.act();
    assert_eq!(world.hear(&world.reply(2, ONE, OURS, 600)), [REQUEST]);
    for _ in 0..3 {
        assert_eq!(world.next(), [REQUEST]);
    }
    assert_eq!(world.next(), [DISCOVER]);
    assert_eq!(world.hear(&world.reply(2, TWO, OURS, 600)), [REQUEST]);
}

#[test]
fn a_lease_is_renewed_at_half_of_its_time() {
    let mut world = World::new();
    world.bind(1000);
    let bound = world.now;
    assert_eq!(world.next(), [RENEWAL]);
    assert!((bound + 495 * SECOND..=bound + 500 * SECOND).contains(&world.now));
    assert_eq!(world.own(), OURS);
    assert_eq!((world.option(50), world.option(54)), (None, None));
    let renewed = world.now;
    assert_eq!(world.hear(&world.reply(5, ONE, OURS, 1000)), [Action::Take]);
    assert_eq!(world.client.due(), Some(renewed + 500 * SECOND));
    assert_eq!(world.client.listens(), Listen::Nothing);
}

#[test]
fn a_server_that_is_gone_and_back_is_found_again_and_the_address_stays() {
    let mut world = World::new();
    world.bind(1000);
    let mut asked = Vec::new();
    let bound = world.now;
    while asked.iter().filter(|action| **action == REQUEST).count() < 2 {
        asked.extend(world.next());
        assert!(world.client.is_bound());
    }
    let first = asked.iter().position(|action| *action == REQUEST).unwrap();
    assert!(first >= 2, "the server itself first: {asked:?}");
    assert!(asked[..first].iter().all(|action| *action == RENEWAL), "{asked:?}");
    assert!(world.now >= bound + 870 * SECOND && world.now < bound + 1000 * SECOND);
    // Another one that knows of the lease will do.
    assert_eq!(world.hear(&world.reply(5, TWO, OURS, 1000)), [Action::Take]);
    assert_eq!(world.next(), [RENEWAL]);
}

#[test]
fn a_lease_that_nobody_renews_ends_and_is_asked_for_again() {
    let mut world = World::new();
    world.bind(1000);
    let bound = world.now;
    let end = loop {
        let actions = world.next();
        if actions.contains(&Action::Drop(Gone::Expired)) {
            break actions;
        }
    };
    assert!((bound + 995 * SECOND..=bound + 1000 * SECOND).contains(&world.now));
    assert_eq!(end, [Action::Drop(Gone::Expired), REQUEST], "whoever knows the address is asked first");
    assert_eq!((world.own(), world.option(50)), (&[0; 4][..], Some(OURS.to_vec())));
    assert_eq!(world.next(), [REQUEST]);
    assert_eq!(world.next(), [DISCOVER]);
}

#[test]
fn a_refused_renewal_gives_the_address_back_and_asks_anew() {
    let mut world = World::new();
    world.bind(1000);
    assert_eq!(world.next(), [RENEWAL]);
    assert_eq!(world.hear(&world.reply(6, TWO, [0; 4], 0)), [], "it is not TWO's to refuse");
    assert_eq!(world.hear(&world.reply(6, ONE, [0; 4], 0)), [Action::Drop(Gone::Refused)]);
    let refused = world.now;
    assert_eq!(world.next(), [DISCOVER]);
    assert!(world.now >= refused + SECOND, "not at once: it may be refused for ever");
    assert_eq!(world.option(50), None);
}

#[test]
fn an_address_that_another_machine_has_is_declined() {
    let mut taken = message::probe(&OTHER, OURS);
    for conflict in [true, false] {
        let mut world = World::new();
        let _ = world.act();
        let _ = world.hear(&world.reply(2, ONE, OURS, 1000));
        let _ = world.hear(&world.reply(5, ONE, OURS, 1000));
        // It says so, or probes for it too; our own question, or one about another, is nothing.
        if conflict {
            taken[14..18].copy_from_slice(&OURS);
        }
        for harmless in [message::probe(&MAC, OURS), message::probe(&OTHER, ONE)] {
            world.client.hear(&harmless, world.now);
            assert_eq!(world.act(), []);
        }
        world.client.hear(&taken, world.now);
        assert_eq!(world.act(), [Action::Send(Kind::Decline, To::All)]);
        assert_eq!((world.option(50), world.option(54)), (Some(OURS.to_vec()), Some(ONE.to_vec())));
        assert!(!world.client.is_bound());
        let declined = world.now;
        assert_eq!(world.next(), [DISCOVER]);
        assert!(world.now >= declined + 10 * SECOND);
    }
}

#[test]
fn leases_of_no_time_are_none_and_those_without_end_do_not_end() {
    let mut world = World::new();
    let _ = world.act();
    for seconds in [0, 1, 9] {
        assert_eq!(world.hear(&world.reply(2, ONE, OURS, seconds)), []);
    }
    let mut endless = World::new();
    endless.bind(FOREVER);
    assert_eq!(endless.client.due(), None);
    // Of the longest that end nothing overflows.
    World::new().bind(FOREVER - 1);
}

#[test]
fn times_that_make_no_sense_are_not_kept_to() {
    for (renew, rebind, due) in [(3u32, 6u32, 3), (0, 6, 500), (7, 6, 500), (6, 1000, 500), (2000, 3000, 500)]
    {
        let mut world = World::new();
        let _ = world.act();
        let _ = world.hear(&world.reply(2, ONE, OURS, 1000));
        let ack = world.reply(5, ONE, OURS, 1000);
        let asked = world.now;
        let _ = world.hear(&ack.with(58, &renew.to_be_bytes()).with(59, &rebind.to_be_bytes()));
        world.settle();
        assert_eq!(world.client.due(), Some(asked + due * SECOND), "{renew} {rebind}");
    }
}

#[test]
fn after_a_restart_or_a_pulled_cable_the_old_address_is_asked_for() {
    let mut world = World::new();
    world.client.stop();
    world.client.remember(OURS);
    world.client.start(MAC, 1, world.now);
    assert_eq!(world.act(), [REQUEST]);
    assert_eq!((world.option(50), world.option(54)), (Some(OURS.to_vec()), None));
    assert_eq!(world.hear(&world.reply(5, TWO, OURS, 1000)), [Action::Probe]);
    world.settle();
    // The cable.
    world.client.stop();
    assert!(world.client.is_bound(), "a moment without a carrier costs nothing");
    world.now += 60 * SECOND;
    world.client.start(MAC, 2, world.now);
    assert_eq!(world.act(), [REQUEST]);
    assert_eq!(world.hear(&world.reply(5, TWO, OURS, 1000)), [Action::Take], "it is not probed for again");
    // In another network.
    world.client.stop();
    world.client.start(MAC, 3, world.now);
    assert_eq!(world.act(), [REQUEST]);
    assert_eq!(world.hear(&world.reply(6, ONE, [0; 4], 0)), [Action::Drop(Gone::Refused)]);
    assert_eq!(world.next(), [DISCOVER]);
}

#[test]
fn a_cable_that_is_back_before_the_server_keeps_the_address_for_its_time() {
    let mut world = World::new();
    world.bind(1000);
    world.client.stop();
    world.client.start(MAC, 2, world.now);
    assert_eq!(world.act(), [REQUEST]);
    assert_eq!(world.next(), [REQUEST]);
    assert_eq!(world.next(), [Action::Take], "its routes may be gone");
    assert!(world.client.is_bound());
    assert_eq!(world.next(), [RENEWAL]);
    // Not even if it was to be renewed long ago.
    world.client.stop();
    world.client.start(MAC, 3, world.now);
    assert_eq!(world.act(), [REQUEST]);
    assert_eq!(world.next(), [REQUEST]);
    assert_eq!(world.next(), [Action::Take, RENEWAL]);
    assert!(world.client.due() > Some(world.now));
    // And one that is never put back does not keep it for ever.
    world.client.stop();
    assert_eq!(world.next(), [Action::Drop(Gone::Expired)]);
    assert_eq!(world.client.due(), None);
}

#[test]
fn other_routes_in_a_renewal_are_put_in_place_of_the_old_ones() {
    let mut world = World::new();
    world.bind(1000);
    let _ = world.next();
    let ack = world.reply(5, ONE, OURS, 1000).with(3, &TWO);
    assert_eq!(world.hear(&ack), [Action::Drop(Gone::Changed), Action::Take]);
    assert_eq!(routes(world.client.lease()), ["0.0.0.0/0 via 10.0.0.2"]);
}

#[test]
fn classless_routes_are_instead_of_the_router() {
    let reply = Reply::to(&[0; HEADERS + 8], 5, ONE, OURS, 600).with(3, &ONE);
    // RFC 3442's own, one on the link, and bits behind a prefix.
    let some = [
        0, 10, 0, 0, 2, 8, 10, 10, 0, 0, 3, 32, 169, 254, 169, 254, 0, 0, 0, 0, 23, 192, 168, 1, 10, 0, 0, 4,
    ];
    let (_, lease) = reply.clone().with(121, &some).read().unwrap();
    assert_eq!(
        routes(&lease),
        [
            "0.0.0.0/0 via 10.0.0.2",
            "10.0.0.0/8 via 10.0.0.3",
            "169.254.169.254/32",
            "192.168.0.0/23 via 10.0.0.4"
        ]
    );
    // In pieces; cut off; a prefix that cannot be.
    let (_, lease) = reply.clone().with(121, &some[..7]).with(121, &some[7..11]).read().unwrap();
    assert_eq!(routes(&lease), ["0.0.0.0/0 via 10.0.0.2", "10.0.0.0/8 via 10.0.0.3"]);
    let (_, lease) = reply.clone().with(121, &some[..9]).read().unwrap();
    assert_eq!(routes(&lease), ["0.0.0.0/0 via 10.0.0.2"]);
    let (_, lease) = reply.with(121, &[33, 1, 2, 3, 4, 5, 10, 0, 0, 1]).read().unwrap();
    assert_eq!(routes(&lease).len(), 0);
}

#[test]
fn options_go_on_in_the_two_fields_if_they_are_said_to() {
    let mut reply = Reply::to(&[0; HEADERS + 8], 5, ONE, OURS, 600);
    reply.file = std::vec![3, 4, 10, 0, 0, 9, 255, 6, 4, 1, 1, 1, 1];
    reply.name = std::vec![6, 4, 9, 9, 9, 9, 255];
    for (overload, router, dns) in [(0, false, false), (1, true, false), (2, false, true), (3, true, true)] {
        let (_, lease) = reply.clone().with(52, &[overload]).read().unwrap();
        assert_eq!((!lease.routes.is_empty(), !lease.resolvers.is_empty()), (router, dns), "{overload}");
    }
}

#[test]
fn what_is_not_for_us_or_makes_no_sense_is_not_heard() {
    let good = Reply::to(&[0; HEADERS + 8], 5, ONE, OURS, 600);
    assert!(good.read().is_some());
    let change = |change: &dyn Fn(&mut Reply)| {
        let mut reply = good.clone();
        change(&mut reply);
        message::read(&reply.message(), 0, &MAC)
    };
    assert_eq!(change(&|it| it.xid = [1; 4]), None, "another exchange");
    assert_eq!(change(&|it| it.mac = OTHER), None, "another machine");
    for address in [[0; 4], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4]] {
        assert_eq!(change(&|it| it.address = address), None, "{address:?} is nobody's");
    }
    // An option that is longer than all there is; and nobody has said who gives it.
    assert_eq!(change(&|it| it.options = std::vec![53, 1, 5, 54, 200, 1]), None);
    assert_eq!(change(&|it| it.options = std::vec![53, 1, 5]), None);
    let mut whole = good.message();
    whole[236] = 0;
    assert_eq!(message::read(&whole, 0, &MAC), None, "no cookie");
    whole[236] = 99;
    whole[0] = 1;
    assert_eq!(message::read(&whole, 0, &MAC), None, "a question, not an answer");
    whole[0] = 2;
    for length in 0..whole.len() - 20 {
        assert_eq!(message::read(&whole[..length], 0, &MAC), None, "{length}");
    }
    // Domains that would be more than that in a file.
    for domain in ["a b", "a\nnameserver 6.6.6.6", "ä"] {
        assert_eq!(good.clone().with(15, domain.as_bytes()).read().unwrap().1.domain(), b"", "{domain}");
    }
    // An MTU that nobody can work with.
    assert_eq!(good.clone().with(26, &68u16.to_be_bytes()).read().unwrap().1.mtu, 0);
}

#[test]
fn packets_that_are_something_else_are_not_opened() {
    let packet = Reply::to(&[0; HEADERS + 8], 5, ONE, OURS, 600).packet();
    assert!(message::unpack(&packet).is_some());
    for (place, byte) in [(0, 0x65), (9, 6), (6, 0x20), (7, 1), (23, 69), (2, 255), (24, 255), (0, 0x4f)] {
        let mut other = packet.clone();
        other[place] = byte;
        // With a longer header the ports are elsewhere; what comes of that is not a message.
        let opened = message::unpack(&other).and_then(|it| message::read(it, 0, &MAC));
        assert_eq!(opened, None, "{place}: {byte}");
    }
    for length in 0..packet.len() {
        assert_eq!(message::unpack(&packet[..length]), None, "{length}");
    }
    // What an Ethernet has put behind it does not matter.
    let mut longer = packet.clone();
    longer.extend([0; 20]);
    assert_eq!(message::unpack(&longer), message::unpack(&packet));
}

proptest! {
    /// Whatever comes and whenever: it ends, an address is only there between its coming and its
    /// going, and somebody is asked again some time unless there is no carrier or no end.
    #[test]
    fn no_history_leaves_a_client_stuck(steps in prop::collection::vec((0u8..12, 0u64..200, any::<u32>()), 1..80)) {
        let mut world = World::new();
        let mut bound = false;
        let mut carrier = true;
        for (step, seconds, number) in steps {
            world.now += seconds * SECOND;
            let mut did = world.act();
            if world.sent.is_empty() {
                continue;
            }
            let server = if number & 1 == 0 { ONE } else { TWO };
            let address = if number & 6 == 0 { TWO } else { OURS };
            let time = if number & 8 == 0 { number >> 8 } else { number >> 24 };
            match step {
                0 | 1 => did.extend(world.hear(&world.reply(2, server, address, time))),
                2..=5 => did.extend(world.hear(&world.reply(5, server, address, time))),
                6 => did.extend(world.hear(&world.reply(6, server, address, time))),
                7 => {
                    let mut taken = message::probe(&OTHER, ONE);
                    taken[14..18].copy_from_slice(&address);
                    world.client.hear(&taken, world.now);
                    did.extend(world.act());
                }
                8 => { world.client.stop(); carrier = false; }
                9 => { world.client.start(MAC, number, world.now); carrier = true; did.extend(world.act()); }
                _ => did.extend(world.client.due().map(|_| world.next()).unwrap_or_default()),
            }
            did.extend(world.act());
            for action in did {
                match action {
                    Action::Take => bound = true,
                    Action::Drop(_) => { prop_assert!(bound); bound = false; }
                    Action::Send(..) | Action::Probe => prop_assert!(carrier || step == 8),
                }
            }
            prop_assert_eq!(bound, world.client.is_bound());
            prop_assert!(world.client.due().is_none_or(|due| due > world.now), "nothing is due twice");
            prop_assert!(!carrier || world.client.due().is_some() || world.client.lease().seconds == FOREVER);
        }
    }

    #[test]
    fn any_bytes_are_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut client = Client::NEW;
        client.start(MAC, 1, 0);
        let _ = client.poll(0);
        client.receive(&bytes, 1);
        client.receive(&packed(&bytes), 1);
        prop_assert_eq!(client.listens(), Listen::Dhcp);
    }
}

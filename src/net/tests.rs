//! Messages against what ip(8) and nft(8) send: `tests/netlink/*.bin` are their bytes, taken with
//! strace(1) on Linux 6.18 from iproute2 6.1 and nftables 1.0.6.

use super::link::{self, Kind};
use super::message::{self, Message, Messages, attributes, messages};
use super::rules;
use crate::config::address::{Cidr, Route};
use crate::config::{Config, Report, Shown, Sources, Tree, read};
use proptest::prelude::*;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

fn captured(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/netlink/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn written(write: impl FnOnce(&mut Messages)) -> Vec<u8> {
    let mut room = std::vec![0; 64 * 1024];
    let mut out = Messages::new(&mut room);
    write(&mut out);
    out.finish().expect("it fits").to_vec()
}

/// What is not a matter of taste: type, flags without NLM_F_ACK, payload.
fn essence(bytes: &[u8]) -> Vec<(u16, u16, Vec<u8>)> {
    const ACK: u16 = 4;
    messages(bytes).map(|it| (it.kind, it.flags & !ACK, it.payload.to_vec())).collect()
}

#[track_caller]
fn assert_same(name: &str, write: impl FnOnce(&mut Messages)) {
    let ours = written(write);
    assert!(messages(&ours).count() > 0, "{name}: no message");
    assert_eq!(essence(&ours), essence(&captured(name)), "{name}");
}

fn cidr(text: &str) -> Cidr {
    Cidr::parse(text.as_bytes()).unwrap()
}

fn route(text: &str) -> Route {
    Route::parse(text.as_bytes()).unwrap()
}

#[test]
fn links_addresses_and_routes_are_those_of_ip() {
    assert_same("bridge", |out| link::make(out, b"br0", Kind::Bridge, None));
    assert_same("vlan", |out| link::make(out, b"up0.7", Kind::Vlan { link: 3, number: 7 }, None));
    assert_same("macvlan", |out| link::make(out, b"eth0", Kind::Macvlan { link: 3 }, Some(4)));
    assert_same("ipvlan", |out| link::make(out, b"eth1", Kind::Ipvlan { link: 3 }, Some(4)));
    assert_same("pair", |out| link::make_pair(out, b"eth0", b"corm0", 4));
    assert_same("up", |out| link::turn_on(out, 4));
    assert_same("mtu", |out| link::set_mtu(out, 4, 1400));
    assert_same("mac", |out| link::set_mac(out, 4, &[2, 0, 0, 0, 0, 1]));
    assert_same("move", |out| link::move_into(out, 9, b"eth5", 4));
    assert_same("address4", |out| link::add_address(out, 4, &cidr("10.88.0.1/24")));
    assert_same("address6", |out| link::add_address(out, 4, &cidr("fd00:88::1/64")));
    assert_same("route4", |out| link::add_route(out, 4, &route("10.1.0.0/16 via 10.88.0.3 metric 50")));
    assert_same("connected", |out| link::add_route(out, 4, &route("10.2.0.0/16")));
}

#[test]
fn a_port_of_a_bridge_is_that_of_ip_and_has_a_name() {
    let ours = essence(&written(|out| link::connect(out, 7, 4, b"web", true)));
    assert_eq!(ours.len(), 3);
    assert_eq!(ours[0], essence(&captured("master"))[0]);
    assert_eq!(ours[2], essence(&captured("isolated"))[0]);
    const ALIAS: u16 = 20;
    assert_eq!(message::find(&ours[1].2[16..], ALIAS), Some(&b"web\0"[..]));
}

struct Ignore;

impl Report for Ignore {
    fn problem(&mut self, _: &Shown) {
        panic!("the config is fine");
    }
}

pub(super) fn config(text: &str) -> Box<Config> {
    let mut sources = Box::new(Sources::EMPTY);
    sources.add(b"corm.toml", text.as_bytes()).unwrap();
    let mut config = Box::new(Config::EMPTY);
    read(&sources, &mut Box::new(Tree::EMPTY), &mut config, &mut Ignore);
    config
}

/// Attributes as a tree, in the order of their numbers; what cannot be attributes is a value.
fn tree(bytes: &[u8], depth: usize) -> String {
    let mut found: Vec<(u16, &[u8])> = attributes(bytes).collect();
    let length: usize = found.iter().map(|(_, value)| (value.len() + 7) & !3).sum();
    if found.is_empty() || length != bytes.len() || found.iter().any(|(kind, _)| *kind == 0 || *kind > 20) {
        return bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    }
    found.sort_by_key(|(kind, _)| *kind);
    let line = |(kind, value): &(u16, &[u8])| {
        format!("\n{:width$}{kind}: {}", "", tree(value, depth + 1).trim_end(), width = depth * 2)
    };
    found.iter().map(line).collect::<String>() + "\n"
}

fn shown(message: &Message) -> String {
    const GENERATION: usize = 4;
    let (fixed, attributes) = message.payload.split_at(GENERATION);
    // A counter that starts at nothing may say so.
    let text = tree(attributes, 1);
    format!("{:#x} {fixed:?}{text}", message.kind)
}

#[test]
fn the_firewall_is_that_of_nft() {
    let config = config(
        r#"
[network]
br0 = { bridge = true, address = ["10.88.0.1/20", "fd00:88::1/60"], masquerade = true }
[workload.web]
command = ["/bin/web"]
network = { bridge = "br0", ports = ["8080:80", "5000-5010/udp"], egress = ["172.16.0.0/12:443/tcp", "::/0:53/udp"] }
[workload.ssh]
command = ["/bin/ssh"]
network = { mode = "host", ports = ["22"] }
"#,
    );
    let ours = written(|out| rules::write(&config, out));
    let ours: Vec<String> = messages(&ours).map(|it| shown(&it)).collect();
    let theirs: Vec<String> = messages(&captured("firewall")).map(|it| shown(&it)).collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn what_has_no_bridge_and_no_ports_has_no_firewall() {
    let wanted = |text: &str| rules::is_wanted(&config(text));
    assert!(!wanted(
        "[network]\neth0 = { address = \"192.0.2.5/24\" }\n[workload.a]\ncommand = [\"/a\"]\nnetwork = { mode = \"host\" }"
    ));
    assert!(wanted("[network]\nbr0 = { bridge = true }"));
    assert!(wanted("[workload.a]\ncommand = [\"/a\"]\nnetwork = { mode = \"host\", ports = [\"22\"] }"));
}

#[test]
fn workloads_without_an_address_get_the_first_ones_that_nobody_has() {
    let config = config(
        r#"
[network]
br0 = { bridge = true, address = ["10.88.0.1/24", "fd00:88::2/64"] }
br1 = { bridge = true, address = "10.89.0.2/30" }
[workload]
a = { command = ["/a"], network = { bridge = "br0" } }
b = { command = ["/b"], network = { bridge = "br0", address = "10.88.0.2/24" } }
c = { command = ["/c"], network = { bridge = "br0" } }
d = { command = ["/d"], network = { bridge = "br1" } }
e = { command = ["/e"], network = { bridge = "br1" } }
"#,
    );
    let addresses = |index: usize| {
        let words = config.words(config.workloads[index].connection.addresses);
        words
            .iter()
            .map(|word| core::str::from_utf8(config.bytes(*word)).unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let all: Vec<String> = (0..5).map(addresses).collect();
    assert_eq!(
        all,
        ["10.88.0.3/24 fd00:88::1/64", "10.88.0.2/24", "10.88.0.4/24 fd00:88::3/64", "10.89.0.1/30", ""]
    );
}

#[test]
fn every_phrase_belongs_to_a_thing_that_is_done() {
    link::check_phrases();
}

#[test]
fn a_refusal_has_the_kernels_reason() {
    // What the kernel answered to a route whose gateway nobody reaches.
    let answer = captured("refusal");
    let refusal = messages(&answer).find_map(|it| it.refusal()).expect("it is a refusal");
    assert_eq!(refusal.errno, libc::ENETUNREACH as u16);
    assert_eq!(refusal.reason, b"Nexthop has invalid gateway");
}

#[test]
fn messages_that_do_not_fit_are_not_half_sent() {
    for size in 0..200 {
        let mut room = std::vec![0; size];
        let mut out = Messages::new(&mut room);
        link::make_pair(&mut out, b"eth0", b"corm0", 4);
        let whole = written(|out| link::make_pair(out, b"eth0", b"corm0", 4));
        assert_eq!(out.finish().map(<[u8]>::to_vec), (size >= whole.len()).then_some(whole), "{size}");
    }
    let mut room = [0; 256];
    let mut out = Messages::new(&mut room);
    link::find(&mut out, "a".repeat(64).to_string().as_bytes());
    assert_eq!(out.finish(), None, "a name that is too long");
    // Its length has 16 bits, of which runc once took the low ones (CVE-2021-43784).
    for (length, fits) in [(65_531, true), (65_532, false), (65_536, false), (131_072, false)] {
        let mut room = std::vec![0; 140_000];
        let mut out = Messages::new(&mut room);
        out.begin(1, 0, 1, &[]);
        out.attribute(1, &std::vec![0; length]);
        assert_eq!(out.finish().is_some(), fits, "{length}");
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..64) {
        let mut answer = captured("refusal");
        let at = at.min(answer.len());
        answer.splice(at..(at + bytes.len() / 16).min(answer.len()), bytes.iter().copied().take(8));
        for bytes in [&bytes, &answer] {
            for message in messages(bytes) {
                message.refusal();
                attributes(message.payload).count();
            }
        }
    }
}

#[test]
fn interfaces_and_name_servers_are_read_as_the_kernel_sends_them() {
    let news = |kind: u16, payload: &[u8]| {
        let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes
    };
    let mut eth0 = std::vec![0, 0, 1, 0, 7, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0];
    eth0.extend([9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0, 10, 0, 1, 0, 2, 0, 0, 0, 0, 9, 0, 0]);
    let link = |kind, payload: &[u8]| {
        let bytes = news(kind, payload);
        let message = messages(&bytes).next().unwrap();
        link::read(&message).map(|it| (it.index, it.name.to_vec(), it.mac, it.is_on, it.is_ready, it.is_gone))
    };
    let name = b"eth0".to_vec();
    let mac = Some([2, 0, 0, 0, 0, 9]);
    assert_eq!(link(16, &eth0), Some((7, name.clone(), mac, true, true, false)));
    assert_eq!(link(17, &eth0).map(|it| it.5), Some(true));
    assert_eq!(link(20, &eth0), None);
    for length in 0..25 {
        assert_eq!(link(16, &eth0[..length]), None, "{length}");
    }
    // On and no carrier; a bridge's own news.
    eth0[10] = 0;
    assert_eq!(link(16, &eth0), Some((7, name, mac, true, false, false)));
    eth0[0] = 7;
    assert_eq!(link(16, &eth0), None);

    let mut option = std::vec![10, 0, 24, 0, 3, 0, 0, 0, 134, 0, 0, 0, 0, 0, 0, 0];
    option.extend([25, 3, 0, 0, 0, 0, 2, 88]);
    option.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53]);
    let told = |payload: &[u8]| {
        let bytes = news(68, payload);
        let message = messages(&bytes).next().unwrap();
        link::read_told(&message).map(|it| (it.index, it.lifetime, it.servers.len()))
    };
    assert_eq!(told(&option), Some((3, 600, 1)));
    option.extend([0; 20]);
    assert_eq!(told(&option), Some((3, 600, 1)), "attributes come behind it");
    option[17] = 9;
    assert_eq!(told(&option), None, "longer than all there is");
    option[17] = 0;
    assert_eq!(told(&option), None);
    (option[16], option[17]) = (31, 3);
    assert_eq!(told(&option), None, "another option");
}

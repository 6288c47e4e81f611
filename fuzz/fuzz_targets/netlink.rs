//! Any bytes as the kernel's answer: messages, attributes and refusals are read to their end, stay
//! inside of what came, and a text of a config's that means something to a network means the same again.
//!
//! `cargo xtask fuzz netlink`
#![no_main]

use corm::config::address::{self, Cidr, Egress, Published, Route};
use corm::net::link;
use corm::net::message::{attributes, messages};
use corm::text::{Show, Text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut left = data.len();
    for message in messages(data) {
        assert!(message.payload.len() + 16 <= left);
        left -= message.payload.len() + 16;
        if let Some(refusal) = message.refusal() {
            assert!(refusal.errno != 0 && !refusal.reason.contains(&0));
        }
        if let Some(link) = link::read(&message) {
            assert!(link.name.len() < message.payload.len() && !(link.is_ready && !link.is_on));
        }
        if let Some(told) = link::read_told(&message) {
            assert!(told.servers.len() * 16 + 24 <= message.payload.len());
        }
        let mut left = message.payload.len();
        for (_, value) in attributes(message.payload) {
            assert!(value.len() + 4 <= left);
            left -= value.len() + 4;
            assert!(attributes(value).count() <= value.len() / 4);
        }
    }
    if let Some(cidr) = Cidr::parse(data) {
        let mut text = Text::<64>::new();
        cidr.show(&mut text);
        assert_eq!(Cidr::parse(text.as_bytes()), Some(cidr));
        assert!(cidr.has(&cidr.ip) && cidr.has(&cidr.network()));
    }
    if let Some(published) = Published::parse(data) {
        assert!(published.ports.first <= published.ports.last && published.to != 0);
    }
    let _ = (Route::parse(data), Egress::parse(data), address::ip(data), address::mac(data));
});

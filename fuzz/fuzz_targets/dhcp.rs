//! Any history of packets, times, cables and ARP messages as an uplink's: what a client has is always
//! sound, it is never stuck, and it never has more to do than a few things at once.
//!
//! An input is a row of events: what it is, after how many seconds, how many bytes (two, the low one
//! first) and these bytes. Of a message the number and the MAC address are made right, or few would
//! come any further; a packet is taken as it is.
//!
//! ```sh
//! mkdir -p fuzz/corpus/dhcp
//! cargo +nightly fuzz run dhcp fuzz/corpus/dhcp fuzz/seeds/dhcp -- -max_len=4096
//! ```
#![no_main]

use corm::net::dhcp::{Action, Client, Kind, Listen, message};
use libfuzzer_sys::fuzz_target;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

fn wrap(message: &[u8], client: &Client, now: u64) -> Vec<u8> {
    let length = (28 + message.len()) as u16;
    let mut out = vec![0x45, 0];
    out.extend(length.to_be_bytes());
    out.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255, 0, 67, 0, 68]);
    out.extend((length - 20).to_be_bytes());
    out.extend([0, 0]);
    out.extend(message);
    let ours = client.message(Kind::Discover, b"", now);
    if out.len() >= 28 + 34 {
        out[32..36].copy_from_slice(&ours[32..36]);
        out[56..62].copy_from_slice(&MAC);
    }
    out
}

fuzz_target!(|data: &[u8]| {
    let mut client = Client::NEW;
    let mut now = 1000;
    client.start(MAC, 1, now);
    let mut rest = data;
    let mut bound = false;
    while let [how, seconds, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (bytes, after) = tail.split_at(length);
        rest = after;
        now += u64::from(*seconds) * 1000;
        match how % 8 {
            0..=3 => client.receive(&wrap(bytes, &client, now), now),
            4 => client.receive(bytes, now),
            5 => client.hear(bytes, now),
            6 => client.stop(),
            _ => client.start(MAC, u32::from(*seconds), now),
        }
        let mut actions = 0;
        while let Some(action) = client.poll(now) {
            actions += 1;
            assert!(actions < 8);
            match action {
                Action::Take => bound = true,
                Action::Drop(_) => assert!(std::mem::take(&mut bound)),
                Action::Send(kind, _) => {
                    let packet = client.message(kind, &[b'h'; 64], now);
                    assert!(packet.len() >= 328 && packet.len() == usize::from(packet[2]) * 256 + usize::from(packet[3]));
                }
                Action::Probe => assert_eq!(client.listens(), Listen::Arp),
            }
        }
        assert!(client.due().is_none_or(|due| due > now), "nothing is due twice");
        assert_eq!(bound, client.is_bound());
        let lease = client.lease();
        if bound {
            assert!(!matches!(lease.address, [0 | 127 | 224.., ..]) && (1..=32).contains(&lease.length));
            assert!(lease.seconds >= 10 && (lease.mtu == 0 || lease.mtu >= 576));
        }
        let fine = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        assert!(lease.domain().iter().all(fine));
        assert!(lease.routes.iter().all(|route| route.to.length <= 32 && route.to.network() == route.to.ip));
    }
    let _ = message::unpack(data).and_then(|it| message::read(it, 0, &MAC));
});

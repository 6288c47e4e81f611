//! Any packet, as PID 1 reads requests and as a command reads replies and log records.
//!
//! `cargo xtask fuzz protocol`
#![no_main]

use corm::control::protocol::{REPLY, REQUEST, Request, Row};
use corm::log::ring::Record;
use corm::text::Text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // No packet is longer: what comes longer is cut off by the kernel.
    let data = &data[..data.len().min(REPLY)];
    // What is understood is what would have been sent.
    if let Ok(request) = Request::decode(data) {
        let mut again = Text::<REQUEST>::new();
        request.encode(&mut again);
        assert_eq!(again.as_bytes(), data);
    }
    if let Some(row) = Row::decode(data) {
        let mut again = Text::<{ 2 * REPLY }>::new();
        row.encode(&mut again);
        assert!(Row::decode(again.as_bytes()) == Some(row));
    }
    let mut rest = data;
    while let Some((record, after)) = Record::first(rest) {
        assert!(after.len() < rest.len() && record.line.len() <= rest.len());
        rest = after;
    }
});

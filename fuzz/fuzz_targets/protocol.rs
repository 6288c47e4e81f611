//! Any packet, as PID 1 reads requests and as a command reads replies and log records.
//!
//! ```sh
//! mkdir -p fuzz/corpus/protocol
//! cargo +nightly fuzz run protocol fuzz/corpus/protocol fuzz/seeds/protocol -- -max_len=1100
//! ```
#![no_main]

use corm::control::protocol::{REPLY, REQUEST, Request, Row};
use corm::log::ring::Record;
use corm::text::Text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
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

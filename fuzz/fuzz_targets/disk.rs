//! Any bytes as the beginning of a disk: nothing is believed that does not lie inside of them.
//!
//! `cargo xtask fuzz disk`
#![no_main]

use corm::disk::superblock::{PLACES, Table, gpt_has, look, mbr_has, table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The first bytes are the name that is looked for.
    let (wanted, bytes) = data.split_at(data.len().min(16));
    for place in PLACES {
        if let Some(found) = look(bytes, place) {
            assert!(!found.has_label(b"") && !found.has_uuid(b""));
            let _ = (found.has_label(wanted), found.has_uuid(wanted));
        }
    }
    let number = bytes.first().map_or(0, |byte| u32::from(*byte));
    match table(bytes, number) {
        Some(Table::Gpt(place)) => assert!(number > 0 && place < 1 << 62),
        Some(Table::Mbr(signature)) => _ = mbr_has(signature, number, wanted),
        None => {}
    }
    let _ = gpt_has(bytes, wanted);
});

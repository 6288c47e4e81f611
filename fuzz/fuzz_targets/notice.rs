//! What a workload may send to its notify socket: any bytes, of which only whole lines
//! that mean something become events.
//!
//! `cargo xtask fuzz notice`
#![no_main]

use corm::supervise::UnitEvent;
use corm::supervise::notice::events;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let said = |line: &[u8]| message.split(|byte| *byte == b'\n').any(|said| said == line);
    let told: Vec<UnitEvent> = events(message).collect();
    assert!(told.len() <= 3);
    assert_eq!(told.contains(&UnitEvent::Ready), said(b"READY=1"));
    assert_eq!(told.contains(&UnitEvent::Alive), said(b"WATCHDOG=1"));
    assert_eq!(told.contains(&UnitEvent::Leaving), said(b"STOPPING=1"));
});

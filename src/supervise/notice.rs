//! What a workload says of itself: the messages of sd_notify(3).
//!
//! A message is lines of `NAME=VALUE`. Three of them mean something here; the rest is
//! for other supervisors, and whatever it says changes nothing.

use super::words::UnitEvent;
use crate::text::words;

/// The events in a message, in the order of a life, whatever their order there.
pub fn events(message: &[u8]) -> impl Iterator<Item = UnitEvent> {
    const MEANINGS: [(&[u8], UnitEvent); 3] = [
        (b"READY=1", UnitEvent::Ready),
        (b"WATCHDOG=1", UnitEvent::Alive),
        (b"STOPPING=1", UnitEvent::Leaving),
    ];
    let said = move |line: &[u8]| words(message, b'\n').any(|said| said == line);
    MEANINGS.into_iter().filter(move |(line, _)| said(line)).map(|(_, event)| event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn whole_lines_count_and_nothing_else() {
        let all = |message: &[u8]| events(message).collect::<Vec<_>>();
        assert_eq!(all(b"READY=1"), [UnitEvent::Ready]);
        assert_eq!(all(b"STATUS=ok\nREADY=1\n"), [UnitEvent::Ready]);
        assert_eq!(all(b"WATCHDOG=1\nREADY=1"), [UnitEvent::Ready, UnitEvent::Alive]);
        assert_eq!(all(b"STOPPING=1"), [UnitEvent::Leaving]);
        for message in [
            &b""[..],
            b"READY=0",
            b"READY=11",
            b" READY=1",
            b"xREADY=1",
            b"READY=1\0",
            b"MAINPID=1\nERRNO=5\nFDSTORE=1\n",
            b"WATCHDOG=trigger",
        ] {
            assert_eq!(all(message), [], "{message:?}");
        }
    }
}

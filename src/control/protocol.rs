//! What is said on the control socket, `/run/corm/control`.
//!
//! It is a SOCK_SEQPACKET: packets stay whole, so there are no lengths to be wrong.
//! A client sends one [`Request`] and gets one reply, then it may send the next. A reply is
//! a byte that is 0, and what was asked for; or a [`Refusal`], and what belongs to it.
//! What does not fit one reply is asked for again with the place where it goes on, so
//! that PID 1 keeps nothing for a client but what it waits for.
//!
//! | request, bytes | what |
//! |---|---|
//! | 0 | [`VERSION`] |
//! | 1 | [`Op`] |
//! | 2 | argument: a signal, or how the machine is to end |
//! | 3 | 0 |
//! | 4..12 | a place, little-endian |
//! | 12.. | a workload's name, or nothing |
//!
//! A version is a promise about bytes: a corm that says something else has another one.
//! Both ends are the same program as a rule; the others are told, and go.

use crate::limits;
use crate::text::{Sink, cut};
use core::ffi::CStr;

pub const VERSION: u8 = 1;

/// Where PID 1 listens.
pub const PATH: &CStr = c"/run/corm/control";

const HEADER: usize = 12;

/// The longest request.
pub const REQUEST: usize = HEADER + limits::WORKLOAD_NAME;

/// The longest reply: a longest log record, some more, and the numbers of a row.
pub const REPLY: usize = 1024;

macro_rules! bytes {
    ($(#[$doc:meta])* $type:ident from $first:literal { $($(#[$note:meta])* $name:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum $type { $($(#[$note])* $name,)* }

        impl $type {
            pub fn byte(self) -> u8 {
                (self as u8).wrapping_add($first)
            }

            pub fn from_byte(byte: u8) -> Option<$type> {
                const ALL: &[$type] = &[$($type::$name),*];
                ALL.get(usize::from(byte.checked_sub($first)?)).copied()
            }
        }
    };
}

bytes! {
    /// What a client wants. From `Start` on it is for root.
    Op from 0 {
        /// The row of the workload with that name or, without one, of the one in that
        /// place of the config.
        Row,
        /// Records of a workload's log from that place on; without a name, of corm's own.
        Log,
        /// The reply comes when that log has grown past that place; with an argument,
        /// when there are more lines in all logs together than that.
        AwaitLog,
        /// The reply is its row, once it runs or will not.
        AwaitUp,
        /// The reply is its row, once it is down.
        AwaitDown,
        Start,
        Stop,
        Restart,
        /// Sends the argument, a signal, to its main process.
        Kill,
        Pause,
        Resume,
        /// Ends the machine; the argument is 0 to power off, 1 to reboot, 2 to halt.
        End,
        /// The text of the config that is in force: of the file whose number is the argument,
        /// from that place on.
        Config,
    }
}

bytes! {
    /// Why not.
    Refusal from 1 {
        /// The byte after it is the version that is spoken here.
        Version,
        Malformed,
        /// Only root may.
        Forbidden,
        /// No workload has that name; what follows is one that is nearly the same.
        Unknown,
        /// The last row was before this one.
        NoMore,
        /// The machine ends or is in a rescue, and starts nothing.
        TooLate,
        Masked,
        NotRunning,
        /// This kernel or this machine cannot; an errno follows, two bytes.
        Unable,
        /// There are as many clients as there may be.
        TooMany,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    pub op: Op,
    pub argument: u8,
    pub place: u64,
    pub name: &'a [u8],
}

impl<'a> Request<'a> {
    pub fn of(op: Op, name: &'a [u8]) -> Request<'a> {
        Request { op, argument: 0, place: 0, name }
    }

    pub fn encode(&self, out: &mut dyn Sink) {
        out.put(&[VERSION, self.op.byte(), self.argument, 0]);
        out.put(&self.place.to_le_bytes());
        out.put(self.name);
    }

    pub fn decode(packet: &'a [u8]) -> Result<Request<'a>, Refusal> {
        if packet.first().is_some_and(|version| *version != VERSION) {
            return Err(Refusal::Version);
        }
        let (header, name) = packet.split_first_chunk::<HEADER>().ok_or(Refusal::Malformed)?;
        let [_, op, argument, zero, place @ ..] = *header;
        let op = Op::from_byte(op).ok_or(Refusal::Malformed)?;
        if zero != 0 || name.len() > limits::WORKLOAD_NAME {
            return Err(Refusal::Malformed);
        }
        Ok(Request { op, argument, place: u64::from_le_bytes(place), name })
    }
}

/// The numbers of a [`Row`], by their place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Field {
    /// Its main process.
    Pid,
    /// When that was started, in milliseconds since boot.
    Since,
    /// How often it was launched, after the first time.
    Restarts,
    /// How it last ended: 256 + status, or 512 + signal.
    Exit,
    /// How many of its processes were killed for want of memory.
    OomKills,
    /// Lines it has written.
    Lines,
    // What a client finds out by itself comes behind those.
    Memory,
    Peak,
    Cpu,
    Pids,
}

/// Of them, those that PID 1 sends.
const SENT: usize = Field::Memory as usize;
const FIELDS: usize = Field::Pids as usize + 1;

/// A number that is not there.
pub const NONE: u64 = u64::MAX;

/// What there is to say of one workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row<'a> {
    numbers: [u64; FIELDS],
    pub name: &'a [u8],
    /// A word of docs/supervision.md.
    pub state: &'a [u8],
}

impl<'a> Row<'a> {
    pub fn new(name: &'a [u8], state: &'a [u8]) -> Row<'a> {
        Row { numbers: [NONE; FIELDS], name, state }
    }

    pub fn get(&self, field: Field) -> Option<u64> {
        self.numbers.get(field as usize).copied().filter(|number| *number != NONE)
    }

    pub fn set(&mut self, field: Field, number: Option<u64>) {
        if let Some(place) = self.numbers.get_mut(field as usize) {
            *place = number.unwrap_or(NONE);
        }
    }

    /// Puts what follows the reply's first byte.
    pub fn encode(&self, out: &mut dyn Sink) {
        for number in self.numbers.iter().take(SENT) {
            out.put(&number.to_le_bytes());
        }
        out.put(self.name);
        out.put(&[0]);
        out.put(self.state);
    }

    pub fn decode(mut bytes: &'a [u8]) -> Option<Row<'a>> {
        let mut numbers = [NONE; FIELDS];
        for number in numbers.iter_mut().take(SENT) {
            let (first, rest) = bytes.split_first_chunk()?;
            (*number, bytes) = (u64::from_le_bytes(*first), rest);
        }
        let (name, state) = cut(bytes, 0)?;
        Some(Row { numbers, name, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_request_comes_back(op in 0u8..13, argument: u8, place: u64, name in "[a-z0-9-]{0,32}") {
            let op = Op::from_byte(op).unwrap();
            let request = Request { op, argument, place, name: name.as_bytes() };
            let mut packet = Text::<REQUEST>::new();
            request.encode(&mut packet);
            prop_assert_eq!(Request::decode(packet.as_bytes()), Ok(request));
        }

        #[test]
        fn any_packet_is_a_request_or_refused(packet in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(request) = Request::decode(&packet) {
                let mut again = Text::<REQUEST>::new();
                request.encode(&mut again);
                prop_assert_eq!(again.as_bytes(), &packet[..]);
            }
            let _ = Row::decode(&packet);
        }

        #[test]
        fn a_row_comes_back(numbers: [u64; 6], name in "[a-z]{1,31}", state in "[a-z]{1,12}") {
            let mut row = Row::new(name.as_bytes(), state.as_bytes());
            row.numbers[..6].copy_from_slice(&numbers);
            let mut bytes = Text::<REPLY>::new();
            row.encode(&mut bytes);
            prop_assert_eq!(Row::decode(bytes.as_bytes()), Some(row));
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(Request::decode(b""), Err(Refusal::Malformed));
        assert_eq!(Request::decode(&[2]), Err(Refusal::Version));
        assert_eq!(Request::decode(&[1; 11]), Err(Refusal::Malformed));
        assert_eq!(Request::decode(&[1, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Refusal::Malformed));
        assert_eq!(Request::decode(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Refusal::Malformed));
        assert!(Request::decode(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_ok());
    }

    #[test]
    fn every_refusal_has_a_byte_that_is_not_success() {
        assert_eq!(Refusal::from_byte(0), None);
        for byte in 1..=10 {
            assert_eq!(Refusal::from_byte(byte).unwrap().byte(), byte);
        }
        assert_eq!(Refusal::from_byte(11), None);
    }
}

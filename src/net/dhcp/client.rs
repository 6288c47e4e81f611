//! One interface's client: from a carrier to an address, and for as long as that may be kept.
//!
//! Time is a parameter, in milliseconds since boot, and nothing here waits: [`Client::poll`] says what
//! is to be done now and [`Client::due`] when there is more. The states are RFC 2131's, and two
//! besides: `Probing` asks whether somebody has the address already, before it is taken; `Resting` is
//! where a client is that was refused, so that a server out of its mind is asked once a while.
//!
//! An address outlives the carrier: a cable that is pulled and put back has the machine ask for
//! the address it has (INIT-REBOOT), and if nobody answers it stays until its time is over.

use super::message::{self, FOREVER, Four, Kind, Lease, Packet, Request};

/// What is to be done, by whoever has sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Action {
    /// [`Client::message`] of this kind goes out.
    Send(Kind, To),
    /// [`Client::probe`] goes out to everybody.
    Probe,
    /// [`Client::lease`] is put on the interface; it may be there already.
    Take,
    /// It is taken from it.
    Drop(Gone),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// The server of the lease.
    Server,
    /// Everybody on the link.
    All,
}

/// Why there is no lease any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Gone {
    // So that none is 0.
    Expired = 1,
    Refused,
    /// The same address, but with another network or other routes.
    Changed,
}

/// What a client wants to hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listen {
    Nothing,
    Dhcp,
    Arp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum State {
    /// There is no carrier, or nobody wants a lease.
    Off,
    Selecting,
    Requesting,
    Rebooting,
    Probing,
    Bound,
    Renewing,
    Rebinding,
    Declining,
    Resting,
}

/// Plain data, and all zeros at first.
#[derive(Clone, Debug)]
pub struct Client {
    state: State,
    mac: [u8; 6],
    /// The number of this exchange, of which each is another.
    xid: u32,
    /// The last random number.
    seed: u32,
    /// When it began to ask.
    began: u64,
    /// How often it has asked, or probed.
    tries: u8,
    /// When there is something to do.
    due: u64,
    /// What it has, or has been offered; of a client that reboots, the address it had.
    lease: Lease,
    /// Whether the lease is on the interface.
    taken: bool,
    /// ... and is to be put there, or taken from it, first of all.
    take: bool,
    drop: Option<Gone>,
    renew: u64,
    rebind: u64,
    end: u64,
}

/// The first wait for an answer; each is twice the one before, up to the fifth, and a second more or
/// less (RFC 2131, 4.1).
const FIRST: u64 = 4000;
const DOUBLED: u8 = 4;
/// A server that has made an offer and then is silent is asked so often.
const REQUESTS: u8 = 4;
/// ... and whoever knows the old address, before the lease is somebody else's.
const REBOOTS: u8 = 2;
/// Questions who has the address, and how long an answer may take.
const PROBES: u8 = 3;
const PROBE: u64 = 200;
/// From a refusal to the next question, and from an address that somebody else has: RFC 2131, 3.1.
const REFUSED: u64 = 2000;
const DECLINED: u64 = 10_000;
/// The least time between two renewals, but for a lease that is shorter than that.
const RENEWALS: u64 = 60_000;
const NEVER: u64 = u64::MAX;

impl Client {
    pub const NEW: Client = Client {
        state: State::Off,
        mac: [0; 6],
        xid: 0,
        seed: 0,
        began: 0,
        tries: 0,
        due: 0,
        lease: Lease::NONE,
        taken: false,
        take: false,
        drop: None,
        renew: 0,
        rebind: 0,
        end: 0,
    };

    /// There is a carrier. `seed` is as random as can be had.
    pub fn start(&mut self, mac: [u8; 6], seed: u32, now: u64) {
        (self.mac, self.seed) = (mac, seed);
        self.begin(now);
    }

    /// The address it had before the machine was started, to be asked for first.
    pub fn remember(&mut self, address: Four) {
        if !self.taken {
            self.lease.address = address;
        }
    }

    /// There is no carrier.
    pub fn stop(&mut self) {
        if matches!(self.state, State::Declining | State::Resting) {
            self.lease = Lease::NONE;
        }
        self.state = State::Off;
    }

    /// When [`poll`](Self::poll) has something to say.
    #[inline(always)]
    pub fn due(&self) -> Option<u64> {
        if self.take || self.drop.is_some() {
            return Some(0);
        }
        let due = if self.state == State::Off { NEVER } else { self.due };
        let due = if self.taken { due.min(self.end) } else { due };
        Some(due).filter(|due| *due != NEVER)
    }

    pub fn listens(&self) -> Listen {
        match self.state {
            State::Selecting | State::Requesting | State::Rebooting | State::Renewing | State::Rebinding => {
                Listen::Dhcp
            }
            State::Probing => Listen::Arp,
            State::Off | State::Bound | State::Declining | State::Resting => Listen::Nothing,
        }
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Whether the lease is the interface's.
    pub fn is_bound(&self) -> bool {
        self.taken
    }

    /// How often the question that is asked now has been asked.
    pub fn tries(&self) -> u8 {
        self.tries
    }

    /// The next thing to do. Ends with `None` after a few.
    pub fn poll(&mut self, now: u64) -> Option<Action> {
        if let Some(gone) = self.drop.take() {
            self.taken = false;
            return Some(Action::Drop(gone));
        }
        if core::mem::take(&mut self.take) {
            self.taken = true;
            return Some(Action::Take);
        }
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        if self.taken && now >= self.end {
            self.taken = false;
            // Whoever is asked first still knows it.
            if self.state != State::Off {
                self.begin(now);
            }
            return Some(Action::Drop(Gone::Expired));
        }
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        match self.state {
            State::Off => None,
            State::Requesting if tries == REQUESTS => self.discover(now),
            State::Rebooting if tries == REBOOTS && self.taken => {
                self.state = State::Bound;
                self.due = self.renew;
                // The kernel has dropped its routes if the interface was off meanwhile.
                Some(Action::Take)
            }
            State::Rebooting if tries == REBOOTS => self.discover(now),
            State::Selecting => self.ask(now, Kind::Discover),
            State::Requesting | State::Rebooting => self.ask(now, Kind::Request),
            State::Probing if tries == PROBES => {
                self.settle();
                (self.take, self.taken) = (false, true);
                Some(Action::Take)
            }
            State::Probing => {
                self.due = now.saturating_add(PROBE);
                Some(Action::Probe)
            }
            State::Bound | State::Renewing | State::Rebinding => Some(self.renew(now)),
            State::Declining => {
                self.rest(now, DECLINED);
                Some(Action::Send(Kind::Decline, To::All))
            }
            State::Resting => {
                self.lease = Lease::NONE;
                self.discover(now)
            }
        }
    }

    /// From the beginning: with the address it had, if it had one.
    fn begin(&mut self, now: u64) {
        self.state = if self.lease.address == [0; 4] { State::Selecting } else { State::Rebooting };
        self.exchange(now);
    }

    /// A new exchange.
    fn exchange(&mut self, now: u64) {
        self.xid = self.random();
        (self.began, self.due, self.tries) = (now, now, 0);
    }

    fn discover(&mut self, now: u64) -> Option<Action> {
        self.state = State::Selecting;
        self.exchange(now);
        self.tries = 1;
        self.ask(now, Kind::Discover)
    }

    /// Asks everybody, and again later.
    fn ask(&mut self, now: u64, kind: Kind) -> Option<Action> {
        let doubled = self.tries.saturating_sub(1).min(DOUBLED);
        let jitter = u64::from(self.random() % 2001);
        let wait = FIRST.wrapping_shl(doubled.into()).saturating_sub(1000).saturating_add(jitter);
        self.due = now.saturating_add(wait);
        Some(Action::Send(kind, To::All))
    }

    /// Asks for more time: first who gave it, then everybody.
    fn renew(&mut self, now: u64) -> Action {
        if self.state == State::Bound {
            self.exchange(now);
        }
        let (state, to, until) = if now < self.rebind {
            (State::Renewing, To::Server, self.rebind)
        } else {
            (State::Rebinding, To::All, self.end)
        };
        self.state = state;
        let least = (self.end.saturating_sub(self.renew) / 8).clamp(FIRST, RENEWALS);
        let half = until.saturating_sub(now) / 2;
        self.due = now.saturating_add(half.max(least)).min(until);
        Action::Send(Kind::Request, to)
    }

    fn rest(&mut self, now: u64, time: u64) {
        self.state = State::Resting;
        self.due = now.saturating_add(time);
    }

    /// A packet that came while it listened for [`Listen::Dhcp`].
    pub fn receive(&mut self, packet: &[u8], now: u64) {
        if self.listens() != Listen::Dhcp {
            return;
        }
        let message = message::unpack(packet);
        let read = message.and_then(|message| message::read(message, self.xid, &self.mac));
        let Some((kind, lease)) = read else { return };
        let same_server = lease.server == self.lease.server;
        let same_address = lease.address == self.lease.address;
        match (self.state, kind) {
            (State::Selecting, Kind::Offer) => {
                self.lease = lease;
                self.state = State::Requesting;
                // From now on the server counts, at the earliest.
                (self.began, self.due, self.tries) = (now, now, 0);
            }
            (State::Requesting, Kind::Ack) if same_server && same_address => self.accept(lease, now),
            (State::Rebooting | State::Renewing | State::Rebinding, Kind::Ack) if same_address => {
                self.accept(lease, now);
            }
            (State::Requesting | State::Renewing, Kind::Nak) if !same_server => {}
            (State::Requesting | State::Rebooting | State::Renewing | State::Rebinding, Kind::Nak) => {
                self.drop = self.taken.then_some(Gone::Refused);
                self.rest(now, REFUSED);
            }
            _ => {}
        }
    }

    fn accept(&mut self, lease: Lease, now: u64) {
        let seconds = lease.seconds;
        let after = |share: u64| {
            let time = u64::from(seconds).saturating_mul(share);
            // From when it was asked: the server counts from later on.
            if seconds == FOREVER { NEVER } else { self.began.saturating_add(time) }
        };
        self.end = after(1000);
        // What the server says, if it makes sense; or as RFC 2131, 4.4.5 has it.
        let fine = 0 < lease.renew && lease.renew < lease.rebind && lease.rebind < seconds;
        let at = |given: u32, share| {
            if fine { self.began.saturating_add(u64::from(given).saturating_mul(1000)) } else { after(share) }
        };
        (self.renew, self.rebind) = (at(lease.renew, 500), at(lease.rebind, 875));
        let changed = self.lease.length != lease.length || self.lease.routes != lease.routes;
        self.lease = lease;
        if self.taken {
            self.drop = changed.then_some(Gone::Changed);
            self.settle();
        } else {
            self.state = State::Probing;
            (self.due, self.tries) = (now, 0);
        }
    }

    fn settle(&mut self) {
        self.state = State::Bound;
        self.due = self.renew;
        self.take = true;
    }

    /// An ARP message that came while it listened for [`Listen::Arp`].
    pub fn hear(&mut self, packet: &[u8], now: u64) {
        if self.state == State::Probing && message::is_taken(packet, &self.mac, self.lease.address) {
            self.state = State::Declining;
            self.due = now;
        }
    }

    /// What [`Action::Send`] sends: the message alone for one server, behind headers for all.
    pub fn message(&self, kind: Kind, hostname: &[u8], now: u64) -> Packet {
        let (wants, has, knows) = match (kind, self.state) {
            (Kind::Discover, _) => (false, false, false),
            (Kind::Decline, _) | (_, State::Requesting) => (true, false, true),
            (_, State::Rebooting) => (true, false, false),
            _ => (false, true, false),
        };
        let request = Request {
            kind,
            xid: self.xid,
            seconds: (now.saturating_sub(self.began) / 1000) as u16,
            mac: self.mac,
            own: if has { self.lease.address } else { [0; 4] },
            wanted: wants.then_some(self.lease.address),
            server: knows.then_some(self.lease.server),
            hostname,
        };
        request.write()
    }

    /// What [`Action::Probe`] sends.
    pub fn probe(&self) -> [u8; 28] {
        message::probe(&self.mac, self.lease.address)
    }

    /// An LCG's next number, good enough to be unlike the neighbour's.
    fn random(&mut self) -> u32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The last bits of these repeat themselves.
        self.seed.rotate_left(16)
    }
}

//! A netlink socket, and what was refused on it.
//!
//! The kernel does what it is told before write(2) returns, and asked for no
//! acknowledgement it answers with refusals alone. So a write and a read that finds
//! nothing are all it takes for any number of messages, and nothing waits.

use super::link::{self, What};
use super::message::{self, Messages};
use crate::put;
use crate::sys::netlink::{self, Family};
use crate::sys::{Errno, OwnedFd, io};
use crate::text::{Show, Sink, Text};

pub struct Conversation(pub OwnedFd);

/// Bytes of what is said at once about one thing, and of an answer: the longest is that about an
/// interface, some 1.5 KB.
const ROOM: usize = 4096;

/// What was refused.
#[derive(Clone)]
pub struct Trouble {
    pub what: What,
    pub errno: Errno,
    /// The kernel's own words.
    reason: Text<96>,
}

impl Trouble {
    pub fn new(what: What, errno: Errno) -> Trouble {
        Trouble { what, errno, reason: Text::new() }
    }
}

/// After "cannot ".
impl Show for Trouble {
    fn show(&self, out: &mut dyn Sink) {
        put!(*out, self.what, ": ", self.errno);
        if !self.reason.is_empty() {
            put!(*out, ": ", self.reason);
        }
    }
}

impl Conversation {
    /// In the network namespace that the caller is in now.
    pub fn open(family: Family) -> Result<Conversation, Trouble> {
        let socket = netlink::open(family).map_err(|errno| Trouble::new(What::Talk, errno))?;
        // Without reasons there are still errnos.
        let _ = netlink::ask_for_reasons(socket.borrow());
        Ok(Conversation(socket))
    }

    /// Says what `write` writes; the first refusal of it, if any.
    pub fn say(&self, write: &mut dyn FnMut(&mut Messages)) -> Result<(), Trouble> {
        self.say_much(&mut [0; ROOM], write)
    }

    /// The same with room for more.
    pub fn say_much(&self, room: &mut [u8], write: &mut dyn FnMut(&mut Messages)) -> Result<(), Trouble> {
        self.exchange(room, write, &mut |_| {})
    }

    /// The number of an interface. ENODEV: there is none of that name.
    pub fn find(&self, name: &[u8]) -> Result<u32, Trouble> {
        let mut index = None;
        self.exchange(&mut [0; ROOM], &mut |out| link::find(out, name), &mut |answer| {
            index = answer.payload.get(link::INDEX..).and_then(message::number);
        })?;
        index.ok_or(Trouble::new(What::Find, Errno::ENODEV))
    }

    /// Says something, and leaves what comes to whoever reads this socket.
    pub fn ask(&self, write: &mut dyn FnMut(&mut Messages)) -> Result<(), Trouble> {
        let mut room = [0; 64];
        let mut messages = Messages::new(&mut room);
        write(&mut messages);
        let said = messages.finish().ok_or(Errno::E2BIG);
        let written = said.and_then(|said| io::write(self.0.borrow(), said));
        written.map(drop).map_err(|errno| Trouble::new(What::Talk, errno))
    }

    #[inline(never)]
    fn exchange(
        &self,
        room: &mut [u8],
        write: &mut dyn FnMut(&mut Messages),
        answered: &mut dyn FnMut(message::Message),
    ) -> Result<(), Trouble> {
        let talk = |errno| Trouble::new(What::Talk, errno);
        let mut messages = Messages::new(room);
        write(&mut messages);
        let said = messages.finish().ok_or(talk(Errno::E2BIG))?;
        io::write(self.0.borrow(), said).map_err(talk)?;
        let mut first = Ok(());
        let mut answer = [0; ROOM];
        loop {
            let length = match io::read(self.0.borrow(), &mut answer) {
                Ok(length) => length,
                Err(Errno::EAGAIN) => return first,
                Err(errno) => return Err(talk(errno)),
            };
            for message in message::messages(answer.get(..length).unwrap_or(&[])) {
                let Some(refusal) = message.refusal() else {
                    answered(message);
                    continue;
                };
                if first.is_ok() {
                    let what = What::from_sequence(message.sequence).unwrap_or(What::Talk);
                    let mut trouble = Trouble::new(what, Errno::from_raw(refusal.errno));
                    trouble.reason.put(refusal.reason);
                    first = Err(trouble);
                }
            }
        }
    }
}

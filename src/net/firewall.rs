//! Sends [`rules`](super::rules), and keeps what makes them last.
//!
//! The table belongs to the socket it was made on, and goes with it: PID 1 has to
//! hold that one. But PID 1 cannot make it: before the child that loads modules has
//! done so, there may be no nf_tables to talk to, and when that child has ended, the
//! machine has had addresses for a while. So the child makes the socket and the
//! table, before any address, and hands the socket over.

use super::conversation::{Conversation, Trouble};
use super::rules;
use crate::config::Config;
use crate::limits;
use crate::sys::OwnedFd;
use crate::sys::cell::TakeOnce;
use crate::sys::netlink::Family;

/// Untouched pages of it cost nothing.
static ROOM: TakeOnce<[u8; limits::FIREWALL]> = TakeOnce::new([0; limits::FIREWALL]);

/// Makes the table. Whoever holds the socket keeps it.
pub fn make(config: &Config) -> Result<OwnedFd, Trouble> {
    let kernel = Conversation::open(Family::Netfilter)?;
    // Once in a process.
    if let Some(room) = ROOM.take() {
        kernel.say_much(room, &mut |out| rules::write(config, out))?;
    }
    Ok(kernel.0)
}

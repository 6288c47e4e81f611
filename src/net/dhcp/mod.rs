//! DHCPv4, RFC 2131 and its options, RFC 2132 and 3442: what a machine asks and what it is told.
//!
//! Pure: [`message`] reads what came and writes what goes out, [`client`] decides from what came and
//! what time it is what is to be done. Whoever has sockets and interfaces does it
//! (`init::uplinks`), so that a server's worst day is a unit test.
//!
//! All that a server says is checked where it is read, since anybody on the link can be one: what
//! is not an address for a machine, a time of nothing or a domain with odd characters goes no
//! further.

pub mod client;
pub mod message;
#[cfg(test)]
mod tests;

pub use client::{Action, Client, Gone, Listen, To};
pub use message::{Kind, Lease};

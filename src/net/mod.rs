//! The network: interfaces, addresses, routes, and the firewall between them.
//!
//! No program is needed for any of it: corm speaks netlink(7) itself, in two
//! dialects. What is said is put together by pure code and tested against bytes
//! that ip(8) and nft(8) have sent: [`message`] has what all messages are made of,
//! [`link`] the sentences of rtnetlink(7), [`rules`] those of nf_tables. What says
//! it is thin:
//!
//! - [`conversation`] is a socket and a buffer;
//! - [`firewall`] makes the one table that corm owns, in one transaction;
//! - [`workload`] makes a workload's namespace, once, and what connects it;
//! - [`uplink`] puts on the machine's own interfaces what the config says.
//!
//! The interfaces of `[network]` are set up by the child that may wait for hardware
//! ([`crate::boot`]). What comes later, a cable or an address by DHCP, PID 1 sees to in its event
//! loop (`init::uplinks`): [`dhcp`] decides, and [`resolvers`] has the name servers that are known now.
//!
//! A workload's namespace is made and kept by PID 1 and belongs to the machine, so
//! whatever a workload becomes inside, it changes nothing there: it was set up
//! before its first process.

pub mod conversation;
pub mod dhcp;
pub mod firewall;
pub mod link;
pub mod message;
pub mod names;
pub mod resolvers;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod uplink;
pub mod workload;

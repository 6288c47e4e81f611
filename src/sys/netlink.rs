//! Netlink sockets, netlink(7). What goes through them is made and read by `net`.

use super::{BorrowedFd, Errno, OwnedFd, call};

/// Which part of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Family {
    /// Interfaces, addresses, routes: rtnetlink(7).
    Route = libc::NETLINK_ROUTE,
    /// nf_tables.
    Netfilter = libc::NETLINK_NETFILTER,
}

/// socket(2), in the network namespace that the caller is in now. Reading and writing it do not
/// block: the kernel has answered when write(2) returns.
///
/// EPROTONOSUPPORT: the kernel has no such family (yet: it may come with a module).
pub fn open(family: Family) -> Result<OwnedFd, Errno> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    unsafe { call!(socket, libc::AF_NETLINK, kind, family as i32) }.map(OwnedFd::from_return)
}

/// Refusals come with the kernel's reason as text: NETLINK_EXT_ACK, Linux 4.12. setsockopt(2).
pub fn ask_for_reasons(socket: BorrowedFd) -> Result<(), Errno> {
    const SOL_NETLINK: i32 = 270;
    const EXT_ACK: i32 = 11;
    let yes = 1i32;
    // SAFETY: `yes` is readable for the size given.
    unsafe { call!(setsockopt, socket.number(), SOL_NETLINK, EXT_ACK, &raw const yes, size_of::<i32>()) }
        .map(drop)
}

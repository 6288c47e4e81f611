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

/// What the kernel tells whoever listens, a bit each: RTMGRP_LINK, and RTNLGRP_ND_USEROPT, what routers
/// say of name servers.
pub const LINKS: u32 = 1;
pub const ROUTERS: u32 = 1 << 19;

/// Bytes in which the kernel puts together what it says unasked, a page or 8 KiB.
pub const ROOM: usize = 8192;

/// bind(2): from now on what changes in those groups can be read, unasked. ENOBUFS from read(2):
/// more has changed than there was room for.
pub fn listen(socket: BorrowedFd, groups: u32) -> Result<(), Errno> {
    // struct sockaddr_nl: family and padding, pid (the kernel finds one), groups.
    let address = [libc::AF_NETLINK as u32, 0, groups];
    // SAFETY: `address` is a struct sockaddr_nl of that size.
    unsafe { call!(bind, socket.number(), address.as_ptr(), size_of_val(&address)) }.map(drop)
}

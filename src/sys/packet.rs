//! Packets of one interface, packet(7), and the UDP port that goes with them.

use super::{BorrowedFd, Errno, OwnedFd, call};

/// What is in a packet: a number of Ethernet's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Protocol {
    Ip = 0x0800,
    Arp = 0x0806,
}

/// `struct sockaddr_ll` of everybody on a link: family (2), protocol (2), index (4), what only the
/// kernel writes (3), length of the address (1), address (8).
fn everybody(index: u32, protocol: Protocol) -> [u8; 20] {
    let [family_a, family_b] = (libc::AF_PACKET as u16).to_ne_bytes();
    let [protocol_a, protocol_b] = (protocol as u16).to_be_bytes();
    let [a, b, c, d] = index.to_ne_bytes();
    const F: u8 = 255;
    [family_a, family_b, protocol_a, protocol_b, a, b, c, d, 0, 0, 0, 6, F, F, F, F, F, F, 0, 0]
}

/// Non-blocking; reads packets of that protocol that come in by an interface and that the filter,
/// `struct sock_filter`s, takes, without their Ethernet header. socket(2), bind(2).
///
/// EAFNOSUPPORT: a kernel without CONFIG_PACKET, which may be a module. ENETDOWN: the interface is off.
pub fn open(index: u32, protocol: Protocol, filter: &[u64]) -> Result<OwnedFd, Errno> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // Of no protocol, so that nothing comes before it has a filter and an interface.
    // SAFETY: no pointers.
    let socket = unsafe { call!(socket, libc::AF_PACKET, kind, 0) }.map(OwnedFd::from_return)?;
    attach(socket.borrow(), filter)?;
    let address = everybody(index, protocol);
    // SAFETY: `address` is a struct sockaddr_ll of that size.
    unsafe { call!(bind, socket.borrow().number(), address.as_ptr(), address.len()) }?;
    Ok(socket)
}

/// Sends a packet to everybody on an interface. sendto(2).
pub fn send(socket: BorrowedFd, index: u32, protocol: Protocol, packet: &[u8]) -> Result<(), Errno> {
    let address = everybody(index, protocol);
    send_to(socket, &address, packet)
}

fn send_to(socket: BorrowedFd, address: &[u8], packet: &[u8]) -> Result<(), Errno> {
    let (number, to) = (socket.number(), address.as_ptr());
    // SAFETY: `packet` is readable for its length; `address` is a socket's address of its length.
    unsafe { call!(sendto, number, packet.as_ptr(), packet.len(), libc::MSG_NOSIGNAL, to, address.len()) }
        .map(drop)
}

/// setsockopt(2) SO_ATTACH_FILTER: a program of struct sock_filters for what comes.
fn attach(socket: BorrowedFd, filter: &[u64]) -> Result<(), Errno> {
    /// `struct sock_fprog`.
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const u64,
    }
    let program = Program { length: filter.len() as u16, filter: filter.as_ptr() };
    let size = size_of::<Program>();
    // SAFETY: `program` is a struct sock_fprog and points to as many instructions as it says.
    unsafe {
        call!(setsockopt, socket.number(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &raw const program, size)
    }
    .map(drop)
}

/// `struct sockaddr_in`.
fn internet(address: [u8; 4], port: u16) -> [u8; 16] {
    let [family_a, family_b] = (libc::AF_INET as u16).to_ne_bytes();
    let [high, low] = port.to_be_bytes();
    let [a, b, c, d] = address;
    [family_a, family_b, high, low, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A port of UDP on one interface, of which a filter lets nothing through: who holds it is not said to
/// be unreachable there, and can send from it. SO_BINDTOIFINDEX: Linux 5.1.
///
/// EADDRINUSE: somebody else has it.
pub fn hold_port(index: u32, port: u16, filter: &[u64]) -> Result<OwnedFd, Errno> {
    const BIND_TO_INDEX: i32 = 62;
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let socket = unsafe { call!(socket, libc::AF_INET, kind, 0) }.map(OwnedFd::from_return)?;
    attach(socket.borrow(), filter)?;
    let (number, size) = (socket.borrow().number(), size_of::<u32>());
    // SAFETY: `index` is a readable int.
    unsafe { call!(setsockopt, number, libc::SOL_SOCKET, BIND_TO_INDEX, &raw const index, size) }?;
    let address = internet([0; 4], port);
    // SAFETY: `address` is a struct sockaddr_in of that size.
    unsafe { call!(bind, number, address.as_ptr(), address.len()) }?;
    Ok(socket)
}

/// Sends a datagram to a port of one machine. sendto(2). ENETUNREACH: no route leads there.
pub fn send_datagram(socket: BorrowedFd, to: [u8; 4], port: u16, bytes: &[u8]) -> Result<(), Errno> {
    let address = internet(to, port);
    send_to(socket, &address, bytes)
}

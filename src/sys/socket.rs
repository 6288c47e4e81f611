//! Sockets between processes of this machine: unix(7).
//!
//! Everything here is close-on-exec, and what PID 1 listens on or talks through
//! never makes it wait.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::ffi::CStr;

/// What goes through a socket. Part of socket(2)'s type.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// A connection on which packets stay packets.
    Packets = libc::SOCK_SEQPACKET,
    /// A connection of bytes.
    Stream = libc::SOCK_STREAM,
}

/// struct sockaddr_un.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 108],
}

impl Address {
    fn of(path: &CStr) -> Result<Address, Errno> {
        let mut address = Address { family: libc::AF_UNIX as u16, path: [0; 108] };
        let bytes = path.to_bytes();
        // The last byte stays a NUL.
        if bytes.len() >= address.path.len() {
            return Err(Errno::ENAMETOOLONG);
        }
        for (to, from) in address.path.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(address)
    }
}

/// socket(2). EAFNOSUPPORT: a kernel without CONFIG_UNIX.
fn open(kind: Kind, flags: i32) -> Result<OwnedFd, Errno> {
    let kind = kind as i32 | flags | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    unsafe { call!(socket, libc::AF_UNIX, kind, 0) }.map(OwnedFd::from_return)
}

/// A non-blocking socket that listens on `path`, which must not exist yet. Its mode
/// is 0777 less the umask. bind(2), listen(2).
pub fn listen(path: &CStr, kind: Kind, backlog: u32) -> Result<OwnedFd, Errno> {
    let socket = open(kind, libc::SOCK_NONBLOCK)?;
    let address = Address::of(path)?;
    let number = socket.borrow().number();
    // SAFETY: `address` is a struct sockaddr_un of that size.
    unsafe { call!(bind, number, &raw const address, size_of::<Address>()) }?;
    // SAFETY: no pointers.
    unsafe { call!(listen, number, backlog) }?;
    Ok(socket)
}

/// A connection to whoever listens on `path`. connect(2) waits while that one's
/// queue is full. ENOENT, ECONNREFUSED: nobody listens there. EACCES: not for us.
pub fn connect(path: &CStr, kind: Kind) -> Result<OwnedFd, Errno> {
    let socket = open(kind, 0)?;
    let address = Address::of(path)?;
    // SAFETY: `address` is a struct sockaddr_un of that size.
    unsafe { call!(connect, socket.borrow().number(), &raw const address, size_of::<Address>()) }?;
    Ok(socket)
}

/// The next connection, non-blocking. accept4(2). EAGAIN: there is none.
pub fn accept(listener: BorrowedFd) -> Result<OwnedFd, Errno> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the peer's address is not asked for.
    unsafe { call!(accept4, listener.number(), 0, 0, flags) }.map(OwnedFd::from_return)
}

/// The uid the other end had when it connected, as this user namespace sees it.
/// getsockopt(2) SO_PEERCRED.
pub fn peer(socket: BorrowedFd) -> Result<u32, Errno> {
    // struct ucred: pid, uid, gid.
    let mut credentials = [u32::MAX; 3];
    let mut length = size_of_val(&credentials) as u32;
    // SAFETY: `credentials` is writable for `length` bytes, and `length` itself is writable.
    unsafe {
        call!(
            getsockopt,
            socket.number(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            credentials.as_mut_ptr(),
            &raw mut length
        )
    }?;
    let [_, uid, _] = credentials;
    Ok(uid)
}

/// Sends one packet, all of it or nothing; no SIGPIPE. sendto(2). EAGAIN: the other end
/// does not read. EPIPE: it is gone.
pub fn send(socket: BorrowedFd, packet: &[u8]) -> Result<usize, Errno> {
    // SAFETY: `packet` is readable for its length; there is no address.
    unsafe { call!(sendto, socket.number(), packet.as_ptr(), packet.len(), libc::MSG_NOSIGNAL, 0, 0) }
}

/// Receives one packet: its whole length, even if `buffer` has room for less of it.
/// 0 is the end. recvfrom(2) with MSG_TRUNC.
pub fn receive(socket: BorrowedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: `buffer` is writable for its length; the sender's address is not asked for.
    unsafe { call!(recvfrom, socket.number(), buffer.as_mut_ptr(), buffer.len(), libc::MSG_TRUNC, 0, 0) }
}

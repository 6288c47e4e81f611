//! Sockets between processes of this machine, and descriptors that go through them: unix(7).
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

/// `struct iovec`.
#[repr(C)]
struct Vector {
    bytes: *mut u8,
    length: usize,
}

/// The kernel's `struct user_msghdr`.
#[repr(C)]
struct MessageHeader {
    name: usize,
    name_length: i32,
    vectors: *mut Vector,
    vector_count: usize,
    control: *mut Rights,
    control_length: usize,
    flags: u32,
}

/// `struct cmsghdr` and the one descriptor behind it, with the padding that the kernel counts.
#[repr(C)]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    descriptor: i32,
    padding: [u8; size_of::<usize>() - size_of::<i32>()],
}

impl Rights {
    const LENGTH: usize = core::mem::offset_of!(Rights, padding);

    fn new(descriptor: i32) -> Rights {
        Rights {
            length: Rights::LENGTH,
            level: libc::SOL_SOCKET,
            kind: libc::SCM_RIGHTS,
            descriptor,
            padding: [0; _],
        }
    }
}

/// sendmsg(2) with SCM_RIGHTS: whoever receives it has a copy of `descriptor`, and it is open for as
/// long as it is on its way.
pub fn send_descriptor(socket: BorrowedFd, descriptor: BorrowedFd) -> Result<(), Errno> {
    let mut byte = 0u8;
    let mut vector = Vector { bytes: &raw mut byte, length: 1 };
    let mut rights = Rights::new(descriptor.number());
    let header = header(&mut vector, &mut rights);
    // SAFETY: `header` is a struct user_msghdr, and points to one vector of one byte and to one control message,
    // all of which outlive the call.
    unsafe { call!(sendmsg, socket.number(), &raw const header, 0) }.map(drop)
}

/// recvmsg(2) with MSG_DONTWAIT: the descriptor that has been sent. EAGAIN: none has; EBADMSG: the
/// other end is closed.
pub fn receive_descriptor(socket: BorrowedFd) -> Result<OwnedFd, Errno> {
    let mut byte = 0u8;
    let mut vector = Vector { bytes: &raw mut byte, length: 1 };
    let mut rights = Rights::new(-1);
    let mut header = header(&mut vector, &mut rights);
    // SAFETY: as above, and what is pointed to is writable for the lengths given.
    unsafe { call!(recvmsg, socket.number(), &raw mut header, libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT) }?;
    let came = header.control_length >= Rights::LENGTH && rights.kind == libc::SCM_RIGHTS;
    if came && rights.descriptor >= 0 {
        Ok(OwnedFd::from_number(rights.descriptor))
    } else {
        Err(Errno::EBADMSG)
    }
}

fn header(vector: &mut Vector, rights: &mut Rights) -> MessageHeader {
    MessageHeader {
        name: 0,
        name_length: 0,
        vectors: &raw mut *vector,
        vector_count: 1,
        control: &raw mut *rights,
        control_length: size_of::<Rights>(),
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::io;

    #[test]
    fn a_descriptor_outlives_the_one_who_sent_it() {
        let (one, other) = io::socket_pair().unwrap();
        assert_eq!(receive_descriptor(other.borrow()).err(), Some(Errno::EAGAIN));
        let (reader, writer) = io::pipe(io::PipeFlags::Blocking).unwrap();
        send_descriptor(one.borrow(), writer.borrow()).unwrap();
        drop((one, writer));
        let writer = receive_descriptor(other.borrow()).unwrap();
        io::write_all(writer.borrow(), b"still open").unwrap();
        drop(writer);
        let mut text = [0; 16];
        assert_eq!(io::read(reader.borrow(), &mut text), Ok(10));
        assert_eq!(io::read(reader.borrow(), &mut text), Ok(0));
    }
}

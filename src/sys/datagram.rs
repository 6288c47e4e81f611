//! Datagrams on this machine: unix(7), one message a call, with who sent it.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::ffi::CStr;

/// struct sockaddr_un.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 108],
}

impl Address {
    /// ENAMETOOLONG: a path of 108 bytes or more.
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
fn open(flags: i32) -> Result<OwnedFd, Errno> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | flags;
    // SAFETY: no pointers.
    unsafe { call!(socket, libc::AF_UNIX, kind, 0) }.map(OwnedFd::from_return)
}

/// A non-blocking socket that takes what is sent to `path`, and learns who sent it
/// (SO_PASSCRED). bind(2) makes the path; EADDRINUSE: it is there.
pub fn bind(path: &CStr) -> Result<OwnedFd, Errno> {
    let socket = open(libc::SOCK_NONBLOCK)?;
    let number = socket.borrow().number();
    let on = 1i32;
    // SAFETY: `on` is a readable int.
    unsafe {
        call!(setsockopt, number, libc::SOL_SOCKET, libc::SO_PASSCRED, &raw const on, size_of::<i32>())
    }?;
    let address = Address::of(path)?;
    // SAFETY: `address` is a struct sockaddr_un of that size.
    unsafe { call!(bind, number, &raw const address, size_of::<Address>()) }?;
    Ok(socket)
}

/// Sends one message to whoever bound `path`. sendto(2). ECONNREFUSED: nobody has.
pub fn send(path: &CStr, message: &[u8]) -> Result<(), Errno> {
    let socket = open(0)?;
    let address = Address::of(path)?;
    let (number, flags) = (socket.borrow().number(), libc::MSG_NOSIGNAL);
    // SAFETY: `message` is readable for its length, `address` is a struct sockaddr_un of that size.
    unsafe {
        call!(
            sendto,
            number,
            message.as_ptr(),
            message.len(),
            flags,
            &raw const address,
            size_of::<Address>()
        )
    }
    .map(drop)
}

/// Room for one SCM_CREDENTIALS message (cmsg(3), struct ucred) and not a byte more:
/// the kernel then drops, and closes, descriptors that somebody sends along.
const CONTROL: usize = (size_of::<usize>() + 8 + 12).next_multiple_of(size_of::<usize>());

/// Who has sent a message, as this pid and user namespace numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    pub pid: u32,
    pub uid: u32,
}

/// One message: its length, cut to the buffer's, and who sent it. recvmsg(2).
/// EAGAIN: there is none.
pub fn receive(socket: BorrowedFd, buffer: &mut [u8]) -> Result<(usize, Option<Sender>), Errno> {
    #[repr(C, align(8))]
    struct Control([u8; CONTROL]);
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // struct msghdr, of the kernel's: name, its length, parts, their count, control, its length, flags.
    let mut header = [0usize; 7];
    let [_, _, parts, count, place, room, _] = &mut header;
    (*parts, *count) = (&raw mut part as usize, 1);
    (*place, *room) = (&raw mut control as usize, CONTROL);
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: `header` is a struct msghdr; its one part is `buffer`, its control space is
    // `control`, both writable for the lengths given and alive.
    let length = unsafe { call!(recvmsg, socket.number(), header.as_mut_ptr(), flags) }?;
    // cmsghdr: length, level, type; then struct ucred: pid, uid, gid.
    let word = |at: usize| {
        let bytes = control.0.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    let after = size_of::<usize>();
    let is_credentials = word(after) == Some(libc::SOL_SOCKET as u32)
        && word(after.wrapping_add(4)) == Some(libc::SCM_CREDENTIALS as u32);
    let sender = word(after.wrapping_add(8)).zip(word(after.wrapping_add(12)));
    let sender = sender.filter(|(pid, _)| is_credentials && *pid > 0);
    Ok((length, sender.map(|(pid, uid)| Sender { pid, uid })))
}

/// Whether this machine's 127.0.0.1, as the caller's network namespace has it, accepts
/// a connection to that port within so many milliseconds. socket(2), setsockopt(2), connect(2).
pub fn can_connect(port: u16, timeout: u32) -> Result<(), Errno> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let socket = unsafe { call!(socket, libc::AF_INET, kind, 0) }.map(OwnedFd::from_return)?;
    let number = socket.borrow().number();
    // struct timeval: two words on all our machines. connect(2) keeps to it too (socket(7)).
    let (seconds, rest) = (timeout / 1000, timeout % 1000);
    let patience = [seconds as usize, (rest as usize).wrapping_mul(1000)];
    let size = size_of_val(&patience);
    // SAFETY: `patience` is a readable struct timeval of that size.
    unsafe { call!(setsockopt, number, libc::SOL_SOCKET, libc::SO_SNDTIMEO, patience.as_ptr(), size) }?;
    let [high, low] = port.to_be_bytes();
    let [family, rest] = (libc::AF_INET as u16).to_ne_bytes();
    let address = [family, rest, high, low, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: `address` is a struct sockaddr_in of that size.
    unsafe { call!(connect, number, address.as_ptr(), size_of_val(&address)) }.map(drop)
}

//! Descriptors that go from one process of corm to another through a socket; unix(7).

use super::{BorrowedFd, Errno, OwnedFd, call};

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

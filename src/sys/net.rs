//! The one network call PID 1 needs without a network: turning an interface on.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::ffi::CStr;

/// The `struct ifreq` of SIOCGIFFLAGS and SIOCSIFFLAGS: a name, then a union of
/// which only the flags matter. 40 bytes on 64-bit machines, 32 on 32-bit ones.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: i16,
    rest: [u8; UNION - 2],
}

/// `struct ifmap` is the union's largest member: two longs and 8 bytes.
const UNION: usize = 2 * size_of::<usize>() + 8;
const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());

/// Sets IFF_UP, keeping the other flags; netdevice(7). ENODEV: no such
/// interface. EAFNOSUPPORT: a kernel without IPv4, so nothing to turn on.
pub fn set_interface_up(name: &CStr) -> Result<(), Errno> {
    let mut request = InterfaceRequest { name: [0; libc::IFNAMSIZ], flags: 0, rest: [0; UNION - 2] };
    let bytes = name.to_bytes();
    // The kernel wants its NUL too.
    if bytes.len() >= request.name.len() {
        return Err(Errno::ENODEV);
    }
    for (to, from) in request.name.iter_mut().zip(bytes) {
        *to = *from;
    }
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let socket = unsafe { call!(socket, libc::AF_INET, kind, 0) }.map(OwnedFd::from_return)?;
    control(socket.borrow(), libc::SIOCGIFFLAGS as usize, &mut request)?;
    request.flags |= libc::IFF_UP as i16;
    control(socket.borrow(), libc::SIOCSIFFLAGS as usize, &mut request)
}

fn control(socket: BorrowedFd, command: usize, request: &mut InterfaceRequest) -> Result<(), Errno> {
    // SAFETY: both commands read and write one `struct ifreq`, whose size `request` has.
    unsafe { call!(ioctl, socket.number(), command, &raw mut *request) }.map(drop)
}

//! Network interfaces by the old ioctls of netdevice(7): up, a static IPv4
//! address, a default route. What they cannot do comes with rtnetlink.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::ffi::CStr;

/// A socket to ask the kernel's network stack through.
pub struct Stack(OwnedFd);

/// `struct ifmap` is the largest member of struct ifreq's union: two longs and 8 bytes.
const UNION: usize = 2 * size_of::<usize>() + 8;

/// `struct ifreq`: 40 bytes on 64-bit machines, 32 on 32-bit ones.
#[repr(C)]
struct InterfaceRequest<T> {
    name: [u8; libc::IFNAMSIZ],
    value: T,
}

/// The union as an address, or as whatever starts with a short.
#[repr(C)]
struct Value {
    socket: SocketAddress,
    rest: [usize; (UNION - size_of::<SocketAddress>()) / size_of::<usize>()],
}

/// `struct sockaddr_in`, which has the size of a `struct sockaddr`. Aligned for
/// what follows it in its unions.
#[repr(C)]
#[derive(Clone, Copy)]
struct SocketAddress {
    /// Or the flags of SIOCSIFFLAGS.
    family: u16,
    port: u16,
    address: [u8; 4],
    zero: [u8; 8],
}

impl SocketAddress {
    fn new(address: [u8; 4]) -> SocketAddress {
        SocketAddress { family: libc::AF_INET as u16, port: 0, address, zero: [0; 8] }
    }
}

const _: () = assert!(size_of::<InterfaceRequest<Value>>() == size_of::<libc::ifreq>());

impl Stack {
    /// socket(2). EAFNOSUPPORT: a kernel without IPv4.
    pub fn open() -> Result<Stack, Errno> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers.
        unsafe { call!(socket, libc::AF_INET, kind, 0) }.map(OwnedFd::from_return).map(Stack)
    }

    /// ENODEV: no such interface (yet).
    pub fn find(&self, name: &CStr) -> Result<(), Errno> {
        self.ask(libc::SIOCGIFINDEX as usize, name, SocketAddress::new([0; 4])).map(drop)
    }

    /// Sets IFF_UP and keeps the other flags.
    pub fn turn_on(&self, name: &CStr) -> Result<(), Errno> {
        let mut flags = self.ask(libc::SIOCGIFFLAGS as usize, name, SocketAddress::new([0; 4]))?;
        flags.family |= libc::IFF_UP as u16;
        self.ask(libc::SIOCSIFFLAGS as usize, name, flags).map(drop)
    }

    /// Replaces the interface's IPv4 address and netmask.
    pub fn set_address(&self, name: &CStr, address: [u8; 4], prefix: u8) -> Result<(), Errno> {
        let host_bits = 32u32.saturating_sub(prefix.into());
        let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
        self.ask(libc::SIOCSIFADDR as usize, name, SocketAddress::new(address))?;
        self.ask(libc::SIOCSIFNETMASK as usize, name, SocketAddress::new(mask.to_be_bytes())).map(drop)
    }

    /// Adds the default route. EEXIST: there is one. ENETUNREACH: no interface reaches `gateway`.
    pub fn set_gateway(&self, gateway: [u8; 4]) -> Result<(), Errno> {
        /// `struct rtentry` of <linux/route.h>.
        #[repr(C)]
        struct RouteEntry {
            pad1: usize,
            destination: SocketAddress,
            gateway: SocketAddress,
            netmask: SocketAddress,
            flags: u16,
            pad2: i16,
            pad3: usize,
            pad4: usize,
            metric: i16,
            device: usize,
            mtu: usize,
            window: usize,
            round_trip: u16,
        }
        const UP: u16 = 1;
        const GATEWAY: u16 = 2;
        let any = SocketAddress::new([0; 4]);
        let route = RouteEntry {
            pad1: 0,
            destination: any,
            gateway: SocketAddress::new(gateway),
            netmask: any,
            flags: UP | GATEWAY,
            pad2: 0,
            pad3: 0,
            pad4: 0,
            metric: 0,
            device: 0,
            mtu: 0,
            window: 0,
            round_trip: 0,
        };
        // SAFETY: `route` is a struct rtentry whose only pointer, the device's name, is null.
        unsafe { call!(ioctl, self.0.borrow().number(), libc::SIOCADDRT as usize, &raw const route) }
            .map(drop)
    }

    #[inline(never)]
    fn ask(&self, command: usize, name: &CStr, value: SocketAddress) -> Result<SocketAddress, Errno> {
        let rest = [0; (UNION - size_of::<SocketAddress>()) / size_of::<usize>()];
        let mut request =
            InterfaceRequest { name: [0; libc::IFNAMSIZ], value: Value { socket: value, rest } };
        let bytes = name.to_bytes();
        // The kernel wants its NUL too.
        if bytes.len() >= request.name.len() {
            return Err(Errno::ENODEV);
        }
        for (to, from) in request.name.iter_mut().zip(bytes) {
            *to = *from;
        }
        let socket: BorrowedFd = self.0.borrow();
        // SAFETY: these commands read and write one `struct ifreq`, whose size `request` has (asserted above).
        unsafe { call!(ioctl, socket.number(), command, &raw mut request) }?;
        Ok(request.value.socket)
    }
}

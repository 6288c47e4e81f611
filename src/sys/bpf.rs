//! Programs that the kernel runs for the processes of a cgroup.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::ptr;

/// What a program is for, and where it is attached: the kernel's numbers for both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    program: u32,
    attach: u32,
}

impl Kind {
    /// Whether a process may open, or make, a device node.
    pub const DEVICE: Self = Kind { program: 15, attach: 6 };
    /// Whether an IPv4 or IPv6 socket may be bound, or connected, to an address.
    pub const BIND_4: Self = Kind { program: 18, attach: 8 };
    pub const BIND_6: Self = Kind { program: 18, attach: 9 };
    pub const CONNECT_4: Self = Kind { program: 18, attach: 10 };
    pub const CONNECT_6: Self = Kind { program: 18, attach: 11 };
}

/// bpf(2) BPF_PROG_LOAD: `instructions` are the kernel's struct bpf_insn.
///
/// EINVAL: this kernel has no such programs (CONFIG_CGROUP_BPF). ENOSYS: it has
/// none at all. EPERM: not the machine's root. EACCES: the verifier refuses it.
pub fn load(kind: Kind, instructions: &[u64]) -> Result<OwnedFd, Errno> {
    /// The first part of union bpf_attr.
    #[repr(C)]
    struct Load {
        program: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log: [u32; 2],
        log_buffer: u64,
        version: u32,
        flags: u32,
        name: [u8; 16],
        interface: u32,
        expected_attach: u32,
    }
    const PROG_LOAD: u32 = 5;
    // Only a GPL program may call what is the GPL's; ours call nothing.
    let license = c"MIT";
    let attributes = Load {
        program: kind.program,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as usize as u64,
        license: license.as_ptr() as usize as u64,
        log: [0; 2],
        log_buffer: 0,
        version: 0,
        flags: 0,
        name: *b"corm\0\0\0\0\0\0\0\0\0\0\0\0",
        interface: 0,
        expected_attach: kind.attach,
    };
    // SAFETY: `attributes` is readable for the size given; the instructions and the license that
    // it points to outlive the call, as many of them as `count` says.
    unsafe { call!(bpf, PROG_LOAD, ptr::from_ref(&attributes), size_of::<Load>()) }.map(OwnedFd::from_return)
}

/// bpf(2) BPF_PROG_ATTACH, Linux 4.10: from now on `program` is asked for all of
/// `cgroup`, and what was attached there before is not.
///
/// EPERM also: a cgroup above has a program that allows no other below it.
pub fn attach(kind: Kind, program: BorrowedFd, cgroup: BorrowedFd) -> Result<(), Errno> {
    #[repr(C)]
    struct Attach {
        target: i32,
        program: i32,
        attach: u32,
        flags: u32,
    }
    const PROG_ATTACH: u32 = 8;
    let attributes =
        Attach { target: cgroup.number(), program: program.number(), attach: kind.attach, flags: 0 };
    // SAFETY: `attributes` is readable for the size given, and has no pointers.
    unsafe { call!(bpf, PROG_ATTACH, ptr::from_ref(&attributes), size_of::<Attach>()) }.map(drop)
}

/// bpf(2) BPF_PROG_QUERY, Linux 4.15: how many programs of that kind are attached to `cgroup`.
///
/// EINVAL, ENOSYS: this kernel has none. EPERM: not the machine's root.
pub fn attached(kind: Kind, cgroup: BorrowedFd) -> Result<u32, Errno> {
    #[repr(C)]
    struct Query {
        target: i32,
        attach: u32,
        flags: u32,
        attach_flags: u32,
        programs: u64,
        count: u32,
        unused: u32,
    }
    const PROG_QUERY: u32 = 16;
    let mut attributes = Query {
        target: cgroup.number(),
        attach: kind.attach,
        flags: 0,
        attach_flags: 0,
        programs: 0,
        count: 0,
        unused: 0,
    };
    // SAFETY: `attributes` is readable and writable for the size given; it has no room for programs,
    // of which only the count is then written.
    unsafe { call!(bpf, PROG_QUERY, ptr::from_mut(&mut attributes), size_of::<Query>()) }?;
    Ok(attributes.count)
}

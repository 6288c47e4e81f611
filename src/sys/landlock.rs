//! Landlock: walls that a process raises around itself, on top of all others. landlock(7).

use super::{BorrowedFd, Errno, OwnedFd, call};

/// What a ruleset takes away, unless a rule of its gives it back: rights to files, rights
/// to TCP ports, and what else is cut off. Bits are the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Handled {
    pub files: u64,
    /// Since version 4, Linux 6.7.
    pub ports: u64,
    /// Since version 6, Linux 6.12.
    pub scopes: u64,
}

/// The version of Landlock's interface, 0 without. landlock_create_ruleset(2), Linux 5.13.
pub fn version() -> u8 {
    const VERSION: u32 = 1;
    // SAFETY: with the version flag the kernel takes no attributes.
    unsafe { call!(landlock_create_ruleset, 0, 0, VERSION) }.map_or(0, |version| version as u8)
}

/// landlock_create_ruleset(2). EINVAL: a bit that this version does not know. Older
/// kernels take the longer structure while what they do not know is 0.
pub fn create(handled: Handled) -> Result<OwnedFd, Errno> {
    // SAFETY: `handled` is readable for the size given, and outlives the call.
    unsafe { call!(landlock_create_ruleset, &raw const handled, size_of::<Handled>(), 0) }
        .map(OwnedFd::from_return)
}

/// landlock_add_rule(2): gives rights to what is at and below a file. EINVAL also: a right
/// that only directories have, to something else. EBADFD: what has no path, such as a pipe.
pub fn allow_below(ruleset: BorrowedFd, place: BorrowedFd, rights: u64) -> Result<(), Errno> {
    const PATH_BENEATH: u32 = 1;
    #[repr(C, packed)]
    struct Rule {
        rights: u64,
        place: i32,
    }
    let rule = Rule { rights, place: place.number() };
    // SAFETY: `rule` is readable as a struct landlock_path_beneath_attr, and outlives the call.
    unsafe { call!(landlock_add_rule, ruleset.number(), PATH_BENEATH, &raw const rule, 0) }.map(drop)
}

/// landlock_add_rule(2): gives rights to a TCP port.
pub fn allow_port(ruleset: BorrowedFd, port: u16, rights: u64) -> Result<(), Errno> {
    const NET_PORT: u32 = 2;
    #[repr(C)]
    struct Rule {
        rights: u64,
        port: u64,
    }
    let rule = Rule { rights, port: port.into() };
    // SAFETY: `rule` is readable as a struct landlock_net_port_attr, and outlives the call.
    unsafe { call!(landlock_add_rule, ruleset.number(), NET_PORT, &raw const rule, 0) }.map(drop)
}

/// landlock_restrict_self(2): for good. EPERM: it takes no_new_privs or CAP_SYS_ADMIN in
/// the caller's user namespace.
pub fn restrict_self(ruleset: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(landlock_restrict_self, ruleset.number(), 0) }.map(drop)
}

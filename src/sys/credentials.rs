//! Who a process is and what it may do: ids, capabilities, no_new_privs, system calls.
//! Everything here gives rights away; nothing can take them back.

use super::{Errno, call};
use core::ptr;

/// setgroups(2) with none. 32-bit ARM's plain calls take 16-bit ids, its `*32` ones ours.
pub fn clear_groups() -> Result<(), Errno> {
    let none = ptr::null::<u32>();
    // SAFETY: a list of no groups is not read.
    #[cfg(target_arch = "arm")]
    let result = unsafe { call!(setgroups32, 0, none) };
    // SAFETY: a list of no groups is not read.
    #[cfg(not(target_arch = "arm"))]
    let result = unsafe { call!(setgroups, 0, none) };
    result.map(drop)
}

/// setresgid(2): real, effective and saved gid. (uid_t)-1 would mean "unchanged": refused.
pub fn set_gid(gid: u32) -> Result<(), Errno> {
    if gid == u32::MAX {
        return Err(Errno::EINVAL);
    }
    // SAFETY: no pointers.
    #[cfg(target_arch = "arm")]
    let result = unsafe { call!(setresgid32, gid, gid, gid) };
    // SAFETY: no pointers.
    #[cfg(not(target_arch = "arm"))]
    let result = unsafe { call!(setresgid, gid, gid, gid) };
    result.map(drop)
}

/// setresuid(2): real, effective and saved uid. (uid_t)-1 would mean "unchanged": refused.
pub fn set_uid(uid: u32) -> Result<(), Errno> {
    if uid == u32::MAX {
        return Err(Errno::EINVAL);
    }
    // SAFETY: no pointers.
    #[cfg(target_arch = "arm")]
    let result = unsafe { call!(setresuid32, uid, uid, uid) };
    // SAFETY: no pointers.
    #[cfg(not(target_arch = "arm"))]
    let result = unsafe { call!(setresuid, uid, uid, uid) };
    result.map(drop)
}

/// geteuid(2) and getegid(2): (uid, gid).
pub fn effective_ids() -> (u32, u32) {
    // SAFETY: no pointers.
    #[cfg(target_arch = "arm")]
    let ids = unsafe { (call!(geteuid32), call!(getegid32)) };
    // SAFETY: no pointers.
    #[cfg(not(target_arch = "arm"))]
    let ids = unsafe { (call!(geteuid), call!(getegid)) };
    // They cannot fail.
    (ids.0.unwrap_or(0) as u32, ids.1.unwrap_or(0) as u32)
}

/// Sets of capabilities have a bit each: two 32-bit words are all that capset(2) has room for.
const CAPABILITIES: u32 = u64::BITS;

fn has(capabilities: u64, capability: u32) -> bool {
    capabilities.checked_shr(capability).is_some_and(|rest| rest & 1 != 0)
}

/// Drops every capability this kernel knows but these from the bounding set, so
/// that no execve(2) can ever give one. Needs CAP_SETPCAP; prctl(2) PR_CAPBSET_DROP.
pub fn keep_bounding(kept: u64) -> Result<(), Errno> {
    for capability in (0..CAPABILITIES).filter(|capability| !has(kept, *capability)) {
        // SAFETY: no pointers.
        match unsafe { call!(prctl, libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } {
            Ok(_) => {}
            // The first number past the kernel's last capability.
            Err(Errno::EINVAL) if capability > 0 => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// prctl(2) PR_SET_SECUREBITS: uid 0 and set-uid-root programs gain nothing by an
/// execve(2), for good, and until that call the permitted set stays over a change of
/// user. Needs CAP_SETPCAP.
pub fn set_secure_bits() -> Result<(), Errno> {
    const NO_ROOT: u32 = 1;
    const NO_ROOT_LOCKED: u32 = 1 << 1;
    const KEEP_CAPS: u32 = 1 << 4;
    // SAFETY: no pointers.
    unsafe { call!(prctl, libc::PR_SET_SECUREBITS, NO_ROOT | NO_ROOT_LOCKED | KEEP_CAPS, 0, 0, 0) }.map(drop)
}

/// capset(2): effective, permitted and inheritable become these, and the ambient
/// set, which the kernel keeps within permitted and inheritable, at most these.
pub fn set_capabilities(kept: u64) -> Result<(), Errno> {
    const VERSION_3: u32 = 0x2008_0522;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header { version: VERSION_3, pid: 0 };
    let (low, high) = (kept as u32, (kept >> 32) as u32);
    let sets = [low, low, low, high, high, high];
    // SAFETY: version 3 reads two structs of three words, which `sets` has; both outlive the call.
    unsafe { call!(capset, &raw const header, sets.as_ptr()) }.map(drop)
}

/// capget(2): whether the caller has CAP_SYS_ADMIN in its user namespace.
pub fn may_administer() -> bool {
    const VERSION_3: u32 = 0x2008_0522;
    const SYS_ADMIN: u32 = 1 << 21;
    let header = [VERSION_3, 0];
    let mut sets = [0u32; 6];
    // SAFETY: the header is a version and a pid, which is the caller; version 3 writes two structs
    // of three words, which `sets` has.
    let result = unsafe { call!(capget, header.as_ptr(), sets.as_mut_ptr()) };
    let [effective, ..] = sets;
    result.is_ok() && effective & SYS_ADMIN != 0
}

/// prctl(2) PR_CAP_AMBIENT_RAISE: an execve(2) leaves these to a user who is not root.
/// They must be permitted and inheritable. EINVAL: this kernel does not have one of them.
pub fn raise_ambient(kept: u64) -> Result<(), Errno> {
    let mut kept = (0..CAPABILITIES).filter(|capability| has(kept, *capability));
    kept.try_for_each(|capability| {
        // SAFETY: no pointers.
        unsafe { call!(prctl, libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0) }.map(drop)
    })
}

/// keyctl(2) KEYCTL_JOIN_SESSION_KEYRING without a name: a new, empty session
/// keyring instead of the inherited one. ENOSYS: a kernel without keys.
pub fn new_session_keyring() -> Result<(), Errno> {
    const JOIN_SESSION_KEYRING: usize = 1;
    // SAFETY: without a name nothing is read.
    unsafe { call!(keyctl, JOIN_SESSION_KEYRING, ptr::null::<u8>()) }.map(drop)
}

/// seccomp(2) SECCOMP_SET_MODE_FILTER: from now on this program, an array of struct
/// sock_filter, is asked about every system call. Needs no_new_privs or CAP_SYS_ADMIN.
/// EINVAL: a program the kernel does not take, or a kernel without filters.
pub fn set_filter(program: &[u64]) -> Result<(), Errno> {
    const SET_MODE_FILTER: usize = 1;
    #[repr(C)]
    struct Filter {
        length: u16,
        program: *const u64,
    }
    let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let filter = Filter { length, program: program.as_ptr() };
    // SAFETY: `filter` is a struct sock_fprog whose `length` instructions of eight bytes are
    // readable; both outlive the call.
    unsafe { call!(seccomp, SET_MODE_FILTER, 0, &raw const filter) }.map(drop)
}

/// prctl(2) PR_SET_NO_NEW_PRIVS: set-uid bits and file capabilities mean nothing from now on.
pub fn set_no_new_privileges() -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.map(drop)
}

/// prctl(2) PR_SET_DUMPABLE 0: until the next execve(2) nobody without
/// CAP_SYS_PTRACE may look into this process.
pub fn set_not_dumpable() -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(prctl, libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }.map(drop)
}

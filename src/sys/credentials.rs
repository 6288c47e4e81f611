//! Who a process is and what it may do: ids, capabilities, no_new_privs.
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

/// Drops every capability this kernel knows from the bounding set, so that no
/// execve(2) can ever give one. Needs CAP_SETPCAP; prctl(2) PR_CAPBSET_DROP.
pub fn drop_bounding_set() -> Result<(), Errno> {
    /// Two 32-bit words is all that capset(2) has room for.
    const MOST: u32 = 64;
    for capability in 0..MOST {
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

/// capset(2): effective, permitted and inheritable become empty, and with them
/// the ambient set, which the kernel keeps within permitted and inheritable.
pub fn drop_capabilities() -> Result<(), Errno> {
    const VERSION_3: u32 = 0x2008_0522;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header { version: VERSION_3, pid: 0 };
    let none = [0u32; 6];
    // SAFETY: version 3 reads two structs of three words, which `none` has; both outlive the call.
    unsafe { call!(capset, &raw const header, none.as_ptr()) }.map(drop)
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

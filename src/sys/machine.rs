//! What machine and what kernel this is.

use super::{Errno, call};
use core::ffi::CStr;
use core::mem::MaybeUninit;

/// `struct new_utsname`: six strings of 65 bytes, NUL included.
pub struct Names {
    raw: [[u8; 65]; 6],
}

impl Names {
    /// uname(2).
    pub fn read() -> Names {
        let mut names = Names { raw: [[0; 65]; 6] };
        // SAFETY: `raw` has the layout of a struct new_utsname. With a good pointer uname(2) cannot fail.
        let _ = unsafe { call!(uname, names.raw.as_mut_ptr()) };
        names
    }

    /// The kernel's release, such as `6.1.0-56-cloud-amd64`.
    pub fn release(&self) -> &CStr {
        self.string(2)
    }

    /// The machine, such as `x86_64`.
    pub fn machine(&self) -> &CStr {
        self.string(4)
    }

    fn string(&self, index: usize) -> &CStr {
        self.raw.get(index).and_then(|name| super::c_str(name)).unwrap_or(c"")
    }
}

/// Bytes of memory the kernel manages. sysinfo(2).
pub fn memory() -> u64 {
    /// The kernel's struct sysinfo up to what is needed; 64 bytes on 32-bit
    /// machines, 112 on 64-bit ones.
    #[repr(C)]
    struct SystemInfo {
        uptime: isize,
        loads: [usize; 3],
        total: usize,
        others: [usize; 5],
        processes: [u16; 2],
        high: [usize; 2],
        unit: u32,
        spare: [u32; 4],
    }
    let mut info = MaybeUninit::<SystemInfo>::zeroed();
    // SAFETY: `info` has room for a struct sysinfo.
    let _ = unsafe { call!(sysinfo, info.as_mut_ptr()) };
    // SAFETY: all-zero is a valid value, and the kernel has only overwritten it.
    let info = unsafe { info.assume_init() };
    (info.total as u64).saturating_mul(info.unit.into())
}

/// Processors this process may run on. sched_getaffinity(2).
pub fn processors() -> u32 {
    // Room for 1024, the largest NR_CPUS distributions build for.
    let mut mask = [0u64; 16];
    // SAFETY: `mask` is writable for its size; 0 is this process.
    let result = unsafe { call!(sched_getaffinity, 0, size_of_val(&mask), mask.as_mut_ptr()) };
    let ones = mask.iter().map(|word| word.count_ones()).sum();
    if result.is_ok() { ones } else { 1 }
}

/// sethostname(2). EINVAL: longer than 64 bytes.
pub fn set_hostname(name: &[u8]) -> Result<(), Errno> {
    // SAFETY: `name` is readable for its length.
    unsafe { call!(sethostname, name.as_ptr(), name.len()) }.map(drop)
}

/// Whether the filesystem at `path` lives in memory only: ramfs or tmpfs. statfs(2).
pub fn is_memory_filesystem(path: &CStr) -> bool {
    const RAMFS: usize = 0x8584_58f6;
    const TMPFS: usize = 0x0102_1994;
    // A struct statfs is 120 bytes on 64-bit machines and 64 on 32-bit ones,
    // and f_type is its first word.
    let mut raw = [0usize; 16];
    // SAFETY: `path` is NUL-terminated; `raw` has room for a struct statfs.
    let result = unsafe { call!(statfs, path.as_ptr(), raw.as_mut_ptr()) };
    let [kind, ..] = raw;
    result.is_ok() && (kind == RAMFS || kind == TMPFS)
}

/// Whether the kernel can filter system calls. seccomp(2) SECCOMP_GET_ACTION_AVAIL
/// (Linux 4.14) is EOPNOTSUPP or ENOSYS where it cannot.
pub fn has_seccomp_filter() -> bool {
    const GET_ACTION_AVAIL: u32 = 2;
    const KILL_PROCESS: u32 = 0x8000_0000;
    let action = KILL_PROCESS;
    // SAFETY: `action` is a readable u32 and outlives the call.
    unsafe { call!(seccomp, GET_ACTION_AVAIL, 0, &raw const action) }.is_ok()
}

/// Whether the kernel's own threads are in this pid namespace: process 2 is
/// their parent, and its process group is 0, which no ordinary process has
/// unless its group is outside of the namespace. getpgid(2).
pub fn has_kernel_threads() -> bool {
    const KTHREADD: usize = 2;
    // SAFETY: no pointers.
    let group = unsafe { call!(getpgid, KTHREADD) };
    group == Ok(0)
}

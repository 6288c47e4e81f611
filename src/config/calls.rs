//! System calls by name: their numbers on each machine, and who may use them.
//!
//! [`TABLE`] is the one place that knows; it is read by the compiler alone. What
//! the device carries are the [`Machine`]s worked out from it: a hash for each
//! number instead of its name, and a bit for each call that a list allows. That
//! is 1.9 kB instead of 7. A hash is 24 bits: no two names have the same,
//! and no name that is one slip of a finger away from another has the other's
//! (tests). A call has a *slot*: its number, except for 32-bit ARM's own ones.
//!
//! The numbers are those of the `syscalls` crate, which a test compares; the
//! kernel gives the same number to a new call on all machines and never takes
//! one back. A name that only other machines know means nothing here, and is
//! no mistake in a config that is shared between them.

use Tier::*;

/// Which lists a call is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tier {
    /// In every list: what it takes to start, to be interrupted and to end.
    Always,
    /// In `strict` and `default`: to compute, to serve, to read and write files.
    Strict,
    /// In `default`: what an ordinary server does besides.
    Default,
    /// In both, for a workload with that capability. It is of no use without.
    With(u8),
    /// In none: it must be allowed by name.
    Never,
}

/// Words for the calls of a list.
pub const SETS: &[u8] = b"@strict @default @all";

/// Slots of a machine: the numbers of calls, and 32-bit ARM's own from [`PRIVATE_SLOT`].
pub const SLOTS: usize = 480;

/// The last number that was given out when this was written. What comes after
/// it is newer than corm and, to a workload, a call the kernel does not have.
pub const LAST: u32 = 469;

/// `__ARM_NR_BASE`: 32-bit ARM's own calls are 1 to 6 from here.
pub const PRIVATE: u32 = 0xf_0000;
pub const PRIVATE_CALLS: u32 = 6;
const PRIVATE_SLOT: u32 = 473;

/// A set of calls, by slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calls([u32; SLOTS / 32]);

impl Calls {
    pub const NONE: Calls = Calls([0; SLOTS / 32]);
    pub const ALL: Calls = Calls([u32::MAX; SLOTS / 32]);

    pub fn contains(&self, slot: u16) -> bool {
        let word = self.0.get(usize::from(slot / 32)).unwrap_or(&0);
        word & 1 << (slot % 32) != 0
    }

    pub fn insert(&mut self, slot: u16) {
        if let Some(word) = self.0.get_mut(usize::from(slot / 32)) {
            *word |= 1 << (slot % 32);
        }
    }

    /// Adds the others, or takes them away.
    #[inline(never)]
    pub fn change(&mut self, others: &Calls, add: bool) {
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word = if add { *word | other } else { *word & !other };
        }
    }
}

/// What the calls of one architecture are.
pub struct Machine {
    /// AUDIT_ARCH_*: how seccomp(2) tells architectures apart.
    pub audit: u32,
    /// Calls with this bit in their number are another ABI's; 0: there is none.
    pub foreign: u32,
    /// It has calls from [`PRIVATE`] on.
    pub private: bool,
    /// By slot, of the name; names of other machines are where a slot is free.
    hashes: [Hash; SLOTS],
    /// What there is, less the names of other machines.
    known: Calls,
    pub always: Calls,
    pub strict: Calls,
    pub default: Calls,
    /// Capabilities, and the slots they open.
    pub with: [(u8, u16); WITH],
}

impl Machine {
    /// The slot of a call with this name, be it one of another machine's.
    #[inline(never)]
    pub fn find(&self, name: &[u8]) -> Option<u16> {
        let wanted = hash(name);
        let slot = self.hashes.iter().position(|hash| *hash == wanted)?;
        u16::try_from(slot).ok()
    }

    /// Whether it is one of this machine's.
    pub fn has(&self, slot: u16) -> bool {
        self.known.contains(slot)
    }

    /// The slot of the call with that number, if any call has it.
    pub fn slot(&self, number: u32) -> Option<u16> {
        let slot = match number.checked_sub(PRIVATE) {
            Some(1..=PRIVATE_CALLS) if !self.private => return None,
            Some(index @ 1..=PRIVATE_CALLS) => PRIVATE_SLOT.saturating_add(index),
            _ if number > LAST => return None,
            _ => number,
        };
        u16::try_from(slot).ok().filter(|slot| self.has(*slot))
    }
}

/// The machine this corm is built for.
#[cfg(target_arch = "x86_64")]
pub static NATIVE: &Machine = &X86_64;
#[cfg(target_arch = "aarch64")]
pub static NATIVE: &Machine = &AARCH64;
#[cfg(target_arch = "arm")]
pub static NATIVE: &Machine = &ARM;

/// Its foreign calls are x32's (`__X32_SYSCALL_BIT`); i386's have an AUDIT_ARCH of their own.
pub static X86_64: Machine = Machine { foreign: 0x4000_0000, ..machine(0, 0xc000_003e) };
pub static AARCH64: Machine = machine(1, 0xc000_00b7);
/// A kernel with OABI calls has no seccomp filters, so there is nothing to tell apart.
pub static ARM: Machine = Machine { private: true, ..machine(2, 0x4000_0028) };

type Hash = [u8; 3];

/// FNV-1a, without its last bits and from a start that keeps names and slips of the
/// finger apart: one start in ten thousand does.
const fn hash(name: &[u8]) -> Hash {
    let mut hash = 1362u32;
    let mut rest = name;
    while let Some((byte, more)) = rest.split_first() {
        hash = (hash ^ *byte as u32).wrapping_mul(0x0100_0193);
        rest = more;
    }
    let [_, hash @ ..] = hash.to_le_bytes();
    hash
}

// What follows is for the compiler: it panics and indexes at build time.

/// Name, lists, and the numbers on x86_64, aarch64 and 32-bit ARM.
type Row = (&'static str, Tier, u32, u32, u32);

const fn slot_of(row: &Row, machine: usize) -> usize {
    let number = [row.2, row.3, row.4][machine];
    if number > PRIVATE && number != NO {
        (number - PRIVATE + PRIVATE_SLOT) as usize
    } else {
        number as usize
    }
}

const WITH: usize = {
    let (mut index, mut count) = (0, 0);
    while index < TABLE.len() {
        count += matches!(TABLE[index].1, With(_)) as usize;
        index += 1;
    }
    count
};

/// No name's hash.
const FREE: Hash = [0; 3];

const fn is_free(hash: Hash) -> bool {
    matches!(hash, FREE)
}

const fn machine(which: usize, audit: u32) -> Machine {
    let mut hashes = [FREE; SLOTS];
    let [mut known, mut always, mut strict, mut default] = [[0u32; SLOTS / 32]; 4];
    // A capability that nobody has.
    let mut with = [(u8::MAX, 0); WITH];
    let (mut index, mut withs) = (0, 0);
    while index < TABLE.len() {
        let row = &TABLE[index];
        let slot = slot_of(row, which);
        index += 1;
        if slot == NO as usize {
            continue;
        }
        assert!(is_free(hashes[slot]));
        hashes[slot] = hash(row.0.as_bytes());
        let (word, bit) = (slot / 32, 1 << (slot % 32));
        known[word] |= bit;
        match row.1 {
            Always => {
                always[word] |= bit;
                strict[word] |= bit;
                default[word] |= bit;
            }
            Strict => {
                strict[word] |= bit;
                default[word] |= bit;
            }
            Default => default[word] |= bit,
            With(capability) => {
                with[withs] = (capability, slot as u16);
                withs += 1;
            }
            Never => {}
        }
    }
    let mut free = 0;
    index = 0;
    while index < TABLE.len() {
        if slot_of(&TABLE[index], which) == NO as usize {
            while !is_free(hashes[free]) {
                free += 1;
            }
            hashes[free] = hash(TABLE[index].0.as_bytes());
        }
        index += 1;
    }
    Machine {
        audit,
        foreign: 0,
        private: false,
        hashes,
        known: Calls(known),
        always: Calls(always),
        strict: Calls(strict),
        default: Calls(default),
        with,
    }
}

// Capabilities, as capabilities(7) numbers them.
const DAC_READ_SEARCH: u8 = 2;
const SYS_MODULE: u8 = 16;
const SYS_RAWIO: u8 = 17;
const SYS_CHROOT: u8 = 18;
const SYS_PTRACE: u8 = 19;
const SYS_PACCT: u8 = 20;
const SYS_ADMIN: u8 = 21;
const SYS_BOOT: u8 = 22;
const SYS_NICE: u8 = 23;
const SYS_TIME: u8 = 25;
const SYS_TTY_CONFIG: u8 = 26;
const SYSLOG: u8 = 34;
const PERFMON: u8 = 38;
const BPF: u8 = 39;

/// No such call there.
const NO: u32 = u32::MAX;

/// Every call that Linux has had on one of the three, by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    ("_llseek", Strict, NO, NO, 140),
    ("_newselect", Strict, NO, NO, 142),
    ("_sysctl", Never, 156, NO, 149),
    ("accept", Strict, 43, 202, 285),
    ("accept4", Strict, 288, 242, 366),
    ("access", Strict, 21, NO, 33),
    ("acct", With(SYS_PACCT), 163, 89, 51),
    ("add_key", Never, 248, 217, 309),
    ("adjtimex", Default, 159, 171, 124),
    ("afs_syscall", Never, 183, NO, NO),
    ("alarm", Strict, 37, NO, NO),
    ("arch_prctl", Strict, 158, NO, NO),
    ("arm_fadvise64_64", Strict, NO, NO, 270),
    ("arm_sync_file_range", Default, NO, NO, 341),
    ("bdflush", Never, NO, NO, 134),
    ("bind", Strict, 49, 200, 282),
    ("bpf", With(BPF), 321, 280, 386),
    ("breakpoint", Strict, NO, NO, 0xf0001),
    ("brk", Strict, 12, 214, 45),
    ("cacheflush", Strict, NO, NO, 0xf0002),
    ("cachestat", Default, 451, 451, 451),
    ("capget", Default, 125, 90, 184),
    ("capset", Default, 126, 91, 185),
    ("chdir", Default, 80, 49, 12),
    ("chmod", Default, 90, NO, 15),
    ("chown", Default, 92, NO, 182),
    ("chown32", Default, NO, NO, 212),
    ("chroot", With(SYS_CHROOT), 161, 51, 61),
    ("clock_adjtime", With(SYS_TIME), 305, 266, 372),
    ("clock_adjtime64", With(SYS_TIME), NO, NO, 405),
    ("clock_getres", Strict, 229, 114, 264),
    ("clock_getres_time64", Strict, NO, NO, 406),
    ("clock_gettime", Strict, 228, 113, 263),
    ("clock_gettime64", Strict, NO, NO, 403),
    ("clock_nanosleep", Strict, 230, 115, 265),
    ("clock_nanosleep_time64", Strict, NO, NO, 407),
    ("clock_settime", With(SYS_TIME), 227, 112, 262),
    ("clock_settime64", With(SYS_TIME), NO, NO, 404),
    ("clone", Strict, 56, 220, 120),
    ("clone3", With(SYS_ADMIN), 435, 435, 435),
    ("close", Strict, 3, 57, 6),
    ("close_range", Strict, 436, 436, 436),
    ("connect", Strict, 42, 203, 283),
    ("copy_file_range", Strict, 326, 285, 391),
    ("creat", Default, 85, NO, 8),
    ("create_module", Never, 174, NO, NO),
    ("delete_module", With(SYS_MODULE), 176, 106, 129),
    ("dup", Strict, 32, 23, 41),
    ("dup2", Strict, 33, NO, 63),
    ("dup3", Strict, 292, 24, 358),
    ("epoll_create", Strict, 213, NO, 250),
    ("epoll_create1", Strict, 291, 20, 357),
    ("epoll_ctl", Strict, 233, 21, 251),
    ("epoll_ctl_old", Never, 214, NO, NO),
    ("epoll_pwait", Strict, 281, 22, 346),
    ("epoll_pwait2", Strict, 441, 441, 441),
    ("epoll_wait", Strict, 232, NO, 252),
    ("epoll_wait_old", Never, 215, NO, NO),
    ("eventfd", Strict, 284, NO, 351),
    ("eventfd2", Strict, 290, 19, 356),
    ("execve", Always, 59, 221, 11),
    ("execveat", Default, 322, 281, 387),
    ("exit", Always, 60, 93, 1),
    ("exit_group", Always, 231, 94, 248),
    ("faccessat", Strict, 269, 48, 334),
    ("faccessat2", Strict, 439, 439, 439),
    ("fadvise64", Strict, 221, 223, NO),
    ("fallocate", Default, 285, 47, 352),
    ("fanotify_init", With(SYS_ADMIN), 300, 262, 367),
    ("fanotify_mark", Default, 301, 263, 368),
    ("fchdir", Default, 81, 50, 133),
    ("fchmod", Default, 91, 52, 94),
    ("fchmodat", Default, 268, 53, 333),
    ("fchmodat2", Default, 452, 452, 452),
    ("fchown", Default, 93, 55, 95),
    ("fchown32", Default, NO, NO, 207),
    ("fchownat", Default, 260, 54, 325),
    ("fcntl", Strict, 72, 25, 55),
    ("fcntl64", Strict, NO, NO, 221),
    ("fdatasync", Strict, 75, 83, 148),
    ("fgetxattr", Default, 193, 10, 231),
    ("file_getattr", Default, 468, 468, 468),
    ("file_setattr", Default, 469, 469, 469),
    ("finit_module", With(SYS_MODULE), 313, 273, 379),
    ("flistxattr", Default, 196, 13, 234),
    ("flock", Strict, 73, 32, 143),
    ("fork", Strict, 57, NO, 2),
    ("fremovexattr", Default, 199, 16, 237),
    ("fsconfig", With(SYS_ADMIN), 431, 431, 431),
    ("fsetxattr", Default, 190, 7, 228),
    ("fsmount", With(SYS_ADMIN), 432, 432, 432),
    ("fsopen", With(SYS_ADMIN), 430, 430, 430),
    ("fspick", With(SYS_ADMIN), 433, 433, 433),
    ("fstat", Strict, 5, 80, 108),
    ("fstat64", Strict, NO, NO, 197),
    ("fstatat64", Strict, NO, NO, 327),
    ("fstatfs", Strict, 138, 44, 100),
    ("fstatfs64", Strict, NO, NO, 267),
    ("fsync", Strict, 74, 82, 118),
    ("ftruncate", Strict, 77, 46, 93),
    ("ftruncate64", Strict, NO, NO, 194),
    ("futex", Strict, 202, 98, 240),
    ("futex_requeue", Strict, 456, 456, 456),
    ("futex_time64", Strict, NO, NO, 422),
    ("futex_wait", Strict, 455, 455, 455),
    ("futex_waitv", Strict, 449, 449, 449),
    ("futex_wake", Strict, 454, 454, 454),
    ("futimesat", Default, 261, NO, 326),
    ("get_kernel_syms", Never, 177, NO, NO),
    ("get_mempolicy", With(SYS_NICE), 239, 236, 320),
    ("get_robust_list", Strict, 274, 100, 339),
    ("get_thread_area", Strict, 211, NO, NO),
    ("get_tls", Strict, NO, NO, 0xf0006),
    ("getcpu", Strict, 309, 168, 345),
    ("getcwd", Strict, 79, 17, 183),
    ("getdents", Strict, 78, NO, 141),
    ("getdents64", Strict, 217, 61, 217),
    ("getegid", Strict, 108, 177, 50),
    ("getegid32", Strict, NO, NO, 202),
    ("geteuid", Strict, 107, 175, 49),
    ("geteuid32", Strict, NO, NO, 201),
    ("getgid", Strict, 104, 176, 47),
    ("getgid32", Strict, NO, NO, 200),
    ("getgroups", Strict, 115, 158, 80),
    ("getgroups32", Strict, NO, NO, 205),
    ("getitimer", Strict, 36, 102, 105),
    ("getpeername", Strict, 52, 205, 287),
    ("getpgid", Strict, 121, 155, 132),
    ("getpgrp", Strict, 111, NO, 65),
    ("getpid", Strict, 39, 172, 20),
    ("getpmsg", Never, 181, NO, NO),
    ("getppid", Strict, 110, 173, 64),
    ("getpriority", Default, 140, 141, 96),
    ("getrandom", Strict, 318, 278, 384),
    ("getresgid", Strict, 120, 150, 171),
    ("getresgid32", Strict, NO, NO, 211),
    ("getresuid", Strict, 118, 148, 165),
    ("getresuid32", Strict, NO, NO, 209),
    ("getrlimit", Strict, 97, 163, NO),
    ("getrusage", Strict, 98, 165, 77),
    ("getsid", Strict, 124, 156, 147),
    ("getsockname", Strict, 51, 204, 286),
    ("getsockopt", Strict, 55, 209, 295),
    ("gettid", Strict, 186, 178, 224),
    ("gettimeofday", Strict, 96, 169, 78),
    ("getuid", Strict, 102, 174, 24),
    ("getuid32", Strict, NO, NO, 199),
    ("getxattr", Default, 191, 8, 229),
    ("getxattrat", Default, 464, 464, 464),
    ("init_module", With(SYS_MODULE), 175, 105, 128),
    ("inotify_add_watch", Default, 254, 27, 317),
    ("inotify_init", Default, 253, NO, 316),
    ("inotify_init1", Default, 294, 26, 360),
    ("inotify_rm_watch", Default, 255, 28, 318),
    ("io_cancel", Default, 210, 3, 247),
    ("io_destroy", Default, 207, 1, 244),
    ("io_getevents", Default, 208, 4, 245),
    ("io_pgetevents", Default, 333, 292, 399),
    ("io_pgetevents_time64", Default, NO, NO, 416),
    ("io_setup", Default, 206, 0, 243),
    ("io_submit", Default, 209, 2, 246),
    ("io_uring_enter", Never, 426, 426, 426),
    ("io_uring_register", Never, 427, 427, 427),
    ("io_uring_setup", Never, 425, 425, 425),
    ("ioctl", Strict, 16, 29, 54),
    ("ioperm", With(SYS_RAWIO), 173, NO, NO),
    ("iopl", With(SYS_RAWIO), 172, NO, NO),
    ("ioprio_get", Default, 252, 31, 315),
    ("ioprio_set", Default, 251, 30, 314),
    ("kcmp", With(SYS_PTRACE), 312, 272, 378),
    ("kexec_file_load", With(SYS_BOOT), 320, 294, 401),
    ("kexec_load", With(SYS_BOOT), 246, 104, 347),
    ("keyctl", Never, 250, 219, 311),
    ("kill", Strict, 62, 129, 37),
    ("landlock_add_rule", Default, 445, 445, 445),
    ("landlock_create_ruleset", Default, 444, 444, 444),
    ("landlock_restrict_self", Default, 446, 446, 446),
    ("lchown", Default, 94, NO, 16),
    ("lchown32", Default, NO, NO, 198),
    ("lgetxattr", Default, 192, 9, 230),
    ("link", Default, 86, NO, 9),
    ("linkat", Default, 265, 37, 330),
    ("listen", Strict, 50, 201, 284),
    ("listmount", With(SYS_ADMIN), 458, 458, 458),
    ("listxattr", Default, 194, 11, 232),
    ("listxattrat", Default, 465, 465, 465),
    ("llistxattr", Default, 195, 12, 233),
    ("lookup_dcookie", Never, 212, 18, 249),
    ("lremovexattr", Default, 198, 15, 236),
    ("lseek", Strict, 8, 62, 19),
    ("lsetxattr", Default, 189, 6, 227),
    ("lsm_get_self_attr", Never, 459, 459, 459),
    ("lsm_list_modules", Never, 461, 461, 461),
    ("lsm_set_self_attr", Never, 460, 460, 460),
    ("lstat", Strict, 6, NO, 107),
    ("lstat64", Strict, NO, NO, 196),
    ("madvise", Strict, 28, 233, 220),
    ("map_shadow_stack", Strict, 453, 453, 453),
    ("mbind", With(SYS_NICE), 237, 235, 319),
    ("membarrier", Strict, 324, 283, 389),
    ("memfd_create", Default, 319, 279, 385),
    ("memfd_secret", Default, 447, 447, NO),
    ("migrate_pages", With(SYS_NICE), 256, 238, 400),
    ("mincore", Strict, 27, 232, 219),
    ("mkdir", Default, 83, NO, 39),
    ("mkdirat", Default, 258, 34, 323),
    ("mknod", Default, 133, NO, 14),
    ("mknodat", Default, 259, 33, 324),
    ("mlock", Default, 149, 228, 150),
    ("mlock2", Default, 325, 284, 390),
    ("mlockall", Default, 151, 230, 152),
    ("mmap", Strict, 9, 222, NO),
    ("mmap2", Strict, NO, NO, 192),
    ("modify_ldt", Never, 154, NO, NO),
    ("mount", With(SYS_ADMIN), 165, 40, 21),
    ("mount_setattr", With(SYS_ADMIN), 442, 442, 442),
    ("move_mount", With(SYS_ADMIN), 429, 429, 429),
    ("move_pages", With(SYS_NICE), 279, 239, 344),
    ("mprotect", Strict, 10, 226, 125),
    ("mq_getsetattr", Default, 245, 185, 279),
    ("mq_notify", Default, 244, 184, 278),
    ("mq_open", Default, 240, 180, 274),
    ("mq_timedreceive", Default, 243, 183, 277),
    ("mq_timedreceive_time64", Default, NO, NO, 419),
    ("mq_timedsend", Default, 242, 182, 276),
    ("mq_timedsend_time64", Default, NO, NO, 418),
    ("mq_unlink", Default, 241, 181, 275),
    ("mremap", Strict, 25, 216, 163),
    ("mseal", Strict, 462, 462, 462),
    ("msgctl", Default, 71, 187, 304),
    ("msgget", Default, 68, 186, 303),
    ("msgrcv", Default, 70, 188, 302),
    ("msgsnd", Default, 69, 189, 301),
    ("msync", Strict, 26, 227, 144),
    ("munlock", Default, 150, 229, 151),
    ("munlockall", Default, 152, 231, 153),
    ("munmap", Strict, 11, 215, 91),
    ("name_to_handle_at", Default, 303, 264, 370),
    ("nanosleep", Strict, 35, 101, 162),
    ("newfstatat", Strict, 262, 79, NO),
    ("nfsservctl", Never, 180, 42, 169),
    ("nice", Default, NO, NO, 34),
    ("open", Strict, 2, NO, 5),
    ("open_by_handle_at", With(DAC_READ_SEARCH), 304, 265, 371),
    ("open_tree", With(SYS_ADMIN), 428, 428, 428),
    ("open_tree_attr", With(SYS_ADMIN), 467, 467, 467),
    ("openat", Strict, 257, 56, 322),
    ("openat2", Strict, 437, 437, 437),
    ("pause", Strict, 34, NO, 29),
    ("pciconfig_iobase", Never, NO, NO, 271),
    ("pciconfig_read", Never, NO, NO, 272),
    ("pciconfig_write", Never, NO, NO, 273),
    ("perf_event_open", With(PERFMON), 298, 241, 364),
    ("personality", Default, 135, 92, 136),
    ("pidfd_getfd", With(SYS_PTRACE), 438, 438, 438),
    ("pidfd_open", Default, 434, 434, 434),
    ("pidfd_send_signal", Default, 424, 424, 424),
    ("pipe", Strict, 22, NO, 42),
    ("pipe2", Strict, 293, 59, 359),
    ("pivot_root", With(SYS_ADMIN), 155, 41, 218),
    ("pkey_alloc", Default, 330, 289, 395),
    ("pkey_free", Default, 331, 290, 396),
    ("pkey_mprotect", Default, 329, 288, 394),
    ("poll", Strict, 7, NO, 168),
    ("ppoll", Strict, 271, 73, 336),
    ("ppoll_time64", Strict, NO, NO, 414),
    ("prctl", Strict, 157, 167, 172),
    ("pread64", Strict, 17, 67, 180),
    ("preadv", Strict, 295, 69, 361),
    ("preadv2", Strict, 327, 286, 392),
    ("prlimit64", Strict, 302, 261, 369),
    ("process_madvise", With(SYS_PTRACE), 440, 440, 440),
    ("process_mrelease", Default, 448, 448, 448),
    ("process_vm_readv", With(SYS_PTRACE), 310, 270, 376),
    ("process_vm_writev", With(SYS_PTRACE), 311, 271, 377),
    ("pselect6", Strict, 270, 72, 335),
    ("pselect6_time64", Strict, NO, NO, 413),
    ("ptrace", With(SYS_PTRACE), 101, 117, 26),
    ("putpmsg", Never, 182, NO, NO),
    ("pwrite64", Strict, 18, 68, 181),
    ("pwritev", Strict, 296, 70, 362),
    ("pwritev2", Strict, 328, 287, 393),
    ("query_module", Never, 178, NO, NO),
    ("quotactl", With(SYS_ADMIN), 179, 60, 131),
    ("quotactl_fd", With(SYS_ADMIN), 443, 443, 443),
    ("read", Strict, 0, 63, 3),
    ("readahead", Strict, 187, 213, 225),
    ("readlink", Strict, 89, NO, 85),
    ("readlinkat", Strict, 267, 78, 332),
    ("readv", Strict, 19, 65, 145),
    ("reboot", With(SYS_BOOT), 169, 142, 88),
    ("recv", Strict, NO, NO, 291),
    ("recvfrom", Strict, 45, 207, 292),
    ("recvmmsg", Strict, 299, 243, 365),
    ("recvmmsg_time64", Strict, NO, NO, 417),
    ("recvmsg", Strict, 47, 212, 297),
    ("remap_file_pages", Default, 216, 234, 253),
    ("removexattr", Default, 197, 14, 235),
    ("removexattrat", Default, 466, 466, 466),
    ("rename", Default, 82, NO, 38),
    ("renameat", Default, 264, 38, 329),
    ("renameat2", Default, 316, 276, 382),
    ("request_key", Never, 249, 218, 310),
    ("restart_syscall", Always, 219, 128, 0),
    ("rmdir", Default, 84, NO, 40),
    ("rseq", Strict, 334, 293, 398),
    ("rt_sigaction", Strict, 13, 134, 174),
    ("rt_sigpending", Strict, 127, 136, 176),
    ("rt_sigprocmask", Strict, 14, 135, 175),
    ("rt_sigqueueinfo", Strict, 129, 138, 178),
    ("rt_sigreturn", Always, 15, 139, 173),
    ("rt_sigsuspend", Strict, 130, 133, 179),
    ("rt_sigtimedwait", Strict, 128, 137, 177),
    ("rt_sigtimedwait_time64", Strict, NO, NO, 421),
    ("rt_tgsigqueueinfo", Strict, 297, 240, 363),
    ("sched_get_priority_max", Default, 146, 125, 159),
    ("sched_get_priority_min", Default, 147, 126, 160),
    ("sched_getaffinity", Strict, 204, 123, 242),
    ("sched_getattr", Default, 315, 275, 381),
    ("sched_getparam", Default, 143, 121, 155),
    ("sched_getscheduler", Default, 145, 120, 157),
    ("sched_rr_get_interval", Default, 148, 127, 161),
    ("sched_rr_get_interval_time64", Default, NO, NO, 423),
    ("sched_setaffinity", Default, 203, 122, 241),
    ("sched_setattr", Default, 314, 274, 380),
    ("sched_setparam", Default, 142, 118, 154),
    ("sched_setscheduler", Default, 144, 119, 156),
    ("sched_yield", Strict, 24, 124, 158),
    ("seccomp", Default, 317, 277, 383),
    ("security", Never, 185, NO, NO),
    ("select", Strict, 23, NO, NO),
    ("semctl", Default, 66, 191, 300),
    ("semget", Default, 64, 190, 299),
    ("semop", Default, 65, 193, 298),
    ("semtimedop", Default, 220, 192, 312),
    ("semtimedop_time64", Default, NO, NO, 420),
    ("send", Strict, NO, NO, 289),
    ("sendfile", Strict, 40, 71, 187),
    ("sendfile64", Strict, NO, NO, 239),
    ("sendmmsg", Strict, 307, 269, 374),
    ("sendmsg", Strict, 46, 211, 296),
    ("sendto", Strict, 44, 206, 290),
    ("set_mempolicy", With(SYS_NICE), 238, 237, 321),
    ("set_mempolicy_home_node", With(SYS_NICE), 450, 450, 450),
    ("set_robust_list", Strict, 273, 99, 338),
    ("set_thread_area", Strict, 205, NO, NO),
    ("set_tid_address", Strict, 218, 96, 256),
    ("set_tls", Strict, NO, NO, 0xf0005),
    ("setdomainname", With(SYS_ADMIN), 171, 162, 121),
    ("setfsgid", Default, 123, 152, 139),
    ("setfsgid32", Default, NO, NO, 216),
    ("setfsuid", Default, 122, 151, 138),
    ("setfsuid32", Default, NO, NO, 215),
    ("setgid", Default, 106, 144, 46),
    ("setgid32", Default, NO, NO, 214),
    ("setgroups", Default, 116, 159, 81),
    ("setgroups32", Default, NO, NO, 206),
    ("sethostname", With(SYS_ADMIN), 170, 161, 74),
    ("setitimer", Strict, 38, 103, 104),
    ("setns", With(SYS_ADMIN), 308, 268, 375),
    ("setpgid", Default, 109, 154, 57),
    ("setpriority", Default, 141, 140, 97),
    ("setregid", Default, 114, 143, 71),
    ("setregid32", Default, NO, NO, 204),
    ("setresgid", Default, 119, 149, 170),
    ("setresgid32", Default, NO, NO, 210),
    ("setresuid", Default, 117, 147, 164),
    ("setresuid32", Default, NO, NO, 208),
    ("setreuid", Default, 113, 145, 70),
    ("setreuid32", Default, NO, NO, 203),
    ("setrlimit", Default, 160, 164, 75),
    ("setsid", Default, 112, 157, 66),
    ("setsockopt", Strict, 54, 208, 294),
    ("settimeofday", With(SYS_TIME), 164, 170, 79),
    ("setuid", Default, 105, 146, 23),
    ("setuid32", Default, NO, NO, 213),
    ("setxattr", Default, 188, 5, 226),
    ("setxattrat", Default, 463, 463, 463),
    ("shmat", Default, 30, 196, 305),
    ("shmctl", Default, 31, 195, 308),
    ("shmdt", Default, 67, 197, 306),
    ("shmget", Default, 29, 194, 307),
    ("shutdown", Strict, 48, 210, 293),
    ("sigaction", Strict, NO, NO, 67),
    ("sigaltstack", Strict, 131, 132, 186),
    ("signalfd", Strict, 282, NO, 349),
    ("signalfd4", Strict, 289, 74, 355),
    ("sigpending", Strict, NO, NO, 73),
    ("sigprocmask", Strict, NO, NO, 126),
    ("sigreturn", Always, NO, NO, 119),
    ("sigsuspend", Strict, NO, NO, 72),
    ("socket", Strict, 41, 198, 281),
    ("socketpair", Strict, 53, 199, 288),
    ("splice", Strict, 275, 76, 340),
    ("stat", Strict, 4, NO, 106),
    ("stat64", Strict, NO, NO, 195),
    ("statfs", Strict, 137, 43, 99),
    ("statfs64", Strict, NO, NO, 266),
    ("statmount", With(SYS_ADMIN), 457, 457, 457),
    ("statx", Strict, 332, 291, 397),
    ("swapoff", With(SYS_ADMIN), 168, 225, 115),
    ("swapon", With(SYS_ADMIN), 167, 224, 87),
    ("symlink", Default, 88, NO, 83),
    ("symlinkat", Default, 266, 36, 331),
    ("sync", Default, 162, 81, 36),
    ("sync_file_range", Default, 277, 84, NO),
    ("syncfs", Default, 306, 267, 373),
    ("sysfs", Never, 139, NO, 135),
    ("sysinfo", Strict, 99, 179, 116),
    ("syslog", With(SYSLOG), 103, 116, 103),
    ("tee", Default, 276, 77, 342),
    ("tgkill", Strict, 234, 131, 268),
    ("time", Strict, 201, NO, NO),
    ("timer_create", Strict, 222, 107, 257),
    ("timer_delete", Strict, 226, 111, 261),
    ("timer_getoverrun", Strict, 225, 109, 260),
    ("timer_gettime", Strict, 224, 108, 259),
    ("timer_gettime64", Strict, NO, NO, 408),
    ("timer_settime", Strict, 223, 110, 258),
    ("timer_settime64", Strict, NO, NO, 409),
    ("timerfd_create", Strict, 283, 85, 350),
    ("timerfd_gettime", Strict, 287, 87, 354),
    ("timerfd_gettime64", Strict, NO, NO, 410),
    ("timerfd_settime", Strict, 286, 86, 353),
    ("timerfd_settime64", Strict, NO, NO, 411),
    ("times", Strict, 100, 153, 43),
    ("tkill", Strict, 200, 130, 238),
    ("truncate", Default, 76, 45, 92),
    ("truncate64", Default, NO, NO, 193),
    ("tuxcall", Never, 184, NO, NO),
    ("ugetrlimit", Strict, NO, NO, 191),
    ("umask", Default, 95, 166, 60),
    ("umount2", With(SYS_ADMIN), 166, 39, 52),
    ("uname", Strict, 63, 160, 122),
    ("unlink", Default, 87, NO, 10),
    ("unlinkat", Default, 263, 35, 328),
    ("unshare", With(SYS_ADMIN), 272, 97, 337),
    ("uprobe", Strict, 336, NO, NO),
    ("uretprobe", Strict, 335, NO, NO),
    ("uselib", Never, 134, NO, 86),
    ("userfaultfd", Never, 323, 282, 388),
    ("usr26", Never, NO, NO, 0xf0003),
    ("usr32", Never, NO, NO, 0xf0004),
    ("ustat", Default, 136, NO, 62),
    ("utime", Default, 132, NO, NO),
    ("utimensat", Default, 280, 88, 348),
    ("utimensat_time64", Default, NO, NO, 412),
    ("utimes", Default, 235, NO, 269),
    ("vfork", Strict, 58, NO, 190),
    ("vhangup", With(SYS_TTY_CONFIG), 153, 58, 111),
    ("vmsplice", Default, 278, 75, 343),
    ("vserver", Never, 236, NO, 313),
    ("wait4", Strict, 61, 260, 114),
    ("waitid", Strict, 247, 95, 280),
    ("write", Always, 1, 64, 4),
    ("writev", Strict, 20, 66, 146),
];

//! What this user may do on this host.
//!
//! corm's side of a start wants what PID 1 has: to mount, and cgroups of its
//! own. Root gets a mount namespace where there are cgroups to be shown in it, so
//! that nothing here is seen elsewhere. An ordinary user gets a user namespace first, in which he is whom the workload
//! is to be (user_namespaces(7)); there the rest of corm works as it does for
//! root. Then the cgroup that this process is in is mounted on /sys/fs/cgroup, as
//! if it were the machine's, where that is ours to divide up.

use super::{is_denied, shortly};
use crate::cgroup;
use crate::config::{Config, RANGE, User, WorkloadId};
use crate::sys::fs::{self, Follow, Open};
use crate::sys::mount::{self, Depth, Flags};
use crate::sys::process::{self, Namespaces};
use crate::sys::{BorrowedFd, Errno, OwnedFd, credentials};
use crate::text::{Show, Sink, Text, number, words};
use crate::{limits, put, warn};
use core::ffi::CStr;

pub struct Host {
    pub keeps_groups: bool,
    pub cgroup: Option<Cgroup>,
}

/// Why nothing can be run here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unable {
    what: &'static str,
    errno: Errno,
    remedy: &'static str,
}

impl Show for Unable {
    fn show(&self, out: &mut dyn Sink) {
        put!(*out, "cannot ", self.what, ": ", self.errno, self.remedy);
    }
}

/// Gives this process a view of the host in which it may do all that a start takes.
pub fn prepare(config: &mut Config, id: WorkloadId) -> Result<Host, Unable> {
    let fail = |what, remedy| move |errno| Unable { what, errno, remedy };
    // Asked before there is another view of it.
    let mut buffer = [0u8; 1024];
    let groups = fs::read_file(BorrowedFd::CWD, c"/proc/self/cgroup", &mut buffer).unwrap_or(b"");
    let unified = fs::stat(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.controllers", Follow::No).is_ok();
    let mut first = is_first_user_namespace();
    // Whoever mounts nothing here needs no namespace to do it in, and in the first user namespace
    // root may mount everywhere.
    if unified || !first || !credentials::may_administer() {
        match process::unshare(Namespaces::MOUNT) {
            Err(errno) if is_denied(errno) => {
                own_users(config, id)?;
                first = false;
            }
            result => result.map_err(fail("make a mount namespace", ""))?,
        }
        mount::mount(None, c"/", None, Flags::PRIVATE | Flags::RECURSIVE, None)
            .map_err(fail("keep mounts to itself", ": this user may not mount, not even in a namespace"))?;
    }
    let mut keeps_groups = false;
    if !first {
        settle_user(config, id);
        let mut answer = [0u8; 8];
        let setgroups = fs::read_file(BorrowedFd::CWD, c"/proc/self/setgroups", &mut answer);
        keeps_groups = setgroups.is_ok_and(|word| word.starts_with(b"deny"));
    }
    let cgroup = match own_cgroup(unified, groups) {
        Ok(cgroup) => Some(cgroup),
        Err(none) => {
            warn!("no pids limit: ", none);
            None
        }
    };
    Ok(Host { keeps_groups, cgroup })
}

/// Whether this is the one that the kernel began with, in which every id is its own.
fn is_first_user_namespace() -> bool {
    /// PROC_USER_INIT_INO of the kernel; for everybody since 6.18, as USER_NS_INIT_INO.
    const FIRST: u64 = 0xEFFF_FFFD;
    fs::stat(BorrowedFd::CWD, c"/proc/self/ns/user", Follow::Yes).is_ok_and(|it| it.inode == FIRST)
}

/// A user namespace whose only user is the one that the workload is to be.
fn own_users(config: &Config, id: WorkloadId) -> Result<(), Unable> {
    let what = "make a user namespace";
    let fail = |errno| Unable {
        what,
        errno,
        remedy: match errno {
            Errno::ENOSPC => ": see /proc/sys/user/max_user_namespaces",
            _ => {
                ": be root, or see kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns; a seccomp filter around corm may forbid it too, and uid 0 takes CAP_SETFCAP"
            }
        },
    };
    let (uid, gid) = credentials::effective_ids();
    let (inner_uid, inner_gid) = match config.workload(id).map(|workload| workload.user) {
        Some(User::Ids { uid, gid }) => (uid, gid),
        // Himself. Not 0: then nobody could make a user namespace in there (CAP_SETFCAP, Linux 5.12).
        _ => (uid, gid),
    };
    process::unshare(Namespaces::USER | Namespaces::MOUNT).map_err(fail)?;
    // Without this nobody may map a group of his own (Linux 3.19).
    fs::write_file(BorrowedFd::CWD, c"/proc/self/setgroups", b"deny").map_err(fail)?;
    for (path, inner, outer) in
        [(c"/proc/self/uid_map", inner_uid, uid), (c"/proc/self/gid_map", inner_gid, gid)]
    {
        let mut line = Text::<64>::new();
        put!(line, inner, " ", outer, " 1");
        fs::write_file(BorrowedFd::CWD, path, line.as_bytes()).map_err(fail)?;
    }
    Ok(())
}

/// `user = "auto"` takes a range of ids. Where this user namespace has no such range, it is
/// the last id that it has, but not (uid_t)65535, and the workload stays in this namespace.
fn settle_user(config: &mut Config, id: WorkloadId) {
    let Some(workload) = config.workloads.get_mut(id.index()) else { return };
    let User::Auto { first } = workload.user else { return };
    let last = |path: &CStr| {
        let mut buffer = [0u8; 512];
        let map = fs::read_file(BorrowedFd::CWD, path, &mut buffer).unwrap_or(b"");
        last_unless_mapped(map, first)
    };
    if let (Some(uid), Some(gid)) = (last(c"/proc/self/uid_map"), last(c"/proc/self/gid_map")) {
        workload.user = User::Ids { uid, gid };
    }
}

/// From the lines "inner outer count" of an id map: `None` if it has the range that
/// begins with this id, otherwise an id that it has.
fn last_unless_mapped(map: &[u8], first: u32) -> Option<u32> {
    let mut last = None;
    for line in words(map, b'\n') {
        let mut fields = words(line, b' ');
        let mut next = || u32::try_from(number(fields.next()?, 10)?).ok();
        let (Some(inner), Some(_), Some(count)) = (next(), next(), next()) else { continue };
        let end = first.checked_sub(inner).and_then(|offset| offset.checked_add(RANGE));
        if end.is_some_and(|end| end <= count) {
            return None;
        }
        last = Some(inner.saturating_add(count.max(2).saturating_sub(2)));
    }
    last
}

const CGROUPS: &CStr = c"/sys/fs/cgroup";

/// A cgroup of this run, in which the workload's is made.
pub struct Cgroup {
    /// Where it is a directory.
    parent: OwnedFd,
    /// This process has left the parent, for it to hand controllers on.
    aside: bool,
}

const ONE_OF_ITS_OWN: &str =
    "; `systemd-run --scope -p Delegate=yes corm run ...` (with --user, for a user) gives one to it alone";

/// Why there is none.
enum NoCgroup {
    /// This host has cgroup v1, alone or beside v2.
    Old,
    Absent,
    Outside,
    NotOurs(Errno),
}

impl Show for NoCgroup {
    fn show(&self, out: &mut dyn Sink) {
        match self {
            NoCgroup::Old => put!(
                *out,
                "this host has cgroup v1 (legacy or hybrid); boot it with systemd.unified_cgroup_hierarchy=1"
            ),
            NoCgroup::Absent => put!(*out, "no cgroup v2 is mounted on ", CGROUPS),
            NoCgroup::Outside => put!(*out, "this process's cgroup is not below ", CGROUPS),
            NoCgroup::NotOurs(errno) => put!(*out, "cannot make a cgroup: ", errno, ONE_OF_ITS_OWN),
        }
    }
}

/// A new cgroup below this process's own becomes what is seen on /sys/fs/cgroup.
fn own_cgroup(unified: bool, groups: &[u8]) -> Result<Cgroup, NoCgroup> {
    let made = make_cgroup(unified, groups);
    if !matches!(made, Ok(_) | Err(NoCgroup::Old | NoCgroup::Absent)) {
        // So that nothing is looked for there: an empty filesystem.
        let flags = Flags::READ_ONLY | Flags::NO_SUID | Flags::NO_DEV | Flags::NO_EXEC;
        let _ = mount::mount(Some(c"none"), CGROUPS, Some(c"tmpfs"), flags, None);
    }
    made
}

fn make_cgroup(unified: bool, groups: &[u8]) -> Result<Cgroup, NoCgroup> {
    if !unified {
        let old =
            groups.split(|byte| *byte == b'\n').any(|line| !line.is_empty() && !line.starts_with(b"0::"));
        return Err(if old { NoCgroup::Old } else { NoCgroup::Absent });
    }
    let own = own_path(groups).filter(|path| !path.starts_with(b"/..")).ok_or(NoCgroup::Outside)?;
    show_as_root(own)?;
    // What is mounted here may be another cgroup namespace's, in which our path is another cgroup.
    if !cgroup::is_within() {
        return Err(NoCgroup::Outside);
    }
    // Below our own cgroup and nowhere else, so that whatever limits whoever started us limits
    // this too. Only a cgroup without processes of its own hands controllers on, and a shell's
    // has the shell.
    if let Err(failure) = cgroup::delegate(cgroup::ALL_CONTROLLERS) {
        match failure.errno {
            errno @ (Errno::EACCES | Errno::EPERM | Errno::EROFS) => return Err(NoCgroup::NotOurs(errno)),
            Errno::EBUSY => {
                warn!("no limits: ", failure, ", other processes are in its cgroup", ONE_OF_ITS_OWN);
                cgroup::no_limits_was_told();
            }
            _ => warn!(failure),
        }
    }
    let parent =
        fs::open(BorrowedFd::CWD, CGROUPS, Open::PATH | Open::DIRECTORY).map_err(NoCgroup::NotOurs)?;
    let mut name = name();
    let name = name.as_c_str().ok_or(NoCgroup::Outside)?;
    fs::make_directory(parent.borrow(), name, 0o755).map_err(NoCgroup::NotOurs)?;
    let mut buffer = [0u8; 1024];
    let now = fs::read_file(BorrowedFd::CWD, c"/proc/self/cgroup", &mut buffer).unwrap_or(groups);
    let cgroup = Cgroup { parent, aside: own_path(now) != Some(own) };
    let mut path = Text::<32>::new();
    put!(path, "/", name);
    if let Err(why) = show_as_root(path.as_bytes()) {
        cgroup.remove_own();
        return Err(why);
    }
    // What could not be handed on to it cannot be handed on by it, and was told.
    let _ = cgroup::delegate(cgroup::ALL_CONTROLLERS);
    Ok(cgroup)
}

/// This process's cgroup, of what /proc/self/cgroup says.
fn own_path(groups: &[u8]) -> Option<&[u8]> {
    groups.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"))
}

/// Mounts the cgroup at this path over all of them.
fn show_as_root(below: &[u8]) -> Result<(), NoCgroup> {
    let mut path = Text::<{ limits::PATH }>::new();
    put!(path, CGROUPS, below);
    let path = path.as_c_str().ok_or(NoCgroup::Outside)?;
    let tree = mount::clone_tree(BorrowedFd::CWD, path, Depth::This).map_err(NoCgroup::NotOurs)?;
    mount::move_to(tree.borrow(), BorrowedFd::CWD, CGROUPS).map_err(NoCgroup::NotOurs)
}

/// The name of this run's cgroup; workloads' names have no dot.
fn name() -> Text<32> {
    let mut name = Text::new();
    put!(name, "corm.run.", process::id());
    name
}

impl Cgroup {
    /// Ends what is left in the workload's cgroup, and removes both.
    pub fn remove(self, config: &Config, id: WorkloadId) {
        // Before Linux 5.14 there is no such file; what then stays behind is seen by nobody here.
        let _ = cgroup::kill(config, id);
        shortly(|| cgroup::remove(config, id) != Err(Errno::EBUSY));
        self.remove_own();
    }

    fn remove_own(&self) {
        let mut name = name();
        if let Some(name) = name.as_c_str() {
            // If it has something in it still, it stays: the next boot forgets it.
            let _ = fs::remove_directory(self.parent.borrow(), name);
        }
        if self.aside {
            cgroup::step_back(self.parent.borrow());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_an_id_that_the_namespace_has() {
        assert_eq!(last_unless_mapped(b"         0          0 4294967295\n", 131072), None);
        assert_eq!(last_unless_mapped(b"0 1000 1\n", 131072), Some(0));
        assert_eq!(last_unless_mapped(b"7 1000 1\n", 131072), Some(7));
        assert_eq!(last_unless_mapped(b"0 100000 65536\n", 131072), Some(65534));
        assert_eq!(last_unless_mapped(b"0 1000 1\n1 100000 200000\n", 131072), None);
        assert_eq!(last_unless_mapped(b"0 100000 131073\n", 131072), Some(131071));
        assert_eq!(last_unless_mapped(b"", 131072), None);
        assert_eq!(last_unless_mapped(b"0 x 1\n", 5), None);
    }
}

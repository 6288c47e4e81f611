//! Which walls a workload gets, and in which order its child raises them.
//!
//! Pure: a plan follows from the config alone. A step has no strings and no
//! descriptors; the child knows them from the config and from what the parent
//! opened for it. The order is the point of this file:
//!
//! - nothing happens before the parent has mapped the ids of a user namespace, and what
//!   is made then belongs to its uid 0, or nobody inside could own it;
//! - what needs rights (mounts, names, limits, the terminal) comes before the
//!   rights are given away, and nothing that needs them comes after;
//! - Landlock's wall is raised by whoever may still open all that it is about;
//! - the bounding set goes first (it and the securebits need CAP_SETPCAP), then
//!   groups, gid and uid (each needs the rights the next one takes), then the
//!   capabilities, of which the ambient ones are what an execve(2) leaves;
//! - `no_new_privs` is set before anything of the workload's is executed;
//! - the working directory is entered with the workload's own rights;
//! - signals are let in late, so that one which comes early meets the program;
//! - the seccomp filter is last, because the child would have to ask it too.

use crate::config::{Base, Config, Limit, Network, Root, Spaces, User, Workload};
use crate::limits;
use heapless::Vec;

/// One thing the child does: one to five system calls, one possible failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The parent has its part to do: ids, limits.
    Wait,
    /// Uid and gid 0 of the user namespace, which are nobody's on the machine.
    NamespaceRoot,
    /// A session without a terminal.
    Session,
    /// Nobody of the same user looks in while descriptors of the machine are open.
    NotDumpable,
    /// The namespaces of a workload that runs become its own, and its root with them.
    Enter,
    /// The workload's own cgroup becomes the root of what it sees.
    CgroupNamespace,
    Hostname,
    /// The loopback of the new network namespace comes up.
    Loopback,
    /// Nothing mounted from here on reaches the machine, nor the other way round.
    PrivateMounts,
    /// The root's tree is attached and entered.
    Root,
    /// ... below a filesystem in memory, and what comes of both.
    OverlaidRoot,
    /// `scratch`: the program's file is attached where the command names it.
    Program,
    /// The minimal /dev is attached.
    Devices,
    /// In a user namespace nobody makes device files: the machine's are mounted there.
    DeviceFiles,
    /// The socket it says to that it is ready, in its /dev.
    Notify,
    /// A devpts of its own.
    Terminals,
    /// /dev/shm.
    SharedMemory,
    /// /dev/mqueue.
    MessageQueues,
    /// A new /proc, and what of it is not to be seen.
    Proc,
    /// The same of /sys.
    Sys,
    /// Hosts, name servers and hostname in /etc, where there are files of these names.
    Names,
    /// Volume of this number in the config is mounted.
    Volume(u16),
    /// The attached root becomes `/`, and the machine's is gone.
    Pivot,
    /// Descriptors 0 to 2.
    Stdio,
    /// Standard input becomes the controlling terminal, where it is one.
    ControllingTerminal,
    Umask,
    /// Landlock's wall around files and TCP ports.
    Landlock,
    /// Open files, if they are to be fewer than the steps before this take.
    FewFiles,
    /// What no execve(2) can give back; and what is kept outlives the change of user.
    BoundingSet,
    Groups,
    Gid,
    Uid,
    /// A session keyring that nobody else has.
    Keyring,
    /// What it keeps, it still has after execve(2).
    Capabilities,
    NoNewPrivileges,
    /// It ends with the process that started it.
    DieWithParent,
    /// Everything from 3 on closes when the program starts.
    CloseOnExec,
    /// The descriptor it writes to when it is ready.
    ReadyDescriptor,
    /// The working directory, which must lie inside the root.
    Directory,
    Signals,
    Seccomp,
    Execute,
    /// ... or corm's init, which executes it.
    Init,
}

/// Until [`Step::FewFiles`] the child may open as many as this.
pub const FILES: u64 = 256;

/// New namespaces that the child is born into. The cgroup namespace is not
/// among them: clone3(2) would root it in the parent's cgroup, so it is a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Namespaces {
    /// Users, and with them the rights in all the others.
    pub users: bool,
    pub mount: bool,
    pub uts: bool,
    pub ipc: bool,
    pub pid: bool,
    pub network: bool,
    pub time: bool,
}

pub struct Plan {
    pub namespaces: Namespaces,
    pub steps: Vec<Step, { limits::PLAN_STEPS }>,
}

/// What the config does not know.
#[derive(Clone, Copy)]
pub struct Circumstances {
    /// The workload has a cgroup of its own.
    pub cgroup: bool,
    /// Its standard input is to be its controlling terminal.
    pub terminal: bool,
    /// /dev has to be filled by mounts: see [`Step::DeviceFiles`].
    pub device_files: bool,
    /// setgroups(2) is denied here, as it is to whoever maps himself alone
    /// (user_namespaces(7)): the groups stay, and mean nothing to the machine.
    pub keeps_groups: bool,
    /// Landlock has something to take away from it.
    pub landlock: bool,
    /// It says that it is ready to a socket.
    pub notify: bool,
    /// ... or to a descriptor.
    pub ready: bool,
    /// It must not outlive its parent, which stays in the foreground.
    pub foreground: bool,
    /// The walls stand, and a workload is behind them: this one goes there.
    pub enter: bool,
}

/// `None`: more volumes than [`limits::WORKLOAD_VOLUMES`].
pub fn plan(config: &Config, workload: &Workload, circumstances: Circumstances) -> Option<Plan> {
    let walls = !workload.privileged;
    let ranged = range(workload).is_some();
    let own = |space| walls && !workload.host.has(space) && !workload.joined.has(space);
    // What is there already is not made.
    let raise = walls && !circumstances.enter;
    let namespaces = Namespaces {
        users: ranged && workload.join.is_none(),
        mount: walls,
        uts: own(Spaces::UTS),
        ipc: own(Spaces::IPC),
        pid: own(Spaces::PID),
        network: own(Spaces::NETWORK) && workload.network == Network::None,
        time: own(Spaces::TIME),
    };
    let mut steps = Vec::new();
    let mut add =
        |all: &[(bool, Step)]| all.iter().all(|(wanted, step)| !wanted || steps.push(*step).is_ok());
    let ids = ids(workload);

    let mut fits = add(&[
        (true, Step::Wait),
        // Before anything else: also the ids that it is to have are numbered there.
        (walls && circumstances.enter, Step::Enter),
        (ranged, Step::NamespaceRoot),
        (true, Step::Session),
        (walls && ids.is_some_and(|(uid, _)| uid == 0), Step::NotDumpable),
        (raise && own(Spaces::CGROUP) && circumstances.cgroup, Step::CgroupNamespace),
        (raise && namespaces.uts, Step::Hostname),
        (raise && namespaces.network, Step::Loopback),
        (raise, Step::PrivateMounts),
        (raise && workload.overlay == 0, Step::Root),
        (raise && workload.overlay > 0, Step::OverlaidRoot),
        (raise && workload.root == Root::Scratch, Step::Program),
        (raise, Step::Devices),
        (raise && circumstances.device_files, Step::DeviceFiles),
        (raise && circumstances.notify, Step::Notify),
        (raise, Step::Terminals),
        (raise, Step::SharedMemory),
        // Those of another user namespace are not its to mount.
        (raise && (namespaces.ipc || !ranged || workload.joined.has(Spaces::IPC)), Step::MessageQueues),
        // What is masked there, is with /dev/null.
        (raise, Step::Proc),
        (raise, Step::Sys),
        // What the config mounts there comes above them.
        (raise && has_names(workload), Step::Names),
    ]);
    let mut last = None;
    while let Some(next) = next_volume(config, workload, last).filter(|_| raise && fits) {
        fits = next.index < limits::WORKLOAD_VOLUMES as u16 && add(&[(true, Step::Volume(next.index))]);
        last = Some(next);
    }
    fits = fits
        && add(&[
            (raise, Step::Pivot),
            (true, Step::Stdio),
            (circumstances.terminal, Step::ControllingTerminal),
            (true, Step::Umask),
            (circumstances.landlock, Step::Landlock),
            (config.setting(workload, Limit::Files).is_some_and(|files| files < FILES), Step::FewFiles),
            (walls, Step::BoundingSet),
            (ids.is_some() && !circumstances.keeps_groups, Step::Groups),
            (ids.is_some(), Step::Gid),
            (ids.is_some(), Step::Uid),
            (walls, Step::Keyring),
            (walls, Step::Capabilities),
            (walls, Step::NoNewPrivileges),
            // A change of ids would take this back.
            (circumstances.foreground, Step::DieWithParent),
            (true, Step::CloseOnExec),
            (circumstances.ready, Step::ReadyDescriptor),
            (workload.directory.is_some() || !walls, Step::Directory),
            (true, Step::Signals),
            (has_filter(workload), Step::Seccomp),
            (true, if raise && workload.init { Step::Init } else { Step::Execute }),
        ]);
    fits.then_some(Plan { namespaces, steps })
}

/// Who an `auto` workload is inside of its user namespace: an ordinary user, whom images
/// know as "nonroot", and whose id no person and no service of a distribution has.
pub const NONROOT: u32 = 65_532;

/// The uid and gid a workload runs as, as its own user namespace numbers them; `None`: it
/// stays who the parent is. A privileged workload is the machine's root unless the config
/// names ids.
pub fn ids(workload: &Workload) -> Option<(u32, u32)> {
    if range(workload).is_some() { Some((NONROOT, NONROOT)) } else { machine_ids(workload) }
}

/// The same, as the machine numbers them.
pub fn machine_ids(workload: &Workload) -> Option<(u32, u32)> {
    match workload.user {
        User::Ids { uid: 0, gid: 0 } | User::Auto { .. } if workload.privileged => None,
        User::Ids { uid, gid } => Some((uid, gid)),
        User::Auto { first } => Some((first.saturating_add(NONROOT), first.saturating_add(NONROOT))),
    }
}

/// The machine's id that 0 is in the user namespace of its own, or of the workload that it
/// joins; `None`: it is in the machine's.
pub fn range(workload: &Workload) -> Option<u32> {
    match workload.user {
        User::Auto { first } if !workload.privileged && !workload.host.has(Spaces::USER) => Some(first),
        _ => None,
    }
}

/// Whether there is anybody it can know by name.
pub fn has_names(workload: &Workload) -> bool {
    workload.network != Network::None
}

/// Whether its system calls are filtered.
pub fn has_filter(workload: &Workload) -> bool {
    !workload.privileged && workload.seccomp.base != Base::Off
}

/// A volume's place in the order of mounting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Length of the target: what lies inside another volume is longer.
    depth: usize,
    index: u16,
}

fn next_volume(config: &Config, workload: &Workload, last: Option<Place>) -> Option<Place> {
    let volumes = config.volumes(workload.volumes).iter().zip(0u16..);
    let places = volumes.map(|(volume, index)| Place { depth: config.bytes(volume.target).len(), index });
    places.filter(|place| last.is_none_or(|last| *place > last)).min()
}

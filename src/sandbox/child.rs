//! The child's half: walks the plan and becomes the workload.
//!
//! From clone3(2) to execve(2) nothing is decided here, nothing is logged and
//! nothing of the parent's is changed (memory is copied on write). Paths inside
//! the new root are resolved with openat2(2) as if that root were `/`; its own
//! /proc and /dev are opened without following symlinks; everything is mounted
//! on a descriptor or on the current directory, never on a path that could
//! have changed since it was looked at.

use super::enter::Enter;
use super::environment::{self, Block};
use super::failure;
use super::landlock;
use super::plan::{self, Step};
use super::trees::{self, Trees};
use super::{dev, settle, views};
use crate::config::{Config, Limit, VolumeSource, Workload};
use crate::limits;
use crate::net::workload::turn_on_loopback;
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::landlock::Handled;
use crate::sys::mount::{self, Attributes, Flags};
use crate::sys::process::{self, Pointers};
use crate::sys::{BorrowedFd, Errno, credentials, event, fd, io, machine};
use crate::text::Text;
use core::ffi::CStr;

/// Everything the steps refer to.
pub struct Start<'a> {
    pub config: &'a Config,
    pub workload: &'a Workload,
    /// None for a privileged workload.
    pub trees: Option<&'a Trees>,
    /// It has one of its own.
    pub has_cgroup: bool,
    pub stdio: [i32; 3],
    pub environment: &'a Block,
    pub filter: &'a [u64],
    /// What Landlock takes away.
    pub handled: Handled,
    pub reporter: BorrowedFd<'a>,
    /// What it says through that it is ready, and at which number it wants it.
    pub ready: Option<(BorrowedFd<'a>, i32)>,
    /// Where it goes instead of behind walls of its own, and the command it is there.
    pub enter: Option<&'a Enter<'a>>,
}

/// Never returns: executes the workload's program, or reports and exits.
pub fn run(steps: &[Step], start: &Start) -> ! {
    for step in steps {
        if let Err(errno) = perform(*step, start) {
            // Eight bytes into an empty pipe do not block; without its reader nobody is left to tell.
            let _ = io::write(start.reporter, &failure::encode(*step, errno));
            break;
        }
    }
    /// What a shell says of a command that could not be started; the report says more.
    const NOT_STARTED: u8 = 126;
    process::exit(NOT_STARTED)
}

fn perform(step: Step, start: &Start) -> Result<(), Errno> {
    let Start { config, workload, .. } = *start;
    match step {
        Step::Wait => {
            let mut word = [0u8; 1];
            // Its end: the parent is gone.
            if io::read(start.reporter, &mut word)? == 1 { Ok(()) } else { Err(Errno::ESRCH) }
        }
        Step::NamespaceRoot => credentials::set_gid(0).and_then(|()| credentials::set_uid(0)),
        Step::Session => process::new_session(),
        Step::NotDumpable => credentials::set_not_dumpable(),
        Step::Enter => start.enter.ok_or(Errno::EBADF)?.enter(),
        Step::CgroupNamespace => process::unshare(process::Namespaces::CGROUP),
        Step::Hostname => machine::set_hostname(config.bytes(workload.name)),
        Step::Loopback => turn_on_loopback(),
        Step::PrivateMounts => mount::mount(None, c"/", None, Flags::PRIVATE | Flags::RECURSIVE, None),
        Step::Root => {
            // On top of the machine's own `/`: always there, and nobody can move it away.
            let root = start.root()?;
            mount::move_to(root, BorrowedFd::CWD, c"/")?;
            fs::change_directory_to(root)
        }
        Step::OverlaidRoot => overlay(start),
        Step::Program => {
            let program = start.trees.and_then(|trees| trees.program.as_ref()).ok_or(Errno::EBADF)?;
            let path = failure::command(config, workload);
            let place = fs::open_in_root(start.root()?, path, Open::PATH | Open::NO_FOLLOW)?;
            mount::move_to(program.borrow(), place.borrow(), c"")
        }
        Step::Devices => {
            let place = fs::open(start.root()?, c"dev", Open::PATH | Open::DIRECTORY | Open::NO_FOLLOW)?;
            let devices = start.trees()?.dev.tree.borrow();
            mount::move_to(devices, place.borrow(), c"")?;
            fs::change_directory_to(devices)
        }
        Step::DeviceFiles => dev::device_files(config, workload),
        Step::Notify => {
            let socket = start.trees()?.notify.as_ref().ok_or(Errno::EBADF)?;
            mount::move_to(socket.borrow(), BorrowedFd::CWD, dev::NOTIFY)
        }
        // These three are relative to the /dev just entered, which is ours and has no symlinks there.
        Step::Terminals => {
            let flags = Flags::NO_SUID | Flags::NO_EXEC;
            let options = c"newinstance,ptmxmode=666,mode=620";
            mount::mount(Some(c"devpts"), c"pts", Some(c"devpts"), flags, Some(options))
        }
        Step::SharedMemory => {
            // Charged to the workload's memory limit; the size only keeps one without a limit in bounds.
            let flags = Flags::NO_SUID | Flags::NO_DEV | Flags::NO_EXEC;
            mount::mount(Some(c"shm"), c"shm", Some(c"tmpfs"), flags, Some(c"mode=1777,size=64m"))
        }
        Step::MessageQueues => {
            let flags = Flags::NO_SUID | Flags::NO_DEV | Flags::NO_EXEC;
            match mount::mount(Some(c"mqueue"), c"mqueue", Some(c"mqueue"), flags, None) {
                // A kernel without message queues has none to show.
                Err(Errno::ENODEV) => Ok(()),
                result => result,
            }
        }
        Step::Proc => views::proc(start),
        Step::Sys => views::sys(start),
        Step::Names => views::names(start),
        Step::Volume(index) => volume(index, start),
        Step::Pivot => {
            fs::change_directory_to(start.root()?)?;
            // The old root lands on top of the new one (pivot_root(2), "pivot_root(".", ".")"),
            // and is the one that `.` then unmounts.
            mount::pivot_root(c".", c".")?;
            mount::unmount(c".", mount::Unmount::Lazily)
        }
        Step::Stdio => {
            (0..).zip(start.stdio).try_for_each(|(to, from)| BorrowedFd::from_number(from).duplicate_onto(to))
        }
        Step::ControllingTerminal => {
            // Job control is a convenience: standard input may be no terminal at all.
            let _ = process::set_controlling_terminal(BorrowedFd::STDIN);
            Ok(())
        }
        Step::Umask => {
            process::set_umask(0o022);
            Ok(())
        }
        Step::FewFiles => config
            .setting(workload, Limit::Files)
            .map_or(Ok(()), |files| settle::set_limit(process::SELF, Limit::Files, files)),
        Step::Landlock => landlock::restrict(config, workload, start.handled),
        Step::BoundingSet => {
            credentials::keep_bounding(workload.capabilities)?;
            // Without any, an empty bounding set says all that these bits would.
            if workload.capabilities == 0 { Ok(()) } else { credentials::set_secure_bits() }
        }
        Step::Groups => credentials::clear_groups(),
        Step::Gid => credentials::set_gid(start.ids()?.1),
        Step::Uid => credentials::set_uid(start.ids()?.0),
        Step::Keyring => match credentials::new_session_keyring() {
            // A kernel without keys has none to share; a filter that keeps corm from them, keeps the workload too.
            Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
            result => result,
        },
        Step::Capabilities => {
            credentials::set_capabilities(workload.capabilities)?;
            credentials::raise_ambient(workload.capabilities)
        }
        Step::NoNewPrivileges => credentials::set_no_new_privileges(),
        Step::DieWithParent => {
            process::die_with_parent()?;
            // It may have died before: then nobody reads this, and it is too late to be told.
            if io::has_reader(start.reporter) { Ok(()) } else { Err(Errno::ESRCH) }
        }
        Step::CloseOnExec => fd::close_on_exec_from(3),
        Step::ReadyDescriptor => {
            let (writer, number) = start.ready.ok_or(Errno::EBADF)?;
            // Through a copy: it may be at that number already, where execve(2) would close it.
            let copy = writer.duplicate()?;
            copy.borrow().duplicate_onto(number)
        }
        Step::Directory => {
            fs::change_directory(workload.directory.map_or(c"/", |path| config.c_str(path)))?;
            // Descriptors of the machine are still open here, and /proc/self/fd leads to them.
            if fs::current_directory_is_reachable()? { Ok(()) } else { Err(Errno::EXDEV) }
        }
        Step::Signals => event::unblock_all_signals(),
        Step::Seccomp => credentials::set_filter(start.filter),
        Step::Execute => execute(start, None),
        Step::Init => execute(start, Some(start.trees()?.init.as_ref().ok_or(Errno::EBADF)?.borrow())),
    }
}

impl<'a> Start<'a> {
    pub fn trees(&self) -> Result<&'a Trees, Errno> {
        self.trees.ok_or(Errno::EBADF)
    }

    pub fn root(&self) -> Result<BorrowedFd<'a>, Errno> {
        self.trees().map(|trees| trees.root.borrow())
    }

    pub fn ids(&self) -> Result<(u32, u32), Errno> {
        plan::ids(self.workload).ok_or(Errno::EINVAL)
    }
}

/// Attaches what comes of the root with a filesystem in memory above it, and enters it.
///
/// A layer must be mounted in this namespace when the two are put together, and
/// is kept apart from then on. So all are in one place for a moment, which has
/// nothing of the workload's in it, and go by names relative to that.
fn overlay(start: &Start) -> Result<(), Errno> {
    let root = start.root()?;
    let mut size = Text::<32>::new();
    put!(size, start.workload.overlay);
    let attributes = Attributes::NO_SUID | Attributes::NO_DEV;
    let size = Some((c"size", size.as_c_str().ok_or(Errno::E2BIG)?));
    let space = trees::make(c"tmpfs", size, attributes)?;
    let space = space.borrow();
    // The root of the two is as the upper layer's.
    let mode = fs::stat_of(root)?.mode & 0o7777;
    for (name, mode) in [(c"upper", mode), (c"work", 0o700), (c"lower", 0o700)] {
        fs::make_directory(space, name, mode)?;
    }
    mount::move_to(space, BorrowedFd::CWD, c"/")?;
    fs::change_directory_to(space)?;
    mount::move_to(root, space, c"lower")?;
    let both = mount::open_filesystem(c"overlay")?;
    for (key, value) in [(c"lowerdir", c"lower"), (c"upperdir", c"upper"), (c"workdir", c"work")] {
        mount::configure(both.borrow(), key, Some(value))?;
    }
    if plan::range(start.workload).is_some() {
        // What it keeps of its own with files takes the machine's root otherwise.
        mount::configure(both.borrow(), c"userxattr", None)?;
    }
    let both = mount::create_mount(both.borrow(), attributes)?;
    mount::unmount(c".", mount::Unmount::Lazily)?;
    mount::move_to(both.borrow(), BorrowedFd::CWD, c"/")?;
    // From here on, this is the root.
    both.borrow().duplicate_onto(root.number())?;
    fs::change_directory_to(root)
}

/// mount(2) of a new filesystem on the current directory; nosuid and nodev.
fn mount_here(kind: &CStr, flags: Flags, options: Option<&CStr>) -> Result<(), Errno> {
    mount::mount(Some(kind), c".", Some(kind), flags | Flags::NO_SUID | Flags::NO_DEV, options)
}

fn volume(index: u16, start: &Start) -> Result<(), Errno> {
    let volumes = start.config.volumes(start.workload.volumes);
    let volume = volumes.get(usize::from(index)).ok_or(Errno::EINVAL)?;
    let target = start.config.c_str(volume.target);
    let place = |how| fs::open_in_root(start.root()?, target, Open::PATH | Open::NO_FOLLOW | how);
    match volume.source {
        VolumeSource::Directory { .. } => {
            let tree = start.trees()?.volumes.iter().find(|(of, _)| *of == index).ok_or(Errno::EBADF)?;
            let tree = tree.1.borrow();
            let is_directory = fs::stat_of(tree)?.is_directory();
            let place = place(if is_directory { Open::DIRECTORY } else { Open::PATH })?;
            // Onto a file, and not onto a symlink, which could be one to it.
            if !is_directory && !fs::stat_of(place.borrow())?.is_regular() {
                return Err(Errno::ELOOP);
            }
            mount::move_to(tree, place.borrow(), c"")
        }
        VolumeSource::Tmpfs { size, mode, owner } => {
            let (uid, gid) = owner.map_or_else(|| start.ids(), Ok)?;
            let mut options = Text::<{ limits::PATH }>::new();
            put!(options, "mode=");
            for shift in [9, 6, 3, 0] {
                put!(options, mode >> shift & 7);
            }
            put!(options, ",size=", size, ",uid=", uid, ",gid=", gid);
            fs::change_directory_to(place(Open::DIRECTORY)?.borrow())?;
            let access = if volume.exec { Flags::NONE } else { Flags::NO_EXEC };
            mount_here(c"tmpfs", access, options.as_c_str())
        }
    }
}

/// With `init`, that is executed, and told to do so with the program. Only returns with what
/// went wrong.
fn execute(start: &Start, init: Option<BorrowedFd>) -> Result<(), Errno> {
    let Start { config, workload, .. } = *start;
    // An init's name is one more.
    let mut arguments = Pointers::<{ limits::ARGUMENTS + 1 }>::new();
    if init.is_some() && !arguments.push(c"corm-init") {
        return Err(Errno::E2BIG);
    }
    let own = config.words(workload.command).iter().map(|word| config.c_str(*word));
    let own = own.take(if start.enter.is_some() { 0 } else { usize::MAX });
    for word in start.enter.map_or(&[][..], |enter| enter.command).iter().copied().chain(own) {
        if !arguments.push(word) {
            return Err(Errno::E2BIG);
        }
    }
    let mut variables = Pointers::<{ limits::ENVIRONMENT_WORDS }>::new();
    for string in environment::strings(start.environment) {
        if !variables.push(string) {
            return Err(Errno::E2BIG);
        }
    }
    let execute = |program: &CStr| process::execute(program, &arguments, &variables);
    if let Some(init) = init {
        return Err(process::execute_file(init, &arguments, &variables));
    }
    Err(match start.enter {
        None => execute(failure::command(config, workload)),
        Some(enter) => enter.search(start.environment, &execute),
    })
}

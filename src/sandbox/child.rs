//! The child's half: walks the plan and becomes the workload.
//!
//! From clone3(2) to execve(2) nothing is decided here, nothing is logged and
//! nothing of the parent's is changed (memory is copied on write). Paths inside
//! the new root are resolved with openat2(2) as if that root were `/`; its own
//! /proc and /dev are opened without following symlinks; everything is mounted
//! on a descriptor or on the current directory, never on a path that could
//! have changed since it was looked at.

use super::environment::{self, Block};
use super::failure;
use super::plan::{self, Step};
use super::trees::Trees;
use super::{dev, settle, views};
use crate::config::{Config, Limit, VolumeSource, Workload};
use crate::limits;
use crate::net::workload::turn_on_loopback;
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::mount::{self, Flags};
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
    pub reporter: BorrowedFd<'a>,
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
        Step::Directory => {
            fs::change_directory(workload.directory.map_or(c"/", |path| config.c_str(path)))?;
            // Descriptors of the machine are still open here, and /proc/self/fd leads to them.
            if fs::current_directory_is_reachable()? { Ok(()) } else { Err(Errno::EXDEV) }
        }
        Step::Signals => event::unblock_all_signals(),
        Step::Seccomp => credentials::set_filter(start.filter),
        Step::Execute => execute(start),
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

/// mount(2) of a new filesystem on the current directory; nosuid and nodev.
fn mount_here(kind: &CStr, flags: Flags, options: Option<&CStr>) -> Result<(), Errno> {
    mount::mount(Some(kind), c".", Some(kind), flags | Flags::NO_SUID | Flags::NO_DEV, options)
}

fn volume(index: u16, start: &Start) -> Result<(), Errno> {
    let volumes = start.config.volumes(start.workload.volumes);
    let volume = volumes.get(usize::from(index)).ok_or(Errno::EINVAL)?;
    let target = start.config.c_str(volume.target);
    let place = fs::open_in_root(start.root()?, target, Open::PATH | Open::DIRECTORY | Open::NO_FOLLOW)?;
    match volume.source {
        VolumeSource::Directory { .. } => {
            let tree = start.trees()?.volumes.iter().find(|(of, _)| *of == index).ok_or(Errno::EBADF)?;
            mount::move_to(tree.1.borrow(), place.borrow(), c"")
        }
        VolumeSource::Tmpfs { size } => {
            let (uid, gid) = start.ids()?;
            let mut options = Text::<{ limits::PATH }>::new();
            put!(options, "mode=700,size=", size, ",uid=", uid, ",gid=", gid);
            fs::change_directory_to(place.borrow())?;
            mount_here(c"tmpfs", Flags::NO_EXEC, options.as_c_str())
        }
    }
}

/// Only returns with what went wrong.
fn execute(start: &Start) -> Result<(), Errno> {
    let Start { config, workload, .. } = *start;
    let mut arguments = Pointers::<{ limits::ARGUMENTS }>::new();
    for word in config.words(workload.command) {
        if !arguments.push(config.c_str(*word)) {
            return Err(Errno::E2BIG);
        }
    }
    let mut variables = Pointers::<{ limits::ENVIRONMENT_WORDS }>::new();
    for string in environment::strings(start.environment) {
        if !variables.push(string) {
            return Err(Errno::E2BIG);
        }
    }
    Err(process::execute(failure::command(config, workload), &arguments, &variables))
}

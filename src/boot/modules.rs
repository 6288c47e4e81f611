//! Loading kernel modules by name, with what they need.
//!
//! One after the other: finit_module(2) is nearly all of the time, and the
//! kernel does most of it under one lock. A module that cannot be loaded is a
//! line in the log and the next one's turn.

use super::complain;
use super::module_index::{self as index, Module, Wanted};
use crate::pack::Packed;
use crate::sys::fs::{self, Open};
use crate::sys::machine::Names;
use crate::sys::module::{self, Mapped, Stored};
use crate::sys::{BorrowedFd, Errno, OwnedFd};
use crate::text::{Sink, Text};
use crate::{limits, packed, warn};
use core::ffi::CStr;
use heapless::Vec;

/// The modules of the running kernel.
pub(super) struct Modules {
    names: Names,
    directory: OwnedFd,
    dependencies: Mapped,
}

/// Paths that need no second attempt.
type Done<'a> = Vec<&'a [u8], { limits::MODULES }>;

impl Modules {
    /// `None` if there are none for this kernel, which is said if any was `asked` for.
    pub(super) fn open(asked: bool) -> Option<Modules> {
        let names = Names::read();
        let mut path = Text::<{ limits::PATH }>::new();
        crate::put!(path, "/lib/modules/", names.release());
        let dependencies = |directory: &OwnedFd| Mapped::open(directory.borrow(), c"modules.dep");
        let opened = path
            .as_c_str()
            .ok_or(Errno::ENAMETOOLONG)
            .and_then(|path| fs::open(BorrowedFd::CWD, path, Open::PATH | Open::DIRECTORY))
            .and_then(|directory| dependencies(&directory).map(|dependencies| (directory, dependencies)));
        match opened {
            Ok((directory, dependencies)) => Some(Modules { names, directory, dependencies }),
            Err(errno) => {
                complain!(
                    if asked { Err(errno) } else { Ok(()) },
                    "no kernel modules: ",
                    path,
                    "/modules.dep"
                );
                None
            }
        }
    }

    /// Loads these and what they need, in this order. `asked`: one that is
    /// missing or fails is worth a line.
    pub(super) fn load(&self, asked: bool, names: &mut dyn Iterator<Item = &[u8]>) {
        let soft = self.map(c"modules.softdep");
        let mut wanted = Vec::<Wanted, { limits::MODULES }>::new();
        for name in names {
            let before =
                index::soft_needs(&soft, name).map(|name| Wanted { name, asked: false, module: None });
            let itself = Wanted { name, asked, module: None };
            for one in before.chain([itself]) {
                if wanted.push(one).is_err() {
                    warn!("module ", one.name, ": not loaded: no more than ", limits::MODULES, " at once");
                }
            }
        }
        index::find_all(&self.dependencies, &mut wanted);
        let mut done = Done::new();
        for one in &wanted {
            match one.module {
                Some(module) => self.load_with_needs(&module, one.asked, &mut done),
                None => self.load_unlisted(one, &mut done),
            }
        }
    }

    /// A name that is not in modules.dep: built in, or an alias, or a mistake.
    fn load_unlisted<'a>(&'a self, one: &Wanted, done: &mut Done<'a>) {
        if index::is_builtin(&self.map(c"modules.builtin"), one.name) {
            return;
        }
        let mut known = false;
        for name in index::by_alias(&self.map(c"modules.alias"), one.name) {
            let mut target = [Wanted { name, asked: false, module: None }];
            index::find_all(&self.dependencies, &mut target);
            // Several modules can do the same (crc32c): those that this machine cannot use say so.
            for module in target.iter().filter_map(|target| target.module) {
                self.load_with_needs(&module, false, done);
                known = true;
            }
        }
        if one.asked && !known {
            let release = self.names.release();
            warn!("module ", one.name, ": not found in /lib/modules/", release, "/modules.dep");
        }
    }

    fn load_with_needs<'a>(&'a self, module: &Module<'a>, asked: bool, done: &mut Done<'a>) {
        for path in module.needs().chain([module.path]) {
            if done.contains(&path) {
                continue;
            }
            match self.load_file(path) {
                Ok(()) => {
                    // Not remembered means tried again, and found loaded.
                    let _ = done.push(path);
                }
                Err(failure) => {
                    if asked {
                        let (errno, hint) = (failure.errno, failure.hint);
                        warn!("module ", index::name_of(module.path), ": ", path, ": ", errno, hint);
                    }
                    return;
                }
            }
        }
    }

    fn load_file(&self, path: &[u8]) -> Result<(), Failure> {
        let mut text = Text::<{ limits::PATH }>::new();
        text.put(path);
        let path = text.as_c_str().ok_or(Failure { errno: Errno::ENAMETOOLONG, hint: Packed::EMPTY })?;
        let file = fs::open(self.directory.borrow(), path, Open::READ)
            .map_err(|errno| Failure { errno, hint: Packed::EMPTY })?;
        let compressed = index::is_compressed(path.to_bytes());
        let stored = if compressed { Stored::Compressed } else { Stored::Plain };
        match module::load(file.borrow(), c"", stored) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(Failure { errno, hint: hint(errno, stored) }),
        }
    }

    /// An index of depmod's that may be missing.
    fn map(&self, name: &CStr) -> Index {
        Index(Mapped::open(self.directory.borrow(), name).ok())
    }
}

/// A file's text, empty without the file.
struct Index(Option<Mapped>);

impl core::ops::Deref for Index {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&[])
    }
}

struct Failure {
    errno: Errno,
    hint: Packed,
}

/// What finit_module(2)'s errors mean to a person.
fn hint(errno: Errno, stored: Stored) -> Packed {
    match errno {
        Errno::EOPNOTSUPP | Errno::EINVAL if stored == Stored::Compressed => {
            packed!(
                ": the kernel cannot unpack it: build it with CONFIG_MODULE_DECOMPRESS, or ship the module uncompressed"
            )
        }
        Errno::ENOEXEC => packed!(": is it of this very kernel?"),
        Errno::ENOENT => packed!(": it needs what no loaded module has; is modules.dep up to date?"),
        Errno::ENOKEY | Errno::EKEYREJECTED => packed!(": this kernel wants signed modules"),
        Errno::ENODEV => packed!(": nothing here for it to drive"),
        _ => Packed::EMPTY,
    }
}

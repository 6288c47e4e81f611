//! The filesystems of `[mount]`.
//!
//! Parents before children, whatever the config's order. The option words of
//! mount(8) that are flags become flags; the rest goes to the filesystem, which
//! knows its own. A filesystem the kernel does not know is looked for among its
//! modules once: nobody else would load it, since an appliance has no modprobe.

use super::late::Patience;
use super::modules::Modules;
use crate::config::{Config, Mount, named_source};
use crate::sys::fs::{self, Follow};
use crate::sys::mount::{self, Flags};
use crate::sys::{BorrowedFd, Errno};
use crate::text::{self, Show, Sink, Text};
use crate::{disk, error, limits, put, warn};
use core::ffi::CStr;

const CWD: BorrowedFd = BorrowedFd::CWD;

/// Mounts them all; false if a `required` one is missing.
pub(super) fn mount_all(config: &Config, patience: &mut Patience) -> bool {
    let mut complete = true;
    let deepest = config.mounts.iter().map(|mount| depth(config, mount)).max().unwrap_or(0);
    for level in 0..=deepest {
        for mount in config.mounts.iter().filter(|mount| depth(config, mount) == level) {
            if let Err(failure) = mount_one(config, mount, patience) {
                let (target, source) = (config.bytes(mount.target), config.bytes(mount.source));
                let required = if mount.required { "; it is required" } else { "" };
                error!("mount ", target, " from ", source, ": ", failure, required);
                complete &= !mount.required;
            }
        }
    }
    complete
}

fn depth(config: &Config, mount: &Mount) -> usize {
    let path = config.bytes(mount.target);
    text::words(path, b'/').count()
}

enum Failure {
    NoDevice,
    TooLong,
    Directory(Errno),
    Mount(Errno),
}

impl Show for Failure {
    fn show(&self, out: &mut dyn Sink) {
        match self {
            Failure::NoDevice => put!(*out, "no such device after ", Patience::SECONDS, "s"),
            Failure::TooLong => put!(*out, "its options are too long"),
            Failure::Directory(errno) => put!(*out, "cannot make the directory: ", errno),
            Failure::Mount(errno) => {
                put!(*out, errno);
                match *errno {
                    Errno::EINVAL => put!(
                        *out,
                        ": another filesystem, or options it does not know; the kernel log may say more"
                    ),
                    Errno::ENODEV => {
                        put!(*out, ": its type is neither in this kernel nor among its modules");
                    }
                    _ => {}
                }
            }
        }
    }
}

fn mount_one(config: &Config, mount: &Mount, patience: &mut Patience) -> Result<(), Failure> {
    let target = config.c_str(mount.target);
    let source = config.c_str(mount.source);
    let mut options = Options::new();
    for word in config.words(mount.options) {
        options.add(config.bytes(*word)).map_err(|TooLong| Failure::TooLong)?;
    }
    let mut device = disk::Path::new();
    if !wait_for_device(source, &mut device, patience) {
        return Err(Failure::NoDevice);
    }
    let source = device.as_c_str().ok_or(Failure::NoDevice)?;
    make_directories(target).map_err(Failure::Directory)?;
    let kind = config.c_str(mount.kind);
    options.mount(source, target, kind).map_err(Failure::Mount)
}

/// Waits for a device, and says what its path is. What is no device is there as it is.
pub(super) fn wait_for_device(source: &CStr, path: &mut disk::Path, patience: &mut Patience) -> bool {
    path.clear();
    let bytes = source.to_bytes();
    if named_source(bytes).is_none() {
        path.put(bytes);
        return !bytes.starts_with(b"/dev/")
            || patience.wait_for(&mut || fs::stat(CWD, source, Follow::Yes).is_ok());
    }
    let mut count = 0;
    patience.wait_for(&mut || {
        count = disk::find(source, path);
        count > 0
    });
    if count > 1 {
        warn!(source, ": ", count, " devices have this name; ", path.as_bytes(), " is taken");
    }
    count > 0
}

/// Loads a filesystem, and what it asks modprobe(8) for, which an appliance does not have.
pub(super) fn load_module(kind: &CStr) {
    let companions: &[u8] = match kind.to_bytes() {
        b"vfat" => b"nls_cp437 nls_ascii nls_iso8859-1 nls_utf8",
        b"f2fs" => b"crc32_generic",
        b"squashfs" => b"",
        // btrfs, erofs, ext4, xfs. What does not need it has one module too many.
        _ => b"crc32c_generic",
    };
    if let Some(modules) = Modules::open(true) {
        modules.load(false, &mut text::words(companions, b' ').chain([kind.to_bytes()]));
    }
}

/// What the option words of an fstab come to.
struct Options {
    flags: Flags,
    data: Text<{ limits::MOUNT_DATA }>,
}

struct TooLong;

/// The words that are flags; those that say what is so anyway are none.
const NO_FLAGS: &[u8] = b"defaults rw suid dev exec async atime auto _netdev";
const FLAG_NAMES: &[u8] = b"ro nosuid nodev noexec sync dirsync noatime nodiratime relatime strictatime \
    lazytime nosymfollow bind rbind";
static FLAGS: [Flags; 14] = [
    Flags::READ_ONLY,
    Flags::NO_SUID,
    Flags::NO_DEV,
    Flags::NO_EXEC,
    Flags::SYNCHRONOUS,
    Flags::DIRECTORY_SYNC,
    Flags::NO_ATIME,
    Flags::NO_DIR_ATIME,
    Flags::RELATIVE_ATIME,
    Flags::STRICT_ATIME,
    Flags::LAZY_TIME,
    Flags::NO_SYMLINK_FOLLOW,
    Flags::BIND,
    Flags::both(Flags::BIND, Flags::RECURSIVE),
];

impl Options {
    fn new() -> Options {
        Options { flags: Flags::NONE, data: Text::new() }
    }

    fn add(&mut self, word: &[u8]) -> Result<(), TooLong> {
        if text::word_index(NO_FLAGS, b' ', word).is_some() {
            return Ok(());
        }
        if let Some(flag) = text::word_index(FLAG_NAMES, b' ', word).and_then(|index| FLAGS.get(index)) {
            self.flags = self.flags | *flag;
            return Ok(());
        }
        // A comma before it and a NUL behind the last one.
        if self.data.len().saturating_add(word.len()).saturating_add(2) > limits::MOUNT_DATA {
            return Err(TooLong);
        }
        if !self.data.is_empty() {
            self.data.put(b",");
        }
        self.data.put(word);
        Ok(())
    }

    fn mount(&mut self, source: &CStr, target: &CStr, kind: &CStr) -> Result<(), Errno> {
        let flags = self.flags;
        let data = if self.data.is_empty() { None } else { self.data.as_c_str() };
        let result = mount::mount(Some(source), target, Some(kind), flags, data);
        let result = match result {
            // The kernel does not know the filesystem: perhaps a module does.
            Err(Errno::ENODEV) if !flags.has(Flags::BIND) => {
                load_module(kind);
                mount::mount(Some(source), target, Some(kind), flags, data)
            }
            result => result,
        };
        if flags.has(Flags::BIND) && flags != Flags::BIND {
            // A bind takes no other flags; they come with a second call.
            result?;
            return mount::mount(None, target, None, flags | Flags::REMOUNT, None);
        }
        result
    }
}

/// mkdir -p.
fn make_directories(path: &CStr) -> Result<(), Errno> {
    if fs::stat(CWD, path, Follow::Yes).is_ok() {
        return Ok(());
    }
    let mut made = Text::<{ limits::PATH }>::new();
    let mut result = Ok(());
    for part in text::words(path.to_bytes(), b'/') {
        made.put(b"/");
        made.put(part);
        result = match made.as_c_str().map(|path| fs::make_directory(CWD, path, 0o755)) {
            None => return Err(Errno::ENAMETOOLONG),
            Some(Err(Errno::EEXIST)) => Ok(()),
            // EROFS and the like where a parent exists: the last one's result counts.
            Some(result) => result,
        };
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_word_has_its_flag() {
        assert_eq!(text::words(FLAG_NAMES, b' ').count(), FLAGS.len());
        assert!(options(&["ro"]).unwrap().0 == Flags::READ_ONLY);
        assert!(options(&["rbind"]).unwrap().0 == Flags::BIND | Flags::RECURSIVE);
    }

    fn options(words: &[&str]) -> Option<(Flags, std::string::String)> {
        let mut options = Options::new();
        for word in words {
            options.add(word.as_bytes()).ok()?;
        }
        Some((options.flags, options.data.as_str().into()))
    }

    #[test]
    fn flag_words_become_flags_and_the_rest_is_passed_on() {
        let (flags, data) = options(&["noatime", "data=ordered", "nosuid", "rw", "errors=panic"]).unwrap();
        assert!(flags == Flags::NO_ATIME | Flags::NO_SUID);
        assert_eq!(data, "data=ordered,errors=panic");
        assert!(options(&[]).unwrap() == (Flags::NONE, "".into()));
        assert!(options(&["defaults"]).unwrap() == (Flags::NONE, "".into()));
    }

    #[test]
    fn options_that_do_not_fit_are_an_error_and_not_cut() {
        let most = "x".repeat(limits::MOUNT_DATA - 2);
        assert_eq!(options(&[&most]).unwrap().1, most);
        assert!(options(&[&most, "y"]).is_none());
    }
}

//! /proc/self/mountinfo, and what of it must be unmounted. Pure.
//!
//! Only filesystems that keep something count: one that lives in memory is gone
//! with the machine, however it ends. Those in memory that lie on top of one
//! that counts must go first, or it is busy.

use crate::text::{Sink, Text, cut, word_index};

/// A line of mountinfo; proc_pid_mountinfo(5). The strings are as the kernel
/// wrote them, with spaces and the like as octal escapes ([`unescape`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    pub target: &'a [u8],
    pub kind: &'a [u8],
    pub source: &'a [u8],
    /// Of the mount, not of the filesystem: `rw,nosuid,relatime`.
    pub options: &'a [u8],
    /// Mounted or remounted read-only.
    pub read_only: bool,
}

/// The mounts of a mountinfo text, first mounted first; lines that make no
/// sense are left out.
pub fn entries(text: &[u8]) -> Entries<'_> {
    Entries(text)
}

/// See [`entries`].
#[derive(Clone)]
pub struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Entry<'a>> {
        while let Some((line, rest)) = cut(self.0, b'\n') {
            self.0 = rest;
            if let Some(entry) = parse(line) {
                return Some(entry);
            }
        }
        None
    }
}

impl<'a> Entries<'a> {
    /// The last one that is left.
    fn take_last(&mut self) -> Option<Entry<'a>> {
        while !self.0.is_empty() {
            let end = self.0.iter().rposition(|byte| *byte == b'\n');
            let (rest, line) = self.0.split_at_checked(end.unwrap_or(0)).unwrap_or_default();
            self.0 = rest;
            if let Some(entry) = parse(line.strip_prefix(b"\n").unwrap_or(line)) {
                return Some(entry);
            }
        }
        None
    }
}

fn parse(line: &[u8]) -> Option<Entry<'_>> {
    // 36 35 98:0 /root /mnt rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue
    let mut rest = line;
    let mut field = || {
        let (field, after) = cut(rest, b' ')?;
        rest = after;
        Some(field)
    };
    for _ in 0..4 {
        field()?;
    }
    let (target, options) = (field()?, field()?);
    while field()? != b"-" {}
    let (kind, source, filesystem_options) = (field()?, field()?, field()?);
    let read_only = |options| word_index(options, b',', b"ro").is_some();
    let read_only = read_only(options) || read_only(filesystem_options);
    target.starts_with(b"/").then_some(Entry { target, kind, source, options, read_only })
}

/// Filesystems with nothing to lose.
const IN_MEMORY: &[u8] = b"autofs bdev binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs \
    efivarfs fusectl hugetlbfs mqueue nsfs proc pstore ramfs rootfs securityfs sysfs tmpfs tracefs";

impl Entry<'_> {
    /// Whether the filesystem keeps something that an unmount writes out.
    pub fn keeps(&self) -> bool {
        word_index(IN_MEMORY, b' ', self.kind).is_none()
    }

    pub fn is_root(&self) -> bool {
        self.target == b"/"
    }

    /// Whether it lies below `other` (or on it).
    fn is_below(&self, other: &Entry) -> bool {
        self.target.strip_prefix(other.target).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }
}

/// What must be unmounted, in that order: last mounted first. The root is
/// not among it.
pub fn to_unmount(text: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut left = entries(text);
    core::iter::from_fn(move || {
        loop {
            let entry = left.take_last()?;
            let keeps = |other: Entry| other.keeps() && !other.is_root() && entry.is_below(&other);
            if !entry.is_root() && entries(text).any(keeps) {
                return Some(entry);
            }
        }
    })
}

/// A path with its octal escapes (`\040` is a space) undone; `None` if it is
/// longer than `N`.
pub fn unescape<const N: usize>(mut path: &[u8]) -> Option<Text<N>> {
    let mut plain = Text::new();
    if path.len() >= N {
        return None;
    }
    while let Some((&first, rest)) = path.split_first() {
        let digit = |byte: u8| Some(byte.wrapping_sub(b'0')).filter(|digit| *digit < 8);
        let escaped = match rest.first_chunk::<3>() {
            Some(&[a, b, c]) if first == b'\\' => digit(a).zip(digit(b)).zip(digit(c)),
            _ => None,
        };
        match escaped {
            Some(((a, b), c)) => {
                plain.put(&[a.wrapping_shl(6) | b.wrapping_shl(3) | c]);
                path = rest.get(3..).unwrap_or(&[]);
            }
            None => {
                plain.put(&[first]);
                path = rest;
            }
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    const TABLE: &[u8] = b"1 1 0:2 / / rw - rootfs none rw\n\
        20 1 0:2 / / rw shared:1 - rootfs none rw\n\
        21 20 0:19 / /proc rw,nosuid,nodev,noexec,relatime shared:2 master:3 - proc proc rw\n\
        22 20 0:20 / /run rw - tmpfs tmpfs rw,mode=755\n\
        30 20 254:0 / /data rw,noatime - ext4 /dev/vda1 rw\n\
        31 30 0:31 / /data/cache rw - tmpfs tmpfs rw\n\
        32 22 7:0 / /run/my\\040image ro - squashfs /dev/loop0 ro\n\
        33 20 254:1 / /database rw - ext4 /dev/vdb rw\n";

    fn targets(text: &[u8]) -> Vec<String> {
        to_unmount(text).map(|entry| String::from_utf8_lossy(entry.target).into()).collect()
    }

    #[test]
    fn optional_fields_are_skipped() {
        let proc = entries(TABLE).nth(2).unwrap();
        let options = b"rw,nosuid,nodev,noexec,relatime";
        assert_eq!(
            proc,
            Entry { target: b"/proc", kind: b"proc", source: b"proc", options, read_only: false }
        );
    }

    #[test]
    fn what_keeps_something_goes_last_mounted_first_and_what_lies_on_it_before_it() {
        assert_eq!(targets(TABLE), ["/database", "/run/my\\040image", "/data/cache", "/data"]);
    }

    #[test]
    fn a_real_root_stays_and_does_not_drag_its_children_down() {
        assert_eq!(
            targets(b"20 1 254:0 / / ro - erofs /dev/vda ro\n21 20 0:19 / /proc rw - proc proc rw\n"),
            [""; 0]
        );
    }

    #[test]
    fn read_only_is_seen_on_the_mount_or_on_the_filesystem() {
        let read_only: Vec<bool> = entries(
            b"1 0 8:1 / /a ro,nosuid - ext4 /dev/sda1 rw\n1 0 8:1 / /b rw - ext4 /dev/sda1 ro,x\n\
              1 0 8:1 / /c rw,errors=remount-ro - ext4 /dev/sda1 rw\n",
        )
        .map(|entry| entry.read_only)
        .collect();
        assert_eq!(read_only, [true, true, false]);
    }

    #[test]
    fn escapes_are_undone() {
        let plain = |text: &[u8]| unescape::<32>(text).map(|plain| plain.as_str().to_string());
        assert_eq!(plain(b"/my\\040disk\\011\\012\\134").as_deref(), Some("/my disk\t\n\\"));
        assert_eq!(plain(b"/a\\04").as_deref(), Some("/a\\04"), "no escape");
        assert_eq!(plain(b"/a\\099").as_deref(), Some("/a\\099"), "no escape");
        assert_eq!(plain(&[b'x'; 32]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(text in proptest::collection::vec(any::<u8>(), 0..500)) {
            to_unmount(&text).count();
            unescape::<64>(&text);
        }

        #[test]
        fn what_is_escaped_comes_back(path in "/[ a-z\\\\\n\t]{0,20}") {
            let mut escaped = String::new();
            for byte in path.bytes() {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' => escaped.push_str(&format!("\\{byte:03o}")),
                    _ => escaped.push(byte as char),
                }
            }
            let plain = unescape::<128>(escaped.as_bytes()).unwrap();
            prop_assert_eq!(plain.as_str(), path);
        }

        #[test]
        fn nothing_is_unmounted_before_what_lies_on_it(names in proptest::collection::vec("(/[ab]){1,4}", 1..12)) {
            let text: String =
                names.iter().map(|name| format!("1 0 8:1 / {name} rw - ext4 /dev/x rw\n")).collect();
            let order = targets(text.as_bytes());
            prop_assert_eq!(order.len(), names.len());
            let reversed: Vec<String> = names.iter().rev().cloned().collect();
            prop_assert_eq!(order, reversed);
        }
    }
}

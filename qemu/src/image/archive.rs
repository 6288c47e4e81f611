//! A tree of files by path, and its form as a `newc` cpio archive, which is what
//! the kernel unpacks.

use super::Compression;
use crate::host;
use anyhow::{Context, Result, bail};
use cpio::newc;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Clone, Debug)]
pub enum Node {
    Directory {
        mode: u32,
    },
    File {
        content: Vec<u8>,
        mode: u32,
    },
    HostFile {
        path: PathBuf,
    },
    Link(String),
    /// A character device.
    Device {
        mode: u32,
        major: u32,
        minor: u32,
    },
}

/// Absolute path to what is there. Sorted, so a directory comes before what is in it.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    nodes: BTreeMap<String, Node>,
}

impl Archive {
    /// Later entries replace earlier ones; missing directories are made.
    pub fn put(&mut self, path: &str, node: Node) {
        let path = format!("/{}", path.trim_matches('/'));
        for (at, _) in path.match_indices('/').skip(1) {
            let parent = path[..at].to_owned();
            let is_directory = matches!(self.nodes.get(&parent), Some(Node::Directory { .. }));
            if !is_directory {
                self.nodes.insert(parent, Node::Directory { mode: 0o755 });
            }
        }
        // A directory given again keeps what is in it, and takes the new mode.
        self.nodes.insert(path, node);
    }

    pub fn append(&mut self, other: Archive) {
        for (path, node) in other.nodes {
            self.put(&path, node);
        }
    }

    /// A directory tree of this computer. Modes follow the executable bit alone:
    /// the rest depends on who cloned the repository, and with what umask.
    pub fn overlay(&mut self, directory: &Path) -> Result<()> {
        if !directory.is_dir() {
            bail!("the overlay {} is no directory", directory.display());
        }
        self.overlay_in(directory, "")
    }

    fn overlay_in(&mut self, base: &Path, relative: &str) -> Result<()> {
        let here = base.join(relative);
        let entries =
            std::fs::read_dir(&here).with_context(|| format!("could not read {}", here.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("could not read {}", here.display()))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                bail!("{} has a name that is not UTF-8", entry.path().display());
            };
            let path = if relative.is_empty() { name.to_owned() } else { format!("{relative}/{name}") };
            let kind = entry.file_type().with_context(|| format!("could not read {path}"))?;
            if kind.is_dir() {
                if !matches!(self.nodes.get(&format!("/{path}")), Some(Node::Directory { .. })) {
                    self.put(&path, Node::Directory { mode: 0o755 });
                }
                self.overlay_in(base, &path)?;
            } else if kind.is_symlink() {
                let target =
                    std::fs::read_link(entry.path()).with_context(|| format!("could not read {path}"))?;
                self.put(&path, Node::Link(target.to_string_lossy().into_owned()));
            } else if kind.is_file() {
                // Git keeps no empty directories, so they hold this.
                if name != ".gitkeep" {
                    self.put(&path, Node::HostFile { path: entry.path() });
                }
            } else {
                bail!("{} is neither file, directory nor link", entry.path().display());
            }
        }
        Ok(())
    }

    /// The content of a text file in the archive.
    pub fn text(&self, path: &str) -> Result<Option<String>> {
        Ok(match self.nodes.get(path) {
            Some(Node::File { content, .. }) => Some(String::from_utf8_lossy(content).into_owned()),
            Some(Node::HostFile { path }) => Some(String::from_utf8_lossy(&read(path)?).into_owned()),
            _ => None,
        })
    }

    pub fn write(&self, to: File, compression: Compression) -> Result<()> {
        match compression {
            Compression::None => self.newc(BufWriter::with_capacity(1 << 20, to))?.flush()?,
            Compression::Gzip => {
                let encoder = flate2::write::GzEncoder::new(to, flate2::Compression::best());
                self.newc(encoder)?.finish()?;
            }
            Compression::Zstd => self.zstd(to)?,
        }
        Ok(())
    }

    /// By the program: the library would be half of what it takes to build us.
    fn zstd(&self, to: File) -> Result<()> {
        host::require(&[host::ZSTD])?;
        let mut command = Command::new(host::ZSTD.program);
        command.args(["-19", "--quiet", "--stdout"]).stdin(Stdio::piped()).stdout(to);
        let mut child = command.spawn().context("could not run zstd")?;
        let input = child.stdin.take().context("zstd has no input")?;
        let written = self.newc(BufWriter::with_capacity(1 << 20, input)).and_then(|mut to| Ok(to.flush()?));
        let status = child.wait().context("could not wait for zstd")?;
        if !status.success() {
            bail!("zstd failed: {status}");
        }
        written
    }

    fn newc<W: Write>(&self, mut to: W) -> Result<W> {
        const DIRECTORY: u32 = 0o040_000;
        const CHARACTER: u32 = 0o020_000;
        const REGULAR: u32 = 0o100_000;
        const LINK: u32 = 0o120_000;
        for (number, (path, node)) in (1..).zip(&self.nodes) {
            let entry = newc::Builder::new(path.trim_start_matches('/')).ino(number).nlink(1);
            to = match node {
                Node::Directory { mode } => put(entry.mode(DIRECTORY | mode).nlink(2), to, &[])?,
                Node::File { content, mode } => put(entry.mode(REGULAR | mode), to, content)?,
                Node::HostFile { path } => {
                    let content = read(path)?;
                    let data =
                        path.metadata().with_context(|| format!("could not read {}", path.display()))?;
                    let mode = if data.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
                    put(entry.mode(REGULAR | mode), to, &content)?
                }
                Node::Link(target) => put(entry.mode(LINK | 0o777), to, target.as_bytes())?,
                Node::Device { mode, major, minor } => {
                    put(entry.mode(CHARACTER | mode).rdev_major(*major).rdev_minor(*minor), to, &[])?
                }
            };
        }
        Ok(newc::trailer(to)?)
    }
}

fn put<W: Write>(entry: newc::Builder, to: W, content: &[u8]) -> Result<W> {
    let size = u32::try_from(content.len())
        .context("a file is larger than 4 GiB, which an initramfs cannot hold")?;
    let mut writer = entry.write(to, size);
    writer.write_all(content)?;
    Ok(writer.finish()?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("could not read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Node {
        Node::File { content: text.as_bytes().to_vec(), mode: 0o644 }
    }

    fn names(archive: &Archive) -> Vec<(String, u32)> {
        let mut rest = std::io::Cursor::new(archive.newc(Vec::new()).unwrap());
        let mut names = Vec::new();
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                return names;
            }
            names.push((reader.entry().name().to_owned(), reader.entry().mode()));
            rest = reader.finish().unwrap();
        }
    }

    #[test]
    fn a_file_brings_the_directories_on_the_way_to_it_before_itself() {
        let mut archive = Archive::default();
        archive.put("/a/b/c", file("x"));
        assert_eq!(
            names(&archive).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["a", "a/b", "a/b/c"]
        );
    }

    #[test]
    fn the_same_entries_in_another_order_make_the_same_bytes() {
        let (mut one, mut two) = (Archive::default(), Archive::default());
        one.put("/a", file("1"));
        one.put("/b/c", file("2"));
        two.put("/b/c", file("2"));
        two.put("/a", file("1"));
        let packed = |archive: &Archive, compression| {
            let file = tempfile::NamedTempFile::new().unwrap();
            archive.write(file.reopen().unwrap(), compression).unwrap();
            std::fs::read(file).unwrap()
        };
        for compression in [Compression::None, Compression::Gzip] {
            let bytes = packed(&one, compression);
            assert!(!bytes.is_empty() && bytes == packed(&two, compression), "{compression:?}");
        }
    }

    #[test]
    fn an_overlay_keeps_the_mode_of_a_directory_that_is_there() {
        let host = tempfile::tempdir().unwrap();
        std::fs::create_dir(host.path().join("tmp")).unwrap();
        std::fs::write(host.path().join("tmp/file"), "x").unwrap();
        let mut archive = Archive::default();
        archive.put("/tmp", Node::Directory { mode: 0o1777 });
        archive.overlay(host.path()).unwrap();
        assert_eq!(names(&archive), [("tmp".to_owned(), 0o041_777), ("tmp/file".to_owned(), 0o100_644)]);
    }

    #[test]
    fn a_later_entry_replaces_an_earlier_one() {
        let mut archive = Archive::default();
        archive.put("/etc/x", file("old"));
        archive.put("/etc/x", file("new"));
        assert_eq!(archive.text("/etc/x").unwrap().as_deref(), Some("new"));
    }
}

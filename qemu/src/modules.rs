//! Kernel modules: who needs whom, and which of them an image gets.
//!
//! A kernel package has no `modules.dep`; `depmod` writes it when one is
//! installed. Every module names what it needs in its `.modinfo` section, so the
//! file is written from there and neither depmod nor root is needed. A directory
//! that brings a `modules.dep` (`MODULES=`) is believed.

use crate::kernel::Kernel;
use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What `modules.dep` and `modules.builtin` say.
#[derive(Debug)]
pub struct Modules {
    directory: PathBuf,
    /// Path to the paths it needs, relative to `directory`.
    needs: BTreeMap<String, Vec<String>>,
    builtin: BTreeMap<String, String>,
}

impl Modules {
    pub fn of(kernel: &Kernel) -> Result<Option<Modules>> {
        let Some(directory) = kernel.modules.clone() else { return Ok(None) };
        if !directory.join("modules.dep").exists() {
            // MODULES= may be read-only and is not ours to write to.
            let needs = needs(&directory)?;
            let builtin = builtin(&directory);
            return Ok(Some(Modules { directory, needs, builtin }));
        }
        let text = read(&directory.join("modules.dep"))?;
        let needs = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| (path.to_owned(), needs.split_whitespace().map(str::to_owned).collect()))
            .collect();
        let builtin = builtin(&directory);
        Ok(Some(Modules { directory, needs, builtin }))
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Can this kernel have it?
    pub fn has(&self, name: &str) -> bool {
        self.path(name).is_some() || self.builtin(name).is_some()
    }

    /// Is it compiled into the kernel? Then `modules.builtin` has its path.
    pub fn builtin(&self, name: &str) -> Option<&str> {
        self.builtin.get(&plain(name)).map(String::as_str)
    }

    pub fn path(&self, name: &str) -> Option<&str> {
        let name = plain(name);
        self.needs.keys().map(String::as_str).find(|path| module(path) == name)
    }

    /// Those modules and all they need, by path, each with its own needs. A name
    /// that is built in needs nothing; one that is unknown is an error.
    pub fn closure<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<&str, &[String]>> {
        let mut todo = Vec::new();
        for name in names {
            match self.path(name) {
                Some(path) => todo.push(path),
                None if self.builtin(name).is_some() => {}
                None => bail!("no module {name} in {}, and it is not built in", self.directory.display()),
            }
        }
        let mut found = BTreeMap::new();
        while let Some(path) = todo.pop() {
            let needs = self.needs.get(path).map(Vec::as_slice).unwrap_or_default();
            if found.insert(path, needs).is_none() {
                todo.extend(needs.iter().map(String::as_str));
            }
        }
        Ok(found)
    }
}

/// Writes `modules.dep` where the package has none.
pub fn index(kernel: &Kernel) -> Result<()> {
    let Some(directory) = &kernel.modules else { return Ok(()) };
    let mut text = String::new();
    for (path, needs) in needs(directory)? {
        let _ = write!(text, "{path}:");
        for need in needs {
            let _ = write!(text, " {need}");
        }
        text.push('\n');
    }
    let file = directory.join("modules.dep");
    std::fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))
}

/// Like depmod's: each module's needs are complete, the deepest last.
fn needs(directory: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut paths = Vec::new();
    walk(directory, Path::new(""), &mut paths)?;
    let by_name: BTreeMap<String, &String> = paths.iter().map(|path| (module(path), path)).collect();
    let mut direct = BTreeMap::new();
    for path in &paths {
        let names = depends(&directory.join(path))?;
        direct.insert(path, names.iter().filter_map(|name| by_name.get(name).copied()).collect::<Vec<_>>());
    }
    let all = paths.iter().map(|path| {
        let mut order: Vec<&String> = Vec::new();
        let mut todo = direct.get(path).cloned().unwrap_or_default();
        todo.reverse();
        while let Some(need) = todo.pop() {
            // Needed again by something later: then it has to stand behind that.
            order.retain(|earlier| *earlier != need);
            order.push(need);
            todo.extend(direct.get(need).into_iter().flatten().rev().copied());
        }
        (path.clone(), order.into_iter().cloned().collect())
    });
    Ok(all.collect())
}

fn walk(base: &Path, relative: &Path, paths: &mut Vec<String>) -> Result<()> {
    let here = base.join(relative);
    let entries = std::fs::read_dir(&here).with_context(|| format!("could not read {}", here.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("could not read {}", here.display()))?;
        let path = relative.join(entry.file_name());
        // Not through `build` and `source`, which are links into other packages.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(base, &path, paths)?;
        } else if path.to_string_lossy().contains(".ko") {
            paths.push(path.to_string_lossy().into_owned());
        }
    }
    paths.sort();
    Ok(())
}

fn depends(file: &Path) -> Result<Vec<String>> {
    if file.extension().is_some_and(|extension| extension != "ko") {
        bail!(
            "{} is compressed and there is no modules.dep next to it: run `depmod` (package kmod) for that kernel",
            file.display()
        );
    }
    let data = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    let elf = object::File::parse(&*data).with_context(|| format!("{} is no ELF file", file.display()))?;
    let Some(section) = elf.section_by_name(".modinfo") else { return Ok(Vec::new()) };
    let info = section.data().with_context(|| format!("{}: .modinfo cannot be read", file.display()))?;
    let values = info.split(|byte| *byte == 0).filter_map(|field| field.strip_prefix(b"depends="));
    let names: BTreeSet<String> = values
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| plain(&String::from_utf8_lossy(name)))
        .collect();
    Ok(names.into_iter().filter(|name| !name.is_empty()).collect())
}

fn builtin(directory: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(directory.join("modules.builtin")).unwrap_or_default();
    text.lines().map(|path| (module(path), path.to_owned())).collect()
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))
}

/// `kernel/drivers/char/hw_random/virtio-rng.ko.xz` is the module `virtio_rng`.
fn module(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    plain(file.split_once(".ko").map_or(file, |(stem, _)| stem))
}

fn plain(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Modules {
        let needs = [
            ("k/virtio.ko", &["k/virtio_ring.ko"][..]),
            ("k/virtio_ring.ko", &[]),
            ("k/virtio-pci.ko", &["k/virtio.ko", "k/virtio_ring.ko"]),
            ("k/ext4.ko", &[]),
        ];
        Modules {
            directory: PathBuf::from("/modules"),
            needs: needs
                .iter()
                .map(|(path, needs)| (path.to_string(), needs.iter().map(|need| need.to_string()).collect()))
                .collect(),
            builtin: [("unix".to_owned(), "kernel/net/unix/unix.ko".to_owned())].into(),
        }
    }

    #[test]
    fn a_module_brings_what_it_needs_and_nothing_else() {
        let modules = example();
        let closure = modules.closure(["virtio_pci"]).unwrap();
        assert_eq!(
            closure.keys().copied().collect::<Vec<_>>(),
            ["k/virtio-pci.ko", "k/virtio.ko", "k/virtio_ring.ko"]
        );
    }

    #[test]
    fn dash_and_underscore_are_the_same_in_a_name() {
        assert_eq!(example().path("virtio-pci"), example().path("virtio_pci"));
    }

    #[test]
    fn a_built_in_module_needs_nothing_and_an_unknown_one_is_an_error() {
        assert!(example().closure(["unix"]).unwrap().is_empty());
        assert!(example().closure(["nosuch"]).unwrap_err().to_string().contains("no module nosuch"));
    }
}

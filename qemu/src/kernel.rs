//! The kernel a board boots, with its modules: Debian's, unpacked into the cache,
//! or one's own by `KERNEL=` and `MODULES=`.

use crate::{Arch, Board, apt, directories, say};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Kernel {
    /// What QEMU loads.
    pub image: PathBuf,
    /// `lib/modules/VERSION` unpacked on the host; none for a kernel without modules.
    pub modules: Option<PathBuf>,
}

impl Kernel {
    /// The board's kernel, downloaded if this is the first time.
    pub fn of(board: &Board) -> Result<Kernel> {
        let set = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        match chosen(set("KERNEL"), set("MODULES"))? {
            Some(kernel) => Ok(kernel),
            None => debian(&board.kernel.package, board.arch),
        }
    }

    /// As `uname -r` says, when there are modules to tell it.
    pub fn version(&self) -> Option<&str> {
        self.modules.as_ref()?.file_name()?.to_str()
    }
}

/// One's own kernel, by `KERNEL=` and `MODULES=`.
fn chosen(image: Option<PathBuf>, modules: Option<PathBuf>) -> Result<Option<Kernel>> {
    let Some(image) = image else {
        anyhow::ensure!(modules.is_none(), "MODULES is set and KERNEL is not: modules fit one kernel only");
        return Ok(None);
    };
    if !image.is_file() {
        bail!("KERNEL={}: there is no such file", image.display());
    }
    if let Some(modules) = &modules
        && !modules.is_dir()
    {
        bail!(
            "MODULES={}: there is no such directory; it is the one named after the kernel's \
             version, as in MODULES=/lib/modules/6.1.0-56-amd64",
            modules.display()
        );
    }
    // QEMU's working directory is not ours.
    let absolute =
        |path: PathBuf| path.canonicalize().with_context(|| format!("could not resolve {}", path.display()));
    Ok(Some(Kernel { image: absolute(image)?, modules: modules.map(absolute).transpose()? }))
}

fn debian(package: &str, arch: Arch) -> Result<Kernel> {
    let name = format!("kernel/{package}-{}", arch.debian());
    crate::host::require(&[crate::host::DPKG])?;
    let dir = directories::cached(&name, |into| {
        let concrete = apt::dependencies(package, arch)?
            .into_iter()
            .find(|name| name.starts_with("linux-image-"))
            .with_context(|| {
                format!("package {package} depends on no linux-image-*: is it a metapackage?")
            })?;
        apt::unpack(&concrete, arch, into)?;
        say::doing("Unpacked", format!("{concrete} (kept in {})", directories::cache()?.display()));
        crate::modules::index(&unpacked(into)?)
    })?;
    unpacked(&dir)
}

fn unpacked(dir: &Path) -> Result<Kernel> {
    let image = only(&dir.join("boot"), "vmlinuz-")?;
    // Later Debians have /usr/lib/modules.
    let modules = only(&dir.join("lib/modules"), "").or_else(|_| only(&dir.join("usr/lib/modules"), ""))?;
    Ok(Kernel { image, modules: Some(modules) })
}

fn only(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("could not read {}", dir.display()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .with_context(|| format!("no {prefix}* in {}", dir.display()))
}

/// Forgets the cached kernel and busybox of an architecture, and apt's lists.
pub fn forget(board: &Board) -> Result<()> {
    let cache = directories::cache()?;
    let arch = board.arch.debian();
    let _lock = directories::lock("cache")?;
    for name in [format!("kernel/{}-{arch}", board.kernel.package), format!("busybox/{arch}")] {
        let dir = cache.join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("could not remove {}", dir.display()))?;
        }
    }
    apt::forget(board.arch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_kernel_is_taken_with_its_modules_and_modules_alone_are_not() {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let file = here.join("Cargo.toml");
        let kernel = chosen(Some(file.clone()), Some(here.clone())).unwrap().unwrap();
        assert_eq!((kernel.image, kernel.modules.is_some()), (file.canonicalize().unwrap(), true));
        assert!(chosen(Some(file.clone()), None).unwrap().unwrap().modules.is_none());
        assert!(chosen(None, None).unwrap().is_none());
        for (image, modules) in
            [(None, Some(here.clone())), (Some(here.join("no")), None), (Some(file), Some(here.join("no")))]
        {
            assert!(chosen(image.clone(), modules.clone()).is_err(), "{image:?} {modules:?}");
        }
    }
}

//! Where things are: the repository, and the cache outside of it.

use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The root of the repository this program was built from.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("qemu/ is in the repository")
}

/// Cargo's output directory.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => repository().join(dir),
        None => repository().join("target"),
    }
}

/// Kernels and programs from Debian, shared by every clone on this computer.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context(
            "neither XDG_CACHE_HOME nor HOME is set: set one, kernels are kept in corm/ under it",
        )?)
        .join(".cache"),
    };
    Ok(base.join("corm"))
}

/// Fills `cache()/name` once: `fill` gets an empty directory, and only a complete
/// one gets the name. Of two processes that want it, one fills and one waits.
pub fn cached(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = cache()?;
    let wanted = cache.join(name);
    if wanted.is_dir() {
        return Ok(wanted);
    }
    let _lock = lock("cache")?;
    if wanted.is_dir() {
        return Ok(wanted);
    }
    let parent = wanted.parent().unwrap_or(&cache);
    make(parent)?;
    let unfinished = tempfile::Builder::new()
        .prefix(".unfinished-")
        .tempdir_in(parent)
        .with_context(|| format!("could not write to {}", parent.display()))?;
    let content = unfinished.path().join("content");
    make(&content)?;
    fill(&content)?;
    std::fs::rename(&content, &wanted)
        .with_context(|| format!("could not put {} in place", wanted.display()))?;
    Ok(wanted)
}

/// A lock between processes; released when dropped. It does not nest.
pub fn lock(name: &str) -> Result<File> {
    let cache = cache()?;
    make(&cache)?;
    let path = cache.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("could not open {}", path.display()))?;
    if file.try_lock().is_err() {
        crate::say::doing("Waiting", format!("for another process ({})", path.display()));
        file.lock().with_context(|| format!("could not lock {}", path.display()))?;
    }
    Ok(file)
}

/// `mkdir -p`, with an error that has the name.
pub fn make(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("could not make the directory {}", directory.display()))
}

//! The kernel command line, as far as it speaks to corm.

use crate::limits;
use crate::log::Level;
use core::ffi::CStr;
use heapless::Vec;

/// The `corm.*` parameters. Plain data.
#[derive(Clone)]
pub struct Parameters {
    /// `corm.log=`: error, warn, info or debug.
    pub log: Option<Level>,
    /// `corm.rescue`: straight to the rescue program.
    pub rescue: bool,
    /// `corm.config=`, with its NUL.
    config: Vec<u8, { limits::PATH }>,
    /// `corm.mask=`, each name followed by a NUL.
    masked: Vec<u8, { limits::MASKED }>,
}

impl Parameters {
    pub const NONE: Parameters =
        Parameters { log: None, rescue: false, config: Vec::new(), masked: Vec::new() };

    /// The config file to read instead of /etc/corm.toml.
    pub fn config(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.config).ok().filter(|path| !path.is_empty())
    }

    /// Whether this workload must not be started.
    pub fn masks(&self, name: &[u8]) -> bool {
        self.masked().any(|masked| masked == name)
    }

    /// The names given to `corm.mask=`.
    pub fn masked(&self) -> impl Iterator<Item = &[u8]> {
        self.masked.split(|&byte| byte == 0).filter(|name| !name.is_empty())
    }
}

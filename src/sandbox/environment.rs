//! The environment a workload starts with: three defaults and what the config
//! says, and nothing of corm's own.

use crate::config::{Config, Workload};
use crate::limits;
use core::ffi::CStr;
use heapless::Vec;

/// `NAME=value` strings, each with its NUL, one after the other.
pub type Block = Vec<u8, { limits::ENVIRONMENT }>;

/// What a shell would search; most roots have some of these.
const PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// False if it does not fit.
#[must_use]
pub fn fill(config: &Config, workload: &Workload, block: &mut Block) -> bool {
    block.clear();
    let pairs = config.pairs(workload.env);
    let defaults: [(&[u8], &[u8]); 3] =
        [(b"PATH", PATH), (b"HOME", b"/"), (b"CORM_WORKLOAD", config.bytes(workload.name))];
    // The null is one word.
    let mut words = 1usize;
    for (key, value) in defaults {
        let overridden = pairs.iter().any(|pair| config.bytes(pair.key) == key);
        if !overridden {
            words = words.saturating_add(1);
            if !push(block, key, value) {
                return false;
            }
        }
    }
    for pair in pairs {
        words = words.saturating_add(1);
        if !push(block, config.bytes(pair.key), config.bytes(pair.value)) {
            return false;
        }
    }
    words <= limits::ENVIRONMENT_WORDS
}

/// What a shell at the console needs.
pub fn fill_for_rescue(block: &mut Block) {
    block.clear();
    // A fraction of the block's size.
    let _ = push(block, b"PATH", PATH) && push(block, b"HOME", b"/") && push(block, b"TERM", b"linux");
}

fn push(block: &mut Block, key: &[u8], value: &[u8]) -> bool {
    [key, b"=", value, b"\0"].into_iter().all(|part| block.extend_from_slice(part).is_ok())
}

/// The strings of a filled block.
pub fn strings(block: &Block) -> impl Iterator<Item = &CStr> {
    let mut rest = block.as_slice();
    core::iter::from_fn(move || {
        let string = crate::sys::c_str(rest)?;
        rest = rest.get(string.count_bytes().saturating_add(1)..)?;
        Some(string)
    })
}

//! The environment a workload starts with: three defaults and what the config
//! says, and nothing of corm's own.

use crate::config::{Config, Workload};
use crate::limits;
use crate::put;
use crate::text::Text;
use core::ffi::CStr;
use heapless::Vec;

/// `NAME=value` strings, each with its NUL, one after the other.
pub type Block = Vec<u8, { limits::ENVIRONMENT }>;

/// What a shell would search; most roots have some of these.
const PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the socket is that a workload says to that it is ready, as the machine sees it.
pub fn notify_path(config: &Config, workload: &Workload) -> Text<{ limits::PATH }> {
    let mut path = Text::new();
    put!(path, "/run/corm/notify.", config.bytes(workload.name));
    path
}

/// ... and as the workload sees it, in its own /dev.
const NOTIFY: &[u8] = b"/dev/notify";

/// False if it does not fit. `notify`: it has a socket to say to that it is ready.
#[must_use]
pub fn fill(config: &Config, workload: &Workload, notify: bool, block: &mut Block) -> bool {
    block.clear();
    let pairs = config.pairs(workload.env);
    let path = notify_path(config, workload);
    let socket = if workload.privileged { path.as_bytes() } else { NOTIFY };
    let mut watchdog = Text::<16>::new();
    // In microseconds.
    put!(watchdog, workload.watchdog, "000");
    let defaults: [(&[u8], &[u8]); 5] = [
        (b"PATH", PATH),
        (b"HOME", b"/"),
        (b"CORM_WORKLOAD", config.bytes(workload.name)),
        (b"NOTIFY_SOCKET", if notify { socket } else { b"" }),
        (b"WATCHDOG_USEC", if notify && workload.watchdog != 0 { watchdog.as_bytes() } else { b"" }),
    ];
    // The null is one word.
    let mut words = 1usize;
    for (key, value) in defaults {
        let overridden = pairs.iter().any(|pair| config.bytes(pair.key) == key);
        if !overridden && !value.is_empty() {
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

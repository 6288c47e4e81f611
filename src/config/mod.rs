//! The machine's config: `/etc/corm.toml` and `/etc/corm.d/*.toml`.
//!
//! Text becomes a tree of values (`toml`), the tree becomes a [`Config`]
//! (`schema`), and both report [`Problem`](problem::Problem)s that point at the
//! place. A `Config` is plain data: strings and lists are offsets into pools it
//! holds itself, so it has no pointers, needs no heap, and could be copied byte
//! for byte. All of this is pure: the same code runs in PID 1, in `corm check`
//! and in the fuzzer.

mod types;

pub use types::*;

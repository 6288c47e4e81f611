//! The machine's config: `/etc/corm.toml` and `/etc/corm.d/*.toml`.
//!
//! Text ([`Sources`]) becomes a tree of values ([`Tree`], by `toml`), the tree
//! becomes a [`Config`] (by `read`, along the tables of `schema`), and both
//! tell a [`Report`] what is wrong and where. A `Config` is plain data: strings
//! and lists are offsets into pools it holds itself, so it has no pointers,
//! needs no heap, and could be copied byte for byte. All of this is pure: the
//! same code runs in PID 1, in `corm check` and in the fuzzer.
//!
//! All three are large and mostly untouched; they live in statics:
//!
//! ```ignore
//! sources.add(b"/etc/corm.toml", text)?;
//! let outcome = config::read(sources, tree, config, &mut report);
//! ```
//!
//! The text and the tree are needed while reading only; their pages can be given
//! back to the kernel afterwards.

pub mod address;
pub mod calls;
#[cfg(any(test, fuzzing))]
pub mod events;
pub(crate) mod form;
mod graph;
mod limit;
pub mod near;
mod problem;
mod read;
mod schema;
mod source;
#[cfg(test)]
mod tests;
mod token;
mod toml;
mod tree;
mod types;
mod users;

pub use form::{LEVEL_BITS, SIGNALS, granted, named_source, port_range};
pub use limit::{Limit, MAX, Setting};
pub use problem::{Report, Shown};
pub use read::{Outcome, read};
pub use source::{Full, Location, Sources, Span};
pub use tree::Tree;
pub use types::*;
pub use users::RANGE;

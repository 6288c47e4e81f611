//! `user = "auto"`: which ids a workload gets.
//!
//! They must be the same at every boot and on every machine with this config,
//! because files in volumes belong to them, and whatever else the config says
//! should not change them. So they come from a hash of the name: one of 32,767
//! ranges of 65,536 ids. Where two names fall on one range, the one that comes
//! later in the alphabet goes to the next; the outcome does not depend on the
//! order in which they are written (an ordered hash table: Amble and Knuth 1974).
//!
//! The hash is part of what corm promises: it must never change.

use super::types::{Config, User};

/// Ids in a range.
pub const RANGE: u32 = 1 << 16;

/// Ranges start at 1, so that no workload is the machine's root, and end below
/// 2^31, where some programs' ids become negative.
const RANGES: u32 = (1 << 15) - 1;

/// The range that a name falls on: FNV-1a, its bits mixed once more.
pub(super) fn first_choice(name: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in name {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    (hash % RANGES).wrapping_add(1).wrapping_mul(RANGE)
}

fn next_choice(first: u32) -> u32 {
    let next = first.wrapping_add(RANGE);
    if next >= 1 << 31 { RANGE } else { next }
}

/// Moves workloads on until no two share a range.
#[inline(never)]
pub(super) fn settle(config: &mut Config) {
    // Each move takes a workload past one that stays put, so there are fewer
    // rounds than workloads.
    for _ in 0..config.workloads.len() {
        let mut moved = false;
        for index in 0..config.workloads.len() {
            let Some(mine) = config.workloads.get(index) else { return };
            let User::Auto { first } = mine.user else { continue };
            let taken = config.workloads.iter().any(|theirs| match theirs.user {
                User::Auto { first: theirs_first } => {
                    theirs_first == first && config.bytes(theirs.name) < config.bytes(mine.name)
                }
                User::Ids { uid, gid } => uid & !(RANGE - 1) == first || gid & !(RANGE - 1) == first,
            });
            if let (true, Some(mine)) = (taken, config.workloads.get_mut(index)) {
                mine.user = User::Auto { first: next_choice(first) };
                moved = true;
            }
        }
        if !moved {
            return;
        }
    }
}

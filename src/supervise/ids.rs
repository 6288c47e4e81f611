//! A set of workloads: one bit each.

use crate::config::WorkloadId;
use crate::limits;

const WORDS: usize = limits::WORKLOADS.div_ceil(32);

#[derive(Clone, Copy)]
pub struct Ids([u32; WORDS]);

impl Ids {
    pub const EMPTY: Ids = Ids([0; WORDS]);

    pub fn insert(&mut self, id: WorkloadId) {
        if let Some(word) = self.0.get_mut(id.index() / 32) {
            *word |= bit(id);
        }
    }

    pub fn remove(&mut self, id: WorkloadId) {
        if let Some(word) = self.0.get_mut(id.index() / 32) {
            *word &= !bit(id);
        }
    }

    pub fn contains(&self, id: WorkloadId) -> bool {
        self.0.get(id.index() / 32).is_some_and(|word| word & bit(id) != 0)
    }

    /// The smallest.
    pub fn first(&self) -> Option<WorkloadId> {
        let (index, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(WorkloadId((index as u16).wrapping_mul(32).wrapping_add(word.trailing_zeros() as u16)))
    }
}

fn bit(id: WorkloadId) -> u32 {
    1 << (id.0 % 32)
}

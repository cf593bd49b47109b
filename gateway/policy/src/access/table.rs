//! Verdicts by action id.

use std::collections::HashMap;

use keyway_value::{ActionId, MetaObject};

use super::Verdict;

/// An index for the ids that objects use, counted up from 100, and a map for those of peers that choose others.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// One more than the place of the verdict; 0 for no member.
    dense: Vec<u32>,
    sparse: HashMap<u32, u32>,
    verdicts: Vec<Verdict>,
}

impl Table {
    /// Ids below 100 mean the same on each object, whatever a metaobject says, and are left out.
    pub(super) fn insert(&mut self, id: u32, verdict: Verdict) {
        if MetaObject::is_reserved(ActionId(id)) {
            return;
        }
        self.verdicts.push(verdict);
        let place = u32::try_from(self.verdicts.len()).unwrap_or(0);
        match id.checked_sub(FIRST).map(|at| at as usize).filter(|at| *at < DENSE) {
            Some(at) => {
                if self.dense.len() <= at {
                    self.dense.resize(at + 1, 0);
                }
                self.dense[at] = place;
            }
            None => drop(self.sparse.insert(id, place)),
        }
    }

    #[inline]
    pub(super) fn get(&self, action: ActionId) -> Option<&Verdict> {
        let at = action.0.checked_sub(FIRST)? as usize;
        let place = match self.dense.get(at) {
            Some(place) => *place,
            None if self.sparse.is_empty() => 0,
            None => self.sparse.get(&action.0).copied().unwrap_or(0),
        };
        self.verdicts.get((place as usize).checked_sub(1)?)
    }

    pub(super) fn shows(&self, action: ActionId) -> bool {
        self.get(action).is_some_and(|verdict| !matches!(verdict, Verdict::Deny(_)))
    }
}

const FIRST: u32 = ActionId::FIRST_USER.0;
/// Ids above are kept in the map, so that a metaobject with large ids reserves no memory.
const DENSE: usize = 4096;

//! Collection: content that nothing refers to is removed.
//!
//! What lives: everything under the target of a name, everything that an operation holds by a lease, and every referrer
//! of something that lives, with what is under it.

use std::collections::HashSet;
use std::sync::PoisonError;

use super::Inner;
use super::catalog::State;
use crate::domain::{Digest, Result};
use crate::store::Changes;

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Collected {
    pub(super) blobs: usize,
    pub(super) bytes: u64,
}

impl Inner {
    /// Removes what does not live, of the candidates or of everything.
    pub(super) fn collect(&self, candidates: Option<&[Digest]>) -> Result<Collected> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (doomed, collected) = {
            let state = self.catalog.state();
            let live = live(&state, self.leases.held());
            let dead = |digest: &&Digest| !live.contains(digest);
            let doomed: Vec<Digest> = match candidates {
                Some(candidates) => candidates.iter().filter(dead).cloned().collect(),
                None => state.blobs().map(|(digest, _)| digest).filter(dead).cloned().collect(),
            };
            // From here on nobody can take hold of these and believe that they stay.
            let doomed = self.leases.condemn(doomed);
            let sizes = doomed.iter().filter_map(|digest| state.blob(digest)).map(|record| record.size);
            let collected = Collected { blobs: doomed.len(), bytes: sizes.sum() };
            (doomed, collected)
        };
        let result = match doomed.is_empty() {
            true => Ok(()),
            false => self.commit_locked(Changes { removed: doomed, ..Changes::default() }),
        };
        self.leases.pardon();
        result.map(|()| collected)
    }
}

fn live(state: &State, held: Vec<Digest>) -> HashSet<Digest> {
    let mut live = HashSet::new();
    let mut next: Vec<Digest> = held;
    next.extend(state.targets().cloned());
    while let Some(digest) = next.pop() {
        if live.contains(&digest) {
            continue;
        }
        if let Some(document) = state.document(&digest) {
            next.extend(document.children().map(|child| child.digest.clone()));
        }
        next.extend(state.referrers(&digest).into_iter().cloned());
        live.insert(digest);
    }
    live
}

//! Collection: content that nothing refers to is removed.
//!
//! What lives: everything under the target of a name, everything that an operation holds by a lease, and every referrer
//! of something that lives, with what is under it. What only leases keep goes when they end.

use std::collections::HashSet;
use std::sync::Arc;

use super::reachable::{reachable, reachable_without};
use crate::domain::{Digest, Error, Result};
use crate::engine::Inner;
use crate::engine::catalog::State;
use crate::engine::publish::names::NameChanges;
use crate::engine::publish::writer::Writer;
use crate::store::Changes;

/// What a collection removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Collected {
    pub(in crate::engine) blobs: HashSet<Digest>,
    pub(in crate::engine) bytes: u64,
}

/// What a collection is to do.
#[derive(Default)]
pub(in crate::engine) struct Sweep {
    /// Look at these blobs only; at all where absent.
    pub(in crate::engine) candidates: Option<HashSet<Digest>>,
    /// Names that change in the same step: no crash leaves one without the other.
    pub(in crate::engine) names: NameChanges,
    /// Targets that no name points at after that.
    pub(in crate::engine) unnamed: HashSet<Digest>,
    /// A manifest that is to go although the tree under this target holds it.
    pub(in crate::engine) pruned: Option<(Digest, Digest)>,
}

/// Starts the thread that removes what collections had left for leases, once these end. It ends with the engine.
pub(in crate::engine) fn start(inner: &Arc<Inner>) -> Result<()> {
    let (released, inner) = (inner.leases.released(), Arc::downgrade(inner));
    let work = move || {
        for () in released {
            let Some(inner) = inner.upgrade() else { return };
            if let Err(error) = inner.collect_postponed() {
                tracing::warn!(error = error.chain(), "removing what was held until now; a prune will");
            }
        }
    };
    let started = std::thread::Builder::new().name("collector".to_owned()).spawn(work);
    started.map(drop).map_err(|e| Error::io("starting a thread", e))
}

impl Inner {
    /// Removes what was left because it was held, and is not any more.
    pub(in crate::engine) fn collect_postponed(&self) -> Result<()> {
        // Held first: whoever finds nothing postponed then knows that all of it was seen to.
        let mut writer = self.writer();
        // Evidence may have come meanwhile about what was left.
        let left: Vec<Digest> = self.leases.take_postponed().into_iter().collect();
        let postponed: HashSet<Digest> = reachable(&self.catalog.state(), &left).into_iter().cloned().collect();
        match postponed.is_empty() {
            true => Ok(()),
            false => writer.sweep(Sweep { candidates: Some(postponed), ..Sweep::default() }).map(drop),
        }
    }

    /// Removes what does not live, of the candidates or of everything.
    pub(in crate::engine) fn collect(&self, candidates: Option<&[Digest]>) -> Result<Collected> {
        let mut writer = self.writer();
        let candidates = candidates.map(|candidates| candidates.iter().cloned().collect());
        writer.sweep(Sweep { candidates, ..Sweep::default() })
    }
}

impl Writer<'_> {
    /// Removes what does not live, and changes names with it.
    pub(in crate::engine) fn sweep(&mut self, sweep: Sweep) -> Result<Collected> {
        let inner = self.inner;
        let (doomed, bytes) = {
            let state = inner.catalog.state();
            let unreachable = match &sweep.candidates {
                // Looking through everything is for nothing where little can be found.
                Some(candidates) if sweep.pruned.is_none() => {
                    let is_named = |digest: &Digest| state.is_target(digest) && !sweep.unnamed.contains(digest);
                    let unnamed = inner.parents.unreachable(&state, candidates, is_named);
                    let unreachable = inner.parents.unreachable(&state, &unnamed, |digest| inner.leases.holds(digest));
                    inner.leases.postpone(unnamed.difference(&unreachable).cloned().collect());
                    unreachable.into_iter().collect()
                }
                _ => inner.unreachable_of_all(&state, &sweep),
            };
            // From here on nobody can take hold of these and believe that they stay.
            let doomed = inner.leases.condemn(unreachable);
            let sizes = doomed.iter().filter_map(|digest| state.blob(digest)).map(|record| record.size);
            let bytes = sizes.sum();
            (doomed, bytes)
        };
        let blobs = doomed.iter().cloned().collect();
        let changes = Changes { names: sweep.names, removed: doomed, ..Changes::default() };
        let result = match changes.is_empty() {
            true => Ok(()),
            false => self.commit(changes),
        };
        inner.leases.pardon();
        result.map(|()| Collected { blobs, bytes })
    }
}

impl Inner {
    /// What does not live, found from the top down. What only leases keep is postponed.
    fn unreachable_of_all(&self, state: &State, sweep: &Sweep) -> Vec<Digest> {
        let held = self.leases.held();
        let named = live(state, &[], sweep);
        let unnamed = |digest: &&Digest| !named.contains(*digest) && state.blob(digest).is_some();
        let unreachable: Vec<Digest> = match &sweep.candidates {
            Some(candidates) => candidates.iter().filter(unnamed).cloned().collect(),
            None => state.blobs().map(|(digest, _)| digest).filter(unnamed).cloned().collect(),
        };
        if held.is_empty() || unreachable.is_empty() {
            return unreachable;
        }
        let live = live(state, &held, sweep);
        let (left, unreachable) = unreachable.into_iter().partition(|digest| live.contains(digest));
        self.leases.postpone(left);
        unreachable
    }
}

fn live<'a>(state: &'a State, held: &'a [Digest], sweep: &'a Sweep) -> HashSet<&'a Digest> {
    let Some((target, manifest)) = &sweep.pruned else {
        let targets = state.targets().filter(|target| !sweep.unnamed.contains(target));
        return reachable(state, held.iter().chain(targets));
    };
    let others = state.targets().filter(|other| *other != target);
    let mut live = reachable(state, held.iter().chain(others));
    // What is about the manifest stays with the index that still names it; the manifest itself and what only it uses go.
    live.extend(reachable_without(state, [target], Some(manifest)));
    live
}

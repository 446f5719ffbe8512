//! The catalog: every parsed document, which blobs are here and which names point where, in memory.
//!
//! What a digest was parsed to never changes, so it is parsed once, when it arrives. Presence and names do change, always
//! after the store and in the same step. A generation number moves with every change.

mod record;
pub(in crate::engine) mod resolve;
mod snapshot;
mod state;
pub(in crate::engine) mod tree;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::store::{Changes, Entry, Revision};
pub use record::ImageRecord;
pub(in crate::engine) use snapshot::{ListEntry, Snapshot, summarize};
pub(in crate::engine) use state::State;

/// See the module's text.
pub(in crate::engine) struct Catalog {
    state: RwLock<State>,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    /// Every record of a generation, in the order of names.
    records: Mutex<Option<(u64, Arc<[ImageRecord]>)>>,
}

impl Catalog {
    /// A catalog of nothing.
    pub(in crate::engine) fn new() -> Self {
        Self { state: RwLock::default(), snapshot: Mutex::default(), records: Mutex::default() }
    }

    /// A catalog of these records.
    pub(in crate::engine) fn of(records: Vec<Entry>) -> Self {
        let catalog = Self::new();
        catalog.replace(records, Revision::default());
        catalog
    }

    /// The present state. Held for moments only, and never across an await.
    pub(in crate::engine) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// Follows the store by one commit, which led to a revision.
    pub(in crate::engine) fn apply(&self, changes: Changes, revision: Revision) {
        self.state.write().apply(changes, revision);
    }

    /// Follows the store by records as they are at a revision. What is said of a blob comes after the blob.
    pub(in crate::engine) fn follow(&self, records: Vec<Entry>, revision: Revision) {
        self.state.write().follow(records, revision);
    }

    /// Begins anew with all records of a revision.
    pub(in crate::engine) fn replace(&self, records: Vec<Entry>, revision: Revision) {
        let mut new = State::default();
        new.follow(records, revision);
        let mut state = self.state.write();
        new.generation += state.generation;
        *state = new;
    }

    /// How many images there are.
    pub(in crate::engine) fn image_count(&self) -> usize {
        self.state().image_count()
    }

    /// Every record as it is now, in the order of names. Made anew only after a change.
    pub(in crate::engine) fn records(&self) -> Arc<[ImageRecord]> {
        let state = self.state();
        let mut kept = self.records.lock();
        if let Some((_, records)) = kept.as_ref().filter(|(generation, _)| *generation == state.generation) {
            return records.clone();
        }
        let records = state.records();
        *kept = Some((state.generation, records.clone()));
        records
    }

    /// The images as they are now. Made anew only after a change, and then images that did not change keep what was
    /// rendered of them.
    pub(in crate::engine) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot_of(&self.state())
    }

    /// The same for who has the state already.
    pub(in crate::engine) fn snapshot_of(&self, state: &State) -> Arc<Snapshot> {
        let mut kept = self.snapshot.lock();
        if let Some(snapshot) = kept.as_ref().filter(|snapshot| snapshot.is_of(state)) {
            return snapshot.clone();
        }
        let old = kept.take();
        let snapshot = Arc::new(Snapshot::new(state, old.as_deref()));
        *kept = Some(snapshot.clone());
        snapshot
    }
}

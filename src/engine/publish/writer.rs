//! The one way to change what is kept.

use parking_lot::MutexGuard;

use crate::domain::{Digest, Result};
use crate::engine::{Inner, catalog};
use crate::store::Changes;

/// The right to change what is kept, which one caller has at a time: nothing changes between what its holder saw and what it
/// commits. Files of what was removed go when it ends, and who waits for the right does not wait for that.
pub(in crate::engine) struct Writer<'a> {
    pub(in crate::engine) inner: &'a Inner,
    /// Held until it is dropped.
    lock: Option<MutexGuard<'a, ()>>,
    removed: Vec<Digest>,
}

impl Inner {
    /// Waits for the right to change what is kept. Blocks.
    pub(in crate::engine) fn writer(&self) -> Writer<'_> {
        let lock = self.writing.lock();
        Writer { inner: self, lock: Some(lock), removed: Vec::new() }
    }

    /// Makes changes that depend on nothing.
    pub(in crate::engine) fn commit(&self, changes: Changes) -> Result<()> {
        self.writer().commit(changes)
    }
}

impl Writer<'_> {
    /// Makes changes durable, then visible. A failed commit changes nothing.
    pub(in crate::engine) fn commit(&mut self, changes: Changes) -> Result<()> {
        let applied = catalog::Applied::of(&changes);
        let step = self.inner.parents.step(&self.inner.catalog.state(), &changes);
        let removed = changes.removed.clone();
        self.inner.store.commit(changes)?;
        self.removed.extend(removed);
        self.inner.catalog.apply(applied);
        self.inner.parents.follow(step);
        Ok(())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        drop(self.lock.take());
        if !self.removed.is_empty() {
            self.inner.store.erase(&self.removed);
        }
    }
}

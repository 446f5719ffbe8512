//! Leases: what an operation in flight reads or writes is not collected while it runs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::{Digest, Kind, Result};
use crate::store::{LeaseId, LeaseStore};

/// How long other engines respect what this one holds when nothing is heard of it any more.
const TTL: Duration = Duration::from_secs(60);

/// How long what was let go is collected until other engines are told of it, all at once.
const LINGER: Duration = Duration::from_millis(200);

/// How long what another engine holds is left before it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The leases of one engine's operations.
///
/// They live in memory, where taking one costs nothing. Where other engines use the same stores, what is held here is told
/// them by one lease of the engine's own in the [`LeaseStore`]; [`Leases::flush`] makes sure that they know.
#[derive(Clone)]
pub(super) struct Leases(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Told whenever something that was postponed is let go.
    released: Notify,
    /// Told whenever other engines hold something back for nothing.
    let_go: Arc<Notify>,
    store: Arc<dyn LeaseStore>,
    id: LeaseId,
    /// One tells other engines at a time, so that they hear of changes in order.
    telling: tokio::sync::Mutex<bool>,
}

#[derive(Default)]
struct State {
    held: HashMap<Digest, usize>,
    /// What a collection that runs now is about to remove.
    condemned: HashSet<Digest>,
    /// What collections would have removed, had nobody held it.
    postponed: HashSet<Digest>,
    /// What other engines do not know yet: held since (true), or let go (false).
    untold: HashMap<Digest, bool>,
}

impl Leases {
    pub(super) fn new(store: Arc<dyn LeaseStore>) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            released: Notify::new(),
            let_go: Arc::default(),
            store,
            id: LeaseId::random(),
            telling: tokio::sync::Mutex::new(false),
        };
        Self(Arc::new(shared))
    }

    /// A lease that holds nothing yet.
    pub(super) fn acquire(&self) -> Lease {
        Lease { leases: self.clone(), held: Mutex::default() }
    }

    /// Whether any operation of this engine holds the blob.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.state().held.contains_key(digest)
    }

    /// Every blob that is held, in no order.
    pub(super) fn held(&self) -> Vec<Digest> {
        self.state().held.keys().cloned().collect()
    }

    /// Condemns those of the blobs that nobody holds, and returns them; the rest is postponed. Until [`Leases::pardon`],
    /// whoever takes hold of one of them learns that it goes.
    pub(super) fn condemn(&self, doomed: Vec<Digest>) -> Vec<Digest> {
        let mut state = self.state();
        let (held, doomed): (Vec<_>, Vec<_>) = doomed.into_iter().partition(|digest| state.held.contains_key(digest));
        state.postponed.extend(held);
        state.condemned.extend(doomed.iter().cloned());
        doomed
    }

    /// The same, but what is held is left to whoever holds it.
    pub(super) fn condemn_free(&self, mut doomed: Vec<Digest>) -> Vec<Digest> {
        let mut state = self.state();
        doomed.retain(|digest| !state.held.contains_key(digest));
        state.condemned.extend(doomed.iter().cloned());
        doomed
    }

    /// Ends what [`Leases::condemn`] began, once the blobs are gone or are not to go after all.
    pub(super) fn pardon(&self) {
        self.state().condemned.clear();
    }

    /// Notes what a collection left because of leases, to be looked at again when they end. For what other engines hold,
    /// that is some time later.
    pub(super) fn postpone(&self, left: Vec<Digest>, held_elsewhere: &HashSet<Digest>) {
        let mut state = self.state();
        let is_held = |digest: &Digest| state.held.contains_key(digest) || held_elsewhere.contains(digest);
        let was_let_go = !left.is_empty() && !left.iter().any(is_held);
        state.postponed.extend(left);
        if was_let_go {
            self.0.released.notify_one();
        }
    }

    /// What was postponed until now. It is forgotten here.
    pub(super) fn take_postponed(&self) -> Vec<Digest> {
        self.state().postponed.drain().collect()
    }

    /// Waits until something that was postponed is let go, or may have been by another engine. One waits at a time.
    pub(super) async fn released(&self) {
        if !self.0.store.is_shared() {
            return self.0.released.notified().await;
        }
        // Nobody tells of leases that end elsewhere.
        while tokio::time::timeout(LOOK_AGAIN, self.0.released.notified()).await.is_err() {
            if !self.state().postponed.is_empty() {
                return;
            }
        }
    }

    /// Makes sure that other engines know what is held here. Where there are none, this does nothing.
    ///
    /// # Errors
    /// Those of the store; then they may not know all of it.
    pub(super) async fn flush(&self) -> Result<()> {
        if !self.0.store.is_shared() {
            return Ok(());
        }
        let mut has_lease = self.0.telling.lock().await;
        let untold = self.state().untold.clone();
        if *has_lease && untold.is_empty() {
            return Ok(());
        }
        self.tell(&mut has_lease, &untold).await?;
        // Only now: whoever waits for this may give up in the middle.
        let mut state = self.state();
        for (digest, is_held) in &untold {
            if state.untold.get(digest) == Some(is_held) {
                state.untold.remove(digest);
            }
        }
        Ok(())
    }

    async fn tell(&self, has_lease: &mut bool, untold: &HashMap<Digest, bool>) -> Result<()> {
        let some =
            |held: bool| untold.iter().filter(|(_, is)| **is == held).map(|(digest, _)| digest.clone()).collect();
        let (added, dropped): (Vec<Digest>, Vec<Digest>) = (some(true), some(false));
        let Shared { store, id, .. } = self.0.as_ref();
        if *has_lease {
            match store.update(id, &added, &dropped).await {
                // It has expired; a new one is made that holds everything.
                Err(error) if error.kind() == Kind::NotFound => *has_lease = false,
                result => return result,
            }
        }
        let held = self.held();
        // One that an earlier try made, and did not fill.
        store.delete(id).await?;
        store.create(id.clone(), TTL).await?;
        store.update(id, &held, &[]).await?;
        *has_lease = true;
        Ok(())
    }

    /// What other engines hold.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn held_elsewhere(&self) -> Result<HashSet<Digest>> {
        if !self.0.store.is_shared() {
            return Ok(HashSet::new());
        }
        let leases = self.0.store.list().await?;
        Ok(leases.into_iter().filter(|lease| lease.id != self.0.id).flat_map(|lease| lease.content).collect())
    }

    /// Keeps this engine's lease alive, and tells other engines what was let go, for as long as the engine lives.
    pub(super) fn start_renewal(&self) {
        if !self.0.store.is_shared() {
            return;
        }
        let (shared, let_go) = (Arc::downgrade(&self.0), self.0.let_go.clone());
        tokio::spawn(async move {
            let mut renewal = Instant::now() + TTL / 3;
            loop {
                let is_due = tokio::time::timeout_at(renewal, let_go.notified()).await.is_err();
                if !is_due {
                    tokio::time::sleep(LINGER).await;
                }
                let Some(shared) = shared.upgrade() else { return };
                let leases = Self(shared);
                let mut renewed = Ok(());
                if is_due {
                    renewal = Instant::now() + TTL / 3;
                    renewed = leases.renew().await;
                }
                // Where it has expired, a new one is made.
                if let Err(error) = renewed.and(leases.flush().await) {
                    tracing::warn!(error = error.chain(), "could not renew the lease on content in use; trying again");
                }
            }
        });
    }

    async fn renew(&self) -> Result<()> {
        let mut has_lease = self.0.telling.lock().await;
        match self.0.store.renew(&self.0.id).await {
            Err(error) if error.kind() == Kind::NotFound => {
                *has_lease = false;
                Ok(())
            }
            result => result,
        }
    }

    /// Ends this engine's lease.
    ///
    /// # Errors
    /// Those of the store; the lease then ends by itself.
    pub(super) async fn end(&self) -> Result<()> {
        let mut has_lease = self.0.telling.lock().await;
        match std::mem::take(&mut *has_lease) {
            true => self.0.store.delete(&self.0.id).await,
            false => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

/// Holds blobs against collection until it is dropped.
pub(super) struct Lease {
    leases: Leases,
    held: Mutex<HashSet<Digest>>,
}

impl Lease {
    /// Holds one more blob, whether it is here yet or not. Returns whether it stays if it is here: a collection may have
    /// condemned it a moment ago, and then it counts as gone.
    #[must_use = "a blob that was condemned counts as gone"]
    pub(super) fn hold(&self, digest: &Digest) -> bool {
        let mut held = self.held.lock();
        let mut state = self.leases.state();
        if held.insert(digest.clone()) {
            let count = state.held.entry(digest.clone()).or_default();
            *count += 1;
            if *count == 1 && self.leases.0.store.is_shared() {
                state.untold.insert(digest.clone(), true);
            }
        }
        !state.condemned.contains(digest)
    }

    /// The same for what need not be here: it will be placed, or is looked for later.
    pub(super) fn hold_in_advance(&self, digest: &Digest) {
        let _ = self.hold(digest);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.leases.state();
        let mut was_waited_for = false;
        for digest in self.held.get_mut().drain() {
            let Some(count) = state.held.get_mut(&digest) else { continue };
            *count -= 1;
            if *count == 0 {
                state.held.remove(&digest);
                was_waited_for |= state.postponed.contains(&digest);
                if self.leases.0.store.is_shared() {
                    state.untold.insert(digest, false);
                    self.leases.0.let_go.notify_one();
                }
            }
        }
        if was_waited_for {
            self.leases.0.released.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;

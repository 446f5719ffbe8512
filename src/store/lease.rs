//! Leases: what an operation in flight reads or writes is not collected while it runs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::{Mutex, MutexGuard};

use crate::domain::Digest;

/// The leases of one store.
///
/// They live in memory only: an operation does not outlive its process, and a lease that outlived it would keep its
/// leftovers for ever.
#[derive(Clone, Default)]
pub struct Leases(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    held: HashMap<Digest, usize>,
    /// What a collection that runs now is about to remove.
    condemned: HashSet<Digest>,
    /// What collections would have removed, had nobody held it.
    postponed: HashSet<Digest>,
    /// Who is told when some of that is let go.
    waker: Option<SyncSender<()>>,
}

impl State {
    fn wake(&self) {
        // Who is woken already need not be told twice.
        let _ = self.waker.as_ref().map(|waker| waker.try_send(()));
    }
}

impl Leases {
    /// A lease that holds nothing yet.
    pub fn acquire(&self) -> Lease {
        Lease { leases: self.clone(), held: Mutex::default() }
    }

    /// Whether any lease holds the blob.
    pub fn holds(&self, digest: &Digest) -> bool {
        self.lock().held.contains_key(digest)
    }

    /// Every blob that is held, in no order.
    pub fn held(&self) -> Vec<Digest> {
        self.lock().held.keys().cloned().collect()
    }

    /// Condemns those of the blobs that nobody holds, and returns them; the rest is postponed. Until [`Leases::pardon`], who
    /// takes hold of one of them is told that it goes.
    pub fn condemn(&self, doomed: Vec<Digest>) -> Vec<Digest> {
        let mut state = self.lock();
        let (held, doomed): (Vec<_>, Vec<_>) = doomed.into_iter().partition(|digest| state.held.contains_key(digest));
        state.postponed.extend(held);
        state.condemned.extend(doomed.iter().cloned());
        doomed
    }

    /// Ends what [`Leases::condemn`] began, once the blobs are gone.
    pub fn pardon(&self) {
        self.lock().condemned.clear();
    }

    /// Notes what a collection left because of leases, to be looked at again when they end.
    pub fn postpone(&self, left: Vec<Digest>) {
        let mut state = self.lock();
        let was_let_go = !left.is_empty() && !left.iter().any(|digest| state.held.contains_key(digest));
        state.postponed.extend(left);
        if was_let_go {
            state.wake();
        }
    }

    /// What was postponed until now. It is forgotten here.
    pub fn take_postponed(&self) -> Vec<Digest> {
        self.lock().postponed.drain().collect()
    }

    /// Gets a message whenever something that was postponed is let go. Only the last who asks for it is told.
    pub fn released(&self) -> Receiver<()> {
        let (sender, receiver) = sync_channel(1);
        self.lock().waker = Some(sender);
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can panic.
        self.0.lock()
    }
}

/// Holds blobs against collection until it is dropped.
pub struct Lease {
    leases: Leases,
    held: Mutex<HashSet<Digest>>,
}

impl Lease {
    /// Holds one more blob, whether it is here yet or not. Returns whether it stays if it is here: a collection may have
    /// condemned it a moment ago, and then it counts as gone.
    pub fn hold(&self, digest: &Digest) -> bool {
        let mut held = self.held.lock();
        let mut state = self.leases.lock();
        if held.insert(digest.clone()) {
            *state.held.entry(digest.clone()).or_default() += 1;
        }
        !state.condemned.contains(digest)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut all = self.leases.lock();
        let mut was_waited_for = false;
        for digest in self.held.get_mut().drain() {
            if let Some(count) = all.held.get_mut(&digest) {
                *count -= 1;
                if *count == 0 {
                    all.held.remove(&digest);
                    was_waited_for |= all.postponed.contains(&digest);
                }
            }
        }
        if was_waited_for {
            all.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_held_until_its_last_lease_ends() {
        let (leases, blob) = (Leases::default(), Digest::of(b"x"));
        let (one, two) = (leases.acquire(), leases.acquire());
        one.hold(&blob);
        one.hold(&blob);
        two.hold(&blob);
        drop(one);
        assert!(leases.holds(&blob));
        drop(two);
        assert!(leases.held().is_empty());
    }

    #[test]
    fn what_was_left_for_a_lease_is_looked_at_when_it_ends() {
        let (leases, held, under, free) =
            (Leases::default(), Digest::of(b"held"), Digest::of(b"under"), Digest::of(b"free"));
        let released = leases.released();
        let lease = leases.acquire();
        lease.hold(&held);
        leases.postpone(vec![held.clone(), under]);
        leases.acquire().hold(&free);
        assert!(released.try_recv().is_err());
        drop(lease);
        assert!(released.try_recv().is_ok());
        assert_eq!((leases.take_postponed().len(), leases.take_postponed().len()), (2, 0));
        // Where the lease ended before this was noted, there is no later end to wait for.
        leases.postpone(vec![held]);
        assert!(released.try_recv().is_ok());
    }

    #[test]
    fn who_comes_too_late_is_told() {
        let (leases, held, free) = (Leases::default(), Digest::of(b"held"), Digest::of(b"free"));
        let lease = leases.acquire();
        assert!(lease.hold(&held));
        assert_eq!(leases.condemn(vec![held.clone(), free.clone()]), std::slice::from_ref(&free));
        assert!(!leases.acquire().hold(&free));
        leases.pardon();
        assert!(leases.acquire().hold(&free));
    }
}

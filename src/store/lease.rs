//! Leases: what an operation in flight reads or writes is not collected while it runs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    /// Condemns those of the blobs that nobody holds, and returns them. Until [`Leases::pardon`], who takes hold of one
    /// of them is told that it goes.
    pub fn condemn(&self, mut doomed: Vec<Digest>) -> Vec<Digest> {
        let mut state = self.lock();
        doomed.retain(|digest| !state.held.contains_key(digest));
        state.condemned.extend(doomed.iter().cloned());
        doomed
    }

    /// Ends what [`Leases::condemn`] began, once the blobs are gone.
    pub fn pardon(&self) {
        self.lock().condemned.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
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
        for digest in self.held.get_mut().unwrap_or_else(PoisonError::into_inner).drain() {
            if let Some(count) = all.held.get_mut(&digest) {
                *count -= 1;
                if *count == 0 {
                    all.held.remove(&digest);
                }
            }
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

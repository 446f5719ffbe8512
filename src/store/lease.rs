//! Leases: what an operation in flight reads or writes is not collected while it runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Digest;

/// The leases of one store.
///
/// They live in memory only: an operation does not outlive its process, and a lease that outlived it would keep its
/// leftovers for ever.
#[derive(Clone, Default)]
pub struct Leases(Arc<Mutex<HashMap<Digest, usize>>>);

impl Leases {
    /// A lease that holds nothing yet.
    pub fn acquire(&self) -> Lease {
        Lease { leases: self.clone(), held: Mutex::default() }
    }

    /// Whether any lease holds the blob.
    pub fn holds(&self, digest: &Digest) -> bool {
        self.lock().contains_key(digest)
    }

    /// How many blobs are held.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no blob is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        // Every change below is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds blobs against collection until it is dropped.
pub struct Lease {
    leases: Leases,
    held: Mutex<std::collections::HashSet<Digest>>,
}

impl Lease {
    /// Holds one more blob, whether it is here yet or not.
    pub fn hold(&self, digest: &Digest) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.insert(digest.clone()) {
            *self.leases.lock().entry(digest.clone()).or_default() += 1;
        }
    }

    /// Every blob that is held, in no order.
    pub fn held(&self) -> Vec<Digest> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut all = self.leases.lock();
        for digest in self.held.get_mut().unwrap_or_else(PoisonError::into_inner).drain() {
            if let Some(count) = all.get_mut(&digest) {
                *count -= 1;
                if *count == 0 {
                    all.remove(&digest);
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
        assert!(leases.is_empty());
    }
}

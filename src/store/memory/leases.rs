//! Leases in memory, of all who use one store in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::domain::{Digest, Error, Kind, Result};
use crate::store::{HeldLease, LeaseId, LeaseStore};

/// Leases that end with the process.
pub(in crate::store) struct MemoryLeases {
    is_shared: bool,
    leases: Mutex<BTreeMap<LeaseId, Lease>>,
}

struct Lease {
    ttl: Duration,
    expires: Instant,
    content: BTreeSet<Digest>,
}

impl MemoryLeases {
    pub(in crate::store) fn new(is_shared: bool) -> Self {
        Self { is_shared, leases: Mutex::default() }
    }

    /// The leases that have not expired.
    fn live(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Lease>> {
        let mut leases = self.leases.lock();
        let now = Instant::now();
        leases.retain(|_, lease| lease.expires > now);
        leases
    }

    fn change(&self, id: &LeaseId, change: impl FnOnce(&mut Lease)) -> Result<()> {
        match self.live().get_mut(id) {
            Some(lease) => {
                change(lease);
                Ok(())
            }
            None => Err(Error::not_found(format!("lease {:?}: not found", id.0))),
        }
    }
}

impl LeaseStore for MemoryLeases {
    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn create(&self, id: LeaseId, ttl: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut leases = self.live();
            if leases.contains_key(&id) {
                return Err(Error::new(Kind::Conflict, format!("lease {:?}: already exists", id.0)));
            }
            leases.insert(id, Lease { ttl, expires: Instant::now() + ttl, content: BTreeSet::new() });
            Ok(())
        })
    }

    fn update<'a>(&'a self, id: &'a LeaseId, add: &'a [Digest], drop: &'a [Digest]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.change(id, |lease| {
                drop.iter().for_each(|digest| {
                    lease.content.remove(digest);
                });
                lease.content.extend(add.iter().cloned());
            })
        })
    }

    fn renew<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.change(id, |lease| lease.expires = Instant::now() + lease.ttl) })
    }

    fn delete<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.leases.lock().remove(id);
            Ok(())
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<HeldLease>>> {
        Box::pin(async move {
            let held = |(id, lease): (&LeaseId, &Lease)| HeldLease {
                id: id.clone(),
                content: lease.content.iter().cloned().collect(),
            };
            Ok(self.live().iter().map(held).collect())
        })
    }
}

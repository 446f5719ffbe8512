//! Leases: what is needed by somebody is not collected by anybody.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::{Digest, Result};

/// Who needs which content, and until when.
///
/// Engines that share records and blobs share this too, so that none collects what another needs. Time is the store's own:
/// clocks of those who hold leases do not matter.
pub trait LeaseStore: Send + Sync + 'static {
    /// Whether several engines use this store. If not, each engine knows all of its own needs and may leave them out here.
    fn is_shared(&self) -> bool;

    /// Makes a lease that holds nothing yet.
    ///
    /// # Errors
    /// `Conflict` where there is one of that id.
    fn create(&self, id: LeaseId, ttl: Duration) -> BoxFuture<'_, Result<()>>;

    /// Holds further content, whether it is there or not, and lets go of other. What is in both is held.
    ///
    /// # Errors
    /// `NotFound` where there is no such lease, or it has expired.
    fn update<'a>(&'a self, id: &'a LeaseId, add: &'a [Digest], drop: &'a [Digest]) -> BoxFuture<'a, Result<()>>;

    /// Puts the end of a lease off: it lives for its whole time again.
    ///
    /// # Errors
    /// `NotFound` where there is no such lease, or it has expired. What it held may be gone.
    fn renew<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>>;

    /// Ends a lease; one that is not there is no error.
    fn delete<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>>;

    /// The leases that have not expired, in the order of their ids.
    fn list(&self) -> BoxFuture<'_, Result<Vec<HeldLease>>>;
}

/// What a lease is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub String);

impl LeaseId {
    /// One that nobody else has.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

/// A lease with what it holds, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    pub id: LeaseId,
    pub content: Vec<Digest>,
}

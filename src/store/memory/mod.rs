//! Stores in memory: the same behaviour without files, for tests and as the shortest example of an implementation.

mod blobs;
mod leases;
mod metadata;

use std::sync::Arc;

use super::Stores;
use blobs::MemoryBlobs;
pub(super) use leases::MemoryLeases;
use metadata::MemoryMetadata;

/// Stores that are lost when the last handle to them goes. Several engines may use them.
pub struct MemoryStore;

impl MemoryStore {
    /// Empty stores.
    pub fn open() -> Stores {
        Stores {
            blobs: Arc::new(MemoryBlobs::default()),
            metadata: Arc::new(MemoryMetadata::new()),
            leases: Arc::new(MemoryLeases::new(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Result;
    use crate::store::conformance::Fixture;
    use futures_util::future::BoxFuture;

    /// Opening them again is another handle to the same.
    struct InMemory(Stores);

    impl Fixture for InMemory {
        fn open(&self) -> BoxFuture<'_, Result<Stores>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    crate::store_conformance!(InMemory(MemoryStore::open()));
}

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

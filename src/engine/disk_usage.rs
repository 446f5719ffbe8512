//! Disk usage: what images take.

use super::core::Engine;
use super::list::{ListQuery, Listing};
use crate::domain::Result;

/// What images take of the disk.
pub struct DiskUsage {
    /// Every image, newest first, with what it shares with others.
    pub images: Listing,
    /// Bytes of all content, each blob once.
    pub total: u64,
    /// Bytes that would be free if every image were removed now: all but what a running operation holds.
    pub reclaimable: u64,
}

/// What blobs take of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentUsage {
    /// Bytes of all blobs, those that are being written included.
    pub bytes: u64,
    /// How many blobs these are, each of which is a file in a local store.
    pub files: u64,
}

impl Engine {
    /// Adds up the blobs. Works in memory only.
    pub fn content_usage(&self) -> ContentUsage {
        let ingests = self.ingests();
        let state = self.0.catalog.state();
        let sizes = state.blobs().map(|(_, record)| record.size);
        sizes.chain(ingests.iter().map(|ingest| ingest.offset)).fold(ContentUsage::default(), |usage, size| {
            ContentUsage { bytes: usage.bytes + size, files: usage.files + 1 }
        })
    }

    /// Adds up what images take.
    pub async fn disk_usage(&self) -> Result<DiskUsage> {
        let engine = self.clone();
        self.blocking(move |inner| {
            let images = engine.list(&ListQuery { shared_size: true, ..ListQuery::default() })?;
            let held = inner.leases.held();
            let state = inner.catalog.state();
            let total: u64 = state.blobs().map(|(_, record)| record.size).sum();
            let held: u64 = held.iter().filter_map(|digest| state.blob(digest)).map(|record| record.size).sum();
            Ok(DiskUsage { images, total, reclaimable: total.saturating_sub(held) })
        })
        .await
    }
}

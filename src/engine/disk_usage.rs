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

/// What is stored, as a disk sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentUsage {
    /// Bytes that the disk holds.
    pub bytes: u64,
    /// Files and directories.
    pub files: u64,
}

impl Engine {
    /// What the data root takes of the disk, with all that is in it. Of a store elsewhere, the sizes and the number of its
    /// blobs.
    ///
    /// # Errors
    /// Those of reading the disk.
    pub async fn content_usage(&self) -> Result<ContentUsage> {
        if let Some(usage) = self.0.stores.blobs.usage().await? {
            return Ok(ContentUsage { bytes: usage.bytes, files: usage.files });
        }
        let state = self.0.catalog.state();
        let sizes = state.blobs().map(|(_, record)| record.size);
        Ok(sizes.fold(ContentUsage::default(), |usage, size| ContentUsage {
            bytes: usage.bytes + size,
            files: usage.files + 1,
        }))
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

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

impl Engine {
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

//! Blobs: the raw content, by digest.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;

use super::clock::moment;
use super::core::{Engine, Inner};
use super::leases::Lease;
use super::stream::pieces;
use super::stream::whole::read_whole;
use crate::domain::{Digest, Error, Result, StringMap};
use crate::store;
use crate::store::blocking::wait;

pub use crate::store::IngestStatus;

/// A blob that is open for reading, held against collection until it is dropped.
pub struct Blob {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    reader: Arc<dyn store::Blob>,
    buffers: Arc<pieces::BufferPool>,
    _lease: Lease,
}

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// When it arrived.
    pub created_at: jiff::Timestamp,
    pub updated_at: jiff::Timestamp,
    pub labels: StringMap,
}

impl Blob {
    pub(super) fn reader(&self) -> &dyn store::Blob {
        self.reader.as_ref()
    }

    /// The bytes from `offset` on, at most `len`, in pieces of at most `most`. Each piece is read when it is asked for,
    /// and never has the runtime wait for a disk.
    pub fn stream(self, offset: u64, len: u64, most: usize) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let end = offset.saturating_add(len).min(self.size);
        pieces::pieces(self.reader, offset..end, most, self.buffers, self._lease)
    }
}

impl Engine {
    /// Opens a blob.
    ///
    /// # Errors
    /// `NotFound` where it is not here.
    pub async fn blob(&self, digest: &Digest) -> Result<Blob> {
        self.0.open_blob(digest).await
    }

    /// A small blob as a whole.
    pub(super) async fn whole(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        if let Some(blob) = self.0.stores.blobs.open_ready(digest)
            && blob.size() <= limit
        {
            let mut bytes = vec![0; blob.size() as usize];
            if blob.read_ready(&mut bytes, 0) == bytes.len() {
                return Ok(bytes);
            }
        }
        let digest = digest.clone();
        self.blocking(move |inner| inner.read_whole(&digest, limit)).await
    }

    /// What is known of a blob without reading it; `None` where it is not here.
    pub fn blob_info(&self, digest: &Digest) -> Option<BlobInfo> {
        let record = self.0.catalog.state().blob(digest)?;
        Some(info(digest, record))
    }

    /// Every blob, in the order of digests.
    pub fn blobs(&self) -> Vec<BlobInfo> {
        let mut all: Vec<BlobInfo> =
            self.0.catalog.state().blobs().map(|(digest, record)| info(digest, *record)).collect();
        all.sort_unstable_by(|a, b| a.digest.cmp(&b.digest));
        all
    }

    /// The blobs that are being written now.
    pub fn ingests(&self) -> Vec<IngestStatus> {
        self.0.stores.blobs.ingests()
    }
}

fn info(digest: &Digest, record: crate::store::BlobRecord) -> BlobInfo {
    let at = moment(record.created_at);
    BlobInfo { digest: digest.clone(), size: record.size, created_at: at, updated_at: at, labels: StringMap::default() }
}

impl Inner {
    /// Opens a blob.
    ///
    /// # Errors
    /// `NotFound` where it is not here, or a collection is about to remove it.
    pub(super) async fn open_blob(&self, digest: &Digest) -> Result<Blob> {
        let lease = self.leases.acquire();
        let stays = lease.hold(digest);
        if !stays || self.catalog.state().blob(digest).is_none() {
            return Err(Error::not_found(format!("content {digest}: not found")));
        }
        // To have another thread open a file takes longer than to open one that the kernel knows.
        let reader = match self.stores.blobs.open_ready(digest) {
            Some(reader) => reader,
            None => self.stores.blobs.open(digest).await?,
        };
        Ok(Blob { digest: digest.clone(), size: reader.size(), reader, buffers: self.buffers.clone(), _lease: lease })
    }

    /// A small blob as a whole. Blocks.
    pub(super) fn read_whole(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let blob = wait(self.stores.blobs.open(digest))?;
        read_whole(blob.as_ref(), limit).map_err(|e| e.context(digest))
    }
}

//! The blobs of one pull: what is not here is fetched, and clients are told how that goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::super::core::Engine;
use super::super::downloads::{Download, Key, Received, Start};
use super::progress::{BlobState, PullEvent};
use crate::domain::{Descriptor, Digest, Error, Kind, Result};
use crate::engine::leases::Lease;
use crate::registry::Repository;

/// How often the progress of one blob is told. What takes less is told of at its end only.
const PROGRESS: Duration = Duration::from_millis(100);

/// How often a blob is asked for again after a download that another pull began has failed.
const ATTEMPTS: usize = 3;

/// A blob that was fetched.
pub(super) struct FetchedBlob {
    pub(super) digest: Digest,
    pub(super) received: Arc<Received>,
    /// Held until the blob is in the store, so that who looks for it in between finds it here.
    _download: Arc<Download>,
}

/// Fetches the blobs of one pull.
pub(super) struct Loader {
    pub(super) engine: Engine,
    pub(super) repository: Repository,
    /// The registry's host and port.
    pub(super) registry: String,
    pub(super) lease: Arc<Lease>,
    pub(super) events: mpsc::Sender<PullEvent>,
}

impl Loader {
    /// Whether a blob is in the store, and stays there.
    pub(super) fn is_here(&self, blob: &Descriptor) -> bool {
        self.lease.hold(&blob.digest) && self.engine.0.catalog.state().blob(&blob.digest).is_some()
    }

    /// Fetches what is not here. The first `needed` blobs must be had; of the rest, what the registry lacks is left out.
    pub(super) async fn fetch_all(&self, blobs: &[Descriptor], needed: usize, shown: bool) -> Result<Vec<FetchedBlob>> {
        // No more than may run at a time stand in the queue, so that pulls take turns.
        let at_once = self.engine.0.settings.max_concurrent_downloads.max(1);
        let fetch = |(at, blob): (usize, Descriptor)| async move {
            match self.fetch(&blob, shown && is_shown(&blob)).await {
                Err(error) if error.kind() == Kind::NotFound && at >= needed => {
                    tracing::info!(content.digest = %blob.digest, "the registry lacks a blob of an attestation; pulling without it");
                    Ok(None)
                }
                result => result,
            }
        };
        stream::iter(blobs.iter().cloned().enumerate())
            .map(fetch)
            .buffer_unordered(at_once)
            .try_filter_map(|fetched| async { Ok(fetched) })
            .try_collect()
            .await
    }

    /// Fetches a blob; `None` where it is here.
    async fn fetch(&self, blob: &Descriptor, shown: bool) -> Result<Option<FetchedBlob>> {
        let mut attempts = 0;
        // Before it is joined or begun: whoever places it and fails must not take it away from this pull.
        self.lease.hold_in_advance(&blob.digest);
        loop {
            let key = Key { registry: self.registry.clone(), digest: blob.digest.clone() };
            let is_here = || self.is_here(blob);
            let start = self.engine.0.downloads.join_or_start(key, &self.repository, blob, is_here);
            let (download, own) = match start {
                Start::Stored => {
                    self.tell(blob, shown, BlobState::Exists).await;
                    return Ok(None);
                }
                Start::Joined(download) => (download, false),
                Start::Started(download) => (download, true),
            };
            let mut last = Instant::now();
            let progress = |current| {
                if shown && last.elapsed() >= PROGRESS {
                    last = Instant::now();
                    let state = BlobState::Downloading { current, total: blob.size };
                    // Progress that a slow client does not take is overtaken by the next.
                    let _ = self.events.try_send(PullEvent::Blob { digest: blob.digest.clone(), state });
                }
            };
            match download.finished(progress).await {
                Ok(received) if received.size != blob.size => {
                    let text = format!(
                        "content {} has {} bytes, its descriptor says {}",
                        blob.digest, received.size, blob.size
                    );
                    return Err(Error::invalid(text));
                }
                Ok(received) => {
                    self.tell(blob, shown, BlobState::Downloaded).await;
                    return Ok(Some(FetchedBlob { digest: blob.digest.clone(), received, _download: download }));
                }
                // Another pull's download may fail for reasons that are its own: its credential, or its descriptor.
                Err(error) if own || attempts >= ATTEMPTS => return Err(error),
                Err(_) => attempts += 1,
            }
        }
    }

    async fn tell(&self, blob: &Descriptor, shown: bool, state: BlobState) {
        if shown {
            let _ = self.events.send(PullEvent::Blob { digest: blob.digest.clone(), state }).await;
        }
    }
}

/// Whether clients are told of a blob: documents and configurations are too small.
fn is_shown(blob: &Descriptor) -> bool {
    let kind = &blob.media_type;
    !(kind.is_index() || kind.is_manifest() || kind.is_config())
}

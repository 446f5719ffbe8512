//! Blobs as files, each named by its digest.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::files::{self, BlobFile};
use super::ingest::{FileIngest, StagedFile};
use super::root::Root;
use crate::domain::digest::Algorithm;
use crate::domain::{Digest, Error, Result};
use crate::store::blocking::offload;
use crate::store::{Blob, BlobStore, Ingest, IngestRequest, IngestStatus, Staged};

/// The blobs of one data root.
pub(super) struct LocalBlobs(Arc<Root>);

impl LocalBlobs {
    pub(super) fn new(root: Arc<Root>) -> Self {
        Self(root)
    }
}

impl BlobStore for LocalBlobs {
    fn open<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Arc<dyn Blob>>> {
        let (root, digest) = (self.0.clone(), digest.clone());
        Box::pin(offload(move || {
            let blob = BlobFile::open(&root.blob_path(&digest)).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => Error::not_found(format!("content {digest}: not found")),
                _ => Error::io(format!("opening content {digest}"), e),
            })?;
            Ok(Arc::new(blob) as Arc<dyn Blob>)
        }))
    }

    fn open_ready(&self, digest: &Digest) -> Option<Arc<dyn Blob>> {
        Some(Arc::new(BlobFile::open_ready(&self.0.blob_path(digest))?))
    }

    fn ingest(&self, request: IngestRequest) -> BoxFuture<'_, Result<Box<dyn Ingest>>> {
        let root = self.0.clone();
        Box::pin(offload(move || Ok(Box::new(FileIngest::begin(root, request)?) as Box<dyn Ingest>)))
    }

    fn place(&self, staged: Vec<Staged>) -> BoxFuture<'_, Result<()>> {
        let root = self.0.clone();
        Box::pin(offload(move || place(&root, staged)))
    }

    fn condemn<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, Result<()>> {
        self.0.deletions.plan(digests);
        Box::pin(async { Ok(()) })
    }

    fn pardon<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        let (root, digests) = (self.0.clone(), digests.to_vec());
        Box::pin(async move {
            // It waits for the disk where a file is just being removed. It fails only where the process is ending.
            let pardon = offload(move || {
                for digest in &digests {
                    root.deletions.cancel(digest);
                }
                Ok(())
            });
            let _ = pardon.await;
        })
    }

    fn remove<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        let (root, digests) = (self.0.clone(), digests.to_vec());
        Box::pin(async move {
            let removal = offload(move || {
                root.deletions.run(&digests, |digest| files::remove(&root.blob_path(digest)));
                Ok(())
            });
            // It fails only where the process is ending; the deletions are run when the store is closed.
            let _ = removal.await;
        })
    }

    fn discard_partials(&self) -> BoxFuture<'_, u64> {
        let root = self.0.clone();
        Box::pin(async move { offload(move || Ok(root.partials.clear())).await.unwrap_or_default() })
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.0.ingests.lock().values().cloned().collect()
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        let root = self.0.clone();
        Box::pin(offload(move || {
            root.deletions.run(&root.deletions.all(), |digest| files::remove(&root.blob_path(digest)));
            Ok(())
        }))
    }
}

/// Syncs the files, renames them to where they belong, and syncs the directories.
fn place(root: &Root, staged: Vec<Staged>) -> Result<()> {
    let mut blobs = Vec::with_capacity(staged.len());
    for staged in staged {
        let digest = staged.digest.clone();
        let file: StagedFile = staged
            .into_content()
            .ok_or_else(|| Error::internal("a blob was staged in another store", "mixed stores"))?;
        blobs.push((digest, file));
    }
    root.mark_unclean()?;
    files::sync_staged(&root.ingest_dir, blobs.iter().map(|(_, file)| file.path()))?;
    let mut placed = Vec::with_capacity(blobs.len());
    for (digest, file) in blobs {
        root.deletions.cancel(&digest);
        file.place(&root.blob_path(&digest))?;
        placed.push(digest);
    }
    for algorithm in Algorithm::ALL {
        if placed.iter().any(|digest| digest.algorithm() == algorithm) {
            files::sync_dir(&root.blob_dir(algorithm))?;
        }
    }
    root.partials.drop_completed(placed.iter());
    Ok(())
}

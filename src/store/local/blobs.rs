//! Blobs: large ones as files, each named by its digest, and small ones in packs.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::files::{self, BlobFile};
use super::ingest::{LocalIngest, StagedBlob, StagedPath};
use super::root::Root;
use super::usage;
use crate::domain::digest::Algorithm;
use crate::domain::{Digest, Error, Result};
use crate::store::blocking::offload;
use crate::store::{Blob, BlobStore, Ingest, IngestRequest, IngestStatus, Staged, StoreUsage};

/// The blobs of one data root.
pub(super) struct LocalBlobs(Arc<Root>);

impl LocalBlobs {
    pub(super) fn new(root: Arc<Root>) -> Self {
        Self(root)
    }
}

impl BlobStore for LocalBlobs {
    fn open<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Arc<dyn Blob>>> {
        if let Some(blob) = self.0.packs.get(digest) {
            return Box::pin(async { Ok(blob) });
        }
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
        match self.0.packs.get(digest) {
            Some(blob) => Some(blob),
            None => Some(Arc::new(BlobFile::open_ready(&self.0.blob_path(digest))?)),
        }
    }

    fn ingest(&self, request: IngestRequest) -> BoxFuture<'_, Result<Box<dyn Ingest>>> {
        let root = self.0.clone();
        let is_quick = LocalIngest::is_quick(&root, &request);
        let begin = move || Ok(Box::new(LocalIngest::begin(root, request)?) as Box<dyn Ingest>);
        Box::pin(async move { if is_quick { begin() } else { offload(begin).await } })
    }

    fn place(&self, staged: Vec<Staged>) -> BoxFuture<'_, Result<()>> {
        let root = self.0.clone();
        Box::pin(offload(move || place(&root, staged)))
    }

    fn usage(&self) -> BoxFuture<'_, Result<Option<StoreUsage>>> {
        let root = self.0.clone();
        Box::pin(offload(move || usage::of(&root.path).map(Some)))
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
                remove(&root, &digests);
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
            remove(&root, &root.deletions.all());
            root.packs.close()
        }))
    }
}

/// Removes those of the blobs whose deletion is still planned.
fn remove(root: &Root, digests: &[Digest]) {
    root.deletions.run(digests, |digest| {
        root.packs.remove(digest);
        // Small blobs of an older format are files as well, and one that was placed again is both.
        files::remove(&root.blob_path(digest))
    });
    root.packs.tidy();
}

/// Writes small blobs to packs. Syncs the files of large ones, renames them to where they belong, and syncs the directories.
fn place(root: &Root, staged: Vec<Staged>) -> Result<()> {
    let (mut files, mut small) = (Vec::new(), Vec::new());
    for staged in staged {
        let digest = staged.digest.clone();
        match staged.into_content() {
            Some(StagedBlob::File(file)) => files.push((digest, file)),
            Some(StagedBlob::Small(bytes, registration)) => small.push(((digest, bytes), registration)),
            None => return Err(Error::internal("a blob was staged in another store", "mixed stores")),
        }
    }
    root.mark_unclean()?;
    let (small, _registrations): (Vec<_>, Vec<_>) = small.into_iter().unzip();
    for (digest, _) in &small {
        root.deletions.cancel(digest);
    }
    root.partials.making_room(|| root.packs.place(&small))?;
    place_files(root, files)
}

fn place_files(root: &Root, files: Vec<(Digest, StagedPath)>) -> Result<()> {
    files::sync_staged(&root.ingest_dir, files.iter().map(|(_, file)| file.path()))?;
    let mut placed = Vec::with_capacity(files.len());
    for (digest, file) in files {
        root.deletions.cancel(&digest);
        // Where it was packed by another limit, that would be read instead.
        root.packs.remove(&digest);
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

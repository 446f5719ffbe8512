//! Who waits for whom.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};

use super::*;
use crate::store;
use crate::store::{BlobStore, IngestRequest, IngestStatus, Staged};

/// Blobs on a disk whose syncs and deletions take as long as the test says.
struct SlowDisk {
    inner: Arc<dyn BlobStore>,
    /// One permit for each call that may go on.
    syncs: Semaphore,
    deletions: Semaphore,
    /// Told when a call waits.
    waiting: mpsc::UnboundedSender<&'static str>,
}

impl BlobStore for SlowDisk {
    fn open<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Arc<dyn store::Blob>>> {
        self.inner.open(digest)
    }

    fn ingest(&self, request: IngestRequest) -> BoxFuture<'_, Result<Box<dyn store::Ingest>>> {
        self.inner.ingest(request)
    }

    fn place(&self, staged: Vec<Staged>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let _ = self.waiting.send("sync");
            self.syncs.acquire().await.unwrap().forget();
            self.inner.place(staged).await
        })
    }

    fn condemn<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, Result<()>> {
        self.inner.condemn(digests)
    }

    fn pardon<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        self.inner.pardon(digests)
    }

    fn remove<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let _ = self.waiting.send("deletion");
            self.deletions.acquire().await.unwrap().forget();
            self.inner.remove(digests).await;
        })
    }

    fn discard_partials(&self) -> BoxFuture<'_, u64> {
        self.inner.discard_partials()
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.inner.ingests()
    }
}

/// An engine on such a disk, which may do that many syncs without waiting.
async fn on_slow_disk(syncs: usize) -> (Engine, Arc<SlowDisk>, mpsc::UnboundedReceiver<&'static str>) {
    let mut stores = MemoryStore::open();
    let (waiting, calls) = mpsc::unbounded_channel();
    let (syncs, deletions) = (Semaphore::new(syncs), Semaphore::new(0));
    let disk = Arc::new(SlowDisk { inner: stores.blobs, syncs, deletions, waiting });
    stores.blobs = disk.clone();
    (Engine::with_stores(Settings::new("/nowhere"), stores).await.unwrap(), disk, calls)
}

async fn until(calls: &mut mpsc::UnboundedReceiver<&'static str>, call: &str) {
    while calls.recv().await.unwrap() != call {}
}

#[tokio::test]
async fn nobody_waits_for_files_that_another_removed() {
    let (engine, disk, mut calls) = on_slow_disk(100).await;
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    load(&engine, LoadOptions::default(), fixture("legacy-docker-archive.tar")).await.unwrap();
    let removing = engine.clone();
    let removing = tokio::spawn(async move {
        let force = RemoveOptions { force: true, ..RemoveOptions::default() };
        removing.remove(&called(APP_ID), force).await
    });
    until(&mut calls, "deletion").await;
    assert_eq!(ids(&engine), [LEGACY_ID]);
    engine.tag(&called(LEGACY_ID), &new_name("other:1")).await.unwrap();
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    assert!(!removing.is_finished());
    disk.deletions.add_permits(100);
    removing.await.unwrap().unwrap();
    assert_eq!(ids(&engine).len(), 2);
    // What came back meanwhile is still there.
    for blob in engine.blobs() {
        assert!(engine.blob(&blob.digest).await.is_ok());
    }
}

#[tokio::test]
async fn no_tag_waits_for_the_blobs_of_a_load() {
    let (engine, disk, mut calls) = on_slow_disk(1).await;
    load(&engine, LoadOptions::default(), fixture("legacy-docker-archive.tar")).await.unwrap();
    let loading = engine.clone();
    let loading = tokio::spawn(async move { load(&loading, LoadOptions::default(), fixture("app-oci.tar")).await });
    until(&mut calls, "sync").await;
    until(&mut calls, "sync").await;
    engine.tag(&called(LEGACY_ID), &new_name("other:1")).await.unwrap();
    let force = RemoveOptions { force: true, ..RemoveOptions::default() };
    engine.remove(&called("other:1"), force).await.unwrap();
    assert!(!loading.is_finished() && ids(&engine) == [LEGACY_ID]);
    disk.syncs.add_permits(100);
    loading.await.unwrap().unwrap();
    assert_eq!(ids(&engine).len(), 2);
}

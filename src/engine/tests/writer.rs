//! Who changes what is kept, and who waits for it.

use parking_lot::Condvar;

use super::*;
use crate::store::{Changes, Content, Contents, Ingest, IngestStatus, ReadAt};

/// A store whose disk takes until it is told to free the room of what was removed.
#[derive(Default)]
struct SlowDisk {
    inner: MemoryStore,
    erasing: Mutex<Erasing>,
    changed: Condvar,
}

#[derive(Default)]
struct Erasing {
    begun: bool,
    allowed: bool,
}

impl Content for SlowDisk {
    fn open(&self, digest: &Digest) -> Result<Box<dyn ReadAt>> {
        self.inner.open(digest)
    }

    fn open_ready(&self, digest: &Digest) -> Option<Box<dyn ReadAt>> {
        self.inner.open_ready(digest)
    }

    fn ingest(&self, reference: &str, total: u64, expected: Option<Digest>) -> Result<Box<dyn Ingest>> {
        self.inner.ingest(reference, total, expected)
    }

    fn resume(&self, reference: &str, total: u64, expected: Digest) -> Result<Box<dyn Ingest>> {
        self.inner.resume(reference, total, expected)
    }

    fn forget_partials(&self) -> u64 {
        self.inner.forget_partials()
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.inner.ingests()
    }
}

impl Store for SlowDisk {
    fn contents(&self) -> Result<Contents> {
        self.inner.contents()
    }

    fn commit(&self, changes: Changes) -> Result<()> {
        self.inner.commit(changes)
    }

    fn erase(&self, removed: &[Digest]) {
        let mut erasing = self.erasing.lock();
        erasing.begun = true;
        self.changed.notify_all();
        self.changed.wait_while(&mut erasing, |erasing| !erasing.allowed);
        drop(erasing);
        self.inner.erase(removed);
    }

    fn was_interrupted(&self) -> bool {
        self.inner.was_interrupted()
    }

    fn uuid(&self) -> &str {
        self.inner.uuid()
    }

    fn close(&self) -> Result<()> {
        self.inner.close()
    }
}

#[tokio::test]
async fn nobody_waits_for_files_that_another_removed() {
    let store = Arc::new(SlowDisk::default());
    let engine = Engine::with_store(Settings::new("/nowhere"), store.clone()).unwrap();
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    load(&engine, LoadOptions::default(), fixture("legacy-docker-archive.tar")).await.unwrap();
    let (removing, force) = (engine.clone(), RemoveOptions { force: true, ..RemoveOptions::default() });
    let removing = tokio::spawn(async move { removing.remove(APP_ID, force).await });
    let begun = store.clone();
    tokio::task::spawn_blocking(move || {
        let mut erasing = begun.erasing.lock();
        begun.changed.wait_while(&mut erasing, |erasing| !erasing.begun);
    })
    .await
    .unwrap();
    assert_eq!(ids(&engine, ""), [LEGACY_ID]);
    engine.tag(LEGACY_ID, &new_name("other:1")).await.unwrap();
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    assert!(!removing.is_finished());
    store.erasing.lock().allowed = true;
    store.changed.notify_all();
    removing.await.unwrap().unwrap();
    assert_eq!(ids(&engine, "").len(), 2);
}

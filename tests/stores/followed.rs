//! Two engines on one store follow each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use loadline::domain::{Digest, ImageName, Kind, Result, TagName};
use loadline::engine::{
    Admission, Candidate, Engine, ListQuery, LoadEvent, LoadOptions, PruneFilter, RemoveOptions, Settings, Verdict,
};
use loadline::store::{
    Blob, BlobStore, Commit, CommitOutcome, HeldLease, Ingest, IngestRequest, IngestStatus, LeaseId, LeaseStore,
    MemoryStore, MetadataStore, Records, Revision, Staged, Stores,
};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::support::images::{Layout, digest};

/// How long news of a revision may take.
const SOON: Duration = Duration::from_secs(10);

pub async fn engine(stores: &Stores) -> Engine {
    Engine::with_stores(Settings::new("/nowhere"), stores.clone()).await.unwrap()
}

pub async fn load(engine: &Engine, archive: Vec<u8>) -> Result<()> {
    let archive: Vec<_> = archive.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut events = engine.load(LoadOptions::default(), stream::iter(archive));
    while let Some(event) = events.recv().await {
        if let LoadEvent::Failed(error) = event {
            return Err(error);
        }
    }
    Ok(())
}

pub async fn tag(engine: &Engine, image: &str, name: &str) -> Result<()> {
    engine.tag(&ImageName::parse(image).unwrap(), &TagName::new(name.parse().unwrap()).unwrap()).await
}

pub async fn remove(engine: &Engine, name: &str) -> Result<()> {
    engine.remove(&ImageName::parse(name).unwrap(), RemoveOptions::default()).await.map(drop)
}

/// Removes images without a name; those with names too where that is asked for.
pub async fn prune(engine: &Engine, named: bool) -> Result<()> {
    engine.prune(&PruneFilter { named, ..PruneFilter::default() }).await.map(drop)
}

/// The names that an engine lists, and dangling images by their digests, each with its target.
pub fn listed(engine: &Engine) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for row in engine.list(&ListQuery::default()).unwrap().rows {
        let summary = row.summary();
        let target = summary.target.digest.to_string();
        match summary.names.is_empty() {
            true => drop(names.insert(target.clone(), target)),
            false => names.extend(summary.names.iter().map(|name| (name.to_string(), target.clone()))),
        }
    }
    names
}

/// Waits until an engine lists this.
#[track_caller]
pub fn lists(engine: &Engine, expected: &BTreeMap<String, String>) -> impl Future<Output = ()> {
    let (engine, expected, at) = (engine.clone(), expected.clone(), std::panic::Location::caller());
    async move {
        let start = Instant::now();
        while listed(&engine) != expected {
            assert!(start.elapsed() < SOON, "{at}: {:#?} in place of {expected:#?}", listed(&engine));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn bytes(engine: &Engine, digest: &str) -> Vec<u8> {
    let digest: Digest = digest.parse().unwrap();
    let blob = engine.blob(&digest).await.unwrap_or_else(|error| panic!("{digest}: {}", error.chain()));
    let pieces: Vec<Bytes> = blob.stream(0, u64::MAX, 100_000).try_collect().await.unwrap();
    let bytes = pieces.concat();
    assert_eq!(Digest::of(&bytes), digest);
    bytes
}

/// Fails unless everything that an engine lists can be read.
pub async fn is_whole(engine: &Engine) {
    for target in listed(engine).values() {
        let manifest: Value = serde_json::from_slice(&bytes(engine, target).await).unwrap();
        for child in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
            bytes(engine, digest(child)).await;
        }
    }
}

/// An archive of an image that holds a text, and the image's digest.
pub fn image(text: &str, names: &[&str]) -> (Vec<u8>, String) {
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", text);
    names.iter().for_each(|name| layout.named(&image, name));
    (layout.tar(), digest(&image).to_owned())
}

fn names(names: &[(&str, &String)]) -> BTreeMap<String, String> {
    names.iter().map(|(name, target)| ((*name).to_owned(), (*target).clone())).collect()
}

const ONE: &str = "registry.test/one:1";
const TWO: &str = "registry.test/two:1";
const THREE: &str = "registry.test/three:1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_changes_the_other_lists() {
    let stores = MemoryStore::open();
    let (a, b) = (engine(&stores).await, engine(&stores).await);
    let ((archive, first), (other, second)) = (image("first", &[ONE]), image("second", &[ONE]));
    load(&a, archive).await.unwrap();
    lists(&b, &names(&[(ONE, &first)])).await;
    is_whole(&b).await;
    tag(&b, ONE, TWO).await.unwrap();
    lists(&a, &names(&[(ONE, &first), (TWO, &first)])).await;
    // It decides on what is, not on what it knew.
    remove(&a, TWO).await.unwrap();
    assert_eq!(tag(&b, TWO, THREE).await.map_err(|error| error.kind()), Err(Kind::NotFound));
    lists(&b, &names(&[(ONE, &first)])).await;
    load(&b, other).await.unwrap();
    lists(&a, &names(&[(ONE, &second), (&first, &first)])).await;
    prune(&a, false).await.unwrap();
    lists(&b, &names(&[(ONE, &second)])).await;
    is_whole(&a).await;
    assert!(b.blob_info(&first.parse().unwrap()).is_none() && b.blob(&first.parse().unwrap()).await.is_err());
    prune(&b, true).await.unwrap();
    lists(&a, &names(&[])).await;
    assert!(a.blobs().is_empty() && b.blobs().is_empty());
    // One that comes later knows what is there.
    load(&a, image("third", &[THREE]).0).await.unwrap();
    assert_eq!(listed(&engine(&stores).await), listed(&a));
}

/// Decides when it is told to.
struct Slow {
    asked: mpsc::UnboundedSender<()>,
    allowed: Semaphore,
}

impl Admission for Slow {
    fn decide<'a>(&'a self, _candidate: &'a Candidate) -> BoxFuture<'a, Result<Verdict>> {
        Box::pin(async {
            let _ = self.asked.send(());
            self.allowed.acquire().await.unwrap().forget();
            Ok(Verdict::NoRule)
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_load_finds_here_is_not_collected_by_another_engine() {
    let stores = MemoryStore::open();
    let (asked, mut asking) = mpsc::unbounded_channel();
    let slow = Arc::new(Slow { asked, allowed: Semaphore::new(0) });
    let settings = Settings { admissions: vec![slow.clone()], ..Settings::new("/nowhere") };
    let (a, b) = (Engine::with_stores(settings, stores.clone()).await.unwrap(), engine(&stores).await);
    let ((archive, first), (other, second)) = (image("first", &[ONE]), image("second", &[ONE]));
    load(&b, archive).await.unwrap();
    load(&b, other).await.unwrap();
    lists(&a, &names(&[(ONE, &second), (&first, &first)])).await;
    // All of it is here, without a name, when the archive is read.
    let loading = tokio::spawn({
        let a = a.clone();
        async move { load(&a, image("first", &[TWO]).0).await }
    });
    asking.recv().await.unwrap();
    prune(&b, false).await.unwrap();
    assert_eq!(listed(&b), names(&[(ONE, &second)]));
    slow.allowed.add_permits(100);
    loading.await.unwrap().unwrap();
    let expected = names(&[(ONE, &second), (TWO, &first)]);
    assert_eq!(listed(&a), expected);
    lists(&b, &expected).await;
    is_whole(&b).await;
}

/// Blobs that take their time to be placed, or to be reported as placed.
struct SlowDisk {
    inner: Arc<dyn BlobStore>,
    placing: mpsc::UnboundedSender<()>,
    before: Semaphore,
    after: Semaphore,
}

impl BlobStore for SlowDisk {
    fn open<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Arc<dyn Blob>>> {
        self.inner.open(digest)
    }

    fn ingest(&self, request: IngestRequest) -> BoxFuture<'_, Result<Box<dyn Ingest>>> {
        self.inner.ingest(request)
    }

    fn place(&self, staged: Vec<Staged>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let _ = self.placing.send(());
            self.before.acquire().await.unwrap().forget();
            self.inner.place(staged).await?;
            let _ = self.placing.send(());
            self.after.acquire().await.unwrap().forget();
            Ok(())
        })
    }

    fn condemn<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, Result<()>> {
        self.inner.condemn(digests)
    }

    fn pardon<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        self.inner.pardon(digests)
    }

    fn remove<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        self.inner.remove(digests)
    }

    fn discard_partials(&self) -> BoxFuture<'_, u64> {
        self.inner.discard_partials()
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.inner.ingests()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_load_brings_is_not_collected_by_another_engine() {
    for removed_after in [false, true] {
        let stores = MemoryStore::open();
        let (placing, mut places) = mpsc::unbounded_channel();
        let disk =
            SlowDisk { inner: stores.blobs.clone(), placing, before: Semaphore::new(0), after: Semaphore::new(0) };
        let disk = Arc::new(disk);
        let a = engine(&Stores { blobs: disk.clone(), ..stores.clone() }).await;
        let b = engine(&stores).await;
        let (archive, target) = image("same", &[ONE]);
        let loading = tokio::spawn({
            let (a, archive) = (a.clone(), archive.clone());
            async move { load(&a, archive).await }
        });
        places.recv().await.unwrap();
        // The same image comes and goes elsewhere, before the blobs of the first are placed, or just after.
        if removed_after {
            disk.before.add_permits(1);
            places.recv().await.unwrap();
        }
        load(&b, archive).await.unwrap();
        remove(&b, ONE).await.unwrap();
        prune(&b, true).await.unwrap();
        assert!(listed(&b).is_empty());
        disk.before.add_permits(100);
        disk.after.add_permits(100);
        loading.await.unwrap().unwrap();
        lists(&b, &names(&[(ONE, &target)])).await;
        is_whole(&a).await;
        is_whole(&b).await;
    }
}

/// Leases whose list, once that is asked for, is old when it comes.
struct SlowLeases {
    inner: Arc<dyn LeaseStore>,
    is_slow: AtomicBool,
    listed: mpsc::UnboundedSender<()>,
    allowed: Semaphore,
}

impl LeaseStore for SlowLeases {
    fn is_shared(&self) -> bool {
        true
    }

    fn create(&self, id: LeaseId, ttl: Duration) -> BoxFuture<'_, Result<()>> {
        self.inner.create(id, ttl)
    }

    fn update<'a>(&'a self, id: &'a LeaseId, add: &'a [Digest], drop: &'a [Digest]) -> BoxFuture<'a, Result<()>> {
        self.inner.update(id, add, drop)
    }

    fn renew<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>> {
        self.inner.renew(id)
    }

    fn delete<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>> {
        self.inner.delete(id)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<HeldLease>>> {
        Box::pin(async {
            let list = self.inner.list().await;
            if self.is_slow.swap(false, Ordering::SeqCst) {
                let _ = self.listed.send(());
                self.allowed.acquire().await.unwrap().forget();
            }
            list
        })
    }
}

/// Records whose changes nobody hears of.
struct Deaf(Arc<dyn MetadataStore>, watch::Sender<Revision>);

impl MetadataStore for Deaf {
    fn identity(&self) -> &str {
        self.0.identity()
    }

    fn read(&self, since: Option<Revision>) -> BoxFuture<'_, Result<Records>> {
        self.0.read(since)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome>> {
        self.0.commit(commit)
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.1.subscribe()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_placed_while_another_decided_to_remove_it_stays() {
    let stores = MemoryStore::open();
    let (placing, mut places) = mpsc::unbounded_channel();
    let (before, after) = (Semaphore::new(1), Semaphore::new(0));
    let disk = Arc::new(SlowDisk { inner: stores.blobs.clone(), placing, before, after });
    // It does not know that the image is here, so it brings it.
    let deaf = Arc::new(Deaf(stores.metadata.clone(), watch::Sender::default()));
    let a = engine(&Stores { blobs: disk.clone(), metadata: deaf, ..stores.clone() }).await;
    let (listed, mut lists_leases) = mpsc::unbounded_channel();
    let (is_slow, allowed) = (AtomicBool::new(false), Semaphore::new(0));
    let leases = Arc::new(SlowLeases { inner: stores.leases.clone(), is_slow, listed, allowed });
    let b = engine(&Stores { leases: leases.clone(), ..stores.clone() }).await;
    let (archive, target) = image("same", &[ONE]);
    load(&b, archive).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    leases.is_slow.store(true, Ordering::SeqCst);
    let removing = tokio::spawn({
        let b = b.clone();
        async move { remove(&b, ONE).await }
    });
    lists_leases.recv().await.unwrap();
    let loading = tokio::spawn({
        let a = a.clone();
        async move { load(&a, image("same", &[TWO]).0).await }
    });
    places.recv().await.unwrap();
    places.recv().await.unwrap();
    leases.allowed.add_permits(1);
    removing.await.unwrap().unwrap();
    disk.after.add_permits(1);
    loading.await.unwrap().unwrap();
    lists(&b, &names(&[(TWO, &target)])).await;
    is_whole(&b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_fails_takes_nothing_from_another_engine() {
    let stores = MemoryStore::open();
    let (a, b) = (engine(&stores).await, engine(&stores).await);
    let (archive, target) = image("same", &[ONE]);
    let half = archive[..archive.len() * 2 / 3].to_vec();
    let (sender, pieces) = mpsc::unbounded_channel();
    let mut events = a.load(
        LoadOptions::default(),
        tokio_stream::wrappers::UnboundedReceiverStream::new(pieces).map(Ok::<_, std::io::Error>),
    );
    sender.send(Bytes::from(half)).unwrap();
    load(&b, archive).await.unwrap();
    drop(sender);
    assert!(matches!(events.recv().await, Some(LoadEvent::Failed(_))));
    lists(&a, &names(&[(ONE, &target)])).await;
    is_whole(&a).await;
}

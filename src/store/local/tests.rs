//! What only stores on files promise: what is in their directory.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::*;
use crate::domain::Kind;
use crate::store::blocking::{offload, wait};
use crate::store::conformance::Fixture;
use crate::store::{
    BlobRecord, Commit, CommitOutcome, Ingest, IngestRequest, MIN_PARTIAL, OperationId, Revision, Staged,
};

struct InDirectory(tempfile::TempDir, Limits);

impl InDirectory {
    fn new(limits: Limits) -> Self {
        Self(tempfile::tempdir().unwrap(), limits)
    }
}

impl Fixture for InDirectory {
    fn open(&self) -> BoxFuture<'_, Result<Stores>> {
        let (path, limits) = (self.0.path().to_owned(), self.1);
        Box::pin(offload(move || open_limited(&path, limits)))
    }
}

/// Every blob is a file of its own.
const NO_PACKS: Limits = Limits { largest_blob: 0, pack: 0 };

mod packed {
    use super::*;
    crate::store_conformance!(InDirectory::new(Limits::default()));
}

mod in_small_packs {
    use super::*;
    crate::store_conformance!(InDirectory::new(Limits { pack: 1024, ..Limits::default() }));
}

mod in_files {
    use super::*;
    crate::store_conformance!(InDirectory::new(NO_PACKS));
}

fn stage(stores: &Stores, bytes: &[u8]) -> Staged {
    let request = IngestRequest { expected: Some(Digest::of(bytes)), ..IngestRequest::default() };
    let mut ingest = wait(stores.blobs.ingest(request)).unwrap();
    wait(ingest.write(bytes)).unwrap();
    wait(ingest.finish()).unwrap()
}

fn commit(stores: &Stores, changes: Changes) {
    let expected = *stores.metadata.watch().borrow();
    let commit = Commit { id: OperationId::random(), expected, changes: Arc::new(changes) };
    let outcome = wait(stores.metadata.commit(commit)).unwrap();
    assert_eq!(outcome, CommitOutcome::Committed(expected.next()));
}

/// Places and records blobs.
fn keep(stores: &Stores, contents: &[&[u8]]) -> Vec<Digest> {
    let staged: Vec<Staged> = contents.iter().map(|bytes| stage(stores, bytes)).collect();
    let blobs: Vec<_> =
        staged.iter().map(|blob| (blob.digest.clone(), BlobRecord { size: blob.size, created_at: 1 })).collect();
    wait(stores.blobs.place(staged)).unwrap();
    let digests = blobs.iter().map(|(digest, _)| digest.clone()).collect();
    commit(stores, Changes { blobs, ..Changes::default() });
    digests
}

/// The digests of the blobs that are recorded.
fn recorded(stores: &Stores) -> Vec<Digest> {
    wait(async {
        let mut records = stores.metadata.read(None).await.unwrap();
        let mut found = Vec::new();
        while let Some(batch) = futures_util::TryStreamExt::try_next(&mut records.batches).await.unwrap() {
            found.extend(batch.into_iter().filter_map(|entry| match entry {
                crate::store::Entry::Blob(digest, _) => Some(digest),
                _ => None,
            }));
        }
        found
    })
}

fn read(stores: &Stores, digest: &Digest) -> Vec<u8> {
    let blob = wait(stores.blobs.open(digest)).unwrap();
    let mut bytes = vec![0; blob.size() as usize];
    assert_eq!(wait(blob.read_at(&mut bytes, 0)).unwrap(), bytes.len());
    bytes
}

fn close(stores: &Stores) {
    wait(stores.blobs.close()).unwrap();
    wait(stores.metadata.close()).unwrap();
}

fn count(path: std::path::PathBuf) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

#[test]
fn a_commit_after_closing_takes_the_good_order_back() {
    let dir = tempfile::tempdir().unwrap();
    let stores = open(dir.path()).unwrap();
    close(&stores);
    keep(&stores, &[b"late"]);
    drop(stores);
    assert!(open(dir.path()).unwrap().metadata.was_interrupted());
}

#[test]
fn a_file_that_no_record_knows_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let stores = open_limited(dir.path(), NO_PACKS).unwrap();
    let digest = Digest::of(b"right");
    std::fs::write(dir.path().join("blobs/sha256").join(digest.hex()), b"wrong").unwrap();
    assert!(recorded(&stores).is_empty());
    for _ in 0..2 {
        keep(&stores, &[b"right"]);
        assert_eq!(read(&stores, &digest), b"right");
    }
    assert_eq!(count(dir.path().join("ingest")), 0);
}

#[test]
fn what_was_removed_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let stores = open_limited(dir.path(), NO_PACKS).unwrap();
    let files = || count(dir.path().join("blobs/sha256"));
    let removed = keep(&stores, &[b"one", b"two"]);
    wait(stores.blobs.condemn(&removed)).unwrap();
    commit(&stores, Changes { removed: removed.clone(), ..Changes::default() });
    assert_eq!(files(), 2);
    wait(stores.blobs.remove(&removed[..1]));
    assert_eq!(files(), 1);
    // What nobody came round to removing goes when the stores are closed.
    close(&stores);
    assert_eq!(files(), 0);
}

#[test]
fn leftovers_of_a_crash_are_put_right_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let stores = open_limited(dir.path(), NO_PACKS).unwrap();
    let [kept, lost] = keep(&stores, &[b"kept", b"lost"]).try_into().unwrap();
    let revision = *stores.metadata.watch().borrow();
    drop(stores); // without closing, as a crash would
    let blobs = dir.path().join("blobs/sha256");
    std::fs::remove_file(blobs.join(lost.hex())).unwrap();
    std::fs::write(blobs.join(Digest::of(b"unrecorded").hex()), b"unrecorded").unwrap();
    std::fs::write(blobs.join("not a digest"), b"x").unwrap();
    std::fs::create_dir(dir.path().join("blobs/sha512/directory")).unwrap();
    std::fs::write(dir.path().join("ingest/7"), b"half").unwrap();
    let stores = open_limited(dir.path(), NO_PACKS).unwrap();
    assert!(stores.metadata.was_interrupted());
    assert_eq!(recorded(&stores), std::slice::from_ref(&kept));
    assert_eq!(*stores.metadata.watch().borrow(), Revision(revision.0 + 1), "dropping records is a change");
    let files: Vec<_> = std::fs::read_dir(&blobs).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, [std::ffi::OsString::from(kept.hex())]);
    assert_eq!(count(dir.path().join("ingest")), 0);
}

#[test]
fn packs_are_put_right_too() {
    let dir = tempfile::tempdir().unwrap();
    let packs = || count(dir.path().join("packs"));
    let stores = open(dir.path()).unwrap();
    let [kept, removed] = keep(&stores, &[b"kept", b"removed"]).try_into().unwrap();
    let unrecorded = stage(&stores, b"unrecorded");
    let digest = unrecorded.digest.clone();
    wait(stores.blobs.place(vec![unrecorded])).unwrap();
    wait(stores.blobs.condemn(std::slice::from_ref(&removed))).unwrap();
    commit(&stores, Changes { removed: vec![removed.clone()], ..Changes::default() });
    wait(stores.blobs.remove(std::slice::from_ref(&removed)));
    drop(stores); // without closing, as a crash would
    assert_eq!((packs(), count(dir.path().join("blobs/sha256"))), (1, 0));
    let stores = open(dir.path()).unwrap();
    assert_eq!(read(&stores, &kept), b"kept");
    for gone in [&removed, &digest] {
        assert_eq!(wait(stores.blobs.open(gone)).err().map(|error| error.kind()), Some(Kind::NotFound));
    }
    close(&stores);
    drop(stores);
    assert_eq!(packs(), 2, "a pack and its index");
    // What is lost of a pack is lost of the records too.
    std::fs::remove_file(dir.path().join("clean")).unwrap();
    std::fs::remove_file(dir.path().join("packs/00000000.pack")).unwrap();
    assert!(recorded(&open(dir.path()).unwrap()).is_empty());
}

#[test]
fn small_files_of_an_older_root_are_read_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let files = || count(dir.path().join("blobs/sha256"));
    let stores = open_limited(dir.path(), NO_PACKS).unwrap();
    let digests = keep(&stores, &[b"one", b"two", b"three"]);
    close(&stores);
    drop(stores);
    assert_eq!(files(), 3);
    let stores = open(dir.path()).unwrap();
    assert_eq!(read(&stores, &digests[0]), b"one");
    // It comes once more, because it was rotten, and is in both places then.
    std::fs::write(dir.path().join("blobs/sha256").join(digests[1].hex()), b"rot").unwrap();
    keep(&stores, &[b"two"]);
    assert_eq!(read(&stores, &digests[1]), b"two");
    wait(stores.blobs.condemn(&digests)).unwrap();
    commit(&stores, Changes { removed: digests.clone(), ..Changes::default() });
    wait(stores.blobs.remove(&digests));
    assert_eq!((files(), count(dir.path().join("packs"))), (0, 0));
    assert!(wait(stores.blobs.open(&digests[1])).is_err());
}

#[test]
fn a_blob_that_grows_is_moved_from_memory_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let stores = open(dir.path()).unwrap();
    let ingests = || count(dir.path().join("ingest"));
    let content = vec![5; (16 << 10) + 1];
    let mut ingest = wait(stores.blobs.ingest(IngestRequest::default())).unwrap();
    wait(ingest.write(&content[..16 << 10])).unwrap();
    assert_eq!((ingests(), ingest.offset()), (0, 16 << 10));
    wait(ingest.write(&content[16 << 10..])).unwrap();
    assert_eq!((ingests(), ingest.offset()), (1, content.len() as u64));
    let staged = wait(ingest.finish()).unwrap();
    assert_eq!(staged.digest, Digest::of(&content));
    let digest = staged.digest.clone();
    wait(stores.blobs.place(vec![staged])).unwrap();
    assert_eq!(read(&stores, &digest), content);
    assert_eq!((ingests(), count(dir.path().join("blobs/sha256")), count(dir.path().join("packs"))), (0, 1, 0));
    // One that is dropped leaves nothing.
    let mut ingest = wait(stores.blobs.ingest(IngestRequest::default())).unwrap();
    wait(ingest.write(&content)).unwrap();
    drop(ingest);
    assert_eq!(ingests(), 0);
}

#[test]
fn memory_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let stores = open(dir.path()).unwrap();
    let content: Vec<Vec<u8>> = (0..4200u32).map(|n| n.to_le_bytes().repeat(4 << 10)).collect();
    let staged: Vec<Staged> = content.iter().map(|bytes| stage(&stores, bytes)).collect();
    // 64 MiB in memory, the rest in files.
    assert_eq!(count(dir.path().join("ingest")), 4200 - 4096);
    wait(stores.blobs.place(staged)).unwrap();
    assert_eq!(count(dir.path().join("blobs/sha256")), 4200 - 4096);
    for bytes in &content {
        assert_eq!(read(&stores, &Digest::of(bytes)), *bytes);
    }
    drop(stage(&stores, &content[0]));
    assert_eq!(count(dir.path().join("ingest")), 0);
}

#[test]
fn what_was_fetched_before_a_crash_is_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let content = vec![7; 2 * MIN_PARTIAL as usize];
    let digest = Digest::of(&content);
    let resume = |stores: &Stores| -> Box<dyn Ingest> {
        let (total, expected) = (content.len() as u64, Some(digest.clone()));
        wait(stores.blobs.ingest(IngestRequest { total, expected, resume: true, ..IngestRequest::default() })).unwrap()
    };
    let stores = open(dir.path()).unwrap();
    let mut under_way = resume(&stores);
    wait(under_way.write(&content[1..])).unwrap();
    // A crash drops nothing, and lets go of the lock.
    let saved = dir.path().join("saved");
    let file = std::fs::read_dir(dir.path().join("ingest")).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(&file, &saved).unwrap();
    drop((under_way, stores));
    std::fs::rename(&saved, file).unwrap();
    let stores = open(dir.path()).unwrap();
    assert_eq!(count(dir.path().join("ingest")), 0);
    for _ in 0..2 {
        let ingest = resume(&stores);
        assert_eq!(ingest.offset(), content.len() as u64 - 1);
        ingest.set_aside();
    }
    close(&stores);
    drop(stores);
    let stores = open(dir.path()).unwrap();
    let mut ingest = resume(&stores);
    wait(ingest.write(&content[..1])).unwrap();
    wait(stores.blobs.place(vec![wait(ingest.finish()).unwrap()])).unwrap();
    assert_eq!(read(&stores, &digest), content);
    assert_eq!(count(dir.path().join("partial")), 0);
}

#[test]
fn a_root_is_used_by_one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let _stores = open(dir.path()).unwrap();
    let error = open(dir.path()).err().expect("a second one");
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.public().contains("in use by another process"), "{error:?}");
}

#[test]
fn a_root_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let _stores = open(&root).unwrap();
    for path in ["", "ingest", "partial", "packs", "blobs", "blobs/sha256", "blobs/sha512"] {
        assert_eq!(std::fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
    }
}

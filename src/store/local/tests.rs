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

struct InDirectory(tempfile::TempDir);

impl InDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Fixture for InDirectory {
    fn open(&self) -> BoxFuture<'_, Result<Stores>> {
        let path = self.0.path().to_owned();
        Box::pin(offload(move || open(&path)))
    }
}

crate::store_conformance!(InDirectory::new());

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
    let stores = open(dir.path()).unwrap();
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
    let stores = open(dir.path()).unwrap();
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
    let stores = open(dir.path()).unwrap();
    let [kept, lost] = keep(&stores, &[b"kept", b"lost"]).try_into().unwrap();
    let revision = *stores.metadata.watch().borrow();
    drop(stores); // without closing, as a crash would
    let blobs = dir.path().join("blobs/sha256");
    std::fs::remove_file(blobs.join(lost.hex())).unwrap();
    std::fs::write(blobs.join(Digest::of(b"unrecorded").hex()), b"unrecorded").unwrap();
    std::fs::write(blobs.join("not a digest"), b"x").unwrap();
    std::fs::create_dir(dir.path().join("blobs/sha512/directory")).unwrap();
    std::fs::write(dir.path().join("ingest/7"), b"half").unwrap();
    let stores = open(dir.path()).unwrap();
    assert!(stores.metadata.was_interrupted());
    assert_eq!(recorded(&stores), std::slice::from_ref(&kept));
    assert_eq!(*stores.metadata.watch().borrow(), Revision(revision.0 + 1), "dropping records is a change");
    let files: Vec<_> = std::fs::read_dir(&blobs).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, [std::ffi::OsString::from(kept.hex())]);
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
    for path in ["", "ingest", "partial", "blobs", "blobs/sha256", "blobs/sha512"] {
        assert_eq!(std::fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
    }
}

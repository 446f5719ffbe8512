//! What every store promises, run on each implementation.

use super::*;
use crate::domain::digest::Algorithm;
use crate::domain::error::Kind;
use crate::domain::{MediaType, StringMap};

fn stage(store: &impl Store, bytes: &[u8]) -> Staged {
    let mut ingest = store.ingest("test", 0, Some(Digest::of(bytes))).unwrap();
    for part in bytes.chunks(3) {
        ingest.write(part).unwrap();
    }
    ingest.finish().unwrap()
}

fn read(store: &impl Store, digest: &Digest) -> Result<Vec<u8>> {
    let blob = store.open(digest)?;
    let mut bytes = vec![0; blob.size() as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += blob.read_at(&mut bytes[filled..], filled as u64)?;
    }
    assert_eq!(blob.read_at(&mut [0; 8], filled as u64)?, 0, "reading at the end");
    assert_eq!(blob.read_at(&mut [0; 8], u64::MAX / 2)?, 0, "reading past the end");
    Ok(bytes)
}

fn name(target: &Digest) -> NameRecord {
    let target = Descriptor::new(MediaType::OCI_INDEX, target.clone(), 7);
    NameRecord { target, created_at: 1, updated_at: 2 }
}

fn blobs_are_seen_from_commit_on(store: &impl Store) {
    let digest = Digest::of(b"first blob");
    let staged = stage(store, b"first blob");
    assert_eq!(store.open(&digest).err().map(|e| e.kind()), Some(Kind::NotFound));
    assert_eq!(staged.open().unwrap().size(), 10);
    store.commit(Changes { blobs: vec![staged], now: 42, ..Changes::default() }).unwrap();
    assert_eq!(read(store, &digest).unwrap(), b"first blob");
    let again = stage(store, b"first blob");
    store.commit(Changes { blobs: vec![again], now: 43, ..Changes::default() }).unwrap();
    let records: Vec<_> = store.contents().unwrap().blobs.into_iter().filter(|(d, _)| *d == digest).collect();
    assert_eq!(records, [(digest, BlobRecord { size: 10, created_at: 42 })], "the second commit changes nothing");
}

fn a_wrong_digest_is_refused(store: &impl Store) {
    let mut ingest = store.ingest("test", 0, Some(Digest::of(b"right"))).unwrap();
    ingest.write(b"wrong").unwrap();
    let error = ingest.finish().err().expect("wrong content");
    assert_eq!(error.kind(), Kind::InvalidArgument);
    assert!(store.open(&Digest::of(b"wrong")).is_err());
}

fn both_algorithms_are_served(store: &impl Store) {
    let digest = Digest::compute(Algorithm::Sha512, b"long");
    let mut ingest = store.ingest("test", 0, Some(digest.clone())).unwrap();
    ingest.write(b"long").unwrap();
    store.commit(Changes { blobs: vec![ingest.finish().unwrap()], ..Changes::default() }).unwrap();
    assert_eq!(read(store, &digest).unwrap(), b"long");
}

fn ingests_are_listed_while_they_are_written(store: &impl Store) {
    assert!(store.ingests().is_empty());
    let mut ingest = store.ingest("layer one", 9, None).unwrap();
    ingest.write(b"12345").unwrap();
    let listed = store.ingests();
    assert_eq!((listed.len(), listed[0].reference.as_str(), listed[0].offset, listed[0].total), (1, "layer one", 5, 9));
    drop(ingest);
    assert!(store.ingests().is_empty(), "an abandoned ingest is gone");
}

fn what_was_set_aside_is_taken_up_again(store: &impl Store) {
    let content: Vec<u8> = (0..3 * LEAST_PARTIAL).map(|n| (n % 251) as u8).collect();
    let (digest, total) = (Digest::of(&content), content.len() as u64);
    let (first, rest) = content.split_at(content.len() / 2);
    let resume = || store.resume("pull", total, digest.clone()).unwrap();
    let begin = |bytes: &[u8]| {
        let mut ingest = resume();
        assert_eq!(ingest.offset(), 0);
        ingest.write(bytes).unwrap();
        ingest.set_aside();
        assert!(store.ingests().is_empty());
    };
    begin(&first[..100]); // too little to be kept
    begin(first);
    let mut ingest = resume();
    assert_eq!((ingest.offset(), store.ingests()[0].offset), (first.len() as u64, first.len() as u64));
    assert_eq!(resume().offset(), 0, "one goes on with it at a time");
    ingest.write(rest).unwrap();
    // As a whole it is kept as well, until it is wanted.
    ingest.finish().unwrap().set_aside();
    let ingest = resume();
    assert_eq!(ingest.offset(), total);
    let staged = ingest.finish().unwrap();
    begin(first); // somebody else gives up on the same blob
    store.commit(Changes { blobs: vec![staged], ..Changes::default() }).unwrap();
    assert_eq!(read(store, &digest).unwrap(), content);
    begin(first);
    assert_eq!(store.resume("pull", 10, digest.clone()).unwrap().offset(), 0, "larger than the blob");
    begin(&rest[1..]);
    let mut wrong = resume();
    wrong.write(rest).unwrap();
    assert!(wrong.finish().is_err(), "what was kept counts for the digest");
    begin(first);
    assert_eq!((store.forget_partials(), store.forget_partials()), (first.len() as u64, 0));
    assert_eq!(resume().offset(), 0);
    store.commit(Changes { removed: vec![digest], ..Changes::default() }).unwrap();
}

fn many_blobs_are_committed_at_once(store: &impl Store) {
    let contents: Vec<String> = (0..100).map(|n| format!("blob number {n}")).collect();
    let blobs = contents.iter().map(|content| stage(store, content.as_bytes())).collect();
    store.commit(Changes { blobs, ..Changes::default() }).unwrap();
    for content in &contents {
        assert_eq!(read(store, &Digest::of(content.as_bytes())).unwrap(), content.as_bytes());
    }
}

fn what_is_removed_is_gone_and_may_come_back(store: &impl Store) {
    let (first, second) = (Digest::of(b"comes back"), Digest::of(b"stays away"));
    let is_there = |digest: &Digest| match store.open_ready(digest) {
        Some(blob) => blob.size() == 10,
        None => store.open(digest).is_ok(),
    };
    let commit_first = || {
        store.commit(Changes { blobs: vec![stage(store, b"comes back")], ..Changes::default() }).unwrap();
        assert!(is_there(&first));
    };
    let removed = vec![first.clone(), second.clone()];
    for _ in 0..2 {
        let blobs = vec![stage(store, b"comes back"), stage(store, b"stays away")];
        store.commit(Changes { blobs, ..Changes::default() }).unwrap();
        assert!(is_there(&first) && is_there(&second));
        store.commit(Changes { removed: removed.clone(), ..Changes::default() }).unwrap();
        assert!(!is_there(&first) && !is_there(&second), "before the room is free");
        commit_first();
        store.erase(&removed);
        assert!(!is_there(&second));
        assert_eq!(read(store, &first).unwrap(), b"comes back", "erased was what it had been before");
    }
    store.commit(Changes { removed: vec![first.clone()], ..Changes::default() }).unwrap();
    store.erase(&removed);
    assert!(!is_there(&first));
}

fn records_are_set_and_removed(store: &impl Store) {
    let digest = Digest::of(b"index");
    let index = crate::domain::manifest::Index {
        manifests: [Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"m"), 1)].into(),
        subject: None,
        annotations: StringMap::default(),
        artifact_type: None,
    };
    let config = ConfigSummary { platform: Default::default(), created: Some(5), labels: StringMap::default() };
    let changes = Changes {
        blobs: vec![stage(store, b"index")],
        documents: vec![(digest.clone(), Document::Index(index.clone()))],
        configs: vec![(digest.clone(), config.clone())],
        names: vec![("a".to_owned(), Some(name(&digest))), ("b".to_owned(), Some(name(&digest)))],
        sources: vec![(digest.clone(), vec!["registry.example:5000/a".to_owned()])],
        ..Changes::default()
    };
    store.commit(changes).unwrap();
    let contents = store.contents().unwrap();
    assert_eq!(contents.documents, [(digest.clone(), Document::Index(index))]);
    assert_eq!(contents.configs, [(digest.clone(), config)]);
    assert_eq!(contents.names, [("a".to_owned(), name(&digest)), ("b".to_owned(), name(&digest))]);
    assert_eq!(contents.sources, [(digest.clone(), vec!["registry.example:5000/a".to_owned()])]);
    let open = store.open(&digest).unwrap();
    let gone = Changes {
        names: vec![("a".to_owned(), None), ("b".to_owned(), None)],
        removed: vec![digest.clone()],
        ..Changes::default()
    };
    store.commit(gone).unwrap();
    let contents = store.contents().unwrap();
    assert!(contents.names.is_empty() && contents.documents.is_empty() && contents.configs.is_empty());
    assert!(contents.sources.is_empty());
    assert!(store.open(&digest).is_err());
    let mut bytes = [0; 5];
    assert_eq!((open.read_at(&mut bytes, 0).unwrap(), &bytes), (5, b"index"), "an open reader keeps the bytes");
}

fn run(store: &impl Store) {
    what_is_removed_is_gone_and_may_come_back(store);
    records_are_set_and_removed(store);
    blobs_are_seen_from_commit_on(store);
    a_wrong_digest_is_refused(store);
    both_algorithms_are_served(store);
    ingests_are_listed_while_they_are_written(store);
    many_blobs_are_committed_at_once(store);
    what_was_set_aside_is_taken_up_again(store);
}

#[test]
fn the_store_in_memory_keeps_its_promises() {
    run(&MemoryStore::new());
}

#[test]
fn the_store_on_files_keeps_its_promises() {
    let dir = tempfile::tempdir().unwrap();
    run(&LocalStore::open(dir.path()).unwrap());
}

#[test]
fn the_store_on_files_keeps_everything_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let digest = Digest::of(b"kept");
    store
        .commit(Changes {
            blobs: vec![stage(&store, b"kept")],
            names: vec![("n".to_owned(), Some(name(&digest)))],
            ..Changes::default()
        })
        .unwrap();
    let (before, uuid) = (store.contents().unwrap(), store.uuid().to_owned());
    store.close().unwrap();
    drop(store);
    let store = LocalStore::open(dir.path()).unwrap();
    assert!(!store.was_interrupted());
    assert_eq!((store.contents().unwrap(), store.uuid()), (before, uuid.as_str()));
}

#[test]
fn a_commit_after_closing_takes_the_good_order_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    store.close().unwrap();
    store.commit(Changes { blobs: vec![stage(&store, b"late")], ..Changes::default() }).unwrap();
    drop(store);
    assert!(LocalStore::open(dir.path()).unwrap().was_interrupted());
}

#[test]
fn a_file_that_no_record_knows_is_never_taken_for_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let digest = Digest::of(b"right");
    let path = dir.path().join("blobs/sha256").join(digest.hex());
    std::fs::write(&path, b"wrong").unwrap();
    assert!(store.contents().unwrap().blobs.is_empty());
    for _ in 0..2 {
        store.commit(Changes { blobs: vec![stage(&store, b"right")], ..Changes::default() }).unwrap();
        assert_eq!(read(&store, &digest).unwrap(), b"right");
    }
    assert_eq!(std::fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
}

#[test]
fn what_was_removed_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(dir.path().join("blobs/sha256")).unwrap().count();
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    let store = LocalStore::open(dir.path()).unwrap();
    let blobs = vec![stage(&store, b"one"), stage(&store, b"two")];
    store.commit(Changes { blobs, ..Changes::default() }).unwrap();
    store.commit(Changes { removed: vec![one.clone(), two], ..Changes::default() }).unwrap();
    assert_eq!(files(), 2);
    store.erase(&[one]);
    assert_eq!(files(), 1);
    store.close().unwrap();
    assert_eq!(files(), 0);
}

#[test]
fn leftovers_of_a_crash_are_put_right_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let (kept, lost) = (Digest::of(b"kept"), Digest::of(b"lost"));
    store
        .commit(Changes { blobs: vec![stage(&store, b"kept"), stage(&store, b"lost")], ..Changes::default() })
        .unwrap();
    drop(store); // without closing, as a crash would
    let blobs = dir.path().join("blobs/sha256");
    std::fs::remove_file(blobs.join(lost.hex())).unwrap();
    std::fs::write(blobs.join(Digest::of(b"unrecorded").hex()), b"unrecorded").unwrap();
    std::fs::write(blobs.join("not a digest"), b"x").unwrap();
    std::fs::create_dir(dir.path().join("blobs/sha512/directory")).unwrap();
    std::fs::write(dir.path().join("ingest/7"), b"half").unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    assert!(store.was_interrupted());
    let known: Vec<Digest> = store.contents().unwrap().blobs.into_iter().map(|(digest, _)| digest).collect();
    assert_eq!(known, std::slice::from_ref(&kept));
    let files: Vec<_> = std::fs::read_dir(&blobs).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, [std::ffi::OsString::from(kept.hex())]);
    assert_eq!(std::fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
}

#[test]
fn what_was_fetched_before_a_crash_is_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let content = vec![7; 2 * LEAST_PARTIAL as usize];
    let digest = Digest::of(&content);
    let store = LocalStore::open(dir.path()).unwrap();
    let mut under_way = store.resume("pull", content.len() as u64, digest.clone()).unwrap();
    under_way.write(&content[1..]).unwrap();
    std::mem::forget(under_way); // as a crash would
    drop(store);
    let store = LocalStore::open(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
    for _ in 0..2 {
        let ingest = store.resume("pull", content.len() as u64, digest.clone()).unwrap();
        assert_eq!(ingest.offset(), content.len() as u64 - 1);
        ingest.set_aside();
    }
    drop(store);
    let store = LocalStore::open(dir.path()).unwrap();
    let mut ingest = store.resume("pull", content.len() as u64, digest.clone()).unwrap();
    ingest.write(&content[..1]).unwrap();
    store.commit(Changes { blobs: vec![ingest.finish().unwrap()], ..Changes::default() }).unwrap();
    assert_eq!(read(&store, &digest).unwrap(), content);
    assert_eq!(std::fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
}

#[test]
fn a_root_is_used_by_one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let _store = LocalStore::open(dir.path()).unwrap();
    let error = LocalStore::open(dir.path()).err().expect("a second store");
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.public().contains("in use by another process"), "{error:?}");
}

#[test]
fn a_root_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let _store = LocalStore::open(&root).unwrap();
    for path in ["", "ingest", "partial", "blobs", "blobs/sha256", "blobs/sha512"] {
        assert_eq!(std::fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
    }
}

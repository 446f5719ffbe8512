//! What the cases do again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;

use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Descriptor, Digest, Error, Kind, MediaType, Result};
use crate::store::{
    BlobRecord, BlobStore, Changes, Commit, CommitOutcome, Entry, IngestRequest, MetadataStore, NameRecord,
    OperationId, ReadScope, Records, Revision, Sources, Staged,
};

/// How often a store that is not available is asked again.
const TRIES: usize = 100;

/// What an ingest of these bytes asks for.
pub(super) fn request(digest: &Digest) -> IngestRequest {
    IngestRequest { reference: "case".to_owned(), expected: Some(digest.clone()), ..IngestRequest::default() }
}

/// Writes a blob in pieces.
pub(super) async fn stage(blobs: &dyn BlobStore, bytes: &[u8]) -> Result<Staged> {
    let mut ingest = blobs.ingest(request(&Digest::of(bytes))).await?;
    for piece in bytes.chunks(bytes.len() / 3 + 1) {
        ingest.write(piece).await?;
    }
    assert_eq!(ingest.offset(), bytes.len() as u64);
    ingest.finish().await
}

/// Writes and places a blob.
pub(super) async fn place(blobs: &dyn BlobStore, bytes: &[u8]) -> Result<Digest> {
    let staged = stage(blobs, bytes).await?;
    let digest = staged.digest.clone();
    blobs.place(vec![staged]).await?;
    Ok(digest)
}

/// Reads a placed blob to its end.
///
/// # Errors
/// Those of opening and reading it.
pub(super) async fn read_blob(blobs: &dyn BlobStore, digest: &Digest) -> Result<Vec<u8>> {
    let blob = blobs.open(digest).await?;
    let mut bytes = vec![0; usize::try_from(blob.size()).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < bytes.len() {
        match blob.read_at(&mut bytes[filled..], filled as u64).await? {
            0 => return Err(Error::internal("a blob ends before its size", "short read")),
            read => filled += read,
        }
    }
    assert_eq!(blob.read_at(&mut [0; 8], filled as u64).await?, 0, "reading at the end");
    assert_eq!(blob.read_at(&mut [0; 8], u64::MAX / 2).await?, 0, "reading past the end");
    Ok(bytes)
}

/// Whether a blob can be opened. Both ways of opening must agree.
pub(super) async fn is_here(blobs: &dyn BlobStore, digest: &Digest) -> Result<bool> {
    let is_ready = blobs.open_ready(digest).is_some();
    match blobs.open(digest).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Kind::NotFound => {
            assert!(!is_ready, "{digest} is at hand and cannot be opened");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Condemns and removes blobs.
pub(super) async fn remove(blobs: &dyn BlobStore, digests: &[Digest]) -> Result<()> {
    blobs.condemn(digests).await?;
    blobs.remove(digests).await;
    Ok(())
}

/// Commits, and asks again under the same id where the answer was lost.
pub(super) async fn ask(metadata: &dyn MetadataStore, commit: Commit) -> Result<CommitOutcome> {
    for _ in 0..TRIES {
        match metadata.commit(commit.clone()).await {
            Err(error) if error.kind() == Kind::Unavailable => pause().await,
            outcome => return outcome,
        }
    }
    metadata.commit(commit).await
}

/// Commits changes on whatever the newest revision is; the one that they lead to.
pub(super) async fn commit(metadata: &dyn MetadataStore, changes: Changes) -> Result<Revision> {
    let changes = Arc::new(changes);
    let mut expected = newest(metadata).await?;
    loop {
        let commit = Commit { id: OperationId::random(), expected, changes: changes.clone() };
        match ask(metadata, commit).await? {
            CommitOutcome::Committed(revision) => {
                assert_eq!(revision, expected.next(), "each commit leads to the next revision");
                return Ok(revision);
            }
            CommitOutcome::Conflict(newer) => {
                assert!(newer > expected, "a conflict tells of the revision that is in the way");
                expected = newer;
            }
        }
    }
}

/// The newest revision.
pub(super) async fn newest(metadata: &dyn MetadataStore) -> Result<Revision> {
    let known = *metadata.watch().borrow();
    Ok(read_records(metadata, Some(known)).await?.revision)
}

/// What a read gave, to its end.
pub(super) struct Read {
    pub(super) revision: Revision,
    pub(super) scope: ReadScope,
    pub(super) entries: Vec<Entry>,
}

/// Reads to the end, from the start again where the store was not available.
pub(super) async fn read_records(metadata: &dyn MetadataStore, since: Option<Revision>) -> Result<Read> {
    for _ in 0..TRIES {
        match try_read(metadata, since).await {
            Err(error) if error.kind() == Kind::Unavailable => pause().await,
            read => return read,
        }
    }
    try_read(metadata, since).await
}

/// Begins to read, again where the store was not available.
pub(super) async fn begin_read(metadata: &dyn MetadataStore, since: Option<Revision>) -> Result<Records> {
    for _ in 0..TRIES {
        match metadata.read(since).await {
            Err(error) if error.kind() == Kind::Unavailable => pause().await,
            records => return records,
        }
    }
    metadata.read(since).await
}

async fn try_read(metadata: &dyn MetadataStore, since: Option<Revision>) -> Result<Read> {
    let mut records = begin_read(metadata, since).await?;
    let mut entries = Vec::new();
    while let Some(batch) = records.batches.try_next().await? {
        entries.extend(batch);
    }
    Ok(Read { revision: records.revision, scope: records.scope, entries })
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// All records, as somebody knows them who follows a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Replica {
    pub(super) revision: Revision,
    pub(super) blobs: BTreeMap<Digest, BlobRecord>,
    pub(super) documents: BTreeMap<Digest, Arc<Document>>,
    pub(super) configs: BTreeMap<Digest, Arc<ConfigSummary>>,
    pub(super) names: BTreeMap<String, NameRecord>,
    pub(super) sources: BTreeMap<Digest, Sources>,
}

impl Replica {
    /// Everything that a store holds.
    pub(super) async fn of(metadata: &dyn MetadataStore) -> Result<Self> {
        let mut replica = Self::default();
        let read = read_records(metadata, None).await?;
        assert_eq!(read.scope, ReadScope::All);
        assert!(read.entries.iter().all(is_present), "all of what there is holds nothing that is not there");
        replica.take(read);
        Ok(replica)
    }

    /// Comes to the newest revision.
    pub(super) async fn follow(&mut self, metadata: &dyn MetadataStore) -> Result<()> {
        let read = read_records(metadata, Some(self.revision)).await?;
        self.take(read);
        Ok(())
    }

    fn take(&mut self, read: Read) {
        match read.scope {
            ReadScope::All => *self = Self::default(),
            ReadScope::Since(since) => assert_eq!(since, self.revision),
        }
        self.revision = read.revision;
        for entry in read.entries {
            match entry {
                Entry::Blob(digest, record) => set(&mut self.blobs, digest, record),
                Entry::Document(digest, record) => set(&mut self.documents, digest, record),
                Entry::Config(digest, record) => set(&mut self.configs, digest, record),
                Entry::Name(name, record) => set(&mut self.names, name, record),
                Entry::Sources(digest, record) => set(&mut self.sources, digest, record),
            }
        }
    }
}

fn is_present(entry: &Entry) -> bool {
    match entry {
        Entry::Blob(_, record) => record.is_some(),
        Entry::Document(_, record) => record.is_some(),
        Entry::Config(_, record) => record.is_some(),
        Entry::Name(_, record) => record.is_some(),
        Entry::Sources(_, record) => record.is_some(),
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

/// A record of a name that points at some bytes.
pub(super) fn name(bytes: &[u8]) -> NameRecord {
    NameRecord::new(Descriptor::new(MediaType::OCI_INDEX, Digest::of(bytes), bytes.len() as u64), 1)
}

/// A change that sets one name.
pub(super) fn naming(text: &str, bytes: &[u8]) -> Changes {
    Changes { names: vec![(text.to_owned(), Some(name(bytes)))], ..Changes::default() }
}

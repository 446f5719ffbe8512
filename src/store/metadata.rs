//! Records, and the one way to change them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::watch;

use super::record::{BlobRecord, NameRecord, Sources};
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Digest, Result};

/// Everything that is kept, but for the bytes of blobs.
pub trait MetadataStore: Send + Sync + 'static {
    /// An identity made when the store was made: a UUID.
    fn identity(&self) -> &str;

    /// The records: those that changed since a revision, or all. A store that does not know any more what changed since then
    /// gives all; [`Records::scope`] says which.
    ///
    /// # Errors
    /// `DataLoss` where a record cannot be read, `Unavailable` where the store cannot be reached; both also in the stream.
    fn read(&self, since: Option<Revision>) -> BoxFuture<'_, Result<Records>>;

    /// Makes changes durable, all or none, if nothing else has changed since the expected revision. When this returns
    /// [`CommitOutcome::Committed`], they survive a crash.
    ///
    /// An operation is carried out once: committed again under the same id, it is answered with the revision that it led
    /// to. So a caller that did not get the answer can ask again. Ids are known for as long as the store is open, at least
    /// for the last 1,000 operations.
    ///
    /// # Errors
    /// `ResourceExhausted` where there is no room; then nothing has changed, and later commits work once there is.
    /// `Unavailable` where the answer was lost: the changes may or may not be made.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome>>;

    /// The newest revision that is known here. It may be behind and may skip revisions, and never goes back.
    fn watch(&self) -> watch::Receiver<Revision>;

    /// Whether whoever used the store last ended without [`MetadataStore::close`], so that leftovers are possible.
    fn was_interrupted(&self) -> bool {
        false
    }

    /// Notes that the store is left in order. Further commits take that back.
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// A state of the records. Each commit leads to the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The one that a commit leads to.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What tells one operation from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OperationId(pub u128);

impl OperationId {
    /// A new one.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().as_u128())
    }
}

/// One step from one state of the records to the next.
#[derive(Clone, Debug)]
pub struct Commit {
    pub id: OperationId,
    /// The state that the changes were decided on.
    pub expected: Revision,
    pub changes: Arc<Changes>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is durable, and led to this revision.
    Committed(Revision),
    /// Nothing was changed: the records are of this revision, not of the expected one.
    Conflict(Revision),
}

/// What a commit changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Blobs that count from now on, which are placed already. One that is recorded keeps its record.
    pub blobs: Vec<(Digest, BlobRecord)>,
    /// What blobs were parsed to.
    pub documents: Vec<(Digest, Arc<Document>)>,
    pub configs: Vec<(Digest, Arc<ConfigSummary>)>,
    /// Names that are set, or removed where the record is absent. Applied in order.
    pub names: Vec<(String, Option<NameRecord>)>,
    /// Where images come from; what was recorded before is replaced.
    pub sources: Vec<(Digest, Sources)>,
    /// Blobs that do not count any more, with what they were parsed to and where they came from. Applied last.
    pub removed: Vec<Digest>,
}

impl Changes {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
            && self.documents.is_empty()
            && self.configs.is_empty()
            && self.names.is_empty()
            && self.sources.is_empty()
            && self.removed.is_empty()
    }

    /// Adds further changes, to be applied after these.
    pub fn extend(&mut self, more: Self) {
        let Self { blobs, documents, configs, names, sources, removed } = more;
        self.blobs.extend(blobs);
        self.documents.extend(documents);
        self.configs.extend(configs);
        self.names.extend(names);
        self.sources.extend(sources);
        self.removed.extend(removed);
    }
}

/// What is read of the records.
pub struct Records {
    /// The revision that whoever has read to the end knows.
    pub revision: Revision,
    pub scope: ReadScope,
    /// The records, in batches. The next batch is read when it is asked for.
    pub batches: BoxStream<'static, Result<Batch>>,
}

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadScope {
    /// Everything: what is not among it is not there.
    All,
    /// What changed since the revision that was asked for.
    Since(Revision),
}

/// Some of the records that are read.
pub type Batch = Vec<Entry>;

/// One record as it is now, or that there is none any more.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Blob(Digest, Option<BlobRecord>),
    Document(Digest, Option<Arc<Document>>),
    Config(Digest, Option<Arc<ConfigSummary>>),
    Name(String, Option<NameRecord>),
    Sources(Digest, Option<Sources>),
}

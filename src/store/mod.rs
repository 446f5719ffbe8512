//! L1: the embedded store: blobs by digest, what they were parsed to, and image names.
//!
//! A [`Store`] keeps everything durably and changes it in one way only: [`Store::commit`]. Two implementations exist, on
//! local files and in memory, and one suite (`conformance`) holds both to the same behaviour. Calls block unless they say
//! that they do not; callers on a runtime move them to its blocking threads.

#[cfg(test)]
mod conformance;
mod lease;
mod local;
mod memory;

use serde::{Deserialize, Serialize};

use crate::domain::descriptor::Descriptor;
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Digest, Result};

pub use lease::{Lease, Leases};
pub use local::LocalStore;
pub use local::{Found, FoundFile, Mending, Stray, Survey, UnreadableRecord};
pub use memory::MemoryStore;

/// What a partial has at least, in bytes: less is fetched again as fast as it is asked for.
const LEAST_PARTIAL: u64 = 64 << 10;

/// Reading and writing blobs.
///
/// An *ingest* is a blob being written: nobody sees it under its digest before it is committed.
pub trait Content: Send + Sync + 'static {
    /// Opens a blob.
    ///
    /// A blob that was opened stays readable for as long as the reader lives, even when it is removed meanwhile.
    ///
    /// # Errors
    /// `NotFound` where no such blob is committed.
    fn open(&self, digest: &Digest) -> Result<Box<dyn ReadAt>>;

    /// Opens a blob if that is to be had without waiting for a disk. `None` says nothing: there may be no such blob, or it
    /// may take [`Content::open`]. This does not block.
    fn open_ready(&self, digest: &Digest) -> Option<Box<dyn ReadAt>>;

    /// Starts an ingest. `reference` is what it is called in [`Content::ingests`]; it need not be unique. `total` is how
    /// many bytes are to come, 0 where that is not known.
    ///
    /// # Errors
    /// `ResourceExhausted` where the disk is full.
    fn ingest(&self, reference: &str, total: u64, expected: Option<Digest>) -> Result<Box<dyn Ingest>>;

    /// Starts an ingest with the *partial* of its blob, if there is one: what an earlier ingest had written when it was set
    /// aside. [`Ingest::offset`] tells where it goes on, 0 where there was none. The bytes that were kept are read again
    /// and count for the digest; whoever finds that it is not the expected one begins anew with [`Content::ingest`].
    ///
    /// # Errors
    /// As [`Content::ingest`].
    fn resume(&self, reference: &str, total: u64, expected: Digest) -> Result<Box<dyn Ingest>>;

    /// Removes every partial that no ingest goes on with; how many bytes that were. They are also removed when they are
    /// old or too many, when their blob is committed, and when the disk is full.
    fn forget_partials(&self) -> u64;

    /// The ingests that are being written now, in no order.
    fn ingests(&self) -> Vec<IngestStatus>;
}

/// Everything that is kept, and the one way to change it.
pub trait Store: Content {
    /// All records, for the start. Expensive: everything that was parsed is read.
    fn contents(&self) -> Result<Contents>;

    /// Makes changes durable, all or none: when this returns, they survive a crash and a power loss.
    ///
    /// Blobs become visible before what names them does, and are removed after it, so no record ever points at nothing.
    /// What is removed is gone at once; the room that it took is free after [`Store::erase`].
    /// Staging a blob that is there already is no error.
    ///
    /// # Errors
    /// `ResourceExhausted` where the disk is full. After any error nothing has changed, and later commits work again
    /// once the cause is gone.
    fn commit(&self, changes: Changes) -> Result<()>;

    /// Frees the room of blobs that commits removed, unless they were committed again meanwhile. Takes as long as the disk
    /// does, while other commits go on. What is never erased is when the store is closed or, after a crash, opened.
    fn erase(&self, removed: &[Digest]);

    /// Whether the last process that used this store ended without closing it, so that leftovers are possible.
    fn was_interrupted(&self) -> bool;

    /// An identity made when the store was made: a UUID.
    fn uuid(&self) -> &str;

    /// Notes that the store is left in order. Further commits take that back.
    fn close(&self) -> Result<()>;
}

/// Random access to a blob's bytes.
pub trait ReadAt: Send + Sync {
    /// The blob's size in bytes.
    fn size(&self) -> u64;

    /// Reads at an offset; returns how many bytes were read, 0 at the end only.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;

    /// Reads what is to be had without waiting for a disk; returns how many bytes were read. 0 says nothing: it may be the
    /// end, a failure, or that there is nothing at hand.
    fn read_ready(&self, buffer: &mut [u8], offset: u64) -> usize;

    /// Tells that bytes are going to be read soon.
    fn prefetch(&self, _offset: u64, _len: u64) {}
}

/// A blob being written. Dropping it takes everything back.
pub trait Ingest: Send {
    /// Adds bytes at the end.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Bytes written so far, by earlier ingests too where it was resumed.
    fn offset(&self) -> u64;

    /// Ends the ingest and keeps what was written for [`Content::resume`], as long as there is room and more than
    /// a little. Without an expected digest, all of it is removed.
    fn set_aside(self: Box<Self>);

    /// Ends the blob and names it by its content.
    ///
    /// # Errors
    /// `InvalidArgument` where another digest was expected.
    fn finish(self: Box<Self>) -> Result<Staged>;
}

/// A blob that is written in full and checked, but not committed. Dropping it removes it.
pub struct Staged {
    pub digest: Digest,
    pub size: u64,
    content: StagedContent,
}

impl Staged {
    /// Opens the blob before it is committed.
    pub fn open(&self) -> Result<Box<dyn ReadAt>> {
        self.content.open()
    }

    /// Keeps the blob for [`Content::resume`] in place of committing it.
    pub fn set_aside(self) {
        match self.content {
            StagedContent::Local(file) => file.set_aside(&self.digest, self.size),
            StagedContent::Memory(bytes) => bytes.set_aside(&self.digest),
        }
    }
}

/// Where an implementation keeps a staged blob.
enum StagedContent {
    Local(local::StagedFile),
    Memory(memory::StagedBytes),
}

impl StagedContent {
    fn open(&self) -> Result<Box<dyn ReadAt>> {
        match self {
            Self::Local(file) => file.open(),
            Self::Memory(bytes) => Ok(bytes.open()),
        }
    }
}

/// An ingest as clients are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestStatus {
    pub reference: String,
    /// Bytes written so far.
    pub offset: u64,
    /// Bytes that are to come in all; 0 where that is not known.
    pub total: u64,
    pub expected: Option<Digest>,
    pub started_at: jiff::Timestamp,
    pub updated_at: jiff::Timestamp,
}

/// What is kept of a blob beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRecord {
    pub size: u64,
    /// When it was committed, in nanoseconds since the Unix epoch.
    pub created_at: i64,
}

/// What an image name points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    pub target: Descriptor,
    /// Nanoseconds since the Unix epoch.
    pub created_at: i64,
    /// When the name was last set, in nanoseconds since the Unix epoch.
    pub updated_at: i64,
}

/// The repositories that an image was pulled from, each with its registry (and port), in the order of first pulls.
pub type Sources = Vec<String>;

/// Everything that a store keeps, but for the blobs' bytes.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    pub blobs: Vec<(Digest, BlobRecord)>,
    pub documents: Vec<(Digest, Document)>,
    pub configs: Vec<(Digest, ConfigSummary)>,
    pub names: Vec<(String, NameRecord)>,
    /// The repositories that images were pulled from, by the digest of the image's target.
    pub sources: Vec<(Digest, Sources)>,
}

/// One step from one state of a store to the next.
#[derive(Default)]
pub struct Changes {
    /// Blobs that become visible.
    pub blobs: Vec<Staged>,
    /// Parsed forms of blobs that are visible or become so.
    pub documents: Vec<(Digest, Document)>,
    pub configs: Vec<(Digest, ConfigSummary)>,
    /// Names that are set, or removed where the record is absent. Applied in order.
    pub names: Vec<(String, Option<NameRecord>)>,
    /// Where images come from; what was recorded before is replaced.
    pub sources: Vec<(Digest, Sources)>,
    /// Blobs that vanish, with their parsed forms and where they came from.
    pub removed: Vec<Digest>,
    /// The time that new blobs are recorded under, in nanoseconds since the Unix epoch.
    pub now: i64,
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
}

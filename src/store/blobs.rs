//! Blobs: their bytes, by digest.

use std::any::Any;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::{Digest, Result};

/// The least that is kept of a blob whose ingest ended early, in bytes: less is fetched again as fast as it is asked for.
pub const MIN_PARTIAL: u64 = 64 << 10;

/// The bytes of blobs.
///
/// A blob comes in as an *ingest*, is then *staged* (complete and checked, seen by nobody), and is at last *placed*: durable,
/// and readable by its digest. Which of the placed blobs count is a matter of the records, not of this store.
pub trait BlobStore: Send + Sync + 'static {
    /// Opens a placed blob. It stays readable for as long as the handle lives, even when it is removed meanwhile.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    fn open<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Arc<dyn Blob>>>;

    /// Opens a blob if that is possible without waiting. `None` says nothing: there may be no such blob, or it may take
    /// [`BlobStore::open`]. This is for speed alone.
    fn open_ready(&self, _digest: &Digest) -> Option<Arc<dyn Blob>> {
        None
    }

    /// Starts an ingest.
    ///
    /// # Errors
    /// `ResourceExhausted` where there is no room.
    fn ingest(&self, request: IngestRequest) -> BoxFuture<'_, Result<Box<dyn Ingest>>>;

    /// Makes staged blobs durable and readable by their digests, all of them by the time that this returns. A blob that is
    /// there already is replaced by equal bytes. What [`BlobStore::condemn`] said of them is taken back.
    ///
    /// # Errors
    /// `ResourceExhausted` where there is no room. After an error some may be placed; whoever called removes what no
    /// record knows.
    fn place(&self, staged: Vec<Staged>) -> BoxFuture<'_, Result<()>>;

    /// Announces that blobs will be removed once a commit has dropped their records. One that is placed again after this is
    /// not meant any more.
    ///
    /// Whoever removes blobs announces it first, then looks whether somebody holds one of them by a lease, and commits only if
    /// not. Whoever places a blob holds it by a lease before. So one of the two learns of the other.
    ///
    /// # Errors
    /// Those of reaching the store; then nothing may be removed.
    fn condemn<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, Result<()>>;

    /// Takes the announcement back, because that commit was not made.
    fn pardon<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()>;

    /// Removes those of the blobs that are still condemned. It takes as long as the disk does, and nobody else waits for it.
    /// What cannot be removed is logged and left to a later check.
    fn remove<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()>;

    /// Removes what is kept of blobs whose ingests ended early, unless an ingest goes on with it; how many bytes that were.
    /// Such partials also go when they are old or too many, when their blob is placed, and when the disk is full.
    fn discard_partials(&self) -> BoxFuture<'_, u64>;

    /// The ingests that are being written now, in no order.
    fn ingests(&self) -> Vec<IngestStatus>;

    /// What everything that is stored takes of this host's disk; `None` where it is not on this host, or the store cannot
    /// tell.
    ///
    /// # Errors
    /// Those of reading the disk.
    fn usage(&self) -> BoxFuture<'_, Result<Option<StoreUsage>>> {
        Box::pin(async { Ok(None) })
    }

    /// Finishes what is under way. Nothing is asked of the store after this.
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// What is stored on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreUsage {
    /// Bytes that the disk holds.
    pub bytes: u64,
    /// Files and directories.
    pub files: u64,
}

/// What an ingest is to be.
#[derive(Clone, Debug, Default)]
pub struct IngestRequest {
    /// What [`BlobStore::ingests`] calls it. It need not be unique.
    pub reference: String,
    /// How many bytes are to come; 0 where that is not known.
    pub total: u64,
    /// What the blob's digest must be; SHA-256 of whatever comes where absent.
    pub expected: Option<Digest>,
    /// Whether to go on with what an earlier ingest of the expected digest left. The bytes that were kept count for the
    /// digest; whoever finds that it is not the expected one begins anew without this.
    pub resume: bool,
}

/// A blob that is open for reading, at any offset.
pub trait Blob: Send + Sync {
    /// The blob's size in bytes.
    fn size(&self) -> u64;

    /// Reads at an offset; returns how many bytes were read, 0 only at the end.
    fn read_at<'a>(&'a self, buffer: &'a mut [u8], offset: u64) -> BoxFuture<'a, Result<usize>>;

    /// Reads what is at hand without waiting; returns how many bytes were read. 0 says nothing: it may be the end, a
    /// failure, or that nothing is at hand. This is for speed alone.
    fn read_ready(&self, _buffer: &mut [u8], _offset: u64) -> usize {
        0
    }

    /// Tells that bytes will be read soon.
    fn prefetch(&self, _offset: u64, _len: u64) {}
}

/// A blob being written. Dropping it takes everything back.
pub trait Ingest: Send {
    /// Adds bytes at the end.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>>;

    /// Bytes written so far, by an earlier ingest too where it was resumed.
    fn offset(&self) -> u64;

    /// Ends the ingest and keeps what was written for another that resumes it, if there is room and it is at least
    /// [`MIN_PARTIAL`]. Without an expected digest, all of it is removed.
    fn set_aside(self: Box<Self>);

    /// Ends the blob and names it by its content.
    ///
    /// # Errors
    /// `InvalidArgument` where another digest was expected.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Staged>>;
}

/// A blob that is complete and checked, and not placed. Dropping it removes it.
pub struct Staged {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    content: Box<dyn StagedContent>,
}

impl Staged {
    /// What a store's ingest ends with.
    pub fn new(digest: Digest, size: u64, content: Box<dyn StagedContent>) -> Self {
        Self { digest, size, content }
    }

    /// Opens the blob before it is placed.
    pub fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Blob>>> {
        self.content.open()
    }

    /// Keeps the blob for an ingest that resumes it, in place of placing it.
    pub fn set_aside(self) {
        self.content.set_aside(&self.digest, self.size);
    }

    /// What the store keeps of the blob, for the store that made it; `None` where another store did, and then the blob is
    /// gone.
    pub fn into_content<T: StagedContent>(self) -> Option<T> {
        let content: Box<dyn Any> = self.content;
        content.downcast().ok().map(|content| *content)
    }
}

/// What an implementation keeps of a staged blob. Dropping it removes the blob.
pub trait StagedContent: Any + Send + Sync {
    /// See [`Staged::open`].
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Blob>>>;

    /// See [`Staged::set_aside`].
    fn set_aside(self: Box<Self>, digest: &Digest, size: u64);
}

/// An ingest as clients see it.
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

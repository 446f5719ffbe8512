//! Reading blobs to their end, several at a time, each with one buffer.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::options::Progress;
use crate::archive;
use crate::domain::digest::Hasher;
use crate::domain::{Digest, Error, Kind, Result};
use crate::store::blocking::wait;
use crate::store::{Audit, Blob};

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 20;

/// More threads than this wait for the disk rather than for a processor.
const MOST_THREADS: usize = 8;

/// What is read, and who is told how far that is.
pub(super) struct Reading<'a> {
    audit: &'a dyn Audit,
    what: &'static str,
    total: u64,
    done: AtomicU64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        audit: &'a dyn Audit,
        what: &'static str,
        total: u64,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        Self { audit, what, total, done: AtomicU64::new(0), progress }
    }

    /// Bytes that were read.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The digest that a blob's content has, by the algorithm of the one it should have.
    ///
    /// # Errors
    /// `PermissionDenied` where it may not be read; whatever else keeps it from being read is a fault of the blob.
    pub(super) fn digest(&self, digest: &Digest) -> Result<Digest> {
        let mut blob = self.open(digest)?;
        // Most blobs are much smaller than what is read of a large one at a time.
        let room = usize::try_from(blob.blob.size()).unwrap_or(BUFFER).clamp(1, BUFFER);
        hash(digest.algorithm().hasher(), &mut blob, room).map_err(|e| blob.failure(e))
    }

    /// The digest of what a layer unpacks to.
    pub(super) fn diff_id(&self, layer: &Digest, expected: &Digest) -> Result<Digest> {
        let mut blob = self.open(layer)?;
        let hashed = hash(expected.algorithm().hasher(), &mut archive::decompress(&mut blob)?, BUFFER);
        hashed.map_err(|e| blob.failure(e))
    }

    fn open(&self, digest: &Digest) -> Result<Sequential<'_>> {
        Ok(Sequential { reading: self, blob: self.audit.open_blob(digest)?, offset: 0, failed: None })
    }

    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(Progress { what: self.what, done, total: self.total });
    }
}

/// A blob from its beginning to its end.
struct Sequential<'a> {
    reading: &'a Reading<'a>,
    blob: Arc<dyn Blob>,
    offset: u64,
    /// Why the last read failed, in full.
    failed: Option<Error>,
}

impl Sequential<'_> {
    /// What a failed read comes to: the store's own failure, or else what the bytes are good for.
    fn failure(&mut self, error: io::Error) -> Error {
        self.failed.take().unwrap_or_else(|| Error::new(Kind::DataLoss, format!("it cannot be unpacked: {error}")))
    }
}

impl Read for Sequential<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match wait(self.blob.read_at(buffer, self.offset)) {
            Ok(read) => {
                self.offset += read as u64;
                self.reading.advance(read as u64);
                Ok(read)
            }
            Err(error) => {
                let text = io::Error::other(error.chain());
                self.failed = Some(error);
                Err(text)
            }
        }
    }
}

fn hash(mut hasher: Hasher, content: &mut dyn Read, room: usize) -> io::Result<Digest> {
    let mut buffer = vec![0; room];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Does all jobs, as many at a time as there are processors; results stand in the order of the jobs.
pub(super) fn in_parallel<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(jobs.len()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let take = || {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    Some((number, jobs.get(number)?))
                };
                while let Some((number, job)) = take() {
                    let result = work(job);
                    results.lock().push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner();
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

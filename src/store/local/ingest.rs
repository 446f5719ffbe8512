//! Ingests: blobs that are hashed while they are written.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;

use super::files::BlobFile;
use super::partial::Partials;
use super::root::Root;
use crate::domain::digest::{Algorithm, Hasher};
use crate::domain::{Digest, Error, Result};
use crate::store::blocking::{is_allowed, offload};
use crate::store::{Blob, Ingest, IngestRequest, IngestStatus, MIN_PARTIAL, Staged, StagedContent};

/// Bytes of a partial that are read and hashed at a time.
const CHUNK: usize = 1 << 20;

/// How often a large ingest is handed to the flusher, in bytes, so that the disk works while more arrives.
const FLUSH_EVERY: u64 = 32 << 20;

/// From how many bytes on the end of an ingest is handed to the flusher as well: so few take less time than its sync.
const FLUSH_LAST: u64 = 256 << 10;

/// How much all ingests of a root may hold in memory, in bytes. What is more is written to files.
const MAX_MEMORY: u64 = 64 << 20;

/// A blob being written: to memory as long as it is small enough to be packed, else to a file of its own.
pub(super) struct LocalIngest {
    /// Absent while a thread writes to it, and for good where that was given up.
    writing: Option<Box<Writing>>,
    offset: u64,
}

struct Writing {
    content: Content,
    /// What the file is called, if there will be one.
    path: PathBuf,
    registration: Registration,
    hasher: Hasher,
    expected: Option<Digest>,
    written: u64,
    flushed: u64,
}

enum Content {
    Memory(Vec<u8>),
    File(StagedPath, Arc<File>),
}

impl LocalIngest {
    /// Starts an ingest, with what is kept of its blob where it is to be resumed. Blocks where that is so, or where it is known
    /// to be large; [`LocalIngest::is_quick`] says so.
    pub(super) fn begin(root: Arc<Root>, request: IngestRequest) -> Result<Self> {
        let is_small = Self::is_quick(&root, &request);
        let IngestRequest { reference, total, expected, resume } = request;
        let number = root.number_ingest();
        let now = jiff::Timestamp::now();
        let status =
            IngestStatus { reference, offset: 0, total, expected: expected.clone(), started_at: now, updated_at: now };
        root.ingests.lock().insert(number, status);
        let registration = Registration { root: root.clone(), number, in_memory: 0 };
        let mut kept = None;
        let path = match expected.as_ref().filter(|_| resume) {
            Some(expected) => {
                // By this name, the file is found again after a crash.
                let path = root.ingest_path(&format!("{number}.{}", Partials::name(expected)));
                if !is_small {
                    kept = root.partials.take(expected, total, &path);
                }
                path
            }
            None => root.ingest_path(&number.to_string()),
        };
        let content = match is_small {
            true => Content::Memory(Vec::new()),
            false => create(&root, &path)?,
        };
        let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let mut writing =
            Writing { content, path, registration, hasher: algorithm.hasher(), expected, written: 0, flushed: 0 };
        if let Some(size) = kept {
            writing.read_kept(size)?;
        }
        Ok(Self { offset: writing.written, writing: Some(Box::new(writing)) })
    }

    /// Whether an ingest begins in memory.
    pub(super) fn is_quick(root: &Root, request: &IngestRequest) -> bool {
        // What is kept of blobs is never of small ones.
        let is_kept = request.resume && !(1..MIN_PARTIAL).contains(&request.total);
        root.packs.takes(request.total) && !is_kept
    }

    fn writing(&mut self) -> Result<&mut Writing> {
        self.writing.as_deref_mut().ok_or_else(given_up)
    }
}

fn create(root: &Arc<Root>, path: &Path) -> Result<Content> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    let open = || options.open(path).map_err(|e| Error::io("creating an ingest", e));
    let file = root.partials.making_room(open)?;
    Ok(Content::File(StagedPath { root: root.clone(), path: path.to_owned(), is_kept: false }, Arc::new(file)))
}

fn given_up() -> Error {
    Error::internal("writing content was stopped", "an earlier write was given up")
}

impl Writing {
    /// Hashes the bytes that are in the file already, to write after them. Where they cannot be read, there are none.
    fn read_kept(&mut self, size: u64) -> Result<()> {
        let Content::File(_, file) = &self.content else { return Ok(()) };
        let mut buffer = vec![0; CHUNK];
        let mut read = 0;
        while read < size {
            let want = usize::try_from(size - read).unwrap_or(usize::MAX).min(CHUNK);
            if let Err(error) = file.read_exact_at(&mut buffer[..want], read) {
                tracing::warn!(%error, "could not read a partial download; fetching the blob from its start");
                self.hasher = self.expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm).hasher();
                return file.set_len(0).map_err(|e| Error::io("emptying an ingest", e));
            }
            self.hasher.update(&buffer[..want]);
            read += want as u64;
        }
        (self.written, self.flushed) = (size, size);
        self.report();
        Ok(())
    }

    /// Whether more bytes fit in memory.
    fn takes(&self, more: usize) -> bool {
        let size = self.written.saturating_add(more as u64);
        matches!(self.content, Content::Memory(_)) && self.registration.root.packs.takes(size)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let fits = self.takes(bytes.len()) && self.registration.reserve(bytes.len() as u64);
        if let (Content::Memory(content), true) = (&mut self.content, fits) {
            content.extend_from_slice(bytes);
        } else {
            self.append_to_file(bytes)?;
        }
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        if let Content::File(_, file) = &self.content
            && self.written - self.flushed >= FLUSH_EVERY
        {
            self.flushed = self.written;
            self.registration.root.flusher.flush(file);
        }
        self.report();
        Ok(())
    }

    fn append_to_file(&mut self, bytes: &[u8]) -> Result<()> {
        let root = self.registration.root.clone();
        let write = |file: &File, bytes: &[u8], offset| {
            let write = || file.write_all_at(bytes, offset).map_err(|e| Error::io("writing content", e));
            root.partials.making_room(write)
        };
        if let Content::Memory(so_far) = &self.content {
            let created = create(&root, &self.path)?;
            if let Content::File(_, file) = &created {
                write(file, so_far, 0)?;
            }
            self.content = created;
            self.registration.release();
        }
        match &self.content {
            Content::File(_, file) => write(file, bytes, self.written),
            Content::Memory(_) => Ok(()),
        }
    }

    fn finish(self) -> Result<Staged> {
        let Self { content, registration, hasher, expected, written, flushed, .. } = self;
        if let Content::File(_, file) = &content
            && written - flushed >= FLUSH_LAST
        {
            registration.root.flusher.flush(file);
        }
        let digest = hasher.finish_as(expected.as_ref())?;
        registration.unregister();
        let staged = match content {
            Content::Memory(bytes) => StagedBlob::Small(bytes.into(), registration),
            Content::File(path, _) => StagedBlob::File(path),
        };
        Ok(Staged::new(digest, written, Box::new(staged)))
    }

    /// Says in the list of ingests how far this one is.
    fn report(&self) {
        if let Some(status) = self.registration.root.ingests.lock().get_mut(&self.registration.number) {
            status.offset = self.written;
            status.updated_at = jiff::Timestamp::now();
        }
    }
}

impl Ingest for LocalIngest {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if is_allowed() || self.writing()?.takes(bytes.len()) {
                self.writing()?.append(bytes)?;
            } else {
                let (mut writing, bytes) = (self.writing.take().ok_or_else(given_up)?, bytes.to_vec());
                let work = offload(move || {
                    let result = writing.append(&bytes);
                    Ok((writing, result))
                });
                let (writing, result) = work.await?;
                self.writing = Some(writing);
                result?;
            }
            self.offset = self.writing()?.written;
            Ok(())
        })
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn set_aside(self: Box<Self>) {
        let Some(Writing { content, expected, written, .. }) = self.writing.map(|writing| *writing) else { return };
        if let (Some(expected), Content::File(path, _)) = (expected, content) {
            path.keep_partial(&expected, written);
        }
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Staged>> {
        Box::pin(async move {
            let writing = self.writing.ok_or_else(given_up)?;
            match writing.content {
                Content::Memory(_) => writing.finish(),
                Content::File(..) => offload(move || writing.finish()).await,
            }
        })
    }
}

/// An ingest among those that clients see, and what it holds in memory.
pub(super) struct Registration {
    root: Arc<Root>,
    number: u64,
    /// Bytes.
    in_memory: u64,
}

impl Registration {
    /// Whether so many bytes more may be held in memory; then they are counted.
    fn reserve(&mut self, bytes: u64) -> bool {
        let add = |held: u64| held.checked_add(bytes).filter(|held| *held <= MAX_MEMORY);
        let is_free = self.root.in_memory.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        self.in_memory += if is_free { bytes } else { 0 };
        is_free
    }

    /// Counts the bytes no more.
    fn release(&mut self) {
        self.root.in_memory.fetch_sub(std::mem::take(&mut self.in_memory), Ordering::Relaxed);
    }

    fn unregister(&self) {
        self.root.ingests.lock().remove(&self.number);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.unregister();
        self.release();
    }
}

/// A blob that is complete.
pub(super) enum StagedBlob {
    /// Its bytes, and that they are held in memory.
    Small(Arc<[u8]>, Registration),
    File(StagedPath),
}

/// A file in the ingest directory; removed when dropped, unless it was moved elsewhere.
pub(super) struct StagedPath {
    root: Arc<Root>,
    path: PathBuf,
    is_kept: bool,
}

impl StagedPath {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the file to where the blob belongs.
    pub(super) fn place(mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(|e| Error::io("placing content", e))?;
        self.is_kept = true;
        Ok(())
    }

    fn keep_partial(mut self, digest: &Digest, size: u64) {
        self.is_kept = true;
        self.root.partials.keep(digest, size, &self.path);
    }
}

impl StagedContent for StagedBlob {
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Blob>>> {
        let path = match self {
            Self::Small(bytes, _) => {
                let blob: Arc<dyn Blob> = Arc::new(bytes.clone());
                return Box::pin(async { Ok(blob) });
            }
            Self::File(file) => file.path.clone(),
        };
        Box::pin(offload(move || {
            let blob = BlobFile::open(&path).map_err(|e| Error::io("opening an ingest", e))?;
            Ok(Arc::new(blob) as Arc<dyn Blob>)
        }))
    }

    fn set_aside(self: Box<Self>, digest: &Digest, size: u64) {
        // A small blob is fetched again as fast as it is asked for.
        if let Self::File(file) = *self {
            file.keep_partial(digest, size);
        }
    }
}

impl Drop for StagedPath {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

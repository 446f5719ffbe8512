//! Ingests: files that are hashed while they are written.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::files::BlobFile;
use super::partial::Partials;
use super::root::Root;
use crate::domain::digest::{Algorithm, Hasher};
use crate::domain::{Digest, Error, Result};
use crate::store::blocking::{is_allowed, offload};
use crate::store::{Blob, Ingest, IngestRequest, IngestStatus, Staged, StagedContent};

/// Bytes of a partial that are read and hashed at a time.
const CHUNK: usize = 1 << 20;

/// How often a large ingest is handed to the flusher, in bytes, so that the disk works while more arrives.
const FLUSH_EVERY: u64 = 32 << 20;

/// From how many bytes on the end of an ingest is handed to the flusher as well: so few take less time than its sync.
const FLUSH_LAST: u64 = 256 << 10;

/// A blob being written to a file of its own.
pub(super) struct FileIngest {
    /// Absent while a thread writes to it, and for good where that was given up.
    writing: Option<Box<Writing>>,
    offset: u64,
}

struct Writing {
    staged: StagedFile,
    file: Arc<File>,
    hasher: Hasher,
    expected: Option<Digest>,
    written: u64,
    flushed: u64,
}

impl FileIngest {
    /// Starts an ingest, with what is kept of its blob where it is to be resumed.
    pub(super) fn begin(root: Arc<Root>, request: IngestRequest) -> Result<Self> {
        let IngestRequest { reference, total, expected, resume } = request;
        let number = root.number_ingest();
        let mut kept = None;
        let path = match expected.as_ref().filter(|_| resume) {
            Some(expected) => {
                // By this name, the file is found again after a crash.
                let path = root.ingest_path(&format!("{number}.{}", Partials::name(expected)));
                kept = root.partials.take(expected, total, &path);
                path
            }
            None => root.ingest_path(&number.to_string()),
        };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let open = || options.open(&path).map_err(|e| Error::io("creating an ingest", e));
        let file = root.partials.making_room(open)?;
        let now = jiff::Timestamp::now();
        let status =
            IngestStatus { reference, offset: 0, total, expected: expected.clone(), started_at: now, updated_at: now };
        root.ingests.lock().insert(number, status);
        let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let mut writing = Writing {
            staged: StagedFile { root, number, path, is_kept: false },
            file: Arc::new(file),
            hasher: algorithm.hasher(),
            expected,
            written: 0,
            flushed: 0,
        };
        if let Some(size) = kept {
            writing.read_kept(size)?;
        }
        Ok(Self { offset: writing.written, writing: Some(Box::new(writing)) })
    }

    fn writing(&mut self) -> Result<&mut Writing> {
        self.writing.as_deref_mut().ok_or_else(given_up)
    }
}

fn given_up() -> Error {
    Error::internal("writing content was stopped", "an earlier write was given up")
}

impl Writing {
    /// Hashes the bytes that are in the file already, to write after them. Where they cannot be read, there are none.
    fn read_kept(&mut self, size: u64) -> Result<()> {
        let mut buffer = vec![0; CHUNK];
        let mut read = 0;
        while read < size {
            let want = usize::try_from(size - read).unwrap_or(usize::MAX).min(CHUNK);
            if let Err(error) = self.file.read_exact_at(&mut buffer[..want], read) {
                tracing::warn!(%error, "could not read a partial download; fetching the blob from its start");
                self.hasher = self.expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm).hasher();
                return self.file.set_len(0).map_err(|e| Error::io("emptying an ingest", e));
            }
            self.hasher.update(&buffer[..want]);
            read += want as u64;
        }
        (self.written, self.flushed) = (size, size);
        self.report();
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        let write = || self.file.write_all_at(bytes, self.written).map_err(|e| Error::io("writing content", e));
        self.staged.root.partials.making_room(write)?;
        self.written += bytes.len() as u64;
        if self.written - self.flushed >= FLUSH_EVERY {
            self.flushed = self.written;
            self.staged.root.flusher.flush(&self.file);
        }
        self.report();
        Ok(())
    }

    fn finish(self) -> Result<Staged> {
        let Self { staged, file, hasher, expected, written, flushed } = self;
        if written - flushed >= FLUSH_LAST {
            staged.root.flusher.flush(&file);
        }
        let digest = hasher.finish_as(expected.as_ref())?;
        staged.unregister();
        Ok(Staged::new(digest, written, Box::new(staged)))
    }

    /// Says in the list of ingests how far this one is.
    fn report(&self) {
        if let Some(status) = self.staged.root.ingests.lock().get_mut(&self.staged.number) {
            status.offset = self.written;
            status.updated_at = jiff::Timestamp::now();
        }
    }
}

impl Ingest for FileIngest {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if is_allowed() {
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
        let Some(Writing { staged, expected, written, .. }) = self.writing.map(|writing| *writing) else { return };
        if let Some(expected) = expected {
            staged.keep_partial(&expected, written);
        }
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Staged>> {
        Box::pin(async move {
            let writing = self.writing.ok_or_else(given_up)?;
            offload(move || writing.finish()).await
        })
    }
}

/// A file in the ingest directory; removed when dropped, unless it was moved elsewhere.
pub(super) struct StagedFile {
    root: Arc<Root>,
    number: u64,
    path: PathBuf,
    is_kept: bool,
}

impl StagedFile {
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

    fn unregister(&self) {
        self.root.ingests.lock().remove(&self.number);
    }
}

impl StagedContent for StagedFile {
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Blob>>> {
        let path = self.path.clone();
        Box::pin(offload(move || {
            let blob = BlobFile::open(&path).map_err(|e| Error::io("opening an ingest", e))?;
            Ok(Arc::new(blob) as Arc<dyn Blob>)
        }))
    }

    fn set_aside(self: Box<Self>, digest: &Digest, size: u64) {
        self.keep_partial(digest, size);
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        self.unregister();
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

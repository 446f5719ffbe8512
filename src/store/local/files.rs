//! Blob files: ingests that are hashed while written, and the syncs that make them durable.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rustix::fs::{Advice, CWD, Mode, OFlags, ResolveFlags, fadvise, openat2};
use rustix::io::{ReadWriteFlags, preadv2};

use super::Root;
use super::partial::Partials;
use crate::domain::digest::{Algorithm, Hasher};
use crate::domain::{Digest, Error, Result};
use crate::store::{Ingest, IngestStatus, ReadAt, Staged, StagedContent};

/// Bytes of a partial that are read and hashed at a time.
const PIECE: usize = 1 << 20;

/// How often a large ingest is handed to the flusher, in bytes, so that the disk works while more arrives.
const FLUSH_EVERY: u64 = 32 << 20;

/// From how many bytes on the end of an ingest is handed to the flusher as well: so few take less time than its sync.
const FLUSH_LAST: u64 = 256 << 10;

/// From how many staged files on one sync of the whole file system is cheaper than one for each.
const SYNC_ALL_FROM: usize = 16;

/// A committed blob.
pub(super) struct BlobFile {
    file: File,
    size: u64,
}

impl BlobFile {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// Opens what the kernel finds in its caches alone. `None` where it does not, or cannot tell (before Linux 5.12).
    pub(super) fn open_ready(path: &Path) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?;
        Self::of(file.into()).ok()
    }

    pub(super) fn of(file: File) -> std::io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }
}

impl ReadAt for BlobFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        // The kernel refuses offsets that no file can have.
        if offset >= self.size {
            return Ok(0);
        }
        loop {
            match self.file.read_at(buffer, offset) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                result => return result.map_err(|e| Error::io("reading content", e)),
            }
        }
    }

    fn read_ready(&self, buffer: &mut [u8], offset: u64) -> usize {
        if offset >= self.size {
            return 0;
        }
        // Where the file system cannot tell, nothing is at hand.
        preadv2(&self.file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT).unwrap_or_default()
    }

    fn prefetch(&self, offset: u64, len: u64) {
        if let Some(len) = NonZeroU64::new(len).filter(|_| offset < self.size) {
            let _ = fadvise(&self.file, offset, Some(len), Advice::WillNeed);
        }
    }
}

/// A blob being written to a file of its own.
pub(super) struct FileIngest {
    staged: StagedFile,
    file: Arc<File>,
    hasher: Hasher,
    expected: Option<Digest>,
    written: u64,
    flushed: u64,
}

impl FileIngest {
    pub(super) fn create(root: Arc<Root>, reference: &str, total: u64, expected: Option<Digest>) -> Result<Self> {
        let number = root.next.fetch_add(1, Ordering::Relaxed);
        let path = root.ingest_path(&number.to_string());
        Self::begin(root, number, path, reference, total, expected)
    }

    /// Goes on with what was set aside of a blob, or else begins.
    pub(super) fn resume(root: Arc<Root>, reference: &str, total: u64, expected: Digest) -> Result<Self> {
        let number = root.next.fetch_add(1, Ordering::Relaxed);
        // By this name, the file is found again after a crash.
        let path = root.ingest_path(&format!("{number}.{}", Partials::name(&expected)));
        let known = root.partials.take(&expected, total, &path);
        let mut ingest = Self::begin(root, number, path, reference, total, Some(expected))?;
        if let Some(size) = known {
            ingest.take_up(size)?;
        }
        Ok(ingest)
    }

    fn begin(
        root: Arc<Root>,
        number: u64,
        path: PathBuf,
        reference: &str,
        total: u64,
        expected: Option<Digest>,
    ) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let open = || options.open(&path).map_err(|e| Error::io("creating an ingest", e));
        let file = root.partials.making_room(open)?;
        let now = jiff::Timestamp::now();
        let status = IngestStatus {
            reference: reference.to_owned(),
            offset: 0,
            total,
            expected: expected.clone(),
            started_at: now,
            updated_at: now,
        };
        root.ingests.lock().insert(number, status);
        let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        Ok(Self {
            staged: StagedFile { root, number, path, placed: false },
            file: Arc::new(file),
            hasher: algorithm.hasher(),
            expected,
            written: 0,
            flushed: 0,
        })
    }

    /// Hashes the bytes that are in the file already, to write after them. Where they cannot be read, they are none.
    fn take_up(&mut self, size: u64) -> Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut read = 0;
        while read < size {
            let want = usize::try_from(size - read).unwrap_or(usize::MAX).min(PIECE);
            if let Err(error) = self.file.read_exact_at(&mut buffer[..want], read) {
                tracing::warn!(%error, "reading a part of a blob that was set aside");
                self.hasher = self.expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm).hasher();
                return self.file.set_len(0).map_err(|e| Error::io("emptying an ingest", e));
            }
            self.hasher.update(&buffer[..want]);
            read += want as u64;
        }
        (self.written, self.flushed) = (size, size);
        self.tell();
        Ok(())
    }

    /// Tells in the list of ingests how far this one is.
    fn tell(&self) {
        let mut ingests = self.staged.root.ingests.lock();
        if let Some(status) = ingests.get_mut(&self.staged.number) {
            status.offset = self.written;
            status.updated_at = jiff::Timestamp::now();
        }
    }
}

impl Ingest for FileIngest {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        let write = || self.file.write_all_at(bytes, self.written).map_err(|e| Error::io("writing content", e));
        self.staged.root.partials.making_room(write)?;
        self.written += bytes.len() as u64;
        if self.written - self.flushed >= FLUSH_EVERY {
            self.flushed = self.written;
            self.staged.root.flusher.flush(&self.file);
        }
        self.tell();
        Ok(())
    }

    fn offset(&self) -> u64 {
        self.written
    }

    fn set_aside(self: Box<Self>) {
        let Self { staged, expected, written, .. } = *self;
        if let Some(expected) = expected {
            staged.set_aside(&expected, written);
        }
    }

    fn finish(self: Box<Self>) -> Result<Staged> {
        let Self { staged, file, hasher, expected, written, flushed } = *self;
        if written - flushed >= FLUSH_LAST {
            staged.root.flusher.flush(&file);
        }
        let digest = super::checked_digest(hasher, expected.as_ref())?;
        staged.unregister();
        Ok(Staged { digest, size: written, content: StagedContent::Local(staged) })
    }
}

/// A file in the ingest directory; removed when dropped, unless it was placed.
pub(in crate::store) struct StagedFile {
    root: Arc<Root>,
    number: u64,
    path: PathBuf,
    placed: bool,
}

impl StagedFile {
    pub(in crate::store) fn open(&self) -> Result<Box<dyn ReadAt>> {
        Ok(Box::new(BlobFile::open(&self.path).map_err(|e| Error::io("opening an ingest", e))?))
    }

    /// Moves the file to where the blob belongs.
    pub(super) fn place(mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(|e| Error::io("placing content", e))?;
        self.placed = true;
        Ok(())
    }

    /// Keeps the file as a part of a blob.
    pub(in crate::store) fn set_aside(mut self, digest: &Digest, size: u64) {
        self.placed = true;
        self.root.partials.keep(digest, size, &self.path);
    }

    fn unregister(&self) {
        self.root.ingests.lock().remove(&self.number);
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        self.unregister();
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the bytes of staged files durable: one by one if they are few, else with one sync for all.
pub(super) fn sync_staged<'a>(root: &Root, staged: impl ExactSizeIterator<Item = &'a StagedFile>) -> Result<()> {
    let synced = |e: std::io::Error| Error::io("syncing content", e);
    match staged.len() {
        0 => Ok(()),
        1..SYNC_ALL_FROM => {
            for file in staged {
                File::open(&file.path).and_then(|file| file.sync_data()).map_err(synced)?;
            }
            Ok(())
        }
        _ => rustix::fs::syncfs(&root.ingest_dir).map_err(|e| synced(e.into())),
    }
}

/// Makes renames in a directory durable.
pub(super) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|e| Error::io(format!("syncing {}", path.display()), e))
}

/// Notes durably that a root is left in order.
pub(super) fn mark_clean(root: &Path) -> Result<()> {
    File::create(root.join("clean"))
        .and_then(|file| file.sync_all())
        .map_err(|e| Error::io("marking the data root clean", e))?;
    sync_dir(root)
}

/// Removes a file; one that is not there is no error.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(format!("removing {}", path.display()), e)),
        _ => Ok(()),
    }
}

/// The names and sizes of the files in a directory.
pub(super) fn list(path: &Path) -> Result<Vec<(String, u64)>> {
    let failed = |e| Error::io(format!("listing {}", path.display()), e);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let size = entry.metadata().map_err(failed)?.len();
        files.push((entry.file_name().to_string_lossy().into_owned(), size));
    }
    Ok(files)
}

/// Removes every file in a directory.
pub(super) fn empty_dir(path: &Path) -> Result<()> {
    for (name, _) in list(path)? {
        remove(&path.join(name))?;
    }
    Ok(())
}

/// Closes a root to everybody but its owner.
pub(super) fn restrict(path: &Path) -> Result<()> {
    let mut dirs: Vec<PathBuf> = vec![path.to_owned(), path.join("ingest"), path.join("partial"), path.join("blobs")];
    dirs.extend(Algorithm::ALL.map(|algorithm| path.join("blobs").join(algorithm.name())));
    for dir in dirs {
        fs::set_permissions(&dir, Permissions::from_mode(0o700))
            .map_err(|e| Error::io(format!("closing {} to others", dir.display()), e))?;
    }
    Ok(())
}

/// A thread that writes dirty pages out early. What it does is never needed for safety, so it drops what it cannot take.
pub(super) struct Flusher(SyncSender<Arc<File>>);

impl Flusher {
    pub(super) fn start() -> Result<Self> {
        let (sender, receiver): (_, Receiver<Arc<File>>) = sync_channel(8);
        std::thread::Builder::new()
            .name("flusher".to_owned())
            .spawn(move || {
                for file in receiver {
                    // An error here comes again when the commit syncs, and is reported there.
                    let _ = file.sync_data();
                }
            })
            .map_err(|e| Error::io("starting a thread", e))?;
        Ok(Self(sender))
    }

    fn flush(&self, file: &Arc<File>) {
        let _ = self.0.try_send(file.clone());
    }
}

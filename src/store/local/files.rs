//! Files: reading blobs, and the syncs that make files durable.

use std::fs::{self, File};
use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use futures_util::future::BoxFuture;
use rustix::fs::{Advice, CWD, Mode, OFlags, ResolveFlags, fadvise, openat2};
use rustix::io::{ReadWriteFlags, preadv2};

use crate::domain::{Error, Result};
use crate::store::Blob;
use crate::store::blocking::{is_allowed, offload};

/// From how many staged files on one sync of the whole file system is cheaper than one for each.
const SYNC_ALL_FROM: usize = 16;

/// A blob that is open for reading.
pub(super) struct BlobFile {
    file: Arc<File>,
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
        Ok(Self { file: Arc::new(file), size })
    }
}

impl Blob for BlobFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at<'a>(&'a self, buffer: &'a mut [u8], offset: u64) -> BoxFuture<'a, Result<usize>> {
        Box::pin(async move {
            // The kernel refuses offsets that no file can have.
            if offset >= self.size {
                return Ok(0);
            }
            read_at(&self.file, buffer, offset).await
        })
    }

    fn read_ready(&self, buffer: &mut [u8], offset: u64) -> usize {
        if offset >= self.size {
            return 0;
        }
        read_ready(&self.file, buffer, offset)
    }

    fn prefetch(&self, offset: u64, len: u64) {
        if offset < self.size {
            prefetch(&self.file, offset, len);
        }
    }
}

/// Reads a file at an offset that it has; returns how many bytes were read.
pub(super) async fn read_at(file: &Arc<File>, buffer: &mut [u8], offset: u64) -> Result<usize> {
    if is_allowed() {
        return read(file, buffer, offset);
    }
    let (file, len) = (file.clone(), buffer.len());
    let bytes = offload(move || {
        let mut bytes = vec![0; len];
        let read = read(&file, &mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    });
    let bytes = bytes.await?;
    buffer[..bytes.len()].copy_from_slice(&bytes);
    Ok(bytes.len())
}

/// Reads what of it is at hand. Where the file system cannot tell, nothing is.
pub(super) fn read_ready(file: &File, buffer: &mut [u8], offset: u64) -> usize {
    preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT).unwrap_or_default()
}

/// Tells the kernel that a part of a file will be read soon.
pub(super) fn prefetch(file: &File, offset: u64, len: u64) {
    if let Some(len) = NonZeroU64::new(len) {
        let _ = fadvise(file, offset, Some(len), Advice::WillNeed);
    }
}

fn read(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            result => return result.map_err(|e| Error::io("reading content", e)),
        }
    }
}

/// Makes the bytes of staged files durable: one by one if they are few, else with one sync of the file system that a
/// directory is on.
pub(super) fn sync_staged<'a>(directory: &File, staged: impl ExactSizeIterator<Item = &'a Path>) -> Result<()> {
    let synced = |e: std::io::Error| Error::io("syncing content", e);
    match staged.len() {
        0 => Ok(()),
        1..SYNC_ALL_FROM => {
            for path in staged {
                File::open(path).and_then(|file| file.sync_data()).map_err(synced)?;
            }
            Ok(())
        }
        _ => rustix::fs::syncfs(directory).map_err(|e| synced(e.into())),
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

    pub(super) fn flush(&self, file: &Arc<File>) {
        let _ = self.0.try_send(file.clone());
    }
}

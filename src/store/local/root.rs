//! The directory that the stores are kept under, and who may use it.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::deletions::Deletions;
use super::files;
use super::packs::{self, Packs};
use super::partial::{self, Limits, Partials};
use crate::domain::digest::Algorithm;
use crate::domain::{Digest, Error, Kind, Result};
use crate::store::IngestStatus;

/// An open data root, shared by all that use its files.
pub(super) struct Root {
    pub(super) path: PathBuf,
    pub(super) ingest_dir: File,
    pub(super) ingests: Mutex<HashMap<u64, IngestStatus>>,
    pub(super) partials: Partials,
    pub(super) packs: Packs,
    pub(super) deletions: Deletions,
    pub(super) flusher: files::Flusher,
    /// How many bytes ingests hold in memory.
    pub(super) in_memory: AtomicU64,
    /// Whether the process before this one did not end in order.
    pub(super) was_interrupted: bool,
    /// Whether the packs may hold blobs that no record knows.
    pub(super) has_strays: bool,
    next_ingest: AtomicU64,
    is_clean: AtomicBool,
    // Dropping it releases the root, so it goes last.
    _lock: File,
}

/// A data root whose directories are there and whose lock is held, before its database was opened.
pub(super) struct Locked {
    path: PathBuf,
    was_interrupted: bool,
    lock: File,
}

/// Makes the directories and takes the lock. Whether there is a database tells a new root from one that was used.
///
/// # Errors
/// `Conflict` where another process uses the root; where the directory cannot be written, what the file system says.
pub(super) fn open(path: &Path, has_database: bool) -> Result<Locked> {
    let root = path.display();
    let unusable =
        format!("data root {root} cannot be used (give --data-root a directory that this user may write to)");
    prepare_directories(path).map_err(|e| e.context(&unusable))?;
    let lock = acquire(path).map_err(|e| match e.kind() {
        Kind::Conflict => e,
        _ => e.context(&unusable),
    })?;
    Ok(Locked { path: path.to_owned(), was_interrupted: has_database && !path.join("clean").exists(), lock })
}

fn prepare_directories(path: &Path) -> Result<()> {
    let mut directories = vec![path.to_owned()];
    directories.extend(["ingest", "partial", packs::DIRECTORY, "blobs"].map(|name| path.join(name)));
    directories.extend(Algorithm::ALL.map(|algorithm| path.join("blobs").join(algorithm.name())));
    for dir in &directories {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| Error::io(format!("creating {}", dir.display()), e))?;
    }
    for dir in &directories {
        // The modes hold whatever the umask is, and mend a root that somebody opened up.
        fs::set_permissions(dir, Permissions::from_mode(0o700))
            .map_err(|e| Error::io(format!("closing {} to others", dir.display()), e))?;
    }
    Ok(())
}

impl Locked {
    /// Drops what was being written when the last process ended, but for what a download can go on with.
    pub(super) fn prepare(self, limits: packs::Limits) -> Result<Root> {
        let Self { path, was_interrupted, lock } = self;
        partial::adopt(&path.join("ingest"), &path.join("partial"))?;
        files::empty_dir(&path.join("ingest"))?;
        let ingest_dir = File::open(path.join("ingest")).map_err(|e| Error::io("opening the ingest directory", e))?;
        let (packs, has_strays) = Packs::open(path.join(packs::DIRECTORY), limits)?;
        Ok(Root {
            ingest_dir,
            ingests: Mutex::default(),
            partials: Partials::open(path.join("partial"), Limits::default())?,
            packs,
            deletions: Deletions::default(),
            flusher: files::Flusher::start()?,
            in_memory: AtomicU64::new(0),
            was_interrupted,
            has_strays,
            next_ingest: AtomicU64::new(0),
            is_clean: AtomicBool::new(!was_interrupted),
            path,
            _lock: lock,
        })
    }
}

impl Root {
    pub(super) fn blob_dir(&self, algorithm: Algorithm) -> PathBuf {
        self.path.join("blobs").join(algorithm.name())
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blob_dir(digest.algorithm()).join(digest.hex())
    }

    pub(super) fn ingest_path(&self, name: &str) -> PathBuf {
        self.path.join("ingest").join(name)
    }

    /// A number that no other ingest of this process has.
    pub(super) fn number_ingest(&self) -> u64 {
        self.next_ingest.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes durably that changes may be under way. Costs nothing where that is noted already.
    pub(super) fn mark_unclean(&self) -> Result<()> {
        if self.is_clean.swap(false, Ordering::AcqRel) {
            files::remove(&self.path.join("clean"))?;
            files::sync_dir(&self.path)?;
        }
        Ok(())
    }

    /// Notes durably that the root is left in order.
    pub(super) fn mark_clean(&self) -> Result<()> {
        files::mark_clean(&self.path)?;
        self.is_clean.store(true, Ordering::Release);
        Ok(())
    }
}

/// Takes the lock of a root.
///
/// # Errors
/// `Conflict` where another process has it.
pub(super) fn acquire(path: &Path) -> Result<File> {
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.join("lock"))
        .map_err(|e| Error::io(format!("opening the lock of {}", path.display()), e))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => {
            let text = format!(
                "data root {} is in use by another process: stop that one, or give --data-root another directory",
                path.display()
            );
            Err(Error::new(Kind::Conflict, text))
        }
        Err(std::fs::TryLockError::Error(e)) => Err(Error::io(format!("locking {}", path.display()), e)),
    }
}

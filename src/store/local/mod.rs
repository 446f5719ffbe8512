//! The store on local files and an embedded database.
//!
//! ```text
//! <root>/lock            held by the process that uses the root
//! <root>/clean           there only while no process has changes under way
//! <root>/metadata.redb   records: blobs, parsed documents, names
//! <root>/blobs/<algorithm>/<hex>
//! <root>/ingest/<number> blobs being written; emptied at start
//! <root>/partial/<algorithm>-<hex> beginnings of blobs whose download ended early
//! ```
//!
//! The order of a commit is what makes it safe: the blobs' bytes are synced, then renamed into place, then the directory
//! is synced, and only then the database records them. Removal goes the other way. A crash between two of these steps
//! leaves files that no record knows, never a record without its file; the next start removes such files.
//!
//! A directory is taken for a root by its database; see [`claim`].

mod claim;
mod database;
mod files;
mod partial;
mod survey;
mod unlinks;

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{BlobRecord, Changes, Content, Contents, Ingest, IngestStatus, ReadAt, Store};
use crate::domain::digest::{Algorithm, Hasher};
use crate::domain::{Digest, Error, Kind, Result};
use database::Database;
pub(super) use files::StagedFile;
use files::{BlobFile, FileIngest};
use partial::{Limits, Partials};
pub use survey::{Found, FoundFile, Mending, Stray, Survey, UnreadableRecord};
use unlinks::Unlinks;

/// Blobs and names under one directory, used by one process at a time.
pub struct LocalStore {
    root: Arc<Root>,
    // One commit at a time: the order of renames and records is the order of commits.
    database: Mutex<Database>,
    uuid: String,
    interrupted: bool,
    clean: AtomicBool,
    // Dropping it releases the root, so it goes last.
    _lock: File,
}

/// Where files go, shared with the ingests that write them.
struct Root {
    path: PathBuf,
    ingest_dir: File,
    next: AtomicU64,
    ingests: Mutex<HashMap<u64, IngestStatus>>,
    partials: Partials,
    unlinks: Unlinks,
    flusher: files::Flusher,
}

impl Root {
    fn blob_dir(&self, algorithm: Algorithm) -> PathBuf {
        self.path.join("blobs").join(algorithm.name())
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blob_dir(digest.algorithm()).join(digest.hex())
    }

    fn ingest_path(&self, name: &str) -> PathBuf {
        self.path.join("ingest").join(name)
    }
}

impl LocalStore {
    /// Opens the store under a directory, which is made if it is not there. A directory that is neither empty nor a data
    /// root is left as it is.
    ///
    /// Whatever a process that did not end in order left behind is put right first: ingests are dropped (those that can be
    /// resumed are set aside), files that no record knows are removed, and records whose file is gone are forgotten with a
    /// warning.
    ///
    /// # Errors
    /// `InvalidArgument` where the directory is not a data root and none can be made there; `Conflict` where another process
    /// uses it.
    pub fn open(path: &Path) -> Result<Self> {
        claim::check(path)?;
        let algorithms = Algorithm::ALL.map(|algorithm| path.join("blobs").join(algorithm.name()));
        for dir in [path.to_owned(), path.join("ingest"), path.join("partial")].iter().chain(&algorithms) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(|e| Error::io(format!("creating {}", dir.display()), e))?;
        }
        // The modes hold whatever the umask is, and mend a root that somebody opened up.
        files::restrict(path)?;
        let lock = acquire(path)?;
        let clean = path.join("clean");
        let fresh = !database::is_there(path);
        let interrupted = !fresh && !clean.exists();
        let (database, uuid) = Database::open(path)?;
        partial::adopt(&path.join("ingest"), &path.join("partial"))?;
        files::empty_dir(&path.join("ingest"))?;
        let ingest_dir = File::open(path.join("ingest")).map_err(|e| Error::io("opening the ingest directory", e))?;
        let root = Root {
            path: path.to_owned(),
            ingest_dir,
            next: AtomicU64::new(0),
            ingests: Mutex::default(),
            partials: Partials::open(path.join("partial"), Limits::default())?,
            unlinks: Unlinks::default(),
            flusher: files::Flusher::start()?,
        };
        let store = Self {
            root: Arc::new(root),
            database: Mutex::new(database),
            uuid,
            interrupted,
            clean: AtomicBool::new(!interrupted),
            _lock: lock,
        };
        if interrupted {
            store.reconcile()?;
        }
        store.mark_unclean()?;
        Ok(store)
    }

    /// Makes files and records agree again after a crash.
    fn reconcile(&self) -> Result<()> {
        let mut database = self.database.lock();
        let recorded: HashMap<Digest, BlobRecord> = database.contents()?.blobs.into_iter().collect();
        let mut found = std::collections::HashSet::new();
        for algorithm in Algorithm::ALL {
            for (name, size) in files::list(&self.root.blob_dir(algorithm))? {
                let digest = format!("{}:{name}", algorithm.name()).parse::<Digest>().ok();
                match digest.filter(|digest| recorded.get(digest).is_some_and(|record| record.size == size)) {
                    Some(digest) => drop(found.insert(digest)),
                    None => {
                        tracing::info!(file = %name, "removing a blob file that no record knows");
                        // What cannot be removed, such as a directory, is no reason not to start.
                        if let Err(error) = files::remove(&self.root.blob_dir(algorithm).join(&name)) {
                            tracing::warn!(error = error.chain(), "leaving it; see loadline check --repair");
                        }
                    }
                }
            }
        }
        let lost: Vec<Digest> = recorded.into_keys().filter(|digest| !found.contains(digest)).collect();
        for digest in &lost {
            tracing::warn!(content.digest = %digest, "a recorded blob has no file of its size; forgetting it");
        }
        if !lost.is_empty() {
            database.apply(&[], &Changes { removed: lost, ..Changes::default() })?;
        }
        Ok(())
    }

    fn mark_unclean(&self) -> Result<()> {
        if self.clean.swap(false, Ordering::AcqRel) {
            files::remove(&self.root.path.join("clean"))?;
            files::sync_dir(&self.root.path)?;
        }
        Ok(())
    }
}

fn not_found(digest: &Digest) -> Error {
    Error::not_found(format!("content {digest}: not found"))
}

/// Takes the lock of a root.
fn acquire(path: &Path) -> Result<File> {
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.join("lock"))
        .map_err(|e| Error::io(format!("opening the lock of {}", path.display()), e))?;
    lock.try_lock().map_err(|e| match e {
        TryLockError::WouldBlock => {
            Error::new(Kind::Conflict, format!("data root {} is in use by another process", path.display()))
        }
        TryLockError::Error(e) => Error::io(format!("locking {}", path.display()), e),
    })?;
    Ok(lock)
}

/// The digest of what was hashed, if it is the one that was expected.
pub(super) fn checked_digest(hasher: Hasher, expected: Option<&Digest>) -> Result<Digest> {
    let digest = hasher.finish();
    match expected {
        Some(expected) if *expected != digest => {
            Err(Error::invalid(format!("content of {expected} does not match its digest: it is {digest}")))
        }
        _ => Ok(digest),
    }
}

impl Content for LocalStore {
    fn open(&self, digest: &Digest) -> Result<Box<dyn ReadAt>> {
        if self.root.unlinks.includes(digest) {
            return Err(not_found(digest));
        }
        Ok(Box::new(BlobFile::open(&self.root.blob_path(digest)).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => not_found(digest),
            _ => Error::io(format!("opening content {digest}"), e),
        })?))
    }

    fn open_ready(&self, digest: &Digest) -> Option<Box<dyn ReadAt>> {
        if self.root.unlinks.includes(digest) {
            return None;
        }
        Some(Box::new(BlobFile::open_ready(&self.root.blob_path(digest))?))
    }

    fn ingest(&self, reference: &str, total: u64, expected: Option<Digest>) -> Result<Box<dyn Ingest>> {
        Ok(Box::new(FileIngest::create(self.root.clone(), reference, total, expected)?))
    }

    fn resume(&self, reference: &str, total: u64, expected: Digest) -> Result<Box<dyn Ingest>> {
        Ok(Box::new(FileIngest::resume(self.root.clone(), reference, total, expected)?))
    }

    fn forget_partials(&self) -> u64 {
        self.root.partials.clear()
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.root.ingests.lock().values().cloned().collect()
    }
}

impl Store for LocalStore {
    fn contents(&self) -> Result<Contents> {
        self.database.lock().contents()
    }

    fn commit(&self, mut changes: Changes) -> Result<()> {
        let mut blobs = Vec::with_capacity(changes.blobs.len());
        for staged in std::mem::take(&mut changes.blobs) {
            let super::StagedContent::Local(file) = staged.content else {
                return Err(Error::internal("a blob was staged in another store", "mixed stores"));
            };
            blobs.push((staged.digest, staged.size, file));
        }
        // The slow part, before the lock is taken: other commits go on meanwhile.
        files::sync_staged(&self.root, blobs.iter().map(|(_, _, file)| file))?;
        let mut database = self.database.lock();
        self.mark_unclean()?;
        let (mut placed, mut records) = (Vec::new(), Vec::with_capacity(blobs.len()));
        let result = (|| {
            for (digest, size, file) in blobs {
                let path = self.root.blob_path(&digest);
                // A file that no record knows is nobody's: what was just hashed takes its place.
                if self.root.unlinks.give_up(&digest) {
                    placed.push(path.clone());
                }
                if !path.exists() || !database.knows(&digest)? {
                    file.place(&path)?;
                    placed.push(path);
                }
                records.push((digest, BlobRecord { size, created_at: changes.now }));
            }
            for algorithm in Algorithm::ALL {
                if records.iter().any(|(digest, _)| digest.algorithm() == algorithm) {
                    files::sync_dir(&self.root.blob_dir(algorithm))?;
                }
            }
            self.root.partials.making_room(|| database.apply(&records, &changes))
        })();
        if let Err(error) = result {
            // Nothing was recorded, so nobody can have seen these.
            for path in placed {
                let _ = files::remove(&path);
            }
            return Err(error);
        }
        self.root.partials.settle(records.iter().map(|(digest, _)| digest));
        self.root.unlinks.plan(&changes.removed);
        Ok(())
    }

    fn erase(&self, removed: &[Digest]) {
        self.root.unlinks.carry_out(removed, |digest| files::remove(&self.root.blob_path(digest)));
    }

    fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    fn uuid(&self) -> &str {
        &self.uuid
    }

    fn close(&self) -> Result<()> {
        let _database = self.database.lock();
        self.erase(&self.root.unlinks.all());
        files::mark_clean(&self.root.path)?;
        self.clean.store(true, Ordering::Release);
        Ok(())
    }
}

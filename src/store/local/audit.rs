//! A data root as a check finds it.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, FileType};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::claim::unreadable;
use super::database::{self, FoundDatabase};
use super::files::{self, BlobFile};
use super::packs::{self, FoundPacks};
use super::partial;
use super::root::acquire;
use crate::domain::digest::Algorithm;
use crate::domain::{Digest, Error, Result};
use crate::store::{Audit, Blob, Entry, Inventory, ObjectFile, Repair, Stray};

/// Where directories go that stand where none should: what is in them is not ours to delete.
const SET_ASIDE: &str = "lost+found";

/// A data root that no daemon uses while this lives.
pub struct LocalAudit {
    path: PathBuf,
    database: FoundDatabase,
    packs: FoundPacks,
    // Dropping it releases the root, so it goes last.
    _lock: fs::File,
}

impl LocalAudit {
    /// Opens a data root that nobody uses. Nothing in it is written.
    ///
    /// # Errors
    /// `NotFound` where there is no data root; `Conflict` where a process uses it, or it is of another form; `DataLoss`
    /// where its database is damaged beyond repair.
    pub fn open(path: &Path) -> Result<Self> {
        let absent = |why: &str| {
            let text = format!(
                "{} is not a data root: {why}. Give --data-root the directory that the daemon uses",
                path.display()
            );
            Error::not_found(text)
        };
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => return Err(absent("it is not a directory")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(absent("it does not exist")),
            Err(e) => return Err(unreadable(path, e)),
            Ok(_) => {}
        }
        let database = database::path(path);
        match fs::symlink_metadata(&database) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(absent("it holds no metadata.redb")),
            Err(e) => return Err(unreadable(&database, e)),
            Ok(_) => {}
        }
        let lock = acquire(path)?;
        let database = FoundDatabase::read(&database)?;
        let packs = FoundPacks::read(path.join(packs::DIRECTORY))?;
        Ok(Self { path: path.to_owned(), database, packs, _lock: lock })
    }

    /// Tells of each entry of a directory: where it is, its name where that is text, and what it is. A directory that is
    /// not there has none.
    fn each(&self, directory: &Path, mut tell: impl FnMut(Stray, Option<&str>, FileType)) -> Result<()> {
        let path = self.path.join(directory);
        let entries = match fs::read_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|e| unreadable(&path, e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| unreadable(&path, e))?;
            // Of the entry itself, not of what a link points at.
            let metadata = entry.metadata().map_err(|e| unreadable(&entry.path(), e))?;
            let name = entry.file_name();
            let size = if metadata.is_file() { metadata.len() } else { 0 };
            tell(Stray { path: directory.join(&name), size }, name.to_str(), metadata.file_type());
        }
        Ok(())
    }
}

impl Audit for LocalAudit {
    fn scan(&self, record: &mut dyn FnMut(Entry)) -> Result<Inventory> {
        let mut recorded = HashSet::new();
        let unreadable = self.database.records(&mut |entry| {
            if let Entry::Blob(digest, _) = &entry {
                recorded.insert(digest.clone());
            }
            record(entry);
        })?;
        let mut found = Inventory {
            is_clean: self.path.join("clean").exists(),
            is_database_intact: self.database.is_intact(),
            unreadable,
            ..Inventory::default()
        };
        let algorithm = |name: &str| Algorithm::from_name(name);
        self.each(Path::new("blobs"), |stray, name, _| {
            if name.and_then(algorithm).is_none() {
                found.strays.push(stray);
            }
        })?;
        for algorithm in Algorithm::ALL {
            let directory = Path::new("blobs").join(algorithm.name());
            self.each(&directory, |stray, name, kind| {
                let digest = name.and_then(|name| format!("{}:{name}", algorithm.name()).parse::<Digest>().ok());
                match digest {
                    Some(digest) => {
                        let file = match kind.is_file() {
                            true => ObjectFile::Regular(stray.size),
                            false => ObjectFile::Other(kind_name(kind)),
                        };
                        found.objects.insert(digest, file);
                    }
                    None => found.strays.push(stray),
                }
            })?;
        }
        for (digest, size) in self.packs.blobs() {
            // What no record knows takes no room of its own, and goes with its pack.
            if recorded.contains(digest) {
                found.objects.insert(digest.clone(), ObjectFile::Regular(size));
            }
        }
        self.each(Path::new(packs::DIRECTORY), |stray, name, kind| {
            let is_ours =
                |name: &str| ["pack", "idx", "idx.new"].iter().any(|end| packs::number_of(name, end).is_some());
            if !kind.is_file() || !name.is_some_and(is_ours) {
                found.strays.push(stray);
            }
        })?;
        self.each(Path::new("ingest"), |stray, name, kind| match name.and_then(partial::of_ingest) {
            Some(_) if kind.is_file() => found.resumable.push(stray),
            _ => found.ingests.push(stray),
        })?;
        self.each(Path::new("partial"), |stray, name, kind| {
            if !kind.is_file() || name.and_then(partial::digest_of).is_none() {
                found.strays.push(stray);
            }
        })?;
        found.strays.sort();
        found.ingests.sort();
        found.resumable.sort();
        Ok(found)
    }

    fn open_blob(&self, digest: &Digest) -> Result<Arc<dyn Blob>> {
        if let Some(blob) = self.packs.get(digest) {
            return Ok(blob);
        }
        let path = self.path.join(blob_path(digest));
        // No link is followed. Without NONBLOCK, a pipe in the place of a blob would be waited for.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = rustix::fs::open(&path, flags, Mode::empty()).map_err(io::Error::from);
        let file = opened.map(fs::File::from).and_then(|file| match file.metadata()?.is_file() {
            true => BlobFile::of(file),
            false => Err(io::Error::other("not a file")),
        });
        Ok(Arc::new(file.map_err(|e| unreadable(&path, e))?))
    }

    fn repair(self: Box<Self>, repair: &Repair) -> Result<()> {
        let Self { path, database, packs, _lock } = *self;
        // It reads a file that is about to change.
        drop(database);
        let clean = path.join("clean");
        let was_clean = clean.exists();
        if was_clean {
            files::remove(&clean)?;
            files::sync_dir(&path)?;
        }
        // Records first: a record never stands without its file.
        FoundDatabase::repair(&database::path(&path), repair)?;
        let removed = || repair.changes.removed.iter().chain(&repair.objects);
        packs.forget(removed())?;
        for digest in removed() {
            clear(&path, &blob_path(digest))?;
        }
        for stray in &repair.strays {
            clear(&path, &stray.path)?;
        }
        for algorithm in Algorithm::ALL {
            let directory = path.join("blobs").join(algorithm.name());
            if directory.exists() {
                files::sync_dir(&directory)?;
            }
        }
        if was_clean {
            files::mark_clean(&path)?;
        }
        Ok(())
    }
}

/// Removes what stands at a path; a directory that is not empty is moved out of the way.
fn clear(root: &Path, place: &Path) -> Result<()> {
    let path = root.join(place);
    let is_directory = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata.is_dir(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(unreadable(&path, e)),
    };
    if !is_directory {
        return files::remove(&path);
    }
    if fs::remove_dir(&path).is_ok() {
        return Ok(());
    }
    let aside = root.join(SET_ASIDE);
    let failed = |e| Error::io(format!("moving {} to {}", path.display(), aside.display()), e);
    DirBuilder::new().recursive(true).mode(0o700).create(&aside).map_err(failed)?;
    let name = place.to_string_lossy().replace('/', "-");
    let free = (0u32..).map(|n| aside.join(format!("{name}.{n}"))).find(|path| fs::symlink_metadata(path).is_err());
    // There are more numbers than a directory has entries.
    fs::rename(&path, free.unwrap_or_else(|| aside.join(&name))).map_err(failed)
}

/// From the data root on.
fn blob_path(digest: &Digest) -> PathBuf {
    Path::new("blobs").join(digest.algorithm().name()).join(digest.hex())
}

fn kind_name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

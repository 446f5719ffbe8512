//! Partials: blobs of which a part was fetched, kept for a while so that the next download goes on where the last ended.
//!
//! They are files `<algorithm>-<hex>` in a directory of their own, named by the digest that the whole is to have. Nothing of
//! them is synced or checked: who takes one up hashes it, and compares the digest when all is there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, MutexGuard};

use super::files;
use crate::domain::{Digest, Error, Result};
use crate::store::MIN_PARTIAL;

/// How much is kept, and for how long. Beyond that the oldest goes first.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) age: Duration,
    /// Never more than half of what would be free without them, besides.
    pub(super) bytes: u64,
    pub(super) count: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { age: Duration::from_secs(24 * 3600), bytes: 32 << 30, count: 1024 }
    }
}

/// The partials of one root.
pub(super) struct Partials {
    directory: PathBuf,
    limits: Limits,
    kept: Mutex<HashMap<Digest, Kept>>,
}

struct Kept {
    size: u64,
    since: SystemTime,
}

impl Partials {
    /// Reads what a directory holds. What is no partial, is too old or is too much goes.
    pub(super) fn open(directory: PathBuf, limits: Limits) -> Result<Self> {
        let mut kept = HashMap::new();
        for (name, size) in files::list(&directory)? {
            let path = directory.join(&name);
            let since = fs::metadata(&path).and_then(|file| file.modified()).ok();
            match (digest_of(&name), since) {
                (Some(digest), Some(since)) if size >= MIN_PARTIAL => drop(kept.insert(digest, Kept { size, since })),
                _ => files::remove(&path)?,
            }
        }
        let partials = Self { directory, limits, kept: Mutex::new(kept) };
        partials.shrink(&mut partials.lock());
        Ok(partials)
    }

    /// What an ingest's file is called that may become a partial, beside its number.
    pub(super) fn name(digest: &Digest) -> String {
        format!("{}-{}", digest.algorithm().name(), digest.hex())
    }

    /// Moves the file of an ingest here, whose part of the blob it holds; a longer part of the same blob stays instead.
    pub(super) fn keep(&self, digest: &Digest, size: u64, file: &Path) {
        let mut kept = self.lock();
        let known = kept.get(digest).map_or(0, |kept| kept.size);
        if size < MIN_PARTIAL || known >= size {
            let _ = files::remove(file);
            return;
        }
        match fs::rename(file, self.path(digest)) {
            Ok(()) => drop(kept.insert(digest.clone(), Kept { size, since: SystemTime::now() })),
            Err(error) => {
                tracing::warn!(content.digest = %digest, %error, "could not keep a partial download; the next pull fetches the blob from its start");
                let _ = files::remove(file);
            }
        }
        self.shrink(&mut kept);
    }

    /// Moves the part of a blob to where an ingest goes on with it; its size, or `None` where there is none. One that is
    /// larger than the blob is a part of something else, and is removed.
    pub(super) fn take(&self, digest: &Digest, most: u64, file: &Path) -> Option<u64> {
        self.lock().remove(digest)?;
        fs::rename(self.path(digest), file).ok()?;
        match fs::metadata(file) {
            Ok(metadata) if metadata.len() <= most => Some(metadata.len()),
            _ => {
                let _ = files::remove(file);
                None
            }
        }
    }

    /// Removes the parts of blobs that are here as a whole now, and what is too old.
    pub(super) fn drop_completed<'a>(&self, whole: impl Iterator<Item = &'a Digest>) {
        let mut kept = self.lock();
        if kept.is_empty() {
            return;
        }
        for digest in whole {
            self.remove(&mut kept, digest);
        }
        self.shrink(&mut kept);
    }

    /// Removes all; how many bytes that were.
    pub(super) fn clear(&self) -> u64 {
        let mut kept = self.lock();
        let all: Vec<Digest> = kept.keys().cloned().collect();
        all.iter().map(|digest| self.remove(&mut kept, digest)).sum()
    }

    /// Does something that writes and, where the disk is full, does it again once all partials are gone.
    ///
    /// # Errors
    /// What the last try failed with.
    pub(super) fn making_room<T>(&self, mut write: impl FnMut() -> Result<T>) -> Result<T> {
        match write() {
            Err(error) if error.kind() == crate::domain::Kind::ResourceExhausted && self.clear() > 0 => {
                tracing::info!("the disk is full; removed all partial downloads");
                write()
            }
            result => result,
        }
    }

    fn shrink(&self, kept: &mut HashMap<Digest, Kept>) {
        let now = SystemTime::now();
        let old = |kept: &Kept| now.duration_since(kept.since).is_ok_and(|age| age >= self.limits.age);
        let expired: Vec<Digest> =
            kept.iter().filter(|(_, kept)| old(kept)).map(|(digest, _)| digest.clone()).collect();
        for digest in &expired {
            self.remove(kept, digest);
        }
        let mut bytes: u64 = kept.values().map(|kept| kept.size).sum();
        let free =
            rustix::fs::statvfs(&self.directory).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let most = self.limits.bytes.min(free.saturating_add(bytes) / 2);
        while bytes > most || kept.len() > self.limits.count {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.since).map(|(digest, _)| digest.clone());
            let Some(oldest) = oldest else { return };
            bytes -= self.remove(kept, &oldest);
        }
    }

    /// Removes one; its size, 0 where it is not here.
    fn remove(&self, kept: &mut HashMap<Digest, Kept>, digest: &Digest) -> u64 {
        let Some(gone) = kept.remove(digest) else { return 0 };
        if let Err(error) = files::remove(&self.path(digest)) {
            tracing::warn!(content.digest = %digest, error = error.chain(), "could not delete a partial download; it takes room until the next start");
        }
        gone.size
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(Self::name(digest))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Kept>> {
        self.kept.lock()
    }
}

/// Moves what a process that did not end in order was fetching to the partials; all other ingests stay.
pub(super) fn adopt(ingests: &Path, partials: &Path) -> Result<()> {
    for (name, _) in files::list(ingests)? {
        if let Some(digest) = of_ingest(&name) {
            fs::rename(ingests.join(&name), partials.join(Partials::name(&digest)))
                .map_err(|e| Error::io("setting an ingest aside", e))?;
        }
    }
    Ok(())
}

/// The digest of the blob that an ingest's file is a part of; `None` where that cannot be resumed.
pub(super) fn of_ingest(name: &str) -> Option<Digest> {
    digest_of(name.split_once('.')?.1)
}

/// The digest that a partial's name is made of; `None` where it is none.
pub(super) fn digest_of(name: &str) -> Option<Digest> {
    name.replacen('-', ":", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = MIN_PARTIAL;

    fn open(directory: &Path, limits: Limits) -> Partials {
        Partials::open(directory.to_owned(), limits).unwrap()
    }

    fn put(partials: &Partials, name: &str) -> Digest {
        let (digest, file) = (Digest::of(name.as_bytes()), partials.directory.with_extension("file"));
        fs::write(&file, vec![0; SIZE as usize]).unwrap();
        partials.keep(&digest, SIZE, &file);
        assert!(!file.exists());
        digest
    }

    fn count(partials: &Partials) -> usize {
        let files = fs::read_dir(&partials.directory).unwrap().count();
        assert_eq!(files, partials.lock().len());
        files
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("partial");
        fs::create_dir(&directory).unwrap();
        let partials = open(&directory, Limits { bytes: 3 * SIZE, ..Limits::default() });
        let all: Vec<Digest> = (0..5).map(|n| put(&partials, &n.to_string())).collect();
        assert_eq!(count(&partials), 3);
        assert!(partials.take(&all[1], SIZE, &root.path().join("x")).is_none());
        assert_eq!(partials.take(&all[4], SIZE, &root.path().join("x")), Some(SIZE));
        drop(partials);
        // A later start keeps to its own limits, and takes nothing else for a partial.
        fs::write(directory.join("notes"), vec![0; SIZE as usize]).unwrap();
        assert_eq!(count(&open(&directory, Limits { count: 1, ..Limits::default() })), 1);
        assert_eq!(count(&open(&directory, Limits { age: Duration::ZERO, ..Limits::default() })), 0);
    }

    #[test]
    fn a_longer_part_is_not_lost_to_a_shorter_one() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("partial");
        fs::create_dir(&directory).unwrap();
        let partials = open(&directory, Limits::default());
        let (digest, file) = (Digest::of(b"whole"), root.path().join("file"));
        for (size, known) in [(SIZE, SIZE), (3 * SIZE, 3 * SIZE), (2 * SIZE, 3 * SIZE)] {
            fs::write(&file, vec![0; size as usize]).unwrap();
            partials.keep(&digest, size, &file);
            assert_eq!(partials.lock()[&digest].size, known);
        }
        assert_eq!(partials.clear(), 3 * SIZE);
        assert_eq!(count(&partials), 0);
    }

    #[test]
    fn a_full_disk_takes_them() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("partial");
        fs::create_dir(&directory).unwrap();
        let partials = open(&directory, Limits::default());
        let full = || Error::io("writing", std::io::ErrorKind::StorageFull.into());
        let mut tries = 0;
        let mut write = || {
            tries += 1;
            if tries == 1 { Err(full()) } else { Ok(()) }
        };
        put(&partials, "part");
        partials.making_room(&mut write).unwrap();
        assert_eq!(count(&partials), 0);
        // Where there is nothing to give, nothing is tried again.
        assert!(partials.making_room(|| Err::<(), _>(full())).is_err());
    }
}

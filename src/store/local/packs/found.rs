//! Packs as they are found on a disk.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blob::PackedBlob;
use super::index::Index;
use super::location::{Location, Packed};
use super::names::{index_path, number_of, open_pack, path};
use super::scan::{self, Wanted, scan};
use crate::domain::{Digest, Error, Result};
use crate::store::Blob;
use crate::store::local::files;

/// A pack, and what is in it.
pub(super) struct Found {
    pub(super) file: File,
    /// Bytes.
    pub(super) len: u64,
    pub(super) entries: Vec<Packed>,
    /// Whether its index is about all of it.
    pub(super) is_indexed: bool,
}

/// Reads all packs of a directory, the oldest first, and cuts off what the newest ends with that is no entry. Of a blob that
/// is in several, the newest copy that is whole is given. Whether any pack had to be read itself is said beside.
pub(super) fn read(directory: &Path) -> Result<(BTreeMap<u32, Found>, bool)> {
    let mut packs = BTreeMap::new();
    let mut newest: HashMap<Digest, Location> = HashMap::new();
    let mut is_read = false;
    let numbers = numbers(directory)?;
    for number in &numbers {
        let file = open_pack(&path(directory, *number), true)?;
        let failed = |e| Error::io(format!("reading {}", path(directory, *number).display()), e);
        let mut len = file.metadata().map_err(failed)?.len();
        let index = Index::read(&index_path(directory, *number), *number);
        let is_indexed = index.covered == len;
        let mut entries = if index.covered <= len { index.entries } else { Vec::new() };
        if !is_indexed {
            is_read = true;
            let from = if index.covered <= len { index.covered } else { 0 };
            let rest = scan(&file, *number, from, len, Wanted::Whole).map_err(failed)?;
            entries.extend(rest.entries);
            if rest.end < len && Some(number) == numbers.last() {
                file.set_len(rest.end).map_err(failed)?;
                len = rest.end;
            }
        }
        // What an older pack holds as well is given up only for a copy that is whole.
        entries.retain(|entry| !newest.contains_key(&entry.digest) || is_whole(&file, entry));
        newest.extend(entries.iter().map(|entry| (entry.digest.clone(), entry.location)));
        packs.insert(*number, Found { file, len, entries, is_indexed });
    }
    Ok((packs, is_read))
}

/// The numbers of all packs, in order. What an index leaves behind that was not written to its end is removed.
fn numbers(directory: &Path) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for (name, _) in files::list(directory)? {
        if number_of(&name, "idx.new").is_some() {
            files::remove(&directory.join(&name))?;
        }
        numbers.extend(number_of(&name, "pack"));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn is_whole(file: &File, entry: &Packed) -> bool {
    let mut blob = vec![0; entry.location.size as usize];
    let read = file.read_exact_at(&mut blob, u64::from(entry.location.start));
    read.is_ok() && Digest::compute(entry.digest.algorithm(), &blob) == entry.digest
}

/// Packs that nobody uses while this lives. Nothing in them is written, unless that is asked for.
pub(in crate::store::local) struct FoundPacks {
    directory: PathBuf,
    files: HashMap<u32, (Arc<File>, u64)>,
    blobs: HashMap<Digest, Location>,
}

impl FoundPacks {
    /// Reads the packs of a directory; there may be none. A blob is found where a header says so, whole or not.
    ///
    /// # Errors
    /// `PermissionDenied` where one may not be read.
    pub(in crate::store::local) fn read(directory: PathBuf) -> Result<Self> {
        let mut found = Self { directory, files: HashMap::new(), blobs: HashMap::new() };
        let names = match std::fs::read_dir(&found.directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(found.failed(&found.directory, e)),
            Ok(names) => names,
        };
        let names = names.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let names = names.map_err(|e| found.failed(&found.directory, e))?;
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name.to_str()?, "pack")).collect();
        numbers.sort_unstable();
        for number in numbers {
            let path = path(&found.directory, number);
            let file = open_pack(&path, false)?;
            let len = file.metadata().map_err(|e| found.failed(&path, e))?.len();
            let index = Index::read(&index_path(&found.directory, number), number);
            let index = if index.covered <= len { index } else { Index::default() };
            let rest = match index.covered == len {
                true => scan::Found::default(),
                false => scan(&file, number, index.covered, len, Wanted::All).map_err(|e| found.failed(&path, e))?,
            };
            for entry in index.entries.into_iter().chain(rest.entries) {
                let known = found.blobs.contains_key(&entry.digest);
                if !known || is_whole(&file, &entry) {
                    found.blobs.insert(entry.digest, entry.location);
                }
            }
            found.files.insert(number, (Arc::new(file), len));
        }
        Ok(found)
    }

    /// Every blob, in no order, with its size in bytes.
    pub(in crate::store::local) fn blobs(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.blobs.iter().map(|(digest, location)| (digest, u64::from(location.size)))
    }

    /// Opens a blob; `None` where no pack holds it.
    pub(in crate::store::local) fn get(&self, digest: &Digest) -> Option<Arc<dyn Blob>> {
        let location = *self.blobs.get(digest)?;
        let (file, _) = self.files.get(&location.pack)?;
        Some(Arc::new(PackedBlob::new(file.clone(), location)))
    }

    /// Has the next start not find these blobs.
    pub(in crate::store::local) fn forget<'a>(mut self, blobs: impl Iterator<Item = &'a Digest>) -> Result<()> {
        let mut changed: Vec<u32> = blobs.filter_map(|digest| Some(self.blobs.remove(digest)?.pack)).collect();
        changed.sort_unstable();
        changed.dedup();
        for number in changed {
            let of_pack = self.blobs.iter().filter(|(_, location)| location.pack == number);
            let mut entries: Vec<Packed> =
                of_pack.map(|(digest, location)| Packed { digest: digest.clone(), location: *location }).collect();
            entries.sort_unstable_by_key(|entry| entry.location.start);
            let covered = self.files.get(&number).map_or(0, |(_, len)| *len);
            Index { covered, entries }.write(&index_path(&self.directory, number))?;
        }
        Ok(())
    }

    fn failed(&self, path: &Path, e: io::Error) -> Error {
        match e.kind() {
            io::ErrorKind::PermissionDenied => crate::store::local::claim::unreadable(path, e),
            _ => Error::io(format!("reading {}", path.display()), e),
        }
    }
}

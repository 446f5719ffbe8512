//! Packs: files that each hold many small blobs.
//!
//! ```text
//! <root>/packs/<number>.pack   entries one after another (`entry`); nothing in it is ever changed, only added
//! <root>/packs/<number>.idx    what counts in it (`index`); made from the pack where it is missing
//! ```
//!
//! Most blobs of an image are documents of a few KiB. A file, a rename and an inode for each cost more than their bytes.
//! Blobs that are placed together are written one after another and synced once.
//!
//! A blob is found by a map in memory, which a start reads from the indexes, and from the packs where those do not reach.
//! An entry counts only where its bytes have its digest, so one that a crash cut short is none. Removal forgets where a
//! blob is. A pack in which nothing counts any more is deleted, and one in which most does not is written anew. So a crash
//! may bring removed blobs back, which no record knows then, and never loses one that was placed.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::files;
use crate::domain::{Digest, Error, Result};
use crate::store::Blob;

mod blob;
mod compaction;
mod entry;
mod found;
mod index;
mod location;
mod names;
mod scan;
mod state;
#[cfg(test)]
mod tests;

use blob::PackedBlob;
pub(super) use entry::MAX_SIZE;
pub(super) use found::FoundPacks;
use location::Location;
pub(super) use location::Packed;
pub(super) use names::number_of;
use names::{index_path, path};
use state::{Pack, State};

/// Where packs are in a data root.
pub(super) const DIRECTORY: &str = "packs";

/// The largest blob that is packed by default, in bytes.
pub(super) const LARGEST_BLOB: u32 = 16 << 10;

/// Bytes that are collected before they are written.
const WRITE: usize = 1 << 20;

/// What is packed, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The largest blob that is packed, in bytes; none is where 0.
    pub(super) largest_blob: u32,
    /// From how many bytes on nothing is added to a pack.
    pub(super) pack: u64,
}

impl Default for Limits {
    /// See `docs/performance.md` for what was measured.
    fn default() -> Self {
        Self { largest_blob: LARGEST_BLOB, pack: 64 << 20 }
    }
}

/// The packs of one data root.
pub(super) struct Packs {
    directory: PathBuf,
    limits: Limits,
    /// The end of the newest pack; absent where the next writer begins a new one. It is locked while bytes are written, and
    /// not while they are synced.
    end: Mutex<Option<End>>,
    state: Mutex<State>,
    /// Held by whoever writes a pack anew.
    compacting: Mutex<()>,
}

/// Where a pack goes on.
struct End {
    number: u32,
    file: Arc<File>,
    len: u64,
}

/// What was written to a pack and is not synced.
struct Written {
    number: u32,
    file: Arc<File>,
    entries: Vec<Packed>,
}

impl Packs {
    /// Reads which blobs are in the packs of a directory. Blocks.
    ///
    /// The second value says whether a pack itself had to be read, so that blobs may be found that were removed.
    pub(super) fn open(directory: PathBuf, limits: Limits) -> Result<(Self, bool)> {
        let (found, is_read) = found::read(&directory)?;
        let mut state = State::default();
        for (number, found::Found { file, len, entries, is_indexed }) in found {
            state.add_pack(number, Pack::new(Arc::new(file), len, true));
            for entry in entries {
                state.insert(entry);
            }
            if let Some(pack) = state.pack_mut(number) {
                pack.is_indexed = is_indexed;
            }
        }
        let mut end = None;
        if let Some((number, pack)) = state.newest().and_then(|number| Some((number, state.pack_mut(number)?)))
            && pack.len < limits.pack
        {
            pack.is_open = true;
            end = Some(End { number, file: pack.file.clone(), len: pack.len });
        }
        let packs =
            Self { directory, limits, end: Mutex::new(end), state: Mutex::new(state), compacting: Mutex::default() };
        Ok((packs, is_read))
    }

    /// Whether a blob of this size is packed.
    pub(super) fn takes(&self, size: u64) -> bool {
        self.limits.largest_blob > 0 && size <= u64::from(self.limits.largest_blob)
    }

    /// Opens a blob; `None` where no pack holds it. Does not wait.
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<dyn Blob>> {
        let state = self.state.lock();
        let location = state.location(digest)?;
        let file = state.pack(location.pack)?.file.clone();
        Some(Arc::new(PackedBlob::new(file, location)))
    }

    /// Makes blobs durable. A blob that is here already is replaced. Blocks.
    ///
    /// # Errors
    /// Those of the disk; then none of them is placed.
    pub(super) fn place(&self, blobs: &[(Digest, Arc<[u8]>)]) -> Result<()> {
        self.add(blobs, |_, _| true)
    }

    /// Forgets a blob; whether it was here. Does not wait.
    pub(super) fn remove(&self, digest: &Digest) -> bool {
        self.state.lock().remove(digest)
    }

    /// Forgets all blobs but these.
    pub(super) fn retain(&self, is_kept: impl Fn(&Packed) -> bool) {
        let mut state = self.state.lock();
        let gone: Vec<Packed> = state.blobs().filter(|packed| !is_kept(packed)).collect();
        for packed in gone {
            state.remove(&packed.digest);
        }
    }

    /// Every blob that is here, in no order.
    pub(super) fn blobs(&self) -> Vec<Packed> {
        self.state.lock().blobs().collect()
    }

    /// Gives back the room of what was removed. Takes as long as the disk does; others do not wait for it.
    pub(super) fn tidy(&self) {
        self.delete_deserted();
        self.compact();
    }

    /// Notes what counts, for the next start.
    ///
    /// # Errors
    /// Those of the disk. Then the next start takes longer.
    pub(super) fn close(&self) -> Result<()> {
        let mut end = self.end.lock();
        let numbers = self.state.lock().numbers();
        for number in numbers {
            if self.state.lock().pack(number).is_some_and(|pack| !pack.is_indexed) {
                self.write_index(number)?;
            }
        }
        // What is added after this is not in the index, and is found in the pack.
        if let Some(End { number, .. }) = end.take()
            && let Some(pack) = self.state.lock().pack_mut(number)
        {
            pack.is_open = false;
        }
        Ok(())
    }

    /// Writes blobs and, once they are durable, makes those of them known for which a condition holds then.
    fn add(&self, blobs: &[(Digest, Arc<[u8]>)], is_wanted: impl Fn(&State, &Packed) -> bool) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let Written { number, file, entries } = self.write(blobs)?;
        let synced = self.sync(number, &file);
        if synced.is_err() {
            // The kernel may have dropped what it could not write, and would say so only once.
            self.give_up(number);
        }
        {
            let mut state = self.state.lock();
            if synced.is_ok() {
                for entry in entries {
                    if is_wanted(&state, &entry) {
                        state.insert(entry);
                    }
                }
            }
            state.settle(number);
        }
        synced?;
        self.write_due_indexes();
        Ok(())
    }

    /// Writes blobs to the end of the newest pack.
    fn write(&self, blobs: &[(Digest, Arc<[u8]>)]) -> Result<Written> {
        let mut slot = self.end.lock();
        let mut end = match slot.take() {
            Some(end) if end.len < self.limits.pack => end,
            full => {
                if let Some(End { number, .. }) = full {
                    self.finish(number);
                }
                self.begin()?
            }
        };
        let (before, mut entries) = (end.len, Vec::with_capacity(blobs.len()));
        let result = Self::append(&mut end, blobs, &mut entries);
        if let Err(e) = result {
            let failed = Error::io("writing content", e);
            match end.file.set_len(before) {
                Ok(()) => *slot = Some(End { len: before, ..end }),
                Err(_) => self.finish(end.number),
            }
            return Err(failed);
        }
        let written = Written { number: end.number, file: end.file.clone(), entries };
        self.state.lock().begin(end.number, end.len);
        *slot = Some(end);
        Ok(written)
    }

    fn append(end: &mut End, blobs: &[(Digest, Arc<[u8]>)], entries: &mut Vec<Packed>) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        for (digest, blob) in blobs {
            let start = end.len + entry::write(&mut buffer, digest, blob) as u64;
            // A pack is far smaller than what these numbers hold.
            let start = u32::try_from(start).map_err(|_| std::io::ErrorKind::FileTooLarge)?;
            let size = u32::try_from(blob.len()).map_err(|_| std::io::ErrorKind::FileTooLarge)?;
            let location = Location { pack: end.number, start, size };
            entries.push(Packed { digest: digest.clone(), location });
            if buffer.len() >= WRITE {
                end.file.write_all_at(&buffer, end.len)?;
                end.len += buffer.len() as u64;
                buffer.clear();
            }
        }
        end.file.write_all_at(&buffer, end.len)?;
        end.len += buffer.len() as u64;
        Ok(())
    }

    /// Begins a new pack.
    fn begin(&self) -> Result<End> {
        let number = self.state.lock().newest().map_or(0, |number| number + 1);
        let path = path(&self.directory, number);
        let file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path);
        let file = Arc::new(file.map_err(|e| Error::io(format!("creating {}", path.display()), e))?);
        let mut pack = Pack::new(file.clone(), 0, false);
        pack.is_open = true;
        self.state.lock().add_pack(number, pack);
        Ok(End { number, file, len: 0 })
    }

    fn sync(&self, number: u32, file: &File) -> Result<()> {
        file.sync_data().map_err(|e| Error::io("syncing content", e))?;
        if self.state.lock().pack(number).is_some_and(|pack| !pack.is_linked) {
            files::sync_dir(&self.directory)?;
            if let Some(pack) = self.state.lock().pack_mut(number) {
                pack.is_linked = true;
            }
        }
        Ok(())
    }

    /// Adds nothing more to a pack, whoever was about to.
    fn give_up(&self, number: u32) {
        let mut end = self.end.lock();
        if end.as_ref().is_some_and(|end| end.number == number) {
            *end = None;
        }
        self.finish(number);
    }

    fn finish(&self, number: u32) {
        if let Some(pack) = self.state.lock().pack_mut(number) {
            pack.is_open = false;
        }
    }

    /// Writes the indexes of packs that nothing is added to any more. What cannot be written costs the next start time.
    fn write_due_indexes(&self) {
        let due = self.state.lock().unindexed();
        for number in due {
            if let Err(error) = self.write_index(number) {
                tracing::debug!(
                    error = error.chain(),
                    "could not write the index of a pack; the next start reads the pack"
                );
            }
        }
    }

    fn write_index(&self, number: u32) -> Result<()> {
        // Whatever changes after this takes back that it is written.
        let Some(index) = self.state.lock().index(number) else { return Ok(()) };
        let written = index.write(&index_path(&self.directory, number));
        if written.is_err()
            && let Some(pack) = self.state.lock().pack_mut(number)
        {
            pack.is_indexed = false;
        }
        written
    }

    /// Deletes packs in which nothing counts.
    fn delete_deserted(&self) {
        let deserted = {
            let mut end = self.end.lock();
            let deserted = self.state.lock().take_deserted();
            if end.as_ref().is_some_and(|end| deserted.contains(&end.number)) {
                *end = None;
            }
            deserted
        };
        for number in deserted {
            for path in [index_path(&self.directory, number), path(&self.directory, number)] {
                if let Err(error) = files::remove(&path) {
                    tracing::warn!(
                        error = error.chain(),
                        "could not delete a pack of removed blobs; it takes room until the next start"
                    );
                }
            }
        }
    }
}

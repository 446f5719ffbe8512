//! Which pack holds what, in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;

use super::index::Index;
use super::location::{Location, Packed};
use crate::domain::Digest;

/// From how many bytes on a pack is worth being written anew for the room that removed blobs take in it.
const MIN_SPARSE: u64 = 1 << 20;

/// What is in all packs.
#[derive(Default)]
pub(super) struct State {
    blobs: HashMap<Digest, Location>,
    packs: BTreeMap<u32, Pack>,
}

/// A pack.
pub(super) struct Pack {
    pub(super) file: Arc<File>,
    /// Bytes.
    pub(super) len: u64,
    /// The bytes of entries that count.
    live: u64,
    /// How many writers have written to it and not said what became of that.
    pending: u32,
    /// Whether more may be added.
    pub(super) is_open: bool,
    /// Whether its directory entry is durable.
    pub(super) is_linked: bool,
    /// Whether its index says what counts in it.
    pub(super) is_indexed: bool,
}

impl Pack {
    /// A pack of a length, of which nothing is known.
    pub(super) fn new(file: Arc<File>, len: u64, is_linked: bool) -> Self {
        Self { file, len, live: 0, pending: 0, is_open: false, is_linked, is_indexed: false }
    }

    /// Whether nobody is writing to it.
    fn is_settled(&self) -> bool {
        self.pending == 0
    }

    fn is_sparse(&self) -> bool {
        self.is_settled() && self.len >= MIN_SPARSE && self.live < self.len / 2
    }
}

impl State {
    pub(super) fn location(&self, digest: &Digest) -> Option<Location> {
        self.blobs.get(digest).copied()
    }

    pub(super) fn pack(&self, number: u32) -> Option<&Pack> {
        self.packs.get(&number)
    }

    pub(super) fn pack_mut(&mut self, number: u32) -> Option<&mut Pack> {
        self.packs.get_mut(&number)
    }

    pub(super) fn add_pack(&mut self, number: u32, pack: Pack) {
        self.packs.insert(number, pack);
    }

    /// The number of the newest pack.
    pub(super) fn newest(&self) -> Option<u32> {
        self.packs.last_key_value().map(|(number, _)| *number)
    }

    /// The packs, the oldest first.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.packs.keys().copied().collect()
    }

    /// Notes that somebody has written to a pack, which is so long now.
    pub(super) fn begin(&mut self, number: u32, len: u64) {
        if let Some(pack) = self.pack_mut(number) {
            pack.len = len;
            pack.pending += 1;
            pack.is_indexed = false;
        }
    }

    /// Takes [`State::begin`] back: what was written counts by now, or never will.
    pub(super) fn settle(&mut self, number: u32) {
        if let Some(pack) = self.pack_mut(number) {
            pack.pending -= 1;
        }
    }

    /// A blob is here from now on, in place of what was known of it.
    pub(super) fn insert(&mut self, Packed { digest, location }: Packed) {
        self.remove(&digest);
        let len = Packed { digest: digest.clone(), location }.entry_len();
        if let Some(pack) = self.pack_mut(location.pack) {
            pack.live += len;
            pack.is_indexed = false;
            self.blobs.insert(digest, location);
        }
    }

    /// A blob is not here any more; whether it was.
    pub(super) fn remove(&mut self, digest: &Digest) -> bool {
        let Some(location) = self.blobs.remove(digest) else { return false };
        let len = Packed { digest: digest.clone(), location }.entry_len();
        if let Some(pack) = self.pack_mut(location.pack) {
            pack.live -= len;
            pack.is_indexed = false;
        }
        true
    }

    /// Every blob that is here, in no order.
    pub(super) fn blobs(&self) -> impl Iterator<Item = Packed> {
        self.blobs.iter().map(|(digest, location)| Packed { digest: digest.clone(), location: *location })
    }

    /// What counts in a pack, in the order of the pack.
    pub(super) fn entries(&self, number: u32) -> Vec<Packed> {
        let mut entries: Vec<Packed> = self.blobs().filter(|entry| entry.location.pack == number).collect();
        entries.sort_unstable_by_key(|entry| entry.location.start);
        entries
    }

    /// What the index of a pack says, which counts as written from now on; `None` where there is no such pack, or somebody is
    /// writing to it.
    pub(super) fn index(&mut self, number: u32) -> Option<Index> {
        let pack = self.packs.get_mut(&number).filter(|pack| pack.is_settled())?;
        pack.is_indexed = true;
        let covered = pack.len;
        Some(Index { covered, entries: self.entries(number) })
    }

    /// Forgets packs in which nothing counts; which ones.
    pub(super) fn take_deserted(&mut self) -> Vec<u32> {
        let is_deserted = |pack: &Pack| pack.live == 0 && pack.is_settled();
        let numbers = self.packs.iter().filter(|(_, pack)| is_deserted(pack)).map(|(number, _)| *number);
        let deserted: Vec<u32> = numbers.collect();
        for number in &deserted {
            self.packs.remove(number);
        }
        deserted
    }

    /// A pack of which most does not count any more; the oldest one.
    pub(super) fn sparse(&self) -> Option<u32> {
        self.packs.iter().find(|(_, pack)| pack.is_sparse()).map(|(number, _)| *number)
    }

    /// The packs that nothing is added to and that have no index, unless somebody is writing to them.
    pub(super) fn unindexed(&self) -> Vec<u32> {
        let is_due = |pack: &Pack| !pack.is_open && !pack.is_indexed && pack.is_settled();
        self.packs.iter().filter(|(_, pack)| is_due(pack)).map(|(number, _)| *number).collect()
    }
}

//! A store in memory, for tests: the same behaviour without files.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::{
    BlobRecord, Changes, Content, Contents, Ingest, IngestStatus, LEAST_PARTIAL, NameRecord, ReadAt, Sources, Staged,
    StagedContent, Store,
};
use crate::domain::digest::{Algorithm, Hasher};
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Digest, Error, Result};

/// A store that is lost when it is dropped.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    ingests: Arc<Mutex<HashMap<u64, IngestStatus>>>,
    partials: Partials,
    uuid: String,
}

/// Parts of blobs that were set aside.
#[derive(Clone, Default)]
struct Partials(Arc<Mutex<HashMap<Digest, Arc<[u8]>>>>);

impl Partials {
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<[u8]>>> {
        self.0.lock()
    }

    fn keep(&self, digest: &Digest, bytes: Arc<[u8]>) {
        let mut kept = self.lock();
        let known = kept.get(digest).map_or(0, |kept| kept.len());
        if bytes.len() as u64 >= LEAST_PARTIAL && bytes.len() > known {
            kept.insert(digest.clone(), bytes);
        }
    }
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<Digest, (BlobRecord, Arc<[u8]>)>,
    documents: BTreeMap<Digest, Document>,
    configs: BTreeMap<Digest, ConfigSummary>,
    names: BTreeMap<String, NameRecord>,
    sources: BTreeMap<Digest, Sources>,
    next_ingest: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self { uuid: "00000000-0000-4000-8000-000000000000".to_owned(), ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Content for MemoryStore {
    fn open(&self, digest: &Digest) -> Result<Box<dyn ReadAt>> {
        match self.state().blobs.get(digest) {
            Some((_, bytes)) => Ok(Box::new(bytes.clone())),
            None => Err(Error::not_found(format!("content {digest}: not found"))),
        }
    }

    fn open_ready(&self, digest: &Digest) -> Option<Box<dyn ReadAt>> {
        self.open(digest).ok()
    }

    fn ingest(&self, reference: &str, total: u64, expected: Option<Digest>) -> Result<Box<dyn Ingest>> {
        let mut state = self.state();
        state.next_ingest += 1;
        let (number, now) = (state.next_ingest, jiff::Timestamp::now());
        let status = IngestStatus {
            reference: reference.to_owned(),
            offset: 0,
            total,
            expected: expected.clone(),
            started_at: now,
            updated_at: now,
        };
        self.ingests.lock().insert(number, status);
        let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        Ok(Box::new(MemoryIngest {
            bytes: Vec::new(),
            hasher: algorithm.hasher(),
            expected,
            registered: Registered { number, ingests: self.ingests.clone() },
            partials: self.partials.clone(),
        }))
    }

    fn resume(&self, reference: &str, total: u64, expected: Digest) -> Result<Box<dyn Ingest>> {
        let known = self.partials.lock().remove(&expected);
        let mut ingest = self.ingest(reference, total, Some(expected))?;
        if let Some(known) = known.filter(|known| known.len() as u64 <= total) {
            ingest.write(&known)?;
        }
        Ok(ingest)
    }

    fn forget_partials(&self) -> u64 {
        self.partials.lock().drain().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.ingests.lock().values().cloned().collect()
    }
}

impl Store for MemoryStore {
    fn contents(&self) -> Result<Contents> {
        let state = self.state();
        Ok(Contents {
            blobs: state.blobs.iter().map(|(digest, (record, _))| (digest.clone(), *record)).collect(),
            documents: state.documents.clone().into_iter().collect(),
            configs: state.configs.clone().into_iter().collect(),
            names: state.names.clone().into_iter().collect(),
            sources: state.sources.clone().into_iter().collect(),
        })
    }

    fn commit(&self, changes: Changes) -> Result<()> {
        let mut state = self.state();
        for staged in changes.blobs {
            let record = BlobRecord { size: staged.size, created_at: changes.now };
            let StagedContent::Memory(StagedBytes { bytes, .. }) = staged.content else {
                return Err(Error::internal("a blob was staged in another store", "mixed stores"));
            };
            self.partials.lock().remove(&staged.digest);
            state.blobs.entry(staged.digest).or_insert((record, bytes));
        }
        state.documents.extend(changes.documents);
        state.configs.extend(changes.configs);
        state.sources.extend(changes.sources);
        for (name, record) in changes.names {
            match record {
                Some(record) => state.names.insert(name, record),
                None => state.names.remove(&name),
            };
        }
        for digest in changes.removed {
            state.blobs.remove(&digest);
            state.documents.remove(&digest);
            state.configs.remove(&digest);
            state.sources.remove(&digest);
        }
        Ok(())
    }

    fn erase(&self, _removed: &[Digest]) {}

    fn was_interrupted(&self) -> bool {
        false
    }

    fn uuid(&self) -> &str {
        &self.uuid
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

impl ReadAt for Arc<[u8]> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn read_ready(&self, buffer: &mut [u8], offset: u64) -> usize {
        self.read_at(buffer, offset).unwrap_or_default()
    }
}

pub(super) struct StagedBytes {
    bytes: Arc<[u8]>,
    partials: Partials,
}

impl StagedBytes {
    pub(super) fn open(&self) -> Box<dyn ReadAt> {
        Box::new(self.bytes.clone())
    }

    pub(super) fn set_aside(self, digest: &Digest) {
        self.partials.keep(digest, self.bytes);
    }
}

struct MemoryIngest {
    bytes: Vec<u8>,
    hasher: Hasher,
    expected: Option<Digest>,
    registered: Registered,
    partials: Partials,
}

/// An entry in the list of ingests, for as long as the ingest lives.
struct Registered {
    number: u64,
    ingests: Arc<Mutex<HashMap<u64, IngestStatus>>>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.ingests.lock().remove(&self.number);
    }
}

impl Ingest for MemoryIngest {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.bytes.extend_from_slice(bytes);
        let mut ingests = self.registered.ingests.lock();
        if let Some(status) = ingests.get_mut(&self.registered.number) {
            status.offset = self.bytes.len() as u64;
            status.updated_at = jiff::Timestamp::now();
        }
        Ok(())
    }

    fn offset(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn set_aside(self: Box<Self>) {
        if let Some(expected) = &self.expected {
            self.partials.keep(expected, self.bytes.into());
        }
    }

    fn finish(self: Box<Self>) -> Result<Staged> {
        let digest = super::local::checked_digest(self.hasher, self.expected.as_ref())?;
        let size = self.bytes.len() as u64;
        let bytes = StagedBytes { bytes: self.bytes.into(), partials: self.partials };
        Ok(Staged { digest, size, content: StagedContent::Memory(bytes) })
    }
}

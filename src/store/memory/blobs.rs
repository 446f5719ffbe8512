//! Blobs in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::domain::digest::{Algorithm, Hasher};
use crate::domain::{Digest, Error, Result};
use crate::store::{Blob, BlobStore, Ingest, IngestRequest, IngestStatus, MIN_PARTIAL, Staged, StagedContent};

#[derive(Default)]
pub(super) struct MemoryBlobs {
    state: Mutex<State>,
    ingests: Arc<Mutex<Ingests>>,
    partials: Partials,
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<Digest, Arc<[u8]>>,
    condemned: HashSet<Digest>,
}

#[derive(Default)]
struct Ingests {
    next: u64,
    open: HashMap<u64, IngestStatus>,
}

/// What is kept of blobs whose ingests ended early.
#[derive(Clone, Default)]
struct Partials(Arc<Mutex<HashMap<Digest, Arc<[u8]>>>>);

impl Partials {
    fn keep(&self, digest: &Digest, bytes: Arc<[u8]>) {
        let mut kept = self.0.lock();
        let known = kept.get(digest).map_or(0, |kept| kept.len());
        if bytes.len() as u64 >= MIN_PARTIAL && bytes.len() > known {
            kept.insert(digest.clone(), bytes);
        }
    }
}

impl MemoryBlobs {
    fn find(&self, digest: &Digest) -> Option<Arc<dyn Blob>> {
        let bytes = self.state.lock().blobs.get(digest).cloned()?;
        Some(Arc::new(bytes))
    }

    fn begin(&self, request: IngestRequest) -> MemoryIngest {
        let IngestRequest { reference, total, expected, resume } = request;
        let kept = expected.as_ref().filter(|_| resume).and_then(|digest| self.partials.0.lock().remove(digest));
        let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let now = jiff::Timestamp::now();
        let status =
            IngestStatus { reference, offset: 0, total, expected: expected.clone(), started_at: now, updated_at: now };
        let number = {
            let mut ingests = self.ingests.lock();
            ingests.next += 1;
            let number = ingests.next;
            ingests.open.insert(number, status);
            number
        };
        let mut ingest = MemoryIngest {
            bytes: Vec::new(),
            hasher: algorithm.hasher(),
            expected,
            registered: Registered { number, ingests: self.ingests.clone() },
            partials: self.partials.clone(),
        };
        if let Some(kept) = kept.filter(|kept| kept.len() as u64 <= total) {
            ingest.append(&kept);
        }
        ingest
    }
}

impl BlobStore for MemoryBlobs {
    fn open<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Arc<dyn Blob>>> {
        let found = self.find(digest);
        Box::pin(async move { found.ok_or_else(|| Error::not_found(format!("content {digest}: not found"))) })
    }

    fn open_ready(&self, digest: &Digest) -> Option<Arc<dyn Blob>> {
        self.find(digest)
    }

    fn ingest(&self, request: IngestRequest) -> BoxFuture<'_, Result<Box<dyn Ingest>>> {
        let ingest: Box<dyn Ingest> = Box::new(self.begin(request));
        Box::pin(async { Ok(ingest) })
    }

    fn place(&self, staged: Vec<Staged>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            for staged in staged {
                let digest = staged.digest.clone();
                let Some(StagedBytes { bytes, partials }) = staged.into_content() else {
                    return Err(Error::internal("a blob was staged in another store", "mixed stores"));
                };
                partials.0.lock().remove(&digest);
                let mut state = self.state.lock();
                state.condemned.remove(&digest);
                state.blobs.insert(digest, bytes);
            }
            Ok(())
        })
    }

    fn condemn<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.state.lock().condemned.extend(digests.iter().cloned());
            Ok(())
        })
    }

    fn pardon<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut state = self.state.lock();
            digests.iter().for_each(|digest| {
                state.condemned.remove(digest);
            });
        })
    }

    fn remove<'a>(&'a self, digests: &'a [Digest]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut state = self.state.lock();
            for digest in digests {
                if state.condemned.remove(digest) {
                    state.blobs.remove(digest);
                }
            }
        })
    }

    fn discard_partials(&self) -> BoxFuture<'_, u64> {
        Box::pin(async move { self.partials.0.lock().drain().map(|(_, bytes)| bytes.len() as u64).sum() })
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.ingests.lock().open.values().cloned().collect()
    }
}

impl Blob for Arc<[u8]> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at<'a>(&'a self, buffer: &'a mut [u8], offset: u64) -> BoxFuture<'a, Result<usize>> {
        let read = self.read_ready(buffer, offset);
        Box::pin(async move { Ok(read) })
    }

    fn read_ready(&self, buffer: &mut [u8], offset: u64) -> usize {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        len
    }
}

struct StagedBytes {
    bytes: Arc<[u8]>,
    partials: Partials,
}

impl StagedContent for StagedBytes {
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Blob>>> {
        let blob: Arc<dyn Blob> = Arc::new(self.bytes.clone());
        Box::pin(async { Ok(blob) })
    }

    fn set_aside(self: Box<Self>, digest: &Digest, _size: u64) {
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
    ingests: Arc<Mutex<Ingests>>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.ingests.lock().open.remove(&self.number);
    }
}

impl MemoryIngest {
    fn append(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes.extend_from_slice(bytes);
        if let Some(status) = self.registered.ingests.lock().open.get_mut(&self.registered.number) {
            status.offset = self.bytes.len() as u64;
            status.updated_at = jiff::Timestamp::now();
        }
    }
}

impl Ingest for MemoryIngest {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        self.append(bytes);
        Box::pin(async { Ok(()) })
    }

    fn offset(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn set_aside(self: Box<Self>) {
        if let Some(expected) = &self.expected {
            self.partials.keep(expected, self.bytes.into());
        }
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Staged>> {
        Box::pin(async move {
            let digest = self.hasher.finish_as(self.expected.as_ref())?;
            let size = self.bytes.len() as u64;
            let content = StagedBytes { bytes: self.bytes.into(), partials: self.partials };
            Ok(Staged::new(digest, size, Box::new(content)))
        })
    }
}

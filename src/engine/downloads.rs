//! Blobs on their way in: each is fetched once, however many pulls wait for it.
//!
//! A download is a task of its own that lives for as long as a pull waits for it. Pulls that need a blob which is on its
//! way from the same registry join its download. Downloads are told apart by registry, so that no registry can hold up what
//! another one would serve.
//!
//! What a download leaves that is given up or breaks off is set aside in the store, and the next one goes on from there. Only
//! the digest of the whole tells whether that was right: where it is not, all of it is fetched anew.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::domain::{Descriptor, Digest, Error, Kind, Result};
use crate::registry::Repository;
use crate::store::blocking::wait;
use crate::store::{BlobStore, IngestRequest, Staged};

/// Bytes that are handed to the disk at a time.
const WRITE_SIZE: usize = 512 << 10;

/// Chunks of one blob that wait for the disk.
const WAITING: usize = 3;

/// How often in a row a download may break off before it is given up.
const ATTEMPTS: u32 = 5;

/// The wait before the first repetition; each further one waits twice as long.
const BACKOFF: Duration = Duration::from_millis(200);

/// From how many new bytes on a download that broke off counts as going on.
const HEADWAY: u64 = 1 << 20;

/// Every download of one engine.
pub(in crate::engine) struct Downloads {
    blobs: Arc<dyn BlobStore>,
    permits: Arc<Semaphore>,
    running: Mutex<HashMap<Key, Weak<Download>>>,
}

/// What is fetched from where.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The registry's host and port.
    pub(super) registry: String,
    pub(super) digest: Digest,
}

/// A download that is under way or has ended. It is given up when nobody holds it any more.
pub(super) struct Download {
    key: Key,
    downloads: Arc<Downloads>,
    state: watch::Receiver<State>,
    task: AbortHandle,
}

/// How far a download is.
#[derive(Clone)]
enum State {
    Receiving(u64),
    Done(Arc<Received>),
    Failed(Arc<Error>),
}

/// A blob that was fetched and checked. If no pull places it, it is kept as a partial.
pub(super) struct Received {
    pub(super) size: u64,
    /// Where it is. Pulls that share it place it in turn, so that the first does and the others find it placed.
    pub(super) state: tokio::sync::Mutex<ReceivedState>,
}

/// Where a blob is that was fetched.
pub(super) enum ReceivedState {
    /// No pull has placed it yet.
    Staged(Staged),
    /// It is in the store, and may not be recorded yet.
    Placed,
    /// A pull had taken it and could not keep it.
    Lost,
}

impl Drop for Received {
    fn drop(&mut self) {
        if let ReceivedState::Staged(staged) = std::mem::replace(self.state.get_mut(), ReceivedState::Lost)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn_blocking(move || staged.set_aside());
        }
    }
}

/// How a pull gets at a blob.
pub(super) enum Start {
    /// It is in the store.
    Stored,
    /// It is on its way, and was before this pull asked for it.
    Joined(Arc<Download>),
    /// It is on its way because this pull asked for it.
    Started(Arc<Download>),
}

impl Downloads {
    /// Downloads into a store, at most `limit` at a time.
    pub(in crate::engine) fn new(blobs: Arc<dyn BlobStore>, limit: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(limit.clamp(1, Semaphore::MAX_PERMITS)));
        Arc::new(Self { blobs, permits, running: Mutex::default() })
    }

    /// Joins the download of a blob or starts one. `is_here` tells whether the blob is in the store already.
    pub(super) fn join_or_start(
        self: &Arc<Self>,
        key: Key,
        repository: &Repository,
        descriptor: &Descriptor,
        is_here: impl FnOnce() -> bool,
    ) -> Start {
        let mut running = self.running.lock();
        if let Some(download) = running.get(&key).and_then(Weak::upgrade).filter(|download| !download.has_failed()) {
            return Start::Joined(download);
        }
        // In this order: pulls let go of a download only when what it brought is in the store.
        if is_here() {
            return Start::Stored;
        }
        let (sender, state) = watch::channel(State::Receiving(0));
        let work = fetch(self.blobs.clone(), self.permits.clone(), repository.clone(), descriptor.clone(), sender);
        let task = tokio::spawn(work).abort_handle();
        let download = Arc::new(Download { key: key.clone(), downloads: self.clone(), state, task });
        running.insert(key, Arc::downgrade(&download));
        Start::Started(download)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.task.abort();
        let mut running = self.downloads.running.lock();
        // A download that failed may have been followed by another.
        if running.get(&self.key).is_some_and(|known| std::ptr::eq(known.as_ptr(), self)) {
            running.remove(&self.key);
        }
    }
}

impl Download {
    fn has_failed(&self) -> bool {
        let ended = self.state.has_changed().is_err();
        match &*self.state.borrow() {
            State::Failed(_) => true,
            State::Done(_) => false,
            State::Receiving(_) => ended,
        }
    }

    /// Waits for the end; `progress` is told how many bytes have arrived.
    pub(super) async fn finished(&self, mut progress: impl FnMut(u64)) -> Result<Arc<Received>> {
        let mut state = self.state.clone();
        loop {
            match &*state.borrow_and_update() {
                State::Receiving(0) => {}
                State::Receiving(bytes) => progress(*bytes),
                State::Done(received) => return Ok(received.clone()),
                State::Failed(error) => {
                    return Err(Error::new(error.kind(), error.public().to_owned()).with_cause(error.chain()));
                }
            }
            if state.changed().await.is_err() && matches!(&*state.borrow(), State::Receiving(_)) {
                return Err(Error::internal("a download ended unexpectedly", "its task is gone"));
            }
        }
    }
}

async fn fetch(
    blobs: Arc<dyn BlobStore>,
    permits: Arc<Semaphore>,
    repository: Repository,
    descriptor: Descriptor,
    state: watch::Sender<State>,
) {
    // The semaphore is never closed, and without a permit the download would only be one too many.
    let _permit = permits.acquire_owned().await;
    let result = transfer(blobs, &repository, &descriptor, &state).await;
    state.send_replace(match result {
        Ok(staged) => {
            let size = staged.size;
            State::Done(Arc::new(Received { size, state: tokio::sync::Mutex::new(ReceivedState::Staged(staged)) }))
        }
        Err(error) => State::Failed(Arc::new(error)),
    });
}

/// What the network tells the disk.
enum Chunk {
    Bytes(Bytes),
    /// All bytes were there. Where the channel closes without it, the blob is not whole.
    End,
}

/// A blob that was written to its end.
enum Written {
    Good(Staged),
    /// It is not what its digest says, which may be the fault of what an earlier download had left.
    Spoilt(Error),
}

async fn transfer(
    blobs: Arc<dyn BlobStore>,
    repository: &Repository,
    descriptor: &Descriptor,
    state: &watch::Sender<State>,
) -> Result<Staged> {
    match carry(&blobs, repository, descriptor, state, true).await? {
        Written::Good(staged) => return Ok(staged),
        Written::Spoilt(error) => {
            tracing::warn!(
                error = error.chain(),
                "the kept part of an earlier download is damaged; fetching the whole blob again"
            );
        }
    }
    match carry(&blobs, repository, descriptor, state, false).await? {
        Written::Good(staged) => Ok(staged),
        Written::Spoilt(error) => Err(error),
    }
}

/// Brings a blob from the network to the disk, from the beginning or from where an earlier download had ended.
async fn carry(
    blobs: &Arc<dyn BlobStore>,
    repository: &Repository,
    descriptor: &Descriptor,
    state: &watch::Sender<State>,
    resume: bool,
) -> Result<Written> {
    let (chunks, arriving) = mpsc::channel(WAITING);
    let (begun, beginning) = oneshot::channel();
    let (blobs, blob) = (blobs.clone(), descriptor.clone());
    let writer = tokio::task::spawn_blocking(move || write(blobs.as_ref(), &blob, resume, begun, arriving));
    let received = match beginning.await {
        Ok(from) => receive(repository, descriptor, from, &chunks, state).await,
        // The disk has failed already.
        Err(_) => Ok(()),
    };
    drop(chunks);
    let written = writer.await.map_err(|e| Error::internal("writing content was stopped", e))?;
    // Where both failed, one is the reason for the other: the disk's own failure, or else the network's.
    match (received, written) {
        (Err(error), Err(written)) if written.kind() == Kind::Cancelled => Err(error),
        (_, written) => written,
    }
}

/// Writes and hashes a blob as it arrives, once it has told where it begins. Blocks.
fn write(
    blobs: &dyn BlobStore,
    blob: &Descriptor,
    resume: bool,
    begun: oneshot::Sender<u64>,
    mut chunks: mpsc::Receiver<Chunk>,
) -> Result<Written> {
    let request = IngestRequest {
        reference: format!("pull {}", blob.digest),
        total: blob.size,
        expected: Some(blob.digest.clone()),
        resume,
    };
    let mut ingest = wait(blobs.ingest(request))?;
    let from = ingest.offset();
    let _ = begun.send(from);
    loop {
        match chunks.blocking_recv() {
            Some(Chunk::Bytes(bytes)) => wait(ingest.write(&bytes))?,
            Some(Chunk::End) => match wait(ingest.finish()) {
                Err(error) if from > 0 => return Ok(Written::Spoilt(error)),
                finished => return finished.map(Written::Good),
            },
            None => {
                ingest.set_aside();
                return Err(Error::new(Kind::Cancelled, "the download was given up"));
            }
        }
    }
}

/// Receives a blob from an offset to its end, over as many connections as it takes.
async fn receive(
    repository: &Repository,
    descriptor: &Descriptor,
    from: u64,
    chunks: &mpsc::Sender<Chunk>,
    state: &watch::Sender<State>,
) -> Result<()> {
    let mut blob = Receiving { descriptor, chunks, state, buffer: BytesMut::new(), received: from };
    let (mut failures, mut headway) = (0, from);
    while blob.received < descriptor.size {
        let Err(error) = blob.attempt(repository).await else { break };
        if blob.received >= headway + HEADWAY {
            (failures, headway) = (0, blob.received);
        }
        failures += 1;
        // What the registry refuses it will refuse again, and before the first byte it was asked repeatedly already.
        if error.kind() != Kind::Unavailable || blob.received == from || failures >= ATTEMPTS {
            // What has arrived is kept for the next pull.
            blob.flush().await;
            return Err(error);
        }
        tracing::info!(
            content.digest = %descriptor.digest, offset = blob.received, error = error.chain(),
            "a download was interrupted; resuming it"
        );
        tokio::time::sleep(BACKOFF * 2u32.pow(failures - 1)).await;
    }
    blob.flush().await;
    let _ = chunks.send(Chunk::End).await;
    Ok(())
}

/// A blob that is being received.
struct Receiving<'a> {
    descriptor: &'a Descriptor,
    chunks: &'a mpsc::Sender<Chunk>,
    state: &'a watch::Sender<State>,
    buffer: BytesMut,
    received: u64,
}

impl Receiving<'_> {
    /// Receives what is missing over one connection. Ends early without an error where the disk has failed.
    async fn attempt(&mut self, repository: &Repository) -> Result<()> {
        let digest = &self.descriptor.digest;
        let mut body = repository.blob(self.descriptor, self.received).await?;
        // A registry without ranges begins again; what is here already is passed over, and checked with the whole.
        let mut known = self
            .received
            .checked_sub(body.start)
            .ok_or_else(|| Error::new(Kind::DataLoss, format!("registry left out a part of content {digest}")))?;
        while let Some(chunk) = body.stream.next().await {
            let mut chunk = chunk?;
            let skipped = known.min(chunk.len() as u64);
            known -= skipped;
            // No more than the chunk's length.
            let chunk = chunk.split_off(skipped as usize);
            if self.received + chunk.len() as u64 > self.descriptor.size {
                let text = format!("content {digest} is larger than the {} bytes it should have", self.descriptor.size);
                return Err(Error::invalid(text));
            }
            self.received += chunk.len() as u64;
            // Large chunks go as they are, small ones are gathered.
            let done = if self.buffer.is_empty() && chunk.len() >= WRITE_SIZE / 8 {
                self.send(chunk).await
            } else {
                self.buffer.extend_from_slice(&chunk);
                self.buffer.len() < WRITE_SIZE || self.flush().await
            };
            if !done {
                return Ok(());
            }
        }
        match self.received == self.descriptor.size {
            true => Ok(()),
            false => Err(Error::new(
                Kind::Unavailable,
                format!("content {digest} ended after {} of {} bytes", self.received, self.descriptor.size),
            )),
        }
    }

    /// Hands what has gathered to the disk; false where the disk has failed.
    async fn flush(&mut self) -> bool {
        if self.buffer.is_empty() {
            return true;
        }
        let chunk = std::mem::take(&mut self.buffer).freeze();
        self.send(chunk).await
    }

    async fn send(&mut self, chunk: Bytes) -> bool {
        let sent = self.chunks.send(Chunk::Bytes(chunk)).await.is_ok();
        self.state.send_replace(State::Receiving(self.received));
        sent
    }
}

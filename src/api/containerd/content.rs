//! `containerd.services.content.v1`: the content store over gRPC, for reading.
//!
//! Answers follow containerd's where its clients can tell: a read may start before the blob and end behind it, sizes
//! and offsets below zero mean "from the start" and "to the end", and messages count their offset from the start of
//! the read.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use prost::Message as _;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

use super::filter::{Fields, Filter, label_of};
use super::proto::containerd::services::content::v1::content_server::Content;
use super::proto::containerd::services::content::v1::{
    AbortRequest, DeleteContentRequest, Info, InfoRequest, InfoResponse, ListContentRequest, ListContentResponse,
    ListStatusesRequest, ListStatusesResponse, ReadContentRequest, ReadContentResponse, Status as IngestMessage,
    StatusRequest, StatusResponse, UpdateRequest, UpdateResponse, WriteContentRequest, WriteContentResponse,
};
use super::wire::{signed, timestamp};
use crate::api::error_table::status;
use crate::api::grpc::{GRPC_PLUGIN, Plugin, excerpt};
use crate::domain::{Digest, Error, Kind, Result};
use crate::engine::{Blob, BlobInfo, Engine, IngestStatus};

/// What this service stands in for: the store, and its service.
pub const PLUGINS: &[Plugin] = &[
    Plugin { kind: CONTENT_PLUGIN, id: "content", requires: &[] },
    Plugin { kind: GRPC_PLUGIN, id: "content", requires: &[CONTENT_PLUGIN] },
];
const CONTENT_PLUGIN: &str = "io.containerd.content.v1";

/// The most bytes of a blob in one message.
const CHUNK: usize = 256 << 10;
/// The most blobs in one message of a list, as containerd has it.
const BATCH: usize = 100;
/// Labels may be long, and clients take messages of 4 MiB at most by default: a batch ends here even if it is short.
const BATCH_BYTES: usize = 1 << 20;
/// How many blobs a filter looks at before other tasks get their turn.
const SLICE: usize = 64;
/// Reads under way at once, each of which holds a file and a chunk; others wait for their turn.
const MAX_READS: usize = 256;

/// What this service needs of the engine.
pub trait ContentSource: Send + Sync + 'static {
    /// A blob opened for reading.
    type Blob: OpenBlob;

    /// What is known of a blob; `None` where it is not here.
    fn info(&self, digest: &Digest) -> Option<BlobInfo>;
    /// Every blob, sorted by digest.
    fn infos(&self) -> Vec<BlobInfo>;
    /// Every ingest that is being written.
    fn ingests(&self) -> Vec<IngestStatus>;
    /// Opens a blob; [`Kind::NotFound`] where it is not here.
    fn open(&self, digest: &Digest) -> impl Future<Output = Result<Self::Blob>> + Send;
}

/// A blob that cannot go away before this value does.
pub trait OpenBlob: Send + 'static {
    /// How many bytes the blob has.
    fn size(&self) -> u64;
    /// `len` bytes from `offset` on, which lie within the blob, in chunks of at most `chunk` bytes, each of which is
    /// read when it is asked for.
    fn stream(self, offset: u64, len: u64, chunk: usize) -> impl Stream<Item = Result<Bytes>> + Send + 'static;
}

impl ContentSource for Engine {
    type Blob = Blob;

    fn info(&self, digest: &Digest) -> Option<BlobInfo> {
        self.blob_info(digest)
    }

    fn infos(&self) -> Vec<BlobInfo> {
        self.blobs()
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        Engine::ingests(self)
    }

    async fn open(&self, digest: &Digest) -> Result<Blob> {
        self.blob(digest).await
    }
}

impl OpenBlob for Blob {
    fn size(&self) -> u64 {
        self.size
    }

    fn stream(self, offset: u64, len: u64, chunk: usize) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        Blob::stream(self, offset, len, chunk)
    }
}

/// The content service over a source of blobs.
pub struct ContentService<S> {
    source: S,
    reads: Arc<Semaphore>,
}

impl<S: ContentSource> ContentService<S> {
    /// The service over a source.
    pub fn new(source: S) -> Self {
        Self { source, reads: Arc::new(Semaphore::new(MAX_READS)) }
    }
}

type MessageStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl<S: ContentSource> Content for ContentService<S> {
    type ListStream = MessageStream<ListContentResponse>;
    type ReadStream = MessageStream<ReadContentResponse>;
    type WriteStream = MessageStream<WriteContentResponse>;

    async fn info(&self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let digest = parse_digest(&request.into_inner().digest).map_err(status)?;
        let info = self.source.info(&digest).ok_or_else(|| status(no_such_blob(&digest)))?;
        Ok(Response::new(InfoResponse { info: Some(info_message(&info)) }))
    }

    async fn list(&self, request: Request<ListContentRequest>) -> Result<Response<Self::ListStream>, Status> {
        let filter = Filter::parse(&request.into_inner().filters).map_err(status)?;
        Ok(Response::new(Box::pin(batches(self.source.infos(), filter).map(Ok))))
    }

    async fn read(&self, request: Request<ReadContentRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let request = request.into_inner();
        let digest = parse_digest(&request.digest).map_err(status)?;
        // The semaphore is never closed.
        let turn = self.reads.clone().acquire_owned().await;
        let turn = turn.map_err(|error| status(Error::internal("waiting for other reads failed", error)))?;
        let blob = self.source.open(&digest).await.map_err(|error| match error.kind() {
            Kind::NotFound => status(no_such_blob(&digest)),
            _ => status(error),
        })?;
        let (offset, len) = range(&request, blob.size()).map_err(status)?;
        let mut sent = 0;
        let messages = blob.stream(offset, len, CHUNK).map(move |chunk| {
            // The turn lasts as long as the stream.
            let _turn = &turn;
            let data = chunk.map_err(status)?;
            let message = ReadContentResponse { offset: sent, data };
            sent = sent.saturating_add(signed(message.data.len() as u64));
            Ok(message)
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let wanted = request.into_inner().r#ref;
        let ingest = self.source.ingests().into_iter().find(|ingest| ingest.reference == wanted).ok_or_else(|| {
            status(Error::not_found(format!("could not get status for ref {:?}: not found", excerpt(&wanted))))
        })?;
        Ok(Response::new(StatusResponse { status: Some(ingest_message(&ingest)) }))
    }

    async fn list_statuses(
        &self,
        request: Request<ListStatusesRequest>,
    ) -> Result<Response<ListStatusesResponse>, Status> {
        let filter = Filter::parse(&request.into_inner().filters).map_err(status)?;
        let ingests = self.source.ingests();
        let statuses = ingests.iter().filter(|ingest| filter.matches(*ingest)).map(ingest_message).collect();
        Ok(Response::new(ListStatusesResponse { statuses }))
    }

    async fn update(&self, _: Request<UpdateRequest>) -> Result<Response<UpdateResponse>, Status> {
        Err(read_only())
    }

    async fn delete(&self, _: Request<DeleteContentRequest>) -> Result<Response<()>, Status> {
        Err(read_only())
    }

    // The answer does not wait for the first message: a client that expects to be answered first would wait for ever.
    async fn write(&self, _: Request<Streaming<WriteContentRequest>>) -> Result<Response<Self::WriteStream>, Status> {
        Err(read_only())
    }

    async fn abort(&self, _: Request<AbortRequest>) -> Result<Response<()>, Status> {
        Err(read_only())
    }
}

/// The answer to all that would write. Not UNIMPLEMENTED: clients take that for an older server and look for a way
/// around it.
fn read_only() -> Status {
    status(Error::new(
        Kind::PermissionDenied,
        "the content store is read-only over this socket: blobs arrive when images are loaded or pulled",
    ))
}

/// containerd's words for a blob that is not here, which clients show.
fn no_such_blob(digest: &Digest) -> Error {
    Error::not_found(format!("content digest {digest}: not found"))
}

fn parse_digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|cause| Error::invalid(format!("{:?} failed validation: {cause}", excerpt(text))))
}

/// Where a read starts and how many bytes it takes, of a blob with `size` bytes.
fn range(request: &ReadContentRequest, size: u64) -> Result<(u64, u64)> {
    let offset = u64::try_from(request.offset).unwrap_or(0);
    let Some(rest) = size.checked_sub(offset) else {
        return Err(Error::new(Kind::OutOfRange, format!("read past object length {size} bytes")));
    };
    let len = match u64::try_from(request.size) {
        Ok(0) | Err(_) => rest,
        Ok(wanted) => wanted.min(rest),
    };
    Ok((offset, len))
}

/// The blobs that a filter accepts, a message's worth at a time, each made when it is asked for.
fn batches(infos: Vec<BlobInfo>, filter: Filter) -> impl Stream<Item = ListContentResponse> + Send {
    stream::unfold((infos.into_iter(), filter), async |(mut rest, filter)| {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut seen = 0;
        for info in rest.by_ref() {
            if filter.matches(&info) {
                let message = info_message(&info);
                bytes += message.encoded_len();
                batch.push(message);
                if batch.len() == BATCH || bytes >= BATCH_BYTES {
                    break;
                }
            }
            seen += 1;
            if seen % SLICE == 0 {
                tokio::task::yield_now().await;
            }
        }
        (!batch.is_empty()).then_some((ListContentResponse { info: batch }, (rest, filter)))
    })
}

fn info_message(info: &BlobInfo) -> Info {
    Info {
        digest: info.digest.to_string(),
        size: signed(info.size),
        created_at: Some(timestamp(info.created_at)),
        updated_at: Some(timestamp(info.updated_at)),
        labels: info.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

fn ingest_message(ingest: &IngestStatus) -> IngestMessage {
    IngestMessage {
        started_at: Some(timestamp(ingest.started_at)),
        updated_at: Some(timestamp(ingest.updated_at)),
        r#ref: ingest.reference.clone(),
        offset: signed(ingest.offset),
        total: signed(ingest.total),
        expected: ingest.expected.as_ref().map(Digest::to_string).unwrap_or_default(),
    }
}

impl Fields for BlobInfo {
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>> {
        match (path[0].as_str(), &path[1..]) {
            ("digest", _) => Some(Cow::Owned(self.digest.to_string())),
            ("size", _) => Some(Cow::Owned(self.size.to_string())),
            ("labels", label) => self.labels.get(&label_of(label)).map(Cow::Borrowed),
            _ => None,
        }
    }
}

impl Fields for IngestStatus {
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>> {
        match path[0].as_str() {
            "ref" => Some(Cow::Borrowed(&self.reference)),
            _ => None,
        }
    }
}

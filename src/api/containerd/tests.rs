//! The services over a real HTTP/2 connection in memory, with a source that has no disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tonic::transport::{Channel, Endpoint};

use super::content::{ContentSource, OpenBlob};
use crate::domain::{Digest, Error, Result, StringMap};
use crate::engine::{BlobInfo, IngestStatus};

mod content;
mod discovery;

pub(super) const UUID: &str = "6f1c2d0e-7d6c-4a63-9d1f-6a3c2b1d0e9f";

/// Blobs in memory; clones share them.
#[derive(Clone, Default)]
pub(super) struct Fake {
    blobs: Arc<BTreeMap<Digest, (BlobInfo, Bytes)>>,
    ingests: Arc<Vec<IngestStatus>>,
    /// Blobs that were opened and not dropped yet.
    open: Arc<AtomicUsize>,
    /// Chunks that were asked for.
    chunks: Arc<AtomicUsize>,
    /// Fail after this many chunks of a read.
    fail_after: Option<usize>,
}

pub(super) struct FakeBlob {
    data: Bytes,
    chunks: Arc<AtomicUsize>,
    fail_after: Option<usize>,
    _open: Open,
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fake {
    fn with(blobs: impl IntoIterator<Item = (Bytes, StringMap)>) -> Self {
        let time = "2026-08-01T12:00:00.25Z".parse::<jiff::Timestamp>().unwrap();
        let entry = |(data, labels): (Bytes, StringMap)| {
            let digest = Digest::of(&data);
            let size = data.len() as u64;
            (digest.clone(), (BlobInfo { digest, size, created_at: time, updated_at: time, labels }, data))
        };
        Self { blobs: Arc::new(blobs.into_iter().map(entry).collect()), ..Self::default() }
    }

    async fn serve(&self) -> Channel {
        let router = crate::api::grpc::router(super::services_over(self.clone(), UUID)).await.unwrap();
        let connector = tower::service_fn(move |_| {
            let (client, server) = tokio::io::duplex(64 << 10);
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http2_only();
                builder.serve_connection(TokioIo::new(server), service).await
            });
            std::future::ready(Ok::<_, std::io::Error>(TokioIo::new(client)))
        });
        Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
    }
}

impl ContentSource for Fake {
    type Blob = FakeBlob;

    fn info(&self, digest: &Digest) -> Option<BlobInfo> {
        Some(self.blobs.get(digest)?.0.clone())
    }

    fn infos(&self) -> Vec<BlobInfo> {
        self.blobs.values().map(|(info, _)| info.clone()).collect()
    }

    fn ingests(&self) -> Vec<IngestStatus> {
        self.ingests.to_vec()
    }

    async fn open(&self, digest: &Digest) -> Result<FakeBlob> {
        let (_, data) = self.blobs.get(digest).ok_or_else(|| Error::not_found("the source's own words"))?;
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(FakeBlob {
            data: data.clone(),
            chunks: self.chunks.clone(),
            fail_after: self.fail_after,
            _open: Open(self.open.clone()),
        })
    }
}

impl OpenBlob for FakeBlob {
    fn size(&self) -> u64 {
        self.data.len() as u64
    }

    fn stream(self, offset: u64, len: u64, chunk: usize) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        // Out of bounds here is a bug of the service, so this may panic.
        let data = self.data.slice(offset as usize..(offset + len) as usize);
        stream::unfold((self, data, 0), move |(blob, mut rest, sent)| async move {
            if rest.is_empty() {
                return None;
            }
            blob.chunks.fetch_add(1, Ordering::SeqCst);
            if blob.fail_after == Some(sent) {
                return Some((Err(Error::internal("reading a blob failed", "bad sector")), (blob, Bytes::new(), sent)));
            }
            let next = rest.split_to(chunk.min(rest.len()));
            Some((Ok(next), (blob, rest, sent + 1)))
        })
    }
}

//! Writing blobs and manifests.

use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RANGE};
use http::{Method, StatusCode};
use reqwest::{Body, Response, Url};

use super::body::BlobStream;
use super::endpoint::{Call, Endpoint, Target};
use super::manifests::CONTENT_DIGEST;
use super::refusal::Operation;
use super::repository::Repository;
use super::transport::{Outbound, Progress};
use crate::domain::error::{Error, Kind, Result};
use crate::domain::{Descriptor, Digest, MediaType, Reference};

/// How much one request of a chunked upload carries, unless the registry wants more.
const CHUNK: u64 = 16 << 20;
/// More than that for one request is no chunk.
const MAX_CHUNK: u64 = 1 << 30;

const CHUNK_MIN: HeaderName = HeaderName::from_static("oci-chunk-min-length");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What came of asking a registry to take over a blob from another of its repositories.
#[derive(Debug)]
pub enum Mounted {
    /// The blob is in the repository now.
    Yes,
    /// It must be uploaded; the registry may have opened an upload for that already.
    No(Option<UploadSession>),
}

/// An upload that a registry has opened, to be handed to [`Repository::upload`].
#[derive(Debug)]
pub struct UploadSession {
    location: Url,
    /// The fewest bytes that a request in the middle of it may carry.
    least: u64,
}

/// Whether a registry did not take a request in the form that it was sent in.
enum Sent {
    Done,
    InAnotherForm(Error),
}

impl Repository {
    /// Whether the repository holds a blob.
    ///
    /// # Errors
    /// As [`Repository::resolve`], without `NotFound`.
    pub async fn exists(&self, blob: &Digest) -> Result<bool> {
        let endpoint = self.origin();
        if let Some(exists) = endpoint.quick_exists(self.name().path(), blob, self.scopes()).await {
            return Ok(exists);
        }
        let path = self.path(&format!("blobs/{blob}"));
        let response = endpoint.call(&Call::new(Method::HEAD, &path, self.scopes())).await?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(false),
            _ => Err(self.refused(endpoint, response, Operation::Upload).await),
        }
    }

    /// Asks the registry to take a blob over from another repository of its own.
    ///
    /// # Errors
    /// Only where the registry cannot be used at all: a refusal to mount is [`Mounted::No`].
    pub async fn mount(&self, blob: &Digest, from: &Reference) -> Result<Mounted> {
        if from.domain() != self.name().domain() || from.path() == self.name().path() {
            return Ok(Mounted::No(None));
        }
        let endpoint = self.origin();
        let mut scopes = self.scopes().to_vec();
        scopes.push(format!("repository:{}:pull", from.path()));
        let path = self.path(&format!("blobs/uploads/?mount={blob}&from={}", encoded(from.path())));
        let call = Call::new(Method::POST, &path, &scopes).header(CONTENT_LENGTH, 0);
        let response = match endpoint.call(&call).await {
            // The token service may refuse a token for both repositories.
            Err(error) if matches!(error.kind(), Kind::Unauthenticated | Kind::PermissionDenied) => {
                return Ok(Mounted::No(None));
            }
            answer => answer?,
        };
        Ok(match response.status() {
            StatusCode::CREATED => Mounted::Yes,
            StatusCode::ACCEPTED => Mounted::No(session(endpoint, &response).ok()),
            _ => Mounted::No(None),
        })
    }

    /// Sends a blob. `open` gives its bytes from an offset on, and is called again when an attempt is repeated.
    ///
    /// # Errors
    /// `PermissionDenied` or `Unauthenticated` where writing is refused; what `open`'s stream fails with; else as
    /// [`Repository::resolve`].
    pub async fn upload(
        &self,
        descriptor: &Descriptor,
        session: Option<UploadSession>,
        open: impl Fn(u64) -> BlobStream + Send + Sync,
    ) -> Result<()> {
        let endpoint = self.origin();
        let mut session = session;
        let mut chunked = false;
        let mut repeated = 0;
        loop {
            let source = UploadSource { open: &open, failed: Arc::default(), current: Mutex::default() };
            let done = match session.take() {
                Some(session) => Ok(session),
                None => self.open_session(endpoint).await,
            };
            let done = match done {
                Ok(session) if chunked => self.in_chunks(endpoint, session, descriptor, &source).await,
                Ok(session) => match self.at_once(endpoint, session, descriptor, &source).await {
                    Ok(Sent::Done) => return Ok(()),
                    Ok(Sent::InAnotherForm(error)) => {
                        tracing::debug!(registry.host = endpoint.host(), error = %error, "sending a blob in chunks");
                        chunked = true;
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => return Ok(()),
                Err(error) => {
                    // What the caller's own stream failed with is the reason, whatever it looked like to the registry.
                    if let Some(own) = source.failure() {
                        return Err(own);
                    }
                    if error.kind() != Kind::Unavailable || repeated >= endpoint.net.timeouts.repetitions {
                        return Err(error);
                    }
                    tokio::time::sleep(endpoint.net.timeouts.backoff * 2u32.saturating_pow(repeated).min(64)).await;
                    repeated += 1;
                }
            }
        }
    }

    /// Stores an index or manifest under a tag or digest; its digest.
    ///
    /// # Errors
    /// As [`Repository::upload`]; `InvalidArgument` where the registry refuses the document.
    pub async fn put_manifest(&self, reference: &str, media_type: &MediaType, bytes: Bytes) -> Result<Digest> {
        let digest = match reference.parse::<Digest>() {
            Ok(stated) => Digest::compute(stated.algorithm(), &bytes),
            Err(_) => {
                self.name().with_tag(reference)?;
                Digest::of(&bytes)
            }
        };
        if reference.contains(':') && digest.to_string() != reference {
            return Err(Error::invalid(format!("the manifest's digest is {digest}, not {reference}")));
        }
        let endpoint = self.origin();
        let path = self.path(&format!("manifests/{reference}"));
        let body = |_: &Arc<Progress>| Body::from(bytes.clone());
        let content_type = HeaderValue::try_from(media_type.as_str());
        let content_type = content_type.map_err(|_| Error::invalid(format!("invalid media type {media_type:?}")))?;
        let mut call = Call::new(Method::PUT, &path, self.scopes()).header(CONTENT_TYPE, content_type);
        call.body = Some(&body);
        let response = endpoint.call(&call).await?;
        if !response.status().is_success() {
            return Err(self.refused(endpoint, response, Operation::PutManifest).await);
        }
        let stored = response.headers().get(CONTENT_DIGEST).and_then(|stored| stored.to_str().ok()?.parse().ok());
        match stored {
            Some(stored) if stored != digest && Digest::algorithm(&stored) == digest.algorithm() => {
                let text = format!("{} stored {stored} in place of {digest}", endpoint.host());
                Err(Error::new(Kind::DataLoss, text))
            }
            _ => Ok(digest),
        }
    }

    async fn open_session(&self, endpoint: &Endpoint) -> Result<UploadSession> {
        let path = self.path("blobs/uploads/");
        let response = endpoint.call(&Call::new(Method::POST, &path, self.scopes()).header(CONTENT_LENGTH, 0)).await?;
        match response.status() {
            StatusCode::ACCEPTED => session(endpoint, &response),
            _ => Err(self.refused(endpoint, response, Operation::Upload).await),
        }
    }

    async fn at_once(
        &self,
        endpoint: &Endpoint,
        session: UploadSession,
        descriptor: &Descriptor,
        source: &UploadSource<'_>,
    ) -> Result<Sent> {
        let response = self.put(endpoint, session.location, descriptor, Some((source, descriptor.size))).await?;
        match response.status() {
            status if status.is_success() => Ok(Sent::Done),
            StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::LENGTH_REQUIRED
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::RANGE_NOT_SATISFIABLE
            | StatusCode::NOT_IMPLEMENTED => {
                Ok(Sent::InAnotherForm(self.refused(endpoint, response, Operation::Upload).await))
            }
            // The upload is gone: begun anew, it may work.
            StatusCode::NOT_FOUND => {
                let error = self.refused(endpoint, response, Operation::Upload).await;
                Err(Error::new(Kind::Unavailable, error.public().to_owned()))
            }
            _ => Err(self.refused(endpoint, response, Operation::Upload).await),
        }
    }

    async fn in_chunks(
        &self,
        endpoint: &Endpoint,
        session: UploadSession,
        descriptor: &Descriptor,
        source: &UploadSource<'_>,
    ) -> Result<()> {
        let most = session.least.clamp(CHUNK, MAX_CHUNK);
        let (mut at, mut location) = (0, session.location);
        while at < descriptor.size {
            let length = most.min(descriptor.size - at);
            let body = source.body(at, length);
            let range = HeaderValue::try_from(format!("{at}-{}", at + length - 1));
            let mut call = Call::new(Method::PATCH, "", self.scopes())
                .header(CONTENT_LENGTH, length)
                .header(CONTENT_TYPE, OCTETS)
                .header(CONTENT_RANGE, range.map_err(|cause| Error::internal("naming a range", cause))?);
            (call.target, call.body, call.repeat) = (Target::Url(location), Some(&*body), false);
            let response = endpoint.call(&call).await?;
            if response.status() != StatusCode::ACCEPTED {
                return Err(self.refused(endpoint, response, Operation::Upload).await);
            }
            let taken = response.headers().get(RANGE).and_then(|range| range.to_str().ok()).and_then(last_of_range);
            at = match taken {
                Some(last) if (at..at + length).contains(&last) => last + 1,
                None => at + length,
                Some(last) => {
                    let text = format!("{} says it has {last} bytes of {}", endpoint.host(), descriptor.digest);
                    return Err(Error::new(Kind::Unavailable, text));
                }
            };
            location = session_location(endpoint, &response)?;
        }
        let response = self.put(endpoint, location, descriptor, None).await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            _ => Err(self.refused(endpoint, response, Operation::Upload).await),
        }
    }

    /// Ends an upload with the blob's digest, and with its bytes where they have not been sent.
    async fn put(
        &self,
        endpoint: &Endpoint,
        mut location: Url,
        descriptor: &Descriptor,
        source: Option<(&UploadSource<'_>, u64)>,
    ) -> Result<Response> {
        location.query_pairs_mut().append_pair("digest", &descriptor.digest.to_string());
        let body = source.map(|(source, size)| source.body(0, size));
        let length = source.map_or(0, |(_, size)| size);
        let mut call =
            Call::new(Method::PUT, "", self.scopes()).header(CONTENT_LENGTH, length).header(CONTENT_TYPE, OCTETS);
        (call.target, call.repeat) = (Target::Url(location), false);
        call.body = body.as_deref();
        endpoint.call(&call).await
    }

    async fn refused(&self, endpoint: &Endpoint, response: Response, operation: Operation<'_>) -> Error {
        endpoint.refusal(response, &self.familiar(), operation).await
    }
}

/// The bytes of a blob, and what reading them failed with.
struct UploadSource<'a> {
    open: &'a (dyn Fn(u64) -> BlobStream + Send + Sync),
    failed: Arc<Mutex<Option<Error>>>,
    /// What the last request's body is read from.
    current: Mutex<OpenBlob>,
}

/// An open blob, for as long as its upload goes on. A connection to a registry that takes nothing any more keeps the body of
/// a request which was given up, and that must not keep the blob open.
#[derive(Clone, Default)]
struct OpenBlob(Arc<Mutex<Option<BlobStream>>>);

impl OpenBlob {
    fn close(&self) {
        self.0.lock().take();
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self.0.lock().as_mut() {
            Some(stream) => stream.poll_next_unpin(context),
            None => Poll::Ready(Some(Err(Error::new(Kind::Cancelled, "the upload was given up")))),
        }
    }
}

impl Drop for UploadSource<'_> {
    fn drop(&mut self) {
        self.current.get_mut().close();
    }
}

impl UploadSource<'_> {
    /// Makes the body of a request: so many bytes from an offset on, and never others.
    fn body(&self, at: u64, length: u64) -> Box<Outbound<'_>> {
        Box::new(move |progress| {
            let (progress, failed) = (progress.clone(), self.failed.clone());
            let mut left = length;
            let stream = self
                .opened(at)
                .map_err(move |error| {
                    let text = error.public().to_owned();
                    failed.lock().get_or_insert(error);
                    std::io::Error::other(text)
                })
                .try_take_while(move |chunk| {
                    progress.note();
                    let more = left > 0;
                    left = left.saturating_sub(chunk.len() as u64);
                    std::future::ready(Ok(more))
                });
            let mut left = length;
            let cut = stream.map_ok(move |mut chunk: Bytes| {
                chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                left -= chunk.len() as u64;
                chunk
            });
            Body::wrap_stream(cut)
        })
    }

    /// The blob from an offset on; what was open for an earlier request is closed.
    fn opened(&self, at: u64) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
        let opened = OpenBlob(Arc::new(Mutex::new(Some((self.open)(at)))));
        let earlier = std::mem::replace(&mut *self.current.lock(), opened.clone());
        earlier.close();
        stream::poll_fn(move |context| opened.poll(context))
    }

    fn failure(&self) -> Option<Error> {
        self.failed.lock().take()
    }
}

fn session(endpoint: &Endpoint, response: &Response) -> Result<UploadSession> {
    let least = response.headers().get(CHUNK_MIN).and_then(|least| least.to_str().ok()?.parse().ok());
    Ok(UploadSession { location: session_location(endpoint, response)?, least: least.unwrap_or_default() })
}

fn session_location(endpoint: &Endpoint, response: &Response) -> Result<Url> {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or_else(|| {
        Error::new(Kind::Unavailable, format!("{} opens an upload without saying where", endpoint.host()))
    })?;
    endpoint.named_url(response.url(), location)
}

/// The last byte of `0-last` or `bytes=0-last`.
fn last_of_range(range: &str) -> Option<u64> {
    range.trim().trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()
}

fn encoded(path: &str) -> String {
    form_urlencoded::byte_serialize(path.as_bytes()).collect()
}

impl Endpoint {
    /// Whether a repository holds a blob, through `oci-client`, where it is simple to ask: TLS, no client certificate, and
    /// either nobody to log in or a token at hand. `None` where it is not, or the answer is not clear.
    async fn quick_exists(&self, path: &str, blob: &Digest, scopes: &[String]) -> Option<bool> {
        let token = self.auth.token_at_hand(scopes)?;
        self.oci().await?.blob_exists(&self.host(), path, blob, token.reveal()).await
    }
}

//! Reading blobs.

use futures_util::StreamExt;
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use reqwest::Response;

use super::body::BlobStream;
use super::encoding::{self, Encoding};
use super::endpoint::{Call, Endpoint};
use super::hosts;
use super::policy::shown;
use super::refusal::{self, Operation};
use super::repository::Repository;
use super::transport::{Net, Outgoing};
use crate::domain::Descriptor;
use crate::domain::error::{Error, Kind, Result};

/// How many URLs of one descriptor are asked.
const MAX_URLS: usize = 8;

/// A blob that is being fetched.
pub struct BlobBody {
    /// Where in the blob the stream begins: as asked for, or 0 where the registry does not serve ranges.
    pub start: u64,
    /// The rest of the blob from there. It never yields more than the descriptor's size; it fails with `Unavailable`
    /// where the connection ends early or nothing arrives for too long, and may then be asked for again from where it
    /// ended. The digest is *not* checked here: only who has all the bytes can.
    pub stream: BlobStream,
}

impl Repository {
    /// The bytes of a blob from an offset on. Where the registry lacks it and the descriptor has URLs, those are asked,
    /// without a credential: some layers are only at their maker's.
    ///
    /// # Errors
    /// `NotFound` where the repository lacks the blob; else as [`Repository::resolve`].
    pub async fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<BlobBody> {
        let offset = if offset < descriptor.size { offset } else { 0 };
        let lacks = match self.try_each(|endpoint| self.blob_at(endpoint, descriptor, offset)).await {
            Err(error) if error.kind() == Kind::NotFound => error,
            answer => return answer,
        };
        let mut failed = lacks;
        let urls = descriptor.rare.iter().flat_map(|rare| rare.urls.iter());
        for url in urls.take(MAX_URLS) {
            match self.foreign(url, descriptor, offset).await {
                Ok(body) => return Ok(body),
                Err(error) => failed = error.context(format!("blob {} is not in the registry", descriptor.digest)),
            }
        }
        Err(failed)
    }

    async fn blob_at(&self, endpoint: &Endpoint, descriptor: &Descriptor, offset: u64) -> Result<BlobBody> {
        let digest = descriptor.digest.to_string();
        let path = self.path(&format!("blobs/{digest}"));
        let mut call = Call::new(Method::GET, &path, self.scopes());
        call.headers = headers(offset)?;
        let mut response = endpoint.call(&call).await?;
        if offset > 0 && is_useless(&response) {
            call.headers.remove(RANGE);
            response = endpoint.call(&call).await?;
        }
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                received(&endpoint.net, &endpoint.host(), response, descriptor, offset).await
            }
            _ => Err(endpoint.refusal(response, &self.familiar(), Operation::Blob(&digest)).await),
        }
    }

    /// The blob from a URL that its descriptor names, as far as this registry may name it.
    async fn foreign(&self, url: &str, descriptor: &Descriptor, offset: u64) -> Result<BlobBody> {
        let endpoint = self.origin();
        let home = endpoint.base().await?;
        let url = endpoint.net.naming.foreign(&home, url).map_err(|why| {
            let text = format!("content {} is said to be at {why}", descriptor.digest);
            Error::new(Kind::PermissionDenied, text)
        })?;
        let host = hosts::shown_host(&url);
        let mut request = Outgoing::new(Method::GET, url);
        request.headers = headers(offset)?;
        let mut response = endpoint.net.exchange_from(&home, &request).await?;
        if offset > 0 && is_useless(&response) {
            request.headers.remove(RANGE);
            response = endpoint.net.exchange_from(&home, &request).await?;
        }
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                received(&endpoint.net, &host, response, descriptor, offset).await
            }
            status => {
                let text = format!("{} answered {status}", shown(&request.url));
                Err(Error::new(refusal::kind(status, false), text))
            }
        }
    }
}

fn headers(offset: u64) -> Result<HeaderMap> {
    // A body in another encoding has other bytes than the digest is of.
    let mut headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
    if offset > 0 {
        let range = HeaderValue::try_from(format!("bytes={offset}-"));
        headers.insert(RANGE, range.map_err(|cause| Error::internal("asking for a range", cause))?);
    }
    Ok(headers)
}

/// Whether a request for a part has to be made for the whole: there is no such part, or it is one of an encoded body.
fn is_useless(response: &Response) -> bool {
    let encoded = !matches!(Encoding::of(response.headers()), Ok(None));
    match response.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => true,
        StatusCode::PARTIAL_CONTENT => encoded,
        _ => false,
    }
}

async fn received(net: &Net, host: &str, response: Response, descriptor: &Descriptor, offset: u64) -> Result<BlobBody> {
    let digest = descriptor.digest.to_string();
    let start = match response.status() {
        StatusCode::PARTIAL_CONTENT if offset > 0 && begins_at(&response, offset) => offset,
        StatusCode::PARTIAL_CONTENT => {
            let text = format!("blob {digest}: {host} answers with another range than was asked for");
            return Err(Error::new(Kind::Unavailable, text));
        }
        _ => 0,
    };
    let left = descriptor.size - start;
    let length = response.content_length();
    // What is encoded in a way that is not understood is left as it is: the digest decides.
    let encoding = Encoding::of(response.headers()).unwrap_or_default();
    if let Some(length) = length.filter(|length| *length != left && encoding.is_none()) {
        let text = format!("blob {digest}: the registry sends {length} bytes of {left}");
        return Err(Error::new(Kind::DataLoss, text));
    }
    let mut body = net.body(response);
    if let Some(encoding) = encoding {
        body = encoding::blob(body, encoding, length, left, &descriptor.media_type).await?;
    }
    Ok(BlobBody { start, stream: exactly(left, body, digest) })
}

fn begins_at(response: &Response, offset: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()) == Some(offset)
}

/// The stream, failing where it is longer or shorter than it has to be.
fn exactly(size: u64, stream: BlobStream, digest: String) -> BlobStream {
    futures_util::stream::unfold(Some((stream, size)), move |state| {
        let digest = digest.clone();
        async move {
            let (mut stream, left) = state?;
            match stream.next().await {
                Some(Ok(chunk)) if chunk.len() as u64 <= left => {
                    let left = left - chunk.len() as u64;
                    Some((Ok(chunk), Some((stream, left))))
                }
                Some(Ok(_)) => {
                    let text = format!("blob {digest}: the registry sends more than its {size} bytes");
                    Some((Err(Error::new(Kind::DataLoss, text)), None))
                }
                Some(Err(error)) => Some((Err(error), None)),
                None if left > 0 => {
                    let text = format!("blob {digest}: the connection ended {left} bytes early");
                    Some((Err(Error::new(Kind::Unavailable, text)), None))
                }
                None => None,
            }
        }
    })
    .boxed()
}

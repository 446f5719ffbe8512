//! Reading blobs.

use futures_util::StreamExt;
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderValue, RANGE};
use http::{Method, StatusCode};
use reqwest::Response;

use super::endpoint::{Call, Endpoint};
use super::refusal::{self, Operation};
use super::repository::Repository;
use super::transport::BlobStream;
use crate::domain::Descriptor;
use crate::domain::error::{Error, Kind, Result};

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
    /// The bytes of a blob from an offset on. Only this registry is asked for it: URLs in the descriptor are ignored.
    ///
    /// # Errors
    /// `NotFound` where the repository lacks the blob; else as [`Repository::resolve`].
    pub async fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<BlobBody> {
        self.try_each(|endpoint| self.blob_at(endpoint, descriptor, offset)).await
    }

    async fn blob_at(&self, endpoint: &Endpoint, descriptor: &Descriptor, offset: u64) -> Result<BlobBody> {
        let digest = descriptor.digest.to_string();
        let path = self.path(&format!("blobs/{digest}"));
        let (size, offset) = (descriptor.size, if offset < descriptor.size { offset } else { 0 });
        // A body in another encoding has other bytes than the digest is of.
        let mut call =
            Call::new(Method::GET, &path, self.scopes()).header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if offset > 0 {
            let range = HeaderValue::try_from(format!("bytes={offset}-"));
            call = call.header(RANGE, range.map_err(|cause| Error::internal("asking for a range", cause))?);
        }
        let mut response = endpoint.call(&call).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && offset > 0 {
            call.headers.remove(RANGE);
            response = endpoint.call(&call).await?;
        }
        let start = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if offset > 0 && begins_at(&response, offset) => offset,
            StatusCode::PARTIAL_CONTENT => {
                let text = format!("blob {digest}: {} answers with another range than was asked for", endpoint.host());
                return Err(Error::new(Kind::Unavailable, text));
            }
            _ => return Err(refusal::error(&endpoint.net, response, &self.familiar(), Operation::Blob(&digest)).await),
        };
        let left = size - start;
        if let Some(length) = response.content_length().filter(|length| *length != left) {
            let text = format!("blob {digest}: the registry sends {length} bytes of {left}");
            return Err(Error::new(Kind::DataLoss, text));
        }
        Ok(BlobBody { start, stream: exactly(left, endpoint.net.body(response), digest) })
    }
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

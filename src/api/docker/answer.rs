//! The forms that every answer shares: JSON bodies, Docker's error body, and the headers that clients sniff.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::render::message::ErrorResponse;
use super::words;
use crate::api::error_table;
use crate::domain::{Detail, Error, Kind};

/// What a handler gives back.
pub type Answer = Result<Response, Failure>;

/// A failed request: its answer is the kind's status with the body `{"message": …}`.
#[derive(Debug)]
pub struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        error_table::log(&self.0);
        message(error_table::codes(self.0.kind()).0, &words::text(&self.0))
    }
}

/// An answer of JSON.
///
/// # Errors
/// Internal, where the value cannot be written as JSON.
pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Answer {
    let body = serde_json::to_vec(value).map_err(|e| Error::internal("writing the answer failed", e))?;
    Ok(bytes(status, body))
}

/// An answer of bytes that are JSON already.
pub fn bytes(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Docker's body for what went wrong.
pub fn message(status: StatusCode, text: &str) -> Response {
    // Text alone always serialises; an empty body would still carry the status.
    bytes(status, serde_json::to_vec(&ErrorResponse { message: text }).unwrap_or_default())
}

/// A refusal by the facade itself.
pub fn refusal(kind: Kind, text: impl Into<Detail>) -> Failure {
    Failure(Error::new(kind, text))
}

/// The answer where no route matches: as Docker Engine gives it, without the headers of an API answer.
pub fn page_not_found() -> Response {
    let mut response = message(StatusCode::NOT_FOUND, "page not found");
    response.extensions_mut().insert(Signature::None);
    response
}

/// Which of the daemon's headers an answer has. Answers that do not say have all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    /// None, where no route matched.
    None,
    /// Those that a request gets whose version is refused.
    Version,
}

/// Puts on the headers by which clients negotiate the API version and recognise the daemon.
pub(super) fn sign(response: &mut Response) {
    const SERVER: &str = concat!("Loadline/", env!("CARGO_PKG_VERSION"), " (linux)");
    let signature = response.extensions_mut().remove::<Signature>();
    let headers = response.headers_mut();
    if signature == Some(Signature::None) {
        // The router adds it where a path has other methods.
        headers.remove(ALLOW);
        return;
    }
    headers.insert(HeaderName::from_static("api-version"), HeaderValue::from_static(super::versions::NEWEST_TEXT));
    headers.insert(HeaderName::from_static("ostype"), HeaderValue::from_static("linux"));
    headers.insert(http::header::SERVER, HeaderValue::from_static(SERVER));
    if signature.is_none() {
        headers.insert(HeaderName::from_static("docker-experimental"), HeaderValue::from_static("false"));
    }
}

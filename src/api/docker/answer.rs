//! What every answer shares: JSON bodies, Docker's error body, and which headers it gets.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;
use crate::api::error_table::{self, Origin};
use crate::domain::{Detail, Error, Kind};

/// What a handler gives back.
pub type Answer = Result<Response, Failure>;

/// A failed request: its answer is the status of the error table with the body `{"message": …}`.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    origin: Origin,
}

impl Failure {
    /// What a server answered that the daemon asked, or that it gave no answer.
    pub fn remote(error: Error) -> Self {
        Self { error, origin: Origin::Remote }
    }

    /// What a registry answered to a pull.
    pub fn pull(error: Error) -> Self {
        Self { error, origin: Origin::Pull }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, origin: Origin::Daemon }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        error_table::log(&self.error);
        message(error_table::docker_status(self.error.kind(), self.origin), &words::text(&self.error))
    }
}

/// The body of all failed requests.
#[derive(Serialize, ToSchema)]
pub struct ErrorResponse<'a> {
    /// A description of the failure.
    #[schema(example = "No such image: app:latest")]
    pub message: &'a str,
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

/// A refusal by the facade itself.
pub fn refusal(kind: Kind, text: impl Into<Detail>) -> Failure {
    Error::new(kind, text).into()
}

/// The answer to a request that clients send again and again although it is refused: as any refusal, but not logged.
pub fn unlogged_refusal(kind: Kind, text: &str) -> Response {
    message(error_table::docker_status(kind, Origin::Daemon), text)
}

/// The answer where no route matches: as Docker Engine gives it, without the headers of an API answer.
pub fn page_not_found() -> Response {
    let mut response = unlogged_refusal(Kind::NotFound, "page not found");
    response.extensions_mut().insert(HeaderSet::None);
    response
}

/// Docker's body for what went wrong.
fn message(status: StatusCode, text: &str) -> Response {
    // Text alone always serialises; an empty body would still carry the status.
    bytes(status, serde_json::to_vec(&ErrorResponse { message: text }).unwrap_or_default())
}

/// Which of the daemon's headers an answer gets; an extension of the response. Answers without it get all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HeaderSet {
    /// None: no route matched.
    None,
    /// Those of an answer to a request whose version is refused.
    Version,
}

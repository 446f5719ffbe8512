//! One line in the log for each call, at level debug, when it has ended. Why a call failed is logged where its error
//! becomes a status (`api::error_table`).

use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http_body::Body as _;
use http_body_util::BodyExt;
use tonic::{Code, Status};
use tracing::{Level, Span};

use super::texts::code;

/// Logs a call.
pub async fn record(request: Request, next: Next) -> Response {
    if !tracing::enabled!(Level::DEBUG) {
        return next.run(request).await;
    }
    let mut line =
        Line { method: request.uri().path().to_owned(), start: Instant::now(), client: Span::current(), ended: false };
    let response = next.run(request).await;
    if response.headers().contains_key(Status::GRPC_STATUS) || response.body().is_end_stream() {
        line.end(response.headers());
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(trailers) = frame.trailers_ref() {
                line.end(trailers);
            }
            frame
        }))
    })
}

/// The line of a call. Dropped before its end, it says that the client gave the call up.
struct Line {
    method: String,
    start: Instant,
    /// Answers are sent by tasks of their own, which the connection's span does not reach.
    client: Span,
    ended: bool,
}

impl Line {
    fn end(&mut self, status: &HeaderMap) {
        self.ended = true;
        self.write(Some(code(status)));
    }

    fn write(&self, code: Option<Code>) {
        let _in_client = self.client.enter();
        let (method, duration_ms) = (&self.method, self.start.elapsed().as_micros() as f64 / 1000.0);
        match code {
            Some(code) => tracing::debug!(method, ?code, duration_ms, "call"),
            None => tracing::debug!(method, duration_ms, "call given up by the client"),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // A panic has a line of its own.
        if !self.ended && !std::thread::panicking() {
            self.write(None);
        }
    }
}

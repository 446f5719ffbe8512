//! The time that a client gives a call, in the header `grpc-timeout`.
//!
//! When it is up, the call is dropped, and with it all the work that it waits for; the client gets DEADLINE_EXCEEDED. An
//! answer that has begun ends with that status in its trailers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::excerpt::excerpt;

const HEADER: &str = "grpc-timeout";
/// The most digits of a timeout.
const MAX_DIGITS: usize = 8;

/// Holds a call to its deadline, if it has one.
pub async fn hold(request: Request, next: Next) -> Response {
    let timeout = match request.headers().get(HEADER).map(parse) {
        None => return next.run(request).await,
        Some(Err(malformed)) => return malformed.into_http(),
        Some(Ok(timeout)) => timeout,
    };
    // Some clients send what is left of a deadline even if that is nothing.
    if timeout.is_zero() {
        return exceeded(timeout).into_http();
    }
    let mut up = Box::pin(sleep(timeout));
    tokio::select! {
        biased;
        response = next.run(request) => {
            response.map(|body| Body::new(Held { body: Some(body), up, timeout }))
        }
        () = up.as_mut() => exceeded(timeout).into_http(),
    }
}

/// A timeout as the protocol writes it: up to eight digits and a unit. A header that has it twice counts once.
///
/// # Errors
/// `INVALID_ARGUMENT` for anything else.
fn parse(value: &HeaderValue) -> Result<Duration, Status> {
    let malformed = || {
        let text = String::from_utf8_lossy(value.as_bytes());
        Status::invalid_argument(format!(
            "malformed {HEADER} {:?}: want up to {MAX_DIGITS} digits and one of H M S m u n",
            excerpt(&text)
        ))
    };
    let [digits @ .., unit] = value.as_bytes() else { return Err(malformed()) };
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed());
    }
    let amount = digits.iter().fold(0, |amount, digit| amount * 10 + u64::from(digit - b'0'));
    Ok(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return Err(malformed()),
    })
}

fn exceeded(timeout: Duration) -> Status {
    Status::deadline_exceeded(format!("the call did not end within {timeout:?}, the time that its client gave it"))
}

/// An answer that ends in time: by itself, or because its time is up.
struct Held {
    /// `None` once the time was up.
    body: Option<Body>,
    up: Pin<Box<Sleep>>,
    timeout: Duration,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // Asked first: an answer without end may never make us wait.
        if this.up.as_mut().poll(context).is_pending() {
            return Pin::new(body).poll_frame(context);
        }
        this.body = None;
        let mut trailers = HeaderMap::new();
        if let Err(failed) = exceeded(self.timeout).add_header(&mut trailers) {
            return Poll::Ready(Some(Err(axum::Error::new(failed))));
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }
}

#[cfg(test)]
mod tests;

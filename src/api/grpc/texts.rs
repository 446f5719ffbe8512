//! What a status says: always something, and never so much that a client takes no answer at all.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Uri};
use http_body::Frame;
use http_body_util::BodyExt;
use tonic::{Code, Status};

use super::excerpt::excerpt;
use super::limits;

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";

/// The most bytes of a text as it is sent. Clients bound what all trailers together may have, the lowest at 8 KiB.
const MAX_TEXT: usize = 4096;
/// What stands at the end of a text that was cut.
const MARK: &str = "...%20(cut)";

/// Gives the status of a call its text: a method that is not served is named, tonic's words for messages over the limit
/// are replaced, and long texts are cut.
pub async fn finish(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let mut response = next.run(request).await;
    if response.headers().contains_key(STATUS) {
        name_method(response.headers_mut(), &uri);
        finish_status(response.headers_mut());
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(|frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                finish_status(&mut trailers);
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }))
    })
}

/// The answer for a path that no service has.
pub async fn unknown_service(uri: Uri) -> Response {
    let text = match split(uri.path()) {
        Some((service, _)) => format!("unknown service {}", excerpt(service)),
        None => format!("malformed method name {:?}", excerpt(uri.path())),
    };
    Status::unimplemented(text).into_http()
}

/// Generated servers say UNIMPLEMENTED and nothing more for a method that they do not know.
fn name_method(headers: &mut HeaderMap, uri: &Uri) {
    if code(headers) == Code::Unimplemented
        && !headers.contains_key(MESSAGE)
        && let Some((service, method)) = split(uri.path())
    {
        set_text(headers, &format!("unknown method {} for service {}", excerpt(method), excerpt(service)));
    }
}

fn finish_status(headers: &mut HeaderMap) {
    let Some(text) = headers.get(MESSAGE) else { return };
    let decoded = percent_encoding::percent_decode(text.as_bytes()).decode_utf8_lossy();
    if let Some(text) = limits::over_limit(code(headers), &decoded) {
        headers.insert(STATUS, HeaderValue::from(Code::ResourceExhausted as i32));
        set_text(headers, &text);
    } else if let Cow::Owned(cut) = bounded(text.as_bytes()) {
        set_encoded(headers, cut);
    }
}

fn set_text(headers: &mut HeaderMap, text: &str) {
    let mut status = HeaderMap::new();
    // tonic knows which characters have to be escaped.
    if Status::unknown(text).add_header(&mut status).is_ok()
        && let Some(text) = status.remove(MESSAGE)
    {
        set_encoded(headers, bounded(text.as_bytes()).into_owned());
    }
}

fn set_encoded(headers: &mut HeaderMap, text: Vec<u8>) {
    if let Ok(text) = HeaderValue::from_maybe_shared(bytes::Bytes::from(text)) {
        headers.insert(MESSAGE, text);
    }
}

/// An escaped text of at most [`MAX_TEXT`] bytes. It is cut between two characters: neither inside an escape nor between
/// the escapes of one character.
fn bounded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.len() <= MAX_TEXT {
        return Cow::Borrowed(text);
    }
    let starts_character = |at: usize| match text[at] {
        b'%' => text.get(at + 1).is_none_or(|digit| !matches!(digit.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b')),
        _ => !text[at.saturating_sub(2)..at].contains(&b'%'),
    };
    let mut end = MAX_TEXT - MARK.len();
    while end > 0 && !starts_character(end) {
        end -= 1;
    }
    Cow::Owned([&text[..end], MARK.as_bytes()].concat())
}

/// The code in a status; `UNKNOWN` where there is none.
pub fn code(headers: &HeaderMap) -> Code {
    headers.get(STATUS).map_or(Code::Unknown, |value| Code::from_bytes(value.as_bytes()))
}

/// The service and the method of a call's path.
fn split(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix('/')?.rsplit_once('/').filter(|(service, _)| !service.is_empty())
}

#[cfg(test)]
mod tests;

//! The headers by which clients negotiate the API version and recognise the daemon.

use axum::response::Response;
use http::HeaderValue;
use http::header::{ALLOW, HeaderName, SERVER};

use crate::api::docker::answer::HeaderSet;
use crate::api::docker::versions::NEWEST_TEXT;

/// Puts the headers on an answer that its [`HeaderSet`] asks for.
pub fn stamp_headers(response: &mut Response) {
    const NAME: &str = concat!("Loadline/", env!("CARGO_PKG_VERSION"), " (linux)");
    let set = response.extensions_mut().remove::<HeaderSet>();
    let headers = response.headers_mut();
    if set == Some(HeaderSet::None) {
        // The router adds it where a path has other methods.
        headers.remove(ALLOW);
        return;
    }
    headers.insert(HeaderName::from_static("api-version"), HeaderValue::from_static(NEWEST_TEXT));
    headers.insert(HeaderName::from_static("ostype"), HeaderValue::from_static("linux"));
    headers.insert(SERVER, HeaderValue::from_static(NAME));
    if set.is_none() {
        headers.insert(HeaderName::from_static("docker-experimental"), HeaderValue::from_static("false"));
    }
}

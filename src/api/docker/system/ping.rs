//! `GET|HEAD /_ping`: whether the daemon answers, and which API it serves.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, PRAGMA};
use http::{HeaderMap, HeaderValue};

/// Ask whether the daemon answers
///
/// The headers tell the newest API version, so that a client can settle on one.
#[utoipa::path(
    get,
    path = "/_ping",
    operation_id = "SystemPing",
    tag = "System",
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain", headers(
            ("Api-Version" = String, description = "The newest API version that is served"),
            ("Swarm" = String, description = "Always `inactive`"),
            ("Docker-Experimental" = bool, description = "Always `false`"),
            ("Cache-Control" = String, description = "Never to be kept"),
            ("Pragma" = String, description = "The same, for old caches")
        ), example = json!("OK")),
    ),
)]
pub async fn system_ping() -> Response {
    let mut response = Response::new(Body::from("OK"));
    describe(response.headers_mut());
    response
}

/// Ask whether the daemon answers, without a body
#[utoipa::path(
    head,
    path = "/_ping",
    operation_id = "SystemPingHead",
    tag = "System",
    responses(
        (status = 200, description = "It does", headers(
            ("Api-Version" = String, description = "The newest API version that is served"),
            ("Swarm" = String, description = "Always `inactive`"),
            ("Docker-Experimental" = bool, description = "Always `false`"),
            ("Cache-Control" = String, description = "Never to be kept"),
            ("Pragma" = String, description = "The same, for old caches")
        )),
    ),
)]
pub async fn system_ping_head() -> Response {
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut());
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    response
}

fn describe(headers: &mut HeaderMap) {
    // `Builder-Version` is absent: it would invite the client to build here.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("swarm"), HeaderValue::from_static("inactive"));
}

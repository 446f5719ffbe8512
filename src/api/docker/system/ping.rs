//! `GET|HEAD /_ping`: whether the daemon answers, and which API it serves.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, PRAGMA};
use http::{HeaderMap, HeaderValue};

/// Ping the daemon
///
/// The headers report the newest API version, so that clients can negotiate one.
#[utoipa::path(
    get,
    path = "/_ping",
    operation_id = "SystemPing",
    tag = "System",
    responses(
        (status = 200, description = "The daemon is running", body = String, content_type = "text/plain", headers(
            ("Api-Version" = String, description = "The newest API version that the daemon serves"),
            ("Swarm" = String, description = "Always `inactive`"),
            ("Docker-Experimental" = bool, description = "Always `false`"),
            ("Cache-Control" = String, description = "Never to be cached"),
            ("Pragma" = String, description = "The same, for HTTP/1.0 caches")
        ), example = json!("OK")),
    ),
)]
pub async fn system_ping() -> Response {
    let mut response = Response::new(Body::from("OK"));
    describe(response.headers_mut());
    response
}

/// Ping the daemon without a response body
#[utoipa::path(
    head,
    path = "/_ping",
    operation_id = "SystemPingHead",
    tag = "System",
    responses(
        (status = 200, description = "The daemon is running", headers(
            ("Api-Version" = String, description = "The newest API version that the daemon serves"),
            ("Swarm" = String, description = "Always `inactive`"),
            ("Docker-Experimental" = bool, description = "Always `false`"),
            ("Cache-Control" = String, description = "Never to be cached"),
            ("Pragma" = String, description = "The same, for HTTP/1.0 caches")
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

//! What clients ask of registries through the daemon.

pub mod auth;
pub mod distribution;

use http::HeaderMap;

use crate::engine::Credential;

/// The credential that a request carries in `X-Registry-Auth`. Like Docker Engine, what cannot be read counts as none: the
/// registry then decides what is served without.
pub fn credential(headers: &HeaderMap) -> Credential {
    let Some(header) = headers.get("x-registry-auth") else { return Credential::anonymous() };
    header.to_str().ok().and_then(|text| Credential::from_header(text).ok()).unwrap_or_default()
}

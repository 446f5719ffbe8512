//! What the daemon tells of itself: `GET /version`, `GET /info`, `GET /events` and
//! `GET /system/df`.
//!
//! Dashboards ask once a second, so the host's facts are read once and an answer costs no more than writing it.

mod disk_usage;
mod events;
mod host;
mod info;
pub mod ping;
mod registries;
mod version;

use axum::routing::get;
use http::Method;

pub(super) use info::example as info_example;

use super::route::Route;

/// The operations of this module.
pub fn routes() -> Vec<Route> {
    // Read now, so that no request waits for files.
    host::Host::here();
    vec![
        Route { method: Method::GET, path: "/system/df", first: 25, last: None, handler: get(disk_usage::disk_usage) },
        Route { method: Method::GET, path: "/events", first: 24, last: None, handler: get(events::events) },
        Route { method: Method::GET, path: "/info", first: 24, last: None, handler: get(info::info) },
        Route { method: Method::GET, path: "/version", first: 24, last: None, handler: get(version::version) },
    ]
}

/// The operations' part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(disk_usage::disk_usage, events::events, info::info, version::version),
    components(schemas(super::render::usage::UsageType))
)]
pub struct Document;

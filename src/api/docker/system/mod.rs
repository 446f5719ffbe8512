//! What the daemon tells of itself: `GET /_ping`, `GET /version`, `GET /info`, `GET /events` and
//! `GET /system/df`.
//!
//! Dashboards ask once a second, so the host's facts are read once and an answer costs no more than writing it.

pub mod disk_usage;
pub mod events;
pub mod host;
pub mod info;
pub mod ping;
mod registries;
pub mod version;

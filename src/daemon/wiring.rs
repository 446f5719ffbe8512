//! Which engine and which facades the daemon runs.

use axum::Router;
use axum::routing::get;

use super::config::Config;
use super::mux::Mux;
use crate::api::containerd;
use crate::domain::error::{Error, Kind, Result};
use crate::engine::{Engine, Settings};

/// Opens the engine on the data root. Blocking.
///
/// # Errors
/// `Conflict` where another process uses the data root.
pub fn open_engine(config: &Config) -> Result<Engine> {
    Engine::open(Settings { data_root: config.data_root.clone() })
}

/// Ends the engine in order. What was acknowledged is durable already, so a failure here costs the next start a check.
pub async fn close_engine(engine: Engine) {
    if let Err(error) = engine.close().await {
        tracing::warn!(error = error.chain(), "leaving the data root in order failed");
    }
}

/// The facades over the engine: REST and gRPC.
pub async fn facades(engine: &Engine, _config: &Config) -> Result<Mux> {
    let rest = Router::new().route("/_ping", get(async || "OK"));
    Ok(Mux::new(rest, containerd::routes(engine.clone()).await?))
}

/// The OpenAPI document of a version; of the newest where `None`.
pub fn openapi(_version: Option<&str>) -> Result<String> {
    Err(Error::new(Kind::NotImplemented, "no OpenAPI document yet"))
}

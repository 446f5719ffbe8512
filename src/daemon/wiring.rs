//! Which engine and which facades the daemon runs.

use std::sync::Arc;

use super::config::{Config, LogLevel};
use super::mux::Mux;
use crate::api::{containerd, docker};
use crate::domain::error::{Error, Result};
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
pub async fn facades(engine: &Engine, config: &Config) -> Result<Mux> {
    let settings = docker::Settings {
        insecure_registries: config.insecure_registries.clone(),
        registry_mirrors: config.registry_mirrors.clone(),
        data_root: config.data_root.clone(),
        debug: config.log_level == LogLevel::Debug,
    };
    let rest = docker::router(docker::App { engine: engine.clone(), settings: Arc::new(settings) });
    Ok(Mux::new(rest, containerd::routes(engine.clone()).await?))
}

/// The OpenAPI document of a version such as `1.47`; of the newest where `None`.
///
/// # Errors
/// `InvalidArgument` where there is no such version.
pub fn openapi(version: Option<&str>) -> Result<String> {
    let Some(version) = version else { return Ok(docker::openapi::text(docker::versions::NEWEST)) };
    let minor = version.strip_prefix("1.").and_then(|minor| minor.parse().ok());
    match minor.filter(|minor| (docker::versions::OLDEST..=docker::versions::NEWEST).contains(minor)) {
        Some(minor) => Ok(docker::openapi::text(minor)),
        None => Err(Error::invalid(format!(
            "there is no API version {version:?}: the oldest is 1.{}, the newest 1.{}",
            docker::versions::OLDEST,
            docker::versions::NEWEST
        ))),
    }
}

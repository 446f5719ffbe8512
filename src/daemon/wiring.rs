//! Which engine and which facades the daemon runs.

use std::sync::Arc;

use super::config::{Config, LogLevel};
use super::mux::Mux;
use crate::api::containerd;
use crate::api::cri;
use crate::api::docker;
use crate::api::grpc;
use crate::api::talos;
use crate::domain::error::{Error, Result};
use crate::engine::{Engine, RulesAdmission, Settings};

/// Opens the engine on the data root.
///
/// # Errors
/// `Conflict` where another process uses the data root.
pub async fn open_engine(config: &Config) -> Result<Engine> {
    let mut settings = Settings::new(&config.data_root);
    settings.registry.insecure.clone_from(&config.insecure_registries);
    settings.registry.token_services.clone_from(&config.registry_token_services);
    settings.registry.mirrors.clone_from(&config.registry_mirrors);
    settings.registry.certs_dir.clone_from(&config.registry_certs_dir);
    settings.registry.proxies = config.proxies.clone();
    settings.registry.timeouts.repetitions = config.max_download_attempts.get() - 1;
    settings.max_concurrent_downloads = config.max_concurrent_downloads.get() as usize;
    settings.max_concurrent_uploads = config.max_concurrent_uploads.get() as usize;
    settings.max_packed_blob_size = config.max_packed_blob_size;
    settings.pull_attestations = config.pull_attestations;
    settings.pinned.patterns.clone_from(&config.pinned_images);
    if let Some(file) = &config.verify_rules {
        let admission = RulesAdmission::offline(file.rules.clone(), settings.clock.clone())?;
        settings.rules = Some(Arc::new(admission));
    }
    Engine::open(settings).await
}

/// Ends the engine in order. What was acknowledged is durable already, so a failure here costs the next start a check.
pub async fn close_engine(engine: Engine) {
    if let Err(error) = engine.close().await {
        tracing::warn!(error = error.chain(), "could not shut down cleanly; the next start checks the data root");
    }
}

/// The facades over the engine: REST and gRPC.
pub async fn facades(engine: &Engine, config: &Config) -> Result<Mux> {
    let settings = docker::Settings {
        insecure_registries: config.insecure_registries.iter().map(ToString::to_string).collect(),
        registry_mirrors: config.registry_mirrors.clone(),
        data_root: config.data_root.clone(),
        proxies: config.proxies.clone(),
        debug: config.log_level == LogLevel::Debug,
    };
    let rest = docker::router(docker::App { engine: engine.clone(), settings: Arc::new(settings) });
    Ok(Mux::new(rest, grpc::router(grpc_services(engine)).await?))
}

/// Every gRPC service over the engine, but for those that the assembly adds: the lists of all facades.
pub fn grpc_services(engine: &Engine) -> Vec<grpc::Service> {
    [containerd::services(engine), cri::services(engine), talos::services(engine)].into_iter().flatten().collect()
}

/// The OpenAPI document of an API version (`1.47`); of the newest where `None`.
///
/// # Errors
/// `InvalidArgument` where the version is not served.
pub fn openapi(version: Option<&str>) -> Result<String> {
    let minor = match version {
        None => docker::versions::NEWEST,
        Some(version) => docker::versions::parse(version)
            .ok_or_else(|| Error::invalid(format!("API version {version:?} is not served")))?,
    };
    Ok(docker::openapi::text(minor))
}

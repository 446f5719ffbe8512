//! containerd's content, introspection and version services.
//!
//! A `containerd-namespace` in a request is not looked at: there is one store, and every namespace sees it.

use crate::api::grpc::Service;
use crate::engine::Engine;

pub mod content;
pub mod filter;
pub mod introspection;
/// The messages, servers and clients generated from `proto/` (`tests/checks/protobuf.rs` holds them to it).
#[allow(clippy::all, clippy::unwrap_used, missing_docs, rustdoc::all)]
#[rustfmt::skip]
#[path = "gen/_includes.rs"]
pub mod proto;
#[cfg(test)]
mod tests;
pub mod version;

use content::{ContentService, ContentSource};
use introspection::IntrospectionService;
use proto::containerd::services::content::v1::content_server::ContentServer;
use proto::containerd::services::introspection::v1::introspection_server::IntrospectionServer;
use proto::containerd::services::version::v1::version_server::VersionServer;
use version::VersionService;

/// The descriptors of all services of this facade.
const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

/// The services of this facade over the engine.
pub fn services(engine: &Engine) -> Vec<Service> {
    services_over(engine.clone(), engine.uuid())
}

fn services_over(source: impl ContentSource, uuid: &str) -> Vec<Service> {
    let uuid = uuid.to_owned();
    vec![
        Service::new(ContentServer::new(ContentService::new(source)), DESCRIPTORS).with_plugins(content::PLUGINS),
        Service::over_plugins(|all| IntrospectionServer::new(IntrospectionService::new(uuid, all)), DESCRIPTORS)
            .with_plugins(introspection::PLUGINS),
        Service::new(VersionServer::new(VersionService), DESCRIPTORS).with_plugins(version::PLUGINS),
    ]
}

//! containerd's services around content and images.
//!
//! A `containerd-namespace` in a request is not looked at: there is one store, and every namespace sees it.

use crate::api::grpc::Service;
use crate::engine::Engine;

pub mod containers;
pub mod content;
pub mod filter;
pub mod images;
pub mod introspection;
pub mod leases;
pub mod namespaces;
/// The messages, servers and clients generated from `proto/` (`tests/checks/protobuf.rs` holds them to it).
#[allow(clippy::all, clippy::unwrap_used, missing_docs, rustdoc::all)]
#[rustfmt::skip]
#[path = "gen/_includes.rs"]
pub mod proto;
pub mod snapshots;
#[cfg(test)]
mod tests;
pub mod version;
pub mod wire;

use containers::ContainerService;
use content::{ContentService, ContentSource};
use images::ImageService;
use introspection::IntrospectionService;
use leases::LeaseService;
use namespaces::NamespaceService;
use proto::containerd::services::containers::v1::containers_server::ContainersServer;
use proto::containerd::services::content::v1::content_server::ContentServer;
use proto::containerd::services::images::v1::images_server::ImagesServer;
use proto::containerd::services::introspection::v1::introspection_server::IntrospectionServer;
use proto::containerd::services::leases::v1::leases_server::LeasesServer;
use proto::containerd::services::namespaces::v1::namespaces_server::NamespacesServer;
use proto::containerd::services::snapshots::v1::snapshots_server::SnapshotsServer;
use proto::containerd::services::version::v1::version_server::VersionServer;
use snapshots::SnapshotService;
use version::VersionService;

/// The descriptors of all services of this facade.
const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

/// The services of this facade over the engine.
pub fn services(engine: &Engine) -> Vec<Service> {
    let mut services = services_over(engine.clone(), engine.uuid());
    services.extend([
        Service::new(ContainersServer::new(ContainerService), DESCRIPTORS),
        Service::new(ImagesServer::new(ImageService::new(engine.clone())), DESCRIPTORS).with_plugins(images::PLUGINS),
        Service::new(LeasesServer::new(LeaseService::new(engine.clone())), DESCRIPTORS).with_plugins(leases::PLUGINS),
        Service::new(NamespacesServer::new(NamespaceService), DESCRIPTORS).with_plugins(namespaces::PLUGINS),
        Service::new(SnapshotsServer::new(SnapshotService), DESCRIPTORS),
    ]);
    services
}

/// Those of them that need no more than a source of blobs.
fn services_over(source: impl ContentSource, uuid: &str) -> Vec<Service> {
    let uuid = uuid.to_owned();
    vec![
        Service::new(ContentServer::new(ContentService::new(source)), DESCRIPTORS).with_plugins(content::PLUGINS),
        Service::over_plugins(|all| IntrospectionServer::new(IntrospectionService::new(uuid, all)), DESCRIPTORS)
            .with_plugins(introspection::PLUGINS),
        Service::new(VersionServer::new(VersionService), DESCRIPTORS).with_plugins(version::PLUGINS),
    ]
}

//! The gRPC facade: containerd's content, version and introspection services, health and reflection.
//!
//! A `containerd-namespace` in a request is not looked at: there is one store, and every namespace sees it.

use tonic::service::Routes;

use crate::api::error_table::status;
use crate::domain::Error;
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

/// The descriptors of all services but health and reflection, which bring their own.
const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

/// Requests are small; what is larger is refused before it is in memory.
const MAX_REQUEST: usize = 4 << 20;

/// Everything that is served over gRPC; a service or method that is not is answered with UNIMPLEMENTED.
///
/// # Errors
/// `Internal`, if the descriptors that were built in do not decode.
pub async fn routes(engine: Engine) -> Result<axum::Router, Error> {
    let uuid = engine.uuid().to_owned();
    routes_over(engine, &uuid).await
}

async fn routes_over(source: impl ContentSource, uuid: &str) -> Result<axum::Router, Error> {
    let content = ContentServer::new(ContentService::new(source)).max_decoding_message_size(MAX_REQUEST);
    let introspection =
        IntrospectionServer::new(IntrospectionService::new(uuid)).max_decoding_message_size(MAX_REQUEST);
    let version = VersionServer::new(VersionService).max_decoding_message_size(MAX_REQUEST);
    let (reporter, health) = tonic_health::server::health_reporter();
    mark_serving(&reporter, &content).await;
    mark_serving(&reporter, &introspection).await;
    mark_serving(&reporter, &version).await;
    let undecodable = |error| Error::internal("the gRPC descriptors do not decode", error);
    Ok(Routes::new(content)
        .add_service(introspection)
        .add_service(version)
        .add_service(health)
        .add_service(reflection().build_v1().map_err(undecodable)?)
        .add_service(reflection().build_v1alpha().map_err(undecodable)?)
        .prepare()
        .into_axum_router())
}

async fn mark_serving<S: tonic::server::NamedService>(reporter: &tonic_health::server::HealthReporter, _: &S) {
    reporter.set_serving::<S>().await;
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
}

/// The start of what a client sent, short enough to be repeated in an error, which travels in a header.
fn excerpt(text: &str) -> &str {
    text.char_indices().nth(128).map_or(text, |(end, _)| &text[..end])
}

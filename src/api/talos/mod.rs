//! Talos' `machine.ImageService`.
//!
//! Talos' machines have two containerds with namespaces of their own; here is one store, and all of them see it.

use crate::api::grpc::Service;
use crate::engine::Engine;

pub mod images;
pub mod import;
pub mod instance;
/// The messages, servers and clients generated from `proto/` (`tests/checks/protobuf.rs` holds them to it).
#[allow(clippy::all, clippy::unwrap_used, missing_docs, rustdoc::all)]
#[rustfmt::skip]
#[path = "gen/_includes.rs"]
pub mod proto;
pub mod pull;
pub mod verify;

use images::ImageService;
use proto::machine::image_service_server::ImageServiceServer;

/// The descriptors of all services of this facade.
const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

/// The services of this facade over the engine.
pub fn services(engine: &Engine) -> Vec<Service> {
    vec![Service::new(ImageServiceServer::new(ImageService::new(engine.clone())), DESCRIPTORS)]
}

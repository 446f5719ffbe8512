//! Kubernetes' container runtime interface, as far as it is about images: the protocol of today (`runtime.v1`) and the first
//! one (`runtime`). Loadline runs no containers, and says so.

use crate::api::grpc::Service;
use crate::engine::Engine;

mod early;
mod images;
mod message;
/// The messages, servers and clients generated from `proto/` (`tests/checks/protobuf.rs` holds them to it).
#[allow(clippy::all, clippy::unwrap_used, missing_docs, rustdoc::all)]
#[rustfmt::skip]
#[path = "gen/_includes.rs"]
pub mod proto;
mod requests;
mod runtime;
mod source;
#[cfg(test)]
mod tests;

use early::{EarlyImages, EarlyRuntime};
use images::Images;
use message::MAX_MESSAGE;
use proto::runtime as first;
use proto::runtime::v1;
use runtime::Runtime;
use source::NodeStore;

/// The descriptors of all services of this facade.
const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

/// The services of this facade over the engine.
pub fn services(engine: &Engine) -> Vec<Service> {
    services_over(engine)
}

fn services_over<S: NodeStore + Clone>(source: &S) -> Vec<Service> {
    use first::image_service_server::ImageServiceServer as EarlyImageServer;
    use first::runtime_service_server::RuntimeServiceServer as EarlyRuntimeServer;
    use v1::image_service_server::ImageServiceServer;
    use v1::runtime_service_server::RuntimeServiceServer;

    let images = ImageServiceServer::new(Images::new(source.clone()));
    let runtime = RuntimeServiceServer::new(Runtime::new(source.data_root()));
    let early_images = EarlyImageServer::new(EarlyImages::new(source.clone()));
    vec![
        Service::new(images.max_decoding_message_size(MAX_MESSAGE), DESCRIPTORS),
        Service::new(runtime.max_decoding_message_size(MAX_MESSAGE), DESCRIPTORS),
        Service::new(early_images.max_decoding_message_size(MAX_MESSAGE), DESCRIPTORS),
        Service::new(EarlyRuntimeServer::new(EarlyRuntime), DESCRIPTORS),
    ]
}

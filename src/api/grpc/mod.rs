//! What all gRPC facades share: the assembly of their services, with health, reflection and the list of plugins, and what
//! holds for every call: deadlines, limits, texts of errors and the log.
//!
//! A facade returns a list of [`Service`]s. A new service is a line in its facade's list; a new facade is a line where
//! the daemon puts the lists together. A call of a service or method that is not served is answered with UNIMPLEMENTED
//! and the name. A message may have [`MAX_MESSAGE`] bytes. How many calls a connection may have at a time, and how large
//! their headers may be, is decided for REST and gRPC together in `daemon::mux`.

mod deadline;
mod excerpt;
mod limits;
mod log;
mod plugin;
mod service;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::middleware::from_fn;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_reflection::server::Builder;

pub use excerpt::excerpt;
pub use limits::{MAX_MESSAGE, one_message};
pub use plugin::{GRPC_PLUGIN, Plugin};
pub use service::Service;

use crate::domain::{Error, Result};

/// The entry of the health service, which every assembly has.
const HEALTH: Plugin = Plugin { kind: GRPC_PLUGIN, id: "healthcheck", requires: &[] };

/// Everything that is served over gRPC.
///
/// # Errors
/// `Internal`, if descriptors that were built in do not decode.
pub async fn router(services: Vec<Service>) -> Result<axum::Router> {
    let (reporter, health) = tonic_health::server::health_reporter();
    for service in &services {
        reporter.set_service_status(service.name(), ServingStatus::Serving).await;
    }
    let descriptors: BTreeSet<&'static [u8]> = services.iter().map(Service::descriptors).collect();
    let undecodable = |error| Error::internal("the gRPC descriptors do not decode", error);
    let own = Routes::new(health)
        .add_service(reflection(&descriptors).build_v1().map_err(undecodable)?)
        .add_service(reflection(&descriptors).build_v1alpha().map_err(undecodable)?);
    let plugins = plugins(&services);
    let routes = services.into_iter().fold(own, |routes, service| service.mount(routes, &plugins));
    let served = routes.prepare().into_axum_router().fallback(texts::unknown_service);
    // The last one is asked first: a call that is over its deadline gets its text and its line in the log as well.
    Ok(served.layer(from_fn(deadline::hold)).layer(from_fn(texts::finish)).layer(from_fn(log::record)))
}

/// The plugins that all services together stand in for, sorted.
fn plugins(services: &[Service]) -> Arc<[Plugin]> {
    let mut plugins: Vec<Plugin> = services.iter().flat_map(Service::plugins).copied().chain([HEALTH]).collect();
    plugins.sort_unstable_by_key(|plugin| (plugin.kind, plugin.id));
    plugins.into()
}

fn reflection(descriptors: &BTreeSet<&'static [u8]>) -> Builder<'static> {
    let own = Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET);
    descriptors.iter().fold(own, |builder, set| builder.register_encoded_file_descriptor_set(set))
}

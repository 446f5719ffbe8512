//! A gRPC service before it is mounted.

use std::convert::Infallible;
use std::sync::Arc;

use axum::response::IntoResponse;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;

use super::plugin::Plugin;

/// A service as its facade returns it.
pub struct Service {
    name: &'static str,
    descriptors: &'static [u8],
    plugins: &'static [Plugin],
    mount: Mount,
}

/// Adds a service to the routes, given the plugins of all.
type Mount = Box<dyn FnOnce(Routes, &Arc<[Plugin]>) -> Routes + Send>;

impl Service {
    /// A service from its server in generated code. The descriptors are an encoded `FileDescriptorSet` that holds the
    /// service and all that its file imports; services may share one.
    pub fn new<S: Server>(server: S, descriptors: &'static [u8]) -> Self {
        Self::over_plugins(|_| server, descriptors)
    }

    /// A service that needs to know the plugins of all services, its own included.
    pub fn over_plugins<S: Server>(
        make: impl FnOnce(Arc<[Plugin]>) -> S + Send + 'static,
        descriptors: &'static [u8],
    ) -> Self {
        let mount = Box::new(|routes: Routes, all: &Arc<[Plugin]>| routes.add_service(make(Arc::clone(all))));
        Self { name: S::NAME, descriptors, plugins: &[], mount }
    }

    /// The same service, which stands in for these plugins of containerd. Without them, it stands in for none.
    #[must_use]
    pub fn with_plugins(self, plugins: &'static [Plugin]) -> Self {
        Self { plugins, ..self }
    }

    /// The full name, such as `containerd.services.content.v1.Content`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The encoded `FileDescriptorSet` that holds the service.
    pub fn descriptors(&self) -> &'static [u8] {
        self.descriptors
    }

    pub(super) fn plugins(&self) -> &'static [Plugin] {
        self.plugins
    }

    pub(super) fn mount(self, routes: Routes, all: &Arc<[Plugin]>) -> Routes {
        (self.mount)(routes, all)
    }
}

/// A server of generated code.
pub trait Server:
    tower::Service<http::Request<Body>, Response: IntoResponse, Error = Infallible, Future: Send + 'static>
    + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Server for S where
    S: tower::Service<http::Request<Body>, Response: IntoResponse, Error = Infallible, Future: Send + 'static>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

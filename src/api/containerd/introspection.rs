//! `containerd.services.introspection.v1`: which of containerd's parts Loadline stands in for.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt as _;

use tonic::{Request, Response, Status};

use super::filter::{Fields, Filter};
use super::proto::containerd::services::introspection::v1::introspection_server::Introspection;
use super::proto::containerd::services::introspection::v1::{
    Plugin, PluginInfoRequest, PluginInfoResponse, PluginsRequest, PluginsResponse, ServerResponse,
};
use super::status;
use crate::domain::{Error, Kind};

/// Type, ID and required types of every plugin: the store and the gRPC services over it, as containerd names them.
const PLUGINS: [(&str, &str, &[&str]); 5] = [
    (CONTENT_PLUGIN, "content", &[]),
    (GRPC_PLUGIN, "content", &[CONTENT_PLUGIN]),
    (GRPC_PLUGIN, "healthcheck", &[]),
    (GRPC_PLUGIN, "introspection", &[]),
    (GRPC_PLUGIN, "version", &[]),
];
const CONTENT_PLUGIN: &str = "io.containerd.content.v1";
const GRPC_PLUGIN: &str = "io.containerd.grpc.v1";

/// The introspection service.
pub struct IntrospectionService {
    uuid: String,
    pid_namespace: u64,
}

impl IntrospectionService {
    /// The service of a daemon with this stable identity.
    pub fn new(uuid: impl Into<String>) -> Self {
        // A process does not move to another PID namespace, so once is enough.
        let pid_namespace = std::fs::metadata("/proc/self/ns/pid").map(|entry| entry.ino()).unwrap_or_default();
        Self { uuid: uuid.into(), pid_namespace }
    }
}

#[tonic::async_trait]
impl Introspection for IntrospectionService {
    async fn plugins(&self, request: Request<PluginsRequest>) -> Result<Response<PluginsResponse>, Status> {
        let filter = Filter::parse(&request.into_inner().filters).map_err(status)?;
        Ok(Response::new(PluginsResponse { plugins: plugins().filter(|plugin| filter.matches(plugin)).collect() }))
    }

    async fn server(&self, _: Request<()>) -> Result<Response<ServerResponse>, Status> {
        Ok(Response::new(ServerResponse {
            uuid: self.uuid.clone(),
            pid: std::process::id().into(),
            pidns: self.pid_namespace,
            deprecations: Vec::new(),
        }))
    }

    async fn plugin_info(&self, request: Request<PluginInfoRequest>) -> Result<Response<PluginInfoResponse>, Status> {
        let request = request.into_inner();
        let plugin = plugins()
            .find(|plugin| plugin.r#type == request.r#type && plugin.id == request.id)
            .ok_or_else(|| status(Error::not_found("plugin not found")))?;
        if request.options.is_some() {
            return Err(status(Error::new(Kind::NotImplemented, "the plugin does not take options")));
        }
        Ok(Response::new(PluginInfoResponse { plugin: Some(plugin), extra: None }))
    }
}

fn plugins() -> impl Iterator<Item = Plugin> {
    PLUGINS.into_iter().map(|(kind, id, requires)| Plugin {
        r#type: kind.to_owned(),
        id: id.to_owned(),
        requires: requires.iter().map(|required| (*required).to_owned()).collect(),
        ..Plugin::default()
    })
}

impl Fields for Plugin {
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>> {
        match path[0].as_str() {
            "type" => Some(Cow::Borrowed(&self.r#type)),
            "id" => Some(Cow::Borrowed(&self.id)),
            _ => None,
        }
    }
}

//! `containerd.services.introspection.v1`: which of containerd's parts Loadline stands in for.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::filter::{Fields, Filter};
use super::proto::containerd::services::introspection::v1::introspection_server::Introspection;
use super::proto::containerd::services::introspection::v1::{
    Plugin as PluginMessage, PluginInfoRequest, PluginInfoResponse, PluginsRequest, PluginsResponse, ServerResponse,
};
use crate::api::error_table::status;
use crate::api::grpc::{GRPC_PLUGIN, Plugin};
use crate::domain::{Error, Kind};

/// What this service stands in for.
pub const PLUGINS: &[Plugin] = &[Plugin { kind: GRPC_PLUGIN, id: "introspection", requires: &[] }];

/// The introspection service.
pub struct IntrospectionService {
    uuid: String,
    pid_namespace: u64,
    plugins: Arc<[Plugin]>,
}

impl IntrospectionService {
    /// The service of a daemon with this stable identity and these plugins.
    pub fn new(uuid: impl Into<String>, plugins: Arc<[Plugin]>) -> Self {
        // A process does not move to another PID namespace, so once is enough.
        let pid_namespace = std::fs::metadata("/proc/self/ns/pid").map(|entry| entry.ino()).unwrap_or_default();
        Self { uuid: uuid.into(), pid_namespace, plugins }
    }

    fn messages(&self) -> impl Iterator<Item = PluginMessage> {
        self.plugins.iter().map(|plugin| PluginMessage {
            r#type: plugin.kind.to_owned(),
            id: plugin.id.to_owned(),
            requires: plugin.requires.iter().map(|required| (*required).to_owned()).collect(),
            ..PluginMessage::default()
        })
    }
}

#[tonic::async_trait]
impl Introspection for IntrospectionService {
    async fn plugins(&self, request: Request<PluginsRequest>) -> Result<Response<PluginsResponse>, Status> {
        let filter = Filter::parse(&request.into_inner().filters).map_err(status)?;
        Ok(Response::new(PluginsResponse {
            plugins: self.messages().filter(|plugin| filter.matches(plugin)).collect(),
        }))
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
        let plugin = self
            .messages()
            .find(|plugin| plugin.r#type == request.r#type && plugin.id == request.id)
            .ok_or_else(|| status(Error::not_found("plugin not found")))?;
        if request.options.is_some() {
            return Err(status(Error::new(Kind::NotImplemented, "the plugin does not take options")));
        }
        Ok(Response::new(PluginInfoResponse { plugin: Some(plugin), extra: None }))
    }
}

impl Fields for PluginMessage {
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>> {
        match path[0].as_str() {
            "type" => Some(Cow::Borrowed(&self.r#type)),
            "id" => Some(Cow::Borrowed(&self.id)),
            _ => None,
        }
    }
}

//! `runtime.v1.RuntimeService`: who answers, and that there are no containers.
//!
//! kubelet and crictl ask for the version before anything else, so it is served. What is listed is never there; all that
//! would need a container is refused, whatever the request holds.

use std::path::PathBuf;

use futures_util::stream;
use serde_json::json;
use tonic::{Request, Response, Status};

use super::message::{KUBELET_API_VERSION, RUNTIME_NAME, RUNTIME_VERSION};
use super::proto::runtime::v1::runtime_service_server::RuntimeService;
use super::proto::runtime::v1::{self, RuntimeCondition, RuntimeFeatures, RuntimeStatus};
use crate::api::error_table::status;
use crate::domain::{Error, Kind};

/// The runtime service.
pub struct Runtime {
    data_root: PathBuf,
}

impl Runtime {
    /// The service of a daemon with this data root.
    pub fn new(data_root: PathBuf) -> Self {
        Self { data_root }
    }
}

/// A stream that ends at once.
type Nothing<T> = stream::Empty<Result<T, Status>>;

const REASON: &str = "ImagesOnly";
const NO_CONTAINERS: &str = "Loadline stores images and runs no containers";

fn no_containers() -> Status {
    let text = format!(
        "{NO_CONTAINERS}: send calls of RuntimeService to a container runtime, and only those of ImageService here"
    );
    status(Error::new(Kind::NotImplemented, text))
}

fn condition(kind: &str, ready: bool, reason: &str, message: &str) -> RuntimeCondition {
    RuntimeCondition { r#type: kind.to_owned(), status: ready, reason: reason.to_owned(), message: message.to_owned() }
}

#[tonic::async_trait]
impl RuntimeService for Runtime {
    type StreamPodSandboxesStream = Nothing<v1::StreamPodSandboxesResponse>;
    type StreamContainersStream = Nothing<v1::StreamContainersResponse>;
    type StreamContainerStatsStream = Nothing<v1::StreamContainerStatsResponse>;
    type StreamPodSandboxStatsStream = Nothing<v1::StreamPodSandboxStatsResponse>;
    type StreamPodSandboxMetricsStream = Nothing<v1::StreamPodSandboxMetricsResponse>;
    type GetContainerEventsStream = Nothing<v1::ContainerEventResponse>;

    async fn version(&self, _: Request<v1::VersionRequest>) -> Result<Response<v1::VersionResponse>, Status> {
        Ok(Response::new(v1::VersionResponse {
            version: KUBELET_API_VERSION.to_owned(),
            runtime_name: RUNTIME_NAME.to_owned(),
            runtime_version: RUNTIME_VERSION.to_owned(),
            runtime_api_version: "v1".to_owned(),
        }))
    }

    async fn status(&self, request: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        let conditions = vec![
            condition("RuntimeReady", false, REASON, NO_CONTAINERS),
            condition("NetworkReady", false, REASON, NO_CONTAINERS),
            condition("ImageServiceReady", true, "", ""),
        ];
        let info = json!({ "version": RUNTIME_VERSION, "dataRoot": self.data_root.to_string_lossy() });
        let info = request.into_inner().verbose.then(|| ("info".to_owned(), info.to_string()));
        Ok(Response::new(v1::StatusResponse {
            status: Some(RuntimeStatus { conditions }),
            info: info.into_iter().collect(),
            runtime_handlers: Vec::new(),
            features: Some(RuntimeFeatures::default()),
        }))
    }

    async fn list_pod_sandbox(
        &self,
        _: Request<v1::ListPodSandboxRequest>,
    ) -> Result<Response<v1::ListPodSandboxResponse>, Status> {
        Ok(Response::new(v1::ListPodSandboxResponse {}))
    }

    async fn list_containers(
        &self,
        _: Request<v1::ListContainersRequest>,
    ) -> Result<Response<v1::ListContainersResponse>, Status> {
        Ok(Response::new(v1::ListContainersResponse {}))
    }

    async fn list_container_stats(
        &self,
        _: Request<v1::ListContainerStatsRequest>,
    ) -> Result<Response<v1::ListContainerStatsResponse>, Status> {
        Ok(Response::new(v1::ListContainerStatsResponse {}))
    }

    async fn list_pod_sandbox_stats(
        &self,
        _: Request<v1::ListPodSandboxStatsRequest>,
    ) -> Result<Response<v1::ListPodSandboxStatsResponse>, Status> {
        Ok(Response::new(v1::ListPodSandboxStatsResponse {}))
    }

    async fn list_metric_descriptors(
        &self,
        _: Request<v1::ListMetricDescriptorsRequest>,
    ) -> Result<Response<v1::ListMetricDescriptorsResponse>, Status> {
        Ok(Response::new(v1::ListMetricDescriptorsResponse {}))
    }

    async fn list_pod_sandbox_metrics(
        &self,
        _: Request<v1::ListPodSandboxMetricsRequest>,
    ) -> Result<Response<v1::ListPodSandboxMetricsResponse>, Status> {
        Ok(Response::new(v1::ListPodSandboxMetricsResponse {}))
    }

    async fn stream_pod_sandboxes(
        &self,
        _: Request<v1::StreamPodSandboxesRequest>,
    ) -> Result<Response<Self::StreamPodSandboxesStream>, Status> {
        Ok(Response::new(stream::empty()))
    }

    async fn stream_containers(
        &self,
        _: Request<v1::StreamContainersRequest>,
    ) -> Result<Response<Self::StreamContainersStream>, Status> {
        Ok(Response::new(stream::empty()))
    }

    async fn stream_container_stats(
        &self,
        _: Request<v1::StreamContainerStatsRequest>,
    ) -> Result<Response<Self::StreamContainerStatsStream>, Status> {
        Ok(Response::new(stream::empty()))
    }

    async fn stream_pod_sandbox_stats(
        &self,
        _: Request<v1::StreamPodSandboxStatsRequest>,
    ) -> Result<Response<Self::StreamPodSandboxStatsStream>, Status> {
        Ok(Response::new(stream::empty()))
    }

    async fn stream_pod_sandbox_metrics(
        &self,
        _: Request<v1::StreamPodSandboxMetricsRequest>,
    ) -> Result<Response<Self::StreamPodSandboxMetricsStream>, Status> {
        Ok(Response::new(stream::empty()))
    }

    async fn run_pod_sandbox(
        &self,
        _: Request<v1::RunPodSandboxRequest>,
    ) -> Result<Response<v1::RunPodSandboxResponse>, Status> {
        Err(no_containers())
    }

    async fn stop_pod_sandbox(
        &self,
        _: Request<v1::StopPodSandboxRequest>,
    ) -> Result<Response<v1::StopPodSandboxResponse>, Status> {
        Err(no_containers())
    }

    async fn remove_pod_sandbox(
        &self,
        _: Request<v1::RemovePodSandboxRequest>,
    ) -> Result<Response<v1::RemovePodSandboxResponse>, Status> {
        Err(no_containers())
    }

    async fn pod_sandbox_status(
        &self,
        _: Request<v1::PodSandboxStatusRequest>,
    ) -> Result<Response<v1::PodSandboxStatusResponse>, Status> {
        Err(no_containers())
    }

    async fn pod_sandbox_stats(
        &self,
        _: Request<v1::PodSandboxStatsRequest>,
    ) -> Result<Response<v1::PodSandboxStatsResponse>, Status> {
        Err(no_containers())
    }

    async fn update_pod_sandbox_resources(
        &self,
        _: Request<v1::UpdatePodSandboxResourcesRequest>,
    ) -> Result<Response<v1::UpdatePodSandboxResourcesResponse>, Status> {
        Err(no_containers())
    }

    async fn checkpoint_pod(
        &self,
        _: Request<v1::CheckpointPodRequest>,
    ) -> Result<Response<v1::CheckpointPodResponse>, Status> {
        Err(no_containers())
    }

    async fn restore_pod(&self, _: Request<v1::RestorePodRequest>) -> Result<Response<v1::RestorePodResponse>, Status> {
        Err(no_containers())
    }

    async fn create_container(
        &self,
        _: Request<v1::CreateContainerRequest>,
    ) -> Result<Response<v1::CreateContainerResponse>, Status> {
        Err(no_containers())
    }

    async fn start_container(
        &self,
        _: Request<v1::StartContainerRequest>,
    ) -> Result<Response<v1::StartContainerResponse>, Status> {
        Err(no_containers())
    }

    async fn stop_container(
        &self,
        _: Request<v1::StopContainerRequest>,
    ) -> Result<Response<v1::StopContainerResponse>, Status> {
        Err(no_containers())
    }

    async fn remove_container(
        &self,
        _: Request<v1::RemoveContainerRequest>,
    ) -> Result<Response<v1::RemoveContainerResponse>, Status> {
        Err(no_containers())
    }

    async fn container_status(
        &self,
        _: Request<v1::ContainerStatusRequest>,
    ) -> Result<Response<v1::ContainerStatusResponse>, Status> {
        Err(no_containers())
    }

    async fn container_stats(
        &self,
        _: Request<v1::ContainerStatsRequest>,
    ) -> Result<Response<v1::ContainerStatsResponse>, Status> {
        Err(no_containers())
    }

    async fn update_container_resources(
        &self,
        _: Request<v1::UpdateContainerResourcesRequest>,
    ) -> Result<Response<v1::UpdateContainerResourcesResponse>, Status> {
        Err(no_containers())
    }

    async fn reopen_container_log(
        &self,
        _: Request<v1::ReopenContainerLogRequest>,
    ) -> Result<Response<v1::ReopenContainerLogResponse>, Status> {
        Err(no_containers())
    }

    async fn checkpoint_container(
        &self,
        _: Request<v1::CheckpointContainerRequest>,
    ) -> Result<Response<v1::CheckpointContainerResponse>, Status> {
        Err(no_containers())
    }

    async fn exec_sync(&self, _: Request<v1::ExecSyncRequest>) -> Result<Response<v1::ExecSyncResponse>, Status> {
        Err(no_containers())
    }

    async fn exec(&self, _: Request<v1::ExecRequest>) -> Result<Response<v1::ExecResponse>, Status> {
        Err(no_containers())
    }

    async fn attach(&self, _: Request<v1::AttachRequest>) -> Result<Response<v1::AttachResponse>, Status> {
        Err(no_containers())
    }

    async fn port_forward(
        &self,
        _: Request<v1::PortForwardRequest>,
    ) -> Result<Response<v1::PortForwardResponse>, Status> {
        Err(no_containers())
    }

    async fn runtime_config(
        &self,
        _: Request<v1::RuntimeConfigRequest>,
    ) -> Result<Response<v1::RuntimeConfigResponse>, Status> {
        Err(no_containers())
    }

    async fn update_runtime_config(
        &self,
        _: Request<v1::UpdateRuntimeConfigRequest>,
    ) -> Result<Response<v1::UpdateRuntimeConfigResponse>, Status> {
        Err(no_containers())
    }

    async fn get_container_events(
        &self,
        _: Request<v1::GetEventsRequest>,
    ) -> Result<Response<Self::GetContainerEventsStream>, Status> {
        Err(no_containers())
    }
}

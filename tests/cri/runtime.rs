//! `runtime.v1.RuntimeService` of a running daemon: who answers, and that there are no containers.

use loadline::api::cri::proto::runtime::v1;
use loadline::api::cri::proto::runtime::v1::runtime_service_client::RuntimeServiceClient;
use tonic::Code;

use super::channel;
use crate::support::daemon::Daemon;

#[tokio::test]
async fn the_version_and_the_status_tell_the_truth() {
    let daemon = Daemon::start();
    let mut client = RuntimeServiceClient::new(channel(&daemon).await);
    let version = client.version(v1::VersionRequest { version: "v1".to_owned() }).await.unwrap().into_inner();
    assert_eq!((version.runtime_name.as_str(), version.runtime_api_version.as_str()), ("loadline", "v1"));
    assert_eq!((version.version.as_str(), version.runtime_version.as_str()), ("0.1.0", env!("CARGO_PKG_VERSION")));

    let status = client.status(v1::StatusRequest { verbose: true }).await.unwrap().into_inner();
    let conditions = status.status.unwrap().conditions;
    let told: Vec<(&str, bool)> =
        conditions.iter().map(|condition| (condition.r#type.as_str(), condition.status)).collect();
    assert_eq!(told, [("RuntimeReady", false), ("NetworkReady", false), ("ImageServiceReady", true)]);
    assert!(conditions.iter().all(|condition| condition.status == condition.reason.is_empty()));
    assert_eq!(status.features, Some(v1::RuntimeFeatures::default()));
    assert!(status.runtime_handlers.is_empty());
    let info: serde_json::Value = serde_json::from_str(&status.info["info"]).unwrap();
    assert_eq!(info["dataRoot"], daemon.data_root().to_str().unwrap());
    let terse = client.status(v1::StatusRequest { verbose: false }).await.unwrap().into_inner();
    assert!(terse.info.is_empty());
}

#[tokio::test]
async fn lists_of_pods_and_containers_are_empty() {
    let daemon = Daemon::start();
    let mut client = RuntimeServiceClient::new(channel(&daemon).await);
    client.list_pod_sandbox(v1::ListPodSandboxRequest {}).await.unwrap();
    client.list_containers(v1::ListContainersRequest {}).await.unwrap();
    client.list_container_stats(v1::ListContainerStatsRequest {}).await.unwrap();
    client.list_pod_sandbox_stats(v1::ListPodSandboxStatsRequest {}).await.unwrap();
    client.list_metric_descriptors(v1::ListMetricDescriptorsRequest {}).await.unwrap();
    client.list_pod_sandbox_metrics(v1::ListPodSandboxMetricsRequest {}).await.unwrap();
    let mut stream = client.stream_pod_sandboxes(v1::StreamPodSandboxesRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_none());
    let mut stream = client.stream_containers(v1::StreamContainersRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_none());
    let mut stream = client.stream_container_stats(v1::StreamContainerStatsRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_none());
    let mut stream = client.stream_pod_sandbox_stats(v1::StreamPodSandboxStatsRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_none());
    let mut stream =
        client.stream_pod_sandbox_metrics(v1::StreamPodSandboxMetricsRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn what_needs_a_container_is_refused_with_the_reason() {
    let daemon = Daemon::start();
    let mut client = RuntimeServiceClient::new(channel(&daemon).await);
    let mut refused = Vec::new();
    refused.extend(client.run_pod_sandbox(v1::RunPodSandboxRequest {}).await.err());
    refused.extend(client.stop_pod_sandbox(v1::StopPodSandboxRequest {}).await.err());
    refused.extend(client.remove_pod_sandbox(v1::RemovePodSandboxRequest {}).await.err());
    refused.extend(client.pod_sandbox_status(v1::PodSandboxStatusRequest {}).await.err());
    refused.extend(client.pod_sandbox_stats(v1::PodSandboxStatsRequest {}).await.err());
    refused.extend(client.update_pod_sandbox_resources(v1::UpdatePodSandboxResourcesRequest {}).await.err());
    refused.extend(client.checkpoint_pod(v1::CheckpointPodRequest {}).await.err());
    refused.extend(client.restore_pod(v1::RestorePodRequest {}).await.err());
    refused.extend(client.create_container(v1::CreateContainerRequest {}).await.err());
    refused.extend(client.start_container(v1::StartContainerRequest {}).await.err());
    refused.extend(client.stop_container(v1::StopContainerRequest {}).await.err());
    refused.extend(client.remove_container(v1::RemoveContainerRequest {}).await.err());
    refused.extend(client.container_status(v1::ContainerStatusRequest {}).await.err());
    refused.extend(client.container_stats(v1::ContainerStatsRequest {}).await.err());
    refused.extend(client.update_container_resources(v1::UpdateContainerResourcesRequest {}).await.err());
    refused.extend(client.reopen_container_log(v1::ReopenContainerLogRequest {}).await.err());
    refused.extend(client.checkpoint_container(v1::CheckpointContainerRequest {}).await.err());
    refused.extend(client.exec_sync(v1::ExecSyncRequest {}).await.err());
    refused.extend(client.exec(v1::ExecRequest {}).await.err());
    refused.extend(client.attach(v1::AttachRequest {}).await.err());
    refused.extend(client.port_forward(v1::PortForwardRequest {}).await.err());
    refused.extend(client.runtime_config(v1::RuntimeConfigRequest {}).await.err());
    refused.extend(client.update_runtime_config(v1::UpdateRuntimeConfigRequest {}).await.err());
    refused.extend(client.get_container_events(v1::GetEventsRequest {}).await.err());
    assert_eq!(refused.len(), 24);
    for status in refused {
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains("runs no containers"), "{status}");
    }
}

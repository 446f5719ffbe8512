//! What clients ask before they use anything: version, plugins, health, reflection, and methods that are not there.

use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::{v1, v1alpha};

use super::*;
use crate::api::containerd::proto::containerd::services::introspection::v1::introspection_client::IntrospectionClient;
use crate::api::containerd::proto::containerd::services::introspection::v1::{PluginInfoRequest, PluginsRequest};
use crate::api::containerd::proto::containerd::services::version::v1::version_client::VersionClient;

const SERVICES: [&str; 3] = [
    "containerd.services.content.v1.Content",
    "containerd.services.introspection.v1.Introspection",
    "containerd.services.version.v1.Version",
];

/// Those that need an engine, which have the same descriptors.
const OVER_AN_ENGINE: [&str; 5] = [
    "containerd.services.containers.v1.Containers",
    "containerd.services.images.v1.Images",
    "containerd.services.leases.v1.Leases",
    "containerd.services.namespaces.v1.Namespaces",
    "containerd.services.snapshots.v1.Snapshots",
];

#[tokio::test]
async fn the_version_names_loadline() {
    let version = VersionClient::new(Fake::default().serve().await).version(()).await.unwrap().into_inner();
    assert_eq!(version.version, format!("v{}+loadline", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.revision, "");
}

#[tokio::test]
async fn introspection_lists_the_content_store() {
    let mut client = IntrospectionClient::new(Fake::default().serve().await);
    for (filters, expected) in [
        (vec![], 5),
        (vec!["type==io.containerd.content.v1"], 1),
        (vec!["type==io.containerd.content.v1,id==content"], 1),
        (vec!["id==content"], 2),
        (vec!["type==io.containerd.snapshotter.v1"], 0),
        (vec!["id==version", "id==introspection"], 2),
    ] {
        let request = PluginsRequest { filters: filters.iter().map(|filter| (*filter).to_owned()).collect() };
        let plugins = client.plugins(request).await.unwrap().into_inner().plugins;
        assert_eq!(plugins.len(), expected, "{filters:?}");
        assert!(plugins.iter().all(|plugin| plugin.init_err.is_none()));
    }
    let error = client.plugins(PluginsRequest { filters: vec!["type=".into()] }).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn introspection_tells_who_answers() {
    let mut client = IntrospectionClient::new(Fake::default().serve().await);
    let server = client.server(()).await.unwrap().into_inner();
    assert_eq!((&*server.uuid, server.pid), (UUID, std::process::id().into()));
    assert_ne!(server.pidns, 0);
    assert_eq!(server.deprecations, []);
}

#[tokio::test]
async fn plugin_info_is_the_plugin() {
    let mut client = IntrospectionClient::new(Fake::default().serve().await);
    let request =
        |id: &str| PluginInfoRequest { r#type: "io.containerd.content.v1".into(), id: id.to_owned(), options: None };
    let plugin = client.plugin_info(request("content")).await.unwrap().into_inner().plugin.unwrap();
    assert_eq!((&*plugin.r#type, &*plugin.id), ("io.containerd.content.v1", "content"));
    assert_eq!(client.plugin_info(request("other")).await.unwrap_err().code(), Code::NotFound);
    let options = PluginInfoRequest { options: Some(prost_types::Any::default()), ..request("content") };
    assert_eq!(client.plugin_info(options).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn every_service_is_healthy() {
    let mut client = HealthClient::new(Fake::default().serve().await);
    for service in SERVICES.into_iter().chain([""]) {
        let request = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(client.check(request.clone()).await.unwrap().into_inner().status, 1, "{service:?} is not SERVING");
        let mut watch = client.watch(request).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status, 1, "{service:?}");
    }
    let request = HealthCheckRequest { service: "containerd.services.images.v1.Images".to_owned() };
    assert_eq!(client.check(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_knows_every_service_in_both_versions() {
    let channel = Fake::default().serve().await;
    let mut everything: Vec<_> = SERVICES.into_iter().chain(OVER_AN_ENGINE).map(str::to_owned).collect();
    everything.extend(
        ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
            .map(str::to_owned),
    );

    let ask = |request| v1::ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let symbols = everything.iter().map(|service| MessageRequest::FileContainingSymbol(service.clone()));
    // Clients fetch what a file imports by its name.
    let imports = ["google/protobuf/empty.proto", "containerd/types/platform.proto", "google/rpc/status.proto"];
    let files = imports.map(|file| MessageRequest::FileByFilename(file.to_owned()));
    let requests: Vec<_> =
        [MessageRequest::ListServices(String::new())].into_iter().chain(symbols).chain(files).map(ask).collect();
    let count = requests.len();
    let mut answers = client.server_reflection_info(stream::iter(requests)).await.unwrap().into_inner();
    let first = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = first else { panic!("{first:?}") };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    everything.sort();
    assert_eq!(names, everything);
    for _ in 1..count {
        let answer = answers.message().await.unwrap().unwrap();
        let Some(MessageResponse::FileDescriptorResponse(_)) = answer.message_response else { panic!("{answer:?}") };
    }

    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(list.service.len(), everything.len());
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let mut grpc = tonic::client::Grpc::new(Fake::default().serve().await);
    for (path, text) in [
        ("/test.v1.Images/List", "unknown service test.v1.Images"),
        (
            "/containerd.services.content.v1.Content/Prune",
            "unknown method Prune for service containerd.services.content.v1.Content",
        ),
        ("/nothing", "malformed method name \"/nothing\""),
        ("/", "malformed method name \"/\""),
    ] {
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let error = grpc.unary(Request::new(()), path.parse().unwrap(), codec).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::Unimplemented, text));
    }
}

#[tokio::test]
async fn a_message_may_have_16_mib() {
    let mut client = IntrospectionClient::new(Fake::default().serve().await);
    let filter = |bytes: usize| PluginsRequest { filters: vec!["x".repeat(bytes)] };
    let error = client.plugins(filter((16 << 20) - 16)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().len() < 4096);
    let error = client.plugins(filter(16 << 20)).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
    assert!(error.message().contains("send smaller ones"), "{error}");
}

#[tokio::test]
async fn a_deadline_that_is_up_is_told_by_its_code() {
    let channel = Fake::default().serve().await;
    let mut client = HealthClient::new(channel);
    let mut request = Request::new(HealthCheckRequest::default());
    // tonic's client waits for the head of an answer no longer than this either.
    request.metadata_mut().insert("grpc-timeout", "1S".parse().unwrap());
    let mut watch = client.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    assert_eq!(watch.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

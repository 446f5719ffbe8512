//! What clients of images ask around them: namespaces, snapshots, containers.

use loadline::api::containerd::proto::containerd::services::containers::v1::containers_client::ContainersClient;
use loadline::api::containerd::proto::containerd::services::containers::v1::{
    GetContainerRequest, ListContainersRequest,
};
use loadline::api::containerd::proto::containerd::services::namespaces::v1::namespaces_client::NamespacesClient;
use loadline::api::containerd::proto::containerd::services::namespaces::v1::{
    CreateNamespaceRequest, DeleteNamespaceRequest, GetNamespaceRequest, ListNamespacesRequest, UpdateNamespaceRequest,
};
use loadline::api::containerd::proto::containerd::services::snapshots::v1::snapshots_client::SnapshotsClient;
use loadline::api::containerd::proto::containerd::services::snapshots::v1::{
    ListSnapshotsRequest, StatSnapshotRequest, UsageRequest,
};
use tonic::Code;

use super::channel;
use crate::support::daemon::Daemon;

#[tokio::test]
async fn every_namespace_is_there_and_none_can_be_changed() {
    let daemon = Daemon::start();
    let mut client = NamespacesClient::new(channel(&daemon.socket()).await);
    let listed = client.list(ListNamespacesRequest::default()).await.unwrap().into_inner().namespaces;
    let names: Vec<_> = listed.into_iter().map(|namespace| namespace.name).collect();
    assert_eq!(names, ["default", "k8s.io", "moby"]);
    for name in ["default", "k8s.io", "any-other_name.1"] {
        let answer = client.get(GetNamespaceRequest { name: name.into() }).await.unwrap().into_inner();
        let namespace = answer.namespace.unwrap();
        assert!(namespace.name == name && namespace.labels.is_empty());
    }
    let senseless = client.get(GetNamespaceRequest { name: "a/b".into() }).await.unwrap_err();
    assert_eq!(senseless.code(), Code::InvalidArgument);
    for answer in [
        client.create(CreateNamespaceRequest::default()).await.map(drop),
        client.update(UpdateNamespaceRequest::default()).await.map(drop),
        client.delete(DeleteNamespaceRequest { name: "default".into() }).await.map(drop),
    ] {
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.code(), Code::PermissionDenied);
        assert!(refusal.message().contains("one store"), "{refusal}");
    }
}

#[tokio::test]
async fn there_are_no_snapshots_and_no_containers() {
    let daemon = Daemon::start();
    let channel = channel(&daemon.socket()).await;
    let mut snapshots = SnapshotsClient::new(channel.clone());
    let (snapshotter, key) = ("overlayfs".to_owned(), "sha256:ab".to_owned());
    let stat = StatSnapshotRequest { snapshotter: snapshotter.clone(), key: key.clone() };
    assert_eq!(snapshots.stat(stat).await.unwrap_err().code(), Code::NotFound);
    let usage = UsageRequest { snapshotter: snapshotter.clone(), key };
    assert_eq!(snapshots.usage(usage).await.unwrap_err().code(), Code::NotFound);
    let list = ListSnapshotsRequest { snapshotter, filters: Vec::new() };
    assert_eq!(snapshots.list(list).await.unwrap().into_inner().message().await.unwrap(), None);

    let mut containers = ContainersClient::new(channel);
    let all = ListContainersRequest::default();
    assert!(containers.list(all.clone()).await.unwrap().into_inner().containers.is_empty());
    assert_eq!(containers.list_stream(all).await.unwrap().into_inner().message().await.unwrap(), None);
    let none = containers.get(GetContainerRequest { id: "a".into() }).await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
}

//! `List` and `Remove`.

use loadline::api::talos::proto::machine::image_service_client::ImageServiceClient;
use loadline::api::talos::proto::machine::{
    ImageServiceListRequest, ImageServiceListResponse, ImageServiceRemoveRequest,
};
use tonic::{Code, Request};

use super::{channel, cri, unknown};
use crate::support::daemon::Daemon;
use crate::support::images::{self, Layout};
use crate::support::loading::{files, loaded, row};

async fn list(daemon: &Daemon) -> Vec<ImageServiceListResponse> {
    let request = ImageServiceListRequest { containerd: cri() };
    let mut stream = ImageServiceClient::new(channel(daemon).await).list(request).await.unwrap().into_inner();
    let mut rows = Vec::new();
    while let Some(row) = stream.message().await.unwrap() {
        rows.push(row);
    }
    rows
}

#[tokio::test]
async fn every_name_of_an_image_is_listed() {
    let daemon = Daemon::start();
    assert_eq!(list(&daemon).await, []);
    let mut layout = Layout::default();
    let (here, foreign) = (layout.image("linux/amd64", "app"), layout.image("plan9/mips", "elsewhere"));
    let index = layout.index(&[here.clone(), foreign]);
    layout.named(&index, "registry.example/team/app:1");
    layout.named(&index, "app:1");
    loaded(&daemon.client(), layout.tar());

    let rows = list(&daemon).await;
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["docker.io/library/app:1", "registry.example/team/app:1"]);
    let over_rest = row(&daemon.client(), "app:1");
    for row in rows {
        assert_eq!(row.digest, images::digest(&index));
        assert!(row.size > 0 && row.size < over_rest["Size"].as_i64().unwrap(), "the size is that of one platform");
        assert!(row.created_at.is_some_and(|created| created.seconds > 1_700_000_000));
        assert!(row.labels.is_empty());
    }
}

#[tokio::test]
async fn an_image_goes_with_its_last_name() {
    let daemon = Daemon::start();
    let before = files(&daemon.data_root());
    let mut layout = Layout::of_one("app:1");
    let other = layout.image("linux/amd64", "app:1");
    layout.named(&other, "app:2");
    loaded(&daemon.client(), layout.tar());
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    let remove = |name: &str| ImageServiceRemoveRequest { containerd: cri(), image_ref: name.to_owned() };
    // As Talos, which takes names as they are listed.
    for (name, code, text) in [
        ("app:1", Code::NotFound, "image app:1 not found"),
        ("docker.io/library/app:3", Code::NotFound, "image app:3 not found"),
        ("", Code::InvalidArgument, "image name must not be empty"),
    ] {
        let error = client.remove(remove(name)).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (code, text));
    }
    client.remove(remove("docker.io/library/app:1")).await.unwrap();
    assert_eq!(list(&daemon).await.len(), 1);
    client.remove(remove("docker.io/library/app:2")).await.unwrap();
    assert_eq!(list(&daemon).await, []);
    assert_eq!(files(&daemon.data_root()), before);
}

#[tokio::test]
async fn a_machine_has_no_other_containerd() {
    let daemon = Daemon::start();
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    let error = client.list(ImageServiceListRequest { containerd: unknown() }).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "invalid containerd driver 7"));
    let error = client.list(ImageServiceListRequest { containerd: None }).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "invalid containerd namespace NS_UNKNOWN"));
    let request = ImageServiceRemoveRequest { containerd: unknown(), image_ref: "app:1".to_owned() };
    assert_eq!(client.remove(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn the_log_names_the_role_of_a_caller() {
    let daemon = Daemon::start();
    let mut request = Request::new(ImageServiceListRequest { containerd: cri() });
    request.metadata_mut().insert("talos-role", "os:image:verifier".parse().unwrap());
    ImageServiceClient::new(channel(&daemon).await).list(request).await.unwrap();
    daemon.log_with("role=\"os:image:verifier\"");
    daemon.log_with("/machine.ImageService/List");
}

//! `Import`.

use futures_util::stream::{self, StreamExt};
use loadline::api::talos::proto::common::{ContainerdInstance, Data};
use loadline::api::talos::proto::machine::ImageServiceImportRequest;
use loadline::api::talos::proto::machine::image_service_client::ImageServiceClient;
use loadline::api::talos::proto::machine::image_service_import_request::Request;
use tonic::{Code, Status};

use super::{channel, cri, eventually, unknown};
use crate::support::daemon::Daemon;
use crate::support::images::Layout;
use crate::support::loading::{comes_to_hold, files, is_whole, row};

fn to(containerd: Option<ContainerdInstance>) -> ImageServiceImportRequest {
    ImageServiceImportRequest { request: containerd.map(Request::Containerd) }
}

fn pieces(archive: &[u8]) -> Vec<ImageServiceImportRequest> {
    let piece = |bytes: &[u8]| Data { metadata: None, bytes: bytes.to_vec().into() };
    let request = |bytes| ImageServiceImportRequest { request: Some(Request::ImageChunk(piece(bytes))) };
    archive.chunks(10_000).map(request).collect()
}

async fn import(daemon: &Daemon, messages: Vec<ImageServiceImportRequest>) -> Result<String, Status> {
    ImageServiceClient::new(channel(daemon).await)
        .import(stream::iter(messages))
        .await
        .map(|answer| answer.into_inner().name)
}

/// An archive of an image with a large layer.
fn large() -> Vec<u8> {
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", &"content ".repeat(200_000));
    layout.named(&image, "team/app:1");
    layout.tar()
}

#[tokio::test]
async fn an_archive_in_pieces_becomes_an_image() {
    let daemon = Daemon::start();
    let messages = [vec![to(cri())], pieces(&large())].concat();
    assert_eq!(import(&daemon, messages).await.unwrap(), "docker.io/team/app:1");
    row(&daemon.client(), "team/app:1");
    let mut unnamed = Layout::default();
    let image = unnamed.image("linux/amd64", "unnamed");
    unnamed.listed(&image);
    let name = import(&daemon, [vec![to(cri())], pieces(&unnamed.tar())].concat()).await.unwrap();
    assert_eq!(name, image["digest"].as_str().unwrap());
    is_whole(&daemon);
}

#[tokio::test]
async fn what_is_no_archive_is_refused_and_leaves_nothing() {
    let daemon = Daemon::start();
    let before = files(&daemon.data_root());
    let archive = pieces(&large());
    let failed = "failed to import image: ";
    for (messages, text) in [
        (vec![], "containerd instance is required"),
        (archive.clone(), "containerd instance is required"),
        (vec![to(None)], "containerd instance is required"),
        ([vec![to(unknown())], archive.clone()].concat(), "invalid containerd driver 7"),
        (vec![to(cri())], failed),
        ([vec![to(cri())], pieces(&[0x5a; 100_000])].concat(), failed),
        ([vec![to(cri())], archive[..archive.len() / 2].to_vec()].concat(), failed),
        ([vec![to(cri())], archive[..9].to_vec(), vec![to(cri())]].concat(), "failed to import image: no image chunk"),
        ([vec![to(cri())], archive[..9].to_vec(), vec![to(None)]].concat(), "failed to import image: no image chunk"),
    ] {
        let error = import(&daemon, messages).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert!(error.message().starts_with(text), "{error}");
        comes_to_hold(&daemon.data_root(), &before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_off_leaves_nothing() {
    let daemon = Daemon::start();
    let before = files(&daemon.data_root());
    let archive = pieces(&large());
    let half = [vec![to(cri())], archive[..archive.len() / 2].to_vec()].concat();
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    let messages = stream::iter(half).chain(stream::pending());
    let importing = tokio::spawn(async move { client.import(messages).await });
    eventually("nothing arrives", || files(&daemon.data_root()) != before);
    importing.abort();
    comes_to_hold(&daemon.data_root(), &before);
}

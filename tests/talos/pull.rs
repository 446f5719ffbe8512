//! `Pull`.

use std::collections::BTreeMap;

use loadline::api::talos::proto::machine::image_service_client::ImageServiceClient;
use loadline::api::talos::proto::machine::image_service_pull_layer_progress::Status;
use loadline::api::talos::proto::machine::image_service_pull_response::Response;
use loadline::api::talos::proto::machine::{ImageServicePullRequest, ImageServicePullResponse};
use loadline::domain::Digest;
use tonic::{Code, Request, Streaming};

use super::{channel, cri, eventually, unknown};
use crate::support::daemon::Daemon;
use crate::support::loading::is_whole;
use crate::support::registry::Registry;

fn of(name: &str) -> ImageServicePullRequest {
    ImageServicePullRequest { containerd: cri(), image_ref: name.to_owned() }
}

/// The states of each layer, in order, and the name.
async fn read(mut stream: Streaming<ImageServicePullResponse>) -> (BTreeMap<String, Vec<Status>>, String) {
    let mut layers = BTreeMap::<String, Vec<Status>>::new();
    while let Some(message) = stream.message().await.unwrap() {
        match message.response.unwrap() {
            Response::PullProgress(progress) => {
                let layer = progress.progress.unwrap();
                assert!(layer.elapsed.is_some());
                assert_eq!(layer.total > 0, layer.status() == Status::Downloading);
                layers.entry(progress.layer_id).or_default().push(layer.status());
            }
            Response::Name(name) => {
                assert_eq!(stream.message().await.unwrap(), None, "the name is last");
                return (layers, name);
            }
        }
    }
    panic!("no name");
}

fn short(layer: &[u8]) -> String {
    Digest::of(layer).hex()[..12].to_owned()
}

fn ingests(daemon: &Daemon) -> usize {
    std::fs::read_dir(daemon.data_root().join("ingest")).unwrap().count()
}

const NEW: [Status; 3] = [Status::DownloadComplete, Status::Extracting, Status::ExtractComplete];
const OLD: [Status; 3] = [Status::AlreadyExists, Status::Extracting, Status::ExtractComplete];

#[tokio::test]
async fn layers_go_through_their_states_and_the_name_is_last() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let (shared, first, second) = (vec![1; 3000], vec![2; 2000], vec![3; 1000]);
    registry.put_image("team/app", Some("1"), &[shared.clone(), first.clone()]);
    let digest = registry.put_image("team/app", Some("2"), &[shared.clone(), second.clone()]).digest;
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    let name = |tag: &str| format!("{}/team/app{tag}", registry.host());

    let (layers, pulled) = read(client.pull(of(&name(":1"))).await.unwrap().into_inner()).await;
    assert_eq!(pulled, name(":1"));
    assert_eq!(layers.keys().collect::<Vec<_>>().len(), 2);
    for layer in [&shared, &first] {
        assert!(layers[&short(layer)].ends_with(&NEW), "{layers:?}");
    }

    // A digest goes before a tag.
    let (layers, pulled) = read(client.pull(of(&name(&format!(":1@{digest}")))).await.unwrap().into_inner()).await;
    assert_eq!(pulled, name(&format!("@{digest}")));
    assert_eq!(layers[&short(&shared)], OLD);
    assert!(layers[&short(&second)].ends_with(&NEW), "{layers:?}");

    // What is here is not asked for.
    registry.forget();
    let (layers, pulled) = read(client.pull(of(&name(":1"))).await.unwrap().into_inner()).await;
    assert_eq!((layers.len(), pulled), (0, name(":1")));
    assert_eq!(registry.seen().len(), 0);
    is_whole(&daemon);
}

#[tokio::test]
async fn what_cannot_be_pulled_is_told_by_its_code() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    let mut absent = client.pull(of(&format!("{}/team/none:1", registry.host()))).await.unwrap().into_inner();
    let error = absent.message().await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().starts_with("error pulling image: "), "{error}");
    let error = client.pull(of("Team/app:1")).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().starts_with("failed to parse image reference \"Team/app:1\": "), "{error}");
    let elsewhere = ImageServicePullRequest { containerd: unknown(), ..of("app:1") };
    assert_eq!(client.pull(elsewhere).await.unwrap_err().code(), Code::InvalidArgument);
}

/// A daemon and a registry whose layer comes to a stop half way.
fn stalled() -> (Daemon, Registry, String) {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    registry.put_image("team/app", Some("1"), &[vec![7; 300_000]]);
    registry.faults().stall_blobs = Some(150_000);
    let name = format!("{}/team/app:1", registry.host());
    (daemon, registry, name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_the_pull() {
    let (daemon, _registry, name) = stalled();
    let stream = ImageServiceClient::new(channel(&daemon).await).pull(of(&name)).await.unwrap();
    eventually("nothing is fetched", || ingests(&daemon) > 0);
    drop(stream);
    eventually("the pull goes on", || ingests(&daemon) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_is_up_ends_the_pull() {
    let (daemon, _registry, name) = stalled();
    let mut request = Request::new(of(&name));
    request.metadata_mut().insert("grpc-timeout", "900m".parse().unwrap());
    let mut stream = ImageServiceClient::new(channel(&daemon).await).pull(request).await.unwrap().into_inner();
    let error = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some(), "the pull ended"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::DeadlineExceeded);
    eventually("the pull goes on", || ingests(&daemon) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_slow_gets_every_state_in_the_end() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let layers: Vec<Vec<u8>> = (0..60).map(|seed| vec![seed; 1000]).collect();
    registry.put_image("team/app", Some("1"), &layers);
    let name = format!("{}/team/app:1", registry.host());
    let stream = ImageServiceClient::new(channel(&daemon).await).pull(of(&name)).await.unwrap().into_inner();
    eventually("the pull waits for its reader", || daemon.client().get(&format!("/images/{name}/json")).status == 200);
    let (states, _) = read(stream).await;
    assert_eq!(states.len(), 60);
    assert!(states.values().all(|layer| layer.ends_with(&NEW)), "{states:?}");
}

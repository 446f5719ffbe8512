//! The package `runtime`, the first protocol, of a running daemon.

use loadline::api::cri::proto::runtime::image_service_client::ImageServiceClient;
use loadline::api::cri::proto::runtime::runtime_service_client::RuntimeServiceClient;
use loadline::api::cri::proto::runtime::{
    AuthConfig, ImageFilter, ImageSpec, ImageStatusRequest, ListImagesRequest, PullImageRequest, RemoveImageRequest,
    VersionRequest,
};
use tonic::Code;

use super::channel;
use crate::support::daemon::Daemon;
use crate::support::registry::Registry;

fn spec(image: &str) -> Option<ImageSpec> {
    Some(ImageSpec { image: Some(image.to_owned()) })
}

#[tokio::test]
async fn a_client_of_the_first_protocol_pulls_lists_and_removes() {
    let (registry, daemon) = (Registry::start(), Daemon::start());
    registry.faults().token_user = Some(("u".into(), "p".into()));
    let manifest = registry.put_image("team/app", Some("1"), &[b"layer".to_vec()]);
    let name = format!("{}/team/app:1", registry.host());
    let channel = channel(&daemon).await;
    let version = RuntimeServiceClient::new(channel.clone()).version(VersionRequest::default()).await.unwrap();
    assert_eq!(version.into_inner().runtime_name.as_deref(), Some("loadline"));

    let mut client = ImageServiceClient::new(channel);
    let unknown = client.image_status(ImageStatusRequest { image: spec(&name) }).await.unwrap().into_inner();
    assert_eq!(unknown.image, None);
    let pull = |auth| PullImageRequest { image: spec(&name), auth, sandbox_config: None };
    client.pull_image(pull(None)).await.unwrap_err();
    let auth = AuthConfig { username: Some("u".into()), password: Some("p".into()), ..AuthConfig::default() };
    client.pull_image(pull(Some(auth))).await.unwrap();

    let status = client.image_status(ImageStatusRequest { image: spec(&name) }).await.unwrap().into_inner();
    let image = status.image.unwrap();
    assert_eq!(image.repo_tags, std::slice::from_ref(&name));
    assert_eq!(image.repo_digests, [format!("{}/team/app@{}", registry.host(), manifest.digest)]);
    assert!(image.size() > 0 && image.id().starts_with("sha256:"));
    for (filter, expected) in [(None, 1), (spec(&name), 1), (spec(image.id()), 1), (spec("other"), 0)] {
        let filter = filter.map(|image| ImageFilter { image: Some(image) });
        let list = client.list_images(ListImagesRequest { filter }).await.unwrap().into_inner();
        assert_eq!(list.images.len(), expected);
        assert!(list.images.iter().all(|listed| *listed == image));
    }
    for _ in 0..2 {
        client.remove_image(RemoveImageRequest { image: spec(image.id()) }).await.unwrap();
    }
    assert!(client.list_images(ListImagesRequest::default()).await.unwrap().into_inner().images.is_empty());
    let blank = client.image_status(ImageStatusRequest::default()).await.unwrap_err();
    assert_eq!(blank.code(), Code::InvalidArgument);
}

//! `runtime.v1.ImageService` of a running daemon, with a registry that does what the test tells it.

use loadline::api::cri::proto::runtime::v1::image_service_client::ImageServiceClient;
use loadline::api::cri::proto::runtime::v1::{
    AuthConfig, Image, ImageFilter, ImageFsInfoRequest, ImageSpec, ImageStatusRequest, ImageStatusResponse,
    ListImagesRequest, PullImageRequest, RemoveImageRequest, StreamImagesRequest,
};
use loadline::domain::Digest;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::channel;
use crate::support::daemon::Daemon;
use crate::support::images::{self, Layout, config};
use crate::support::loading::{loaded, row};
use crate::support::registry::Registry;

/// The image service of a daemon, by what images are called.
pub(super) struct Node(ImageServiceClient<Channel>);

fn spec(image: &str) -> Option<ImageSpec> {
    Some(ImageSpec { image: image.to_owned(), ..ImageSpec::default() })
}

impl Node {
    pub(super) async fn of(daemon: &Daemon) -> Self {
        Self(ImageServiceClient::new(channel(daemon).await))
    }

    pub(super) async fn list(&mut self, filter: &str) -> Vec<Image> {
        let filter = Some(ImageFilter { image: spec(filter) });
        self.0.list_images(ListImagesRequest { filter }).await.unwrap().into_inner().images
    }

    async fn stream(&mut self) -> Vec<Image> {
        let mut stream = self.0.stream_images(StreamImagesRequest { filter: None }).await.unwrap().into_inner();
        let mut images = Vec::new();
        while let Some(message) = stream.message().await.unwrap() {
            assert!(!message.images.is_empty());
            images.extend(message.images);
        }
        images
    }

    async fn status_of(&mut self, image: &str, verbose: bool) -> Result<ImageStatusResponse, Status> {
        Ok(self.0.image_status(ImageStatusRequest { image: spec(image), verbose }).await?.into_inner())
    }

    pub(super) async fn status(&mut self, image: &str) -> Option<Image> {
        self.status_of(image, false).await.unwrap().image
    }

    pub(super) async fn pull(&mut self, image: &str, auth: Option<AuthConfig>) -> Result<String, Status> {
        let request = PullImageRequest { image: spec(image), auth, sandbox_config: None };
        Ok(self.0.pull_image(request).await?.into_inner().image_ref)
    }

    pub(super) async fn remove(&mut self, image: &str) {
        self.0.remove_image(RemoveImageRequest { image: spec(image) }).await.unwrap();
    }
}

/// The digest of a configuration as the layout has it.
fn id_of(platform: &str, content: &str) -> String {
    Digest::of(config(platform, content).to_string().as_bytes()).to_string()
}

#[tokio::test]
async fn an_image_is_known_by_the_configuration_of_the_nodes_platform() {
    let daemon = Daemon::start();
    let mut node = Node::of(&daemon).await;
    let platforms = ["linux/arm64", "linux/amd64"];
    let mut layout = Layout::of_platforms("registry.example/team/app:1", &platforms);
    let foreign = layout.image("linux/s390x", "foreign");
    layout.named(&foreign, "foreign:1");
    loaded(&daemon.client(), layout.tar());

    let [image] = node.list("").await.try_into().unwrap();
    let id = id_of("linux/amd64", "registry.example/team/app:1 linux/amd64");
    assert_eq!(image.id, id);
    assert_eq!(image.repo_tags, ["registry.example/team/app:1"]);
    let docker = row(&daemon.client(), "registry.example/team/app:1");
    assert_eq!(image.repo_digests, [format!("registry.example/team/app@{}", docker["Id"].as_str().unwrap())]);
    let inspected = daemon.client().get("/images/registry.example/team/app:1/json").expect(200).json();
    assert_eq!(image.size, inspected["Size"].as_u64().unwrap());
    assert!(!image.pinned);
    assert_eq!(node.stream().await, std::slice::from_ref(&image));

    for name in [
        id.as_str(),
        id.strip_prefix("sha256:").unwrap(),
        &id[.."sha256:".len() + 12],
        &id["sha256:".len()..][..12],
        "registry.example/team/app:1",
        &image.repo_digests[0],
        &format!("registry.example/team/app:other@{}", docker["Id"].as_str().unwrap()),
    ] {
        assert_eq!(node.status(name).await.as_ref(), Some(&image), "{name}");
        assert_eq!(node.list(name).await, std::slice::from_ref(&image), "{name}");
    }
    // Without a tag, a name is that of a repository to a filter, and else of its `latest`.
    assert_eq!(node.list("registry.example/team/app").await, std::slice::from_ref(&image));
    assert_eq!(node.status("registry.example/team/app").await, None);
    for name in [
        "registry.example/team/app:2",
        "foreign:1",
        "NOT A NAME",
        docker["Id"].as_str().unwrap(),
        &format!("registry.example/other@{}", docker["Id"].as_str().unwrap()),
    ] {
        assert_eq!(node.status(name).await, None, "{name}");
        assert_eq!(node.list(name).await, [], "{name}");
    }
    assert_eq!(node.status_of("", false).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_verbose_status_has_the_configuration_and_the_chain_id() {
    let daemon = Daemon::start();
    let mut node = Node::of(&daemon).await;
    loaded(&daemon.client(), Layout::of_one("app:1").tar());
    let status = node.status_of("app:1", true).await.unwrap();
    let info: Value = serde_json::from_str(&status.info["info"]).unwrap();
    let config = config("linux/amd64", "app:1");
    assert_eq!(info["imageSpec"], config);
    assert_eq!(info["chainID"], config["rootfs"]["diff_ids"][0]);
    assert!(node.status_of("app:1", false).await.unwrap().info.is_empty());
    let absent = node.status_of("app:2", true).await.unwrap();
    assert_eq!(absent, ImageStatusResponse::default());
}

#[tokio::test]
async fn the_user_and_the_annotations_come_from_the_image() {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    for (name, user) in [("uid:1", "1002"), ("uid-group:1", "1003:users"), ("name:1", "www-data"), ("none:1", "")] {
        let mut config = config("linux/amd64", name);
        config["config"]["User"] = json!(user);
        let image = layout.image_of(&config, name);
        layout.named(&image, name);
    }
    let layer = layout.blob(images::LAYER, "annotated");
    let configuration = layout.blob(images::CONFIG, config("linux/amd64", "annotated").to_string());
    let manifest = json!({"schemaVersion": 2, "mediaType": images::MANIFEST, "config": configuration,
        "layers": [layer], "annotations": {"org.example.team": "a"}});
    let annotated = layout.blob(images::MANIFEST, manifest.to_string());
    layout.named(&annotated, "annotated:1");
    loaded(&daemon.client(), layout.tar());
    // From the records, as a start reads them.
    let daemon = daemon.crash_and_restart();
    let mut node = Node::of(&daemon).await;
    for (name, uid, username) in
        [("uid:1", Some(1002), ""), ("uid-group:1", Some(1003), ""), ("name:1", None, "www-data"), ("none:1", None, "")]
    {
        let image = node.status(name).await.unwrap();
        assert_eq!((image.uid.map(|uid| uid.value), image.username.as_str()), (uid, username), "{name}");
    }
    let annotations = node.status("annotated:1").await.unwrap().spec.unwrap().annotations;
    assert_eq!(annotations, [("org.example.team".to_owned(), "a".to_owned())].into());
}

#[tokio::test]
async fn removing_one_tag_removes_every_name_of_the_image() {
    let daemon = Daemon::start();
    let mut node = Node::of(&daemon).await;
    // Two indexes with the same image for the node, and one with another.
    let mut layout = Layout::default();
    let (own, other) = (layout.image("linux/amd64", "own"), layout.image("linux/arm64", "other"));
    let (small, large) = (layout.index(std::slice::from_ref(&own)), layout.index(&[own, other]));
    layout.named(&small, "registry.example/a:1");
    layout.named(&large, "registry.example/b:1");
    layout.named(&large, "b:2");
    let different = layout.image("linux/amd64", "different");
    layout.named(&different, "different:1");
    loaded(&daemon.client(), layout.tar());

    let image = node.status("b:2").await.unwrap();
    assert_eq!(image.repo_tags, ["docker.io/library/b:2", "registry.example/a:1", "registry.example/b:1"]);
    assert_eq!(image.repo_digests.len(), 3);
    assert_eq!(node.list("").await.len(), 2);
    node.remove("registry.example/a:1").await;
    assert_eq!(node.status(&image.id).await, None);
    let left = daemon.client().get("/images/json?all=1").expect(200).json();
    let [left] = left.as_array().unwrap().as_slice() else { panic!("{left}") };
    assert_eq!(left["RepoTags"], json!(["different:1"]));
    // What is not there is removed already.
    for absent in ["registry.example/a:1", "b:2", &image.id, "NOT A NAME"] {
        node.remove(absent).await;
    }
    let refused = node.0.remove_image(RemoveImageRequest { image: None }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_pull_asks_the_registry_with_its_own_credential_every_time() {
    let (registry, daemon) = (Registry::start(), Daemon::start());
    registry.faults().token_user = Some(("u".into(), "p".into()));
    let manifest = registry.put_image("team/app", Some("1"), &[b"layer".to_vec()]);
    let name = format!("{}/team/app:1", registry.host());
    let mut node = Node::of(&daemon).await;
    let right = || Some(AuthConfig { username: "u".into(), password: "p".into(), ..AuthConfig::default() });

    let refused = node.pull(&name, None).await.unwrap_err();
    assert!(matches!(refused.code(), Code::Unauthenticated | Code::PermissionDenied), "{refused}");
    let id = node.pull(&name, right()).await.unwrap();
    let image = node.status(&name).await.unwrap();
    assert_eq!((&image.id, &image.repo_tags), (&id, &vec![name.clone()]));
    assert_eq!(image.repo_digests, [format!("{}/team/app@{}", registry.host(), manifest.digest)]);

    // It is here now, and still nobody else is given it.
    let wrong = Some(AuthConfig { username: "u".into(), password: "wrong".into(), ..AuthConfig::default() });
    let elsewhere = Some(AuthConfig { server_address: "registry.example".into(), ..right().unwrap() });
    let by_digest = image.repo_digests[0].clone();
    for (reference, auth) in [(&name, None), (&name, wrong), (&name, elsewhere), (&by_digest, None)] {
        let refused = node.pull(reference, auth).await.unwrap_err();
        assert!(matches!(refused.code(), Code::Unauthenticated | Code::PermissionDenied), "{refused}");
    }
    registry.forget();
    assert_eq!(node.pull(&name, right()).await.unwrap(), id);
    assert!(registry.count("HEAD", "/manifests/1") >= 1, "{:?}", registry.seen());
    assert_eq!(registry.count("GET", "/blobs/"), 0);
    let encoded = Some(AuthConfig { auth: "dTpw".into(), ..AuthConfig::default() });
    assert_eq!(node.pull(&by_digest, encoded).await.unwrap(), id);
}

#[tokio::test]
async fn a_failed_pull_says_why_in_kubelets_words() {
    let (registry, daemon) = (Registry::start(), Daemon::start());
    let mut node = Node::of(&daemon).await;
    let absent = node.pull(&format!("{}/team/app:1", registry.host()), None).await.unwrap_err();
    assert_eq!(absent.code(), Code::NotFound);
    for (name, expected) in [("", "blank"), ("UPPER", "lowercase"), ("a b", "invalid reference format")] {
        let refused = node.pull(name, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name:?}");
        assert!(refused.message().contains(expected), "{refused}");
    }
    let host = registry.host();
    drop(registry);
    let unreachable = node.pull(&format!("{host}/team/app:1"), None).await.unwrap_err();
    assert_eq!(unreachable.code(), Code::Unknown);
    assert!(unreachable.message().starts_with("RegistryUnavailable: "), "{unreachable}");
}

#[tokio::test]
async fn what_a_rule_denies_is_a_failed_signature_to_kubelet() {
    let registry = Registry::start();
    registry.put_image("team/app", Some("1"), &[b"layer".to_vec()]);
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    let text = "apiVersion: v1alpha1\nkind: ImageVerificationConfig\nrules:\n  - image: \"*\"\n    deny: true\n";
    std::fs::write(&rules, text).unwrap();
    let daemon = Daemon::start_with(&["--verify-rules", rules.to_str().unwrap()]);
    let mut node = Node::of(&daemon).await;
    let denied = node.pull(&format!("{}/team/app:1", registry.host()), None).await.unwrap_err();
    assert_eq!(denied.code(), Code::Unknown, "{denied}");
    assert!(denied.message().starts_with("SignatureValidationFailed: image "), "{denied}");
    assert!(denied.message().contains("denied by rule"), "{denied}");
    assert_eq!(node.list("").await, []);
    assert_eq!(registry.count("GET", "/blobs/"), 0, "something was fetched besides the manifest");
}

#[tokio::test]
async fn an_image_for_another_platform_is_not_pulled() {
    let (registry, daemon) = (Registry::start(), Daemon::start());
    let mut node = Node::of(&daemon).await;
    let mut layout = Layout::default();
    let image = layout.image("linux/s390x", "foreign");
    layout.named(&image, "foreign");
    registry.put_layout("foreign", &["1"], &layout.tar());
    let refused = node.pull(&format!("{}/foreign:1", registry.host()), None).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("linux/amd64"), "{refused}");
    assert_eq!(node.list("").await, []);
}

#[tokio::test]
async fn the_disks_use_is_that_of_the_data_root() {
    let daemon = Daemon::start();
    let mut node = Node::of(&daemon).await;
    loaded(&daemon.client(), Layout::of_one("app:1").tar());
    let info = node.0.image_fs_info(ImageFsInfoRequest {}).await.unwrap().into_inner();
    let [filesystem] = info.image_filesystems.try_into().unwrap();
    assert_eq!(filesystem.fs_id.unwrap().mountpoint, daemon.data_root().to_str().unwrap());
    let measured = |option| {
        let output = std::process::Command::new("du").args([option, "-s"]).arg(daemon.data_root()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(filesystem.used_bytes.unwrap().value, 512 * measured("--block-size=512"));
    assert_eq!(filesystem.inodes_used.unwrap().value, measured("--inodes"));
    let age = jiff::Timestamp::now().as_nanosecond() - i128::from(filesystem.timestamp);
    assert!((0..60_000_000_000).contains(&age), "{age}");
    assert!(info.container_filesystems.is_empty());
}

#[tokio::test]
async fn what_the_configuration_pins_is_told_and_not_pruned() {
    let daemon = Daemon::start_with(&["--pinned-image", "registry.example/pause:*"]);
    let mut node = Node::of(&daemon).await;
    for name in ["registry.example/pause:1", "registry.example/app:1"] {
        loaded(&daemon.client(), Layout::of_one(name).tar());
    }
    let pinned = |images: &[Image]| images.iter().map(|image| (image.repo_tags[0].clone(), image.pinned)).collect();
    let mut told: Vec<(String, bool)> = pinned(&node.list("").await);
    told.sort();
    assert_eq!(told, [("registry.example/app:1".to_owned(), false), ("registry.example/pause:1".to_owned(), true)]);
    daemon.client().post("/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D", "", "").expect(200);
    let told: Vec<(String, bool)> = pinned(&node.list("").await);
    assert_eq!(told, [("registry.example/pause:1".to_owned(), true)]);
    // Who asks for it by name gets it removed, as containerd does.
    node.remove("registry.example/pause:1").await;
    assert_eq!(node.list("").await, []);
}

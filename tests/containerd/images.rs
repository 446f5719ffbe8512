//! Records of names over the socket: each method, what it refuses, and what Docker's clients see of it.

use std::collections::BTreeMap;
use std::path::Path;

use loadline::api::containerd::proto::containerd::services::images::v1::images_client::ImagesClient;
use loadline::api::containerd::proto::containerd::services::images::v1::{
    CreateImageRequest, DeleteImageRequest, GetImageRequest, Image, ListImagesRequest, UpdateImageRequest,
};
use loadline::api::containerd::proto::containerd::types::Descriptor;
use loadline::domain::Digest;
use prost_types::{FieldMask, Timestamp};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::channel;
use super::content::list as list_content;
use crate::support::daemon::Daemon;
use crate::support::loading::loaded;
use crate::support::repository;

const APP: &str = "registry.example/team/app:1.0";
const OTHER: &str = "127.0.0.1:5000/team/app:1.0";
const LEGACY: &str = "docker.io/legacy/three-layers:1";
const LATEST: &str = "docker.io/legacy/three-layers:latest";

type Client = ImagesClient<Channel>;

async fn client(socket: &Path) -> Client {
    ImagesClient::new(channel(socket).await).max_decoding_message_size(32 << 20).max_encoding_message_size(32 << 20)
}

/// A daemon with two images of two names each, and a client of it.
async fn started() -> (Daemon, Client) {
    let daemon = Daemon::start();
    for archive in ["app-oci.tar", "legacy-docker-archive.tar"] {
        loaded(&daemon.client(), std::fs::read(repository(&format!("tests/fixtures/{archive}"))).unwrap());
    }
    let client = client(&daemon.socket()).await;
    (daemon, client)
}

fn map(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn get(client: &mut Client, name: &str) -> Result<Image, Status> {
    Ok(client.get(GetImageRequest { name: name.to_owned() }).await?.into_inner().image.expect("an image"))
}

async fn target(client: &mut Client, name: &str) -> Descriptor {
    get(client, name).await.unwrap().target.expect("a target")
}

async fn list(client: &mut Client, filters: &[&str]) -> Result<Vec<Image>, Status> {
    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    Ok(client.list(ListImagesRequest { filters }).await?.into_inner().images)
}

async fn names(client: &mut Client, filters: &[&str]) -> Vec<String> {
    list(client, filters).await.unwrap().into_iter().map(|image| image.name).collect()
}

fn image(name: &str, target: Descriptor, labels: &[(&str, &str)]) -> Image {
    Image { name: name.to_owned(), target: Some(target), labels: map(labels), ..Image::default() }
}

async fn create(client: &mut Client, image: impl Into<Option<Image>>) -> Result<Image, Status> {
    let request = CreateImageRequest { image: image.into(), source_date_epoch: None };
    Ok(client.create(request).await?.into_inner().image.expect("an image"))
}

async fn update(client: &mut Client, image: impl Into<Option<Image>>, paths: &[&str]) -> Result<Image, Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request =
        UpdateImageRequest { image: image.into(), update_mask: Some(FieldMask { paths }), source_date_epoch: None };
    Ok(client.update(request).await?.into_inner().image.expect("an image"))
}

async fn delete(client: &mut Client, name: &str, target: Option<Descriptor>) -> Result<(), Status> {
    client.delete(DeleteImageRequest { name: name.to_owned(), sync: true, target }).await.map(drop)
}

#[track_caller]
fn refused<T>(answer: Result<T, Status>, code: Code, part: &str) {
    let status = answer.err().expect("a refusal");
    assert_eq!(status.code(), code, "{}", status.message());
    assert!(status.message().contains(part) && status.message().len() < 4096, "{}", status.message());
}

#[tokio::test]
async fn what_docker_loads_is_listed_by_name() {
    let (_daemon, mut client) = started().await;
    let images = list(&mut client, &[]).await.unwrap();
    let found: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(found, [OTHER, LEGACY, LATEST, APP]);
    for image in &images {
        assert_eq!(&get(&mut client, &image.name).await.unwrap(), image);
        let target = image.target.as_ref().unwrap();
        assert!(target.size > 0 && target.digest.starts_with("sha256:") && image.labels.is_empty());
        assert!(image.created_at.is_some() && image.updated_at.is_some());
    }
    assert_eq!(images[3].target.as_ref().unwrap().media_type, "application/vnd.oci.image.index.v1+json");
    refused(
        get(&mut client, "registry.example/team/app").await,
        Code::NotFound,
        "image \"registry.example/team/app\": not found",
    );
    refused(get(&mut client, "").await, Code::NotFound, "not found");
    refused(get(&mut client, &"x".repeat(1 << 20)).await, Code::NotFound, "xxx…\": not found");
}

#[tokio::test]
async fn filters_choose_by_every_field() {
    let (_daemon, mut client) = started().await;
    let app = target(&mut client, APP).await;
    let annotated = Descriptor { annotations: map(&[("a.b/c", "x")]), ..app.clone() };
    create(&mut client, image("n", annotated, &[("who", "ctr"), ("a.b/c", "1")])).await.unwrap();
    let digest = format!("target.digest=={}", app.digest);
    for (filters, expected) in [
        (&[][..], 5),
        (&[""], 5),
        (&["name==n"], 1),
        (&["name!=n"], 4),
        (&["name~=^docker.io/"], 2),
        (&["name"], 5),
        (&[&digest], 3),
        (&["target.mediatype==application/vnd.oci.image.index.v1+json"], 3),
        (&["target.mediaType~=docker"], 2),
        (&["target"], 0),
        (&["labels.who"], 1),
        (&["labels.who==ctr,name==n"], 1),
        (&["labels.who==ctr,name!=n"], 0),
        (&["labels.\"a.b/c\"==1"], 1),
        (&["labels.who!=ctr"], 4),
        (&["annotations.\"a.b/c\"~=/^x$/"], 1),
        (&["annotations.missing"], 0),
        (&["other==x"], 0),
        (&["name==n", "name==docker.io/legacy/three-layers:1"], 2),
    ] {
        assert_eq!(names(&mut client, filters).await.len(), expected, "{filters:?}");
    }
    refused(list(&mut client, &["name="]).await, Code::InvalidArgument, "parse error");
    refused(list(&mut client, &["name~=/(/"]).await, Code::InvalidArgument, "regular expression");
}

#[tokio::test]
async fn a_name_is_any_text_and_dockers_names_are_the_same() {
    let (daemon, mut client) = started().await;
    let app = target(&mut client, APP).await;
    let long = format!("import-2026-11-27@{}", app.digest);
    for name in ["a:2", &long, "Not a\nName \u{202e}", "docker.io/library/full:1"] {
        let made = create(&mut client, image(name, app.clone(), &[("a", "b"), ("empty", "")])).await.unwrap();
        assert_eq!((made.name.as_str(), made.labels.clone()), (name, map(&[("a", "b")])));
        assert_eq!(made.created_at, made.updated_at);
        assert_eq!(get(&mut client, name).await.unwrap(), made);
        refused(create(&mut client, image(name, app.clone(), &[])).await, Code::AlreadyExists, ": already exists");
    }
    let rest = daemon.client();
    let shown = rest.get("/images/full:1/json").expect(200).json();
    assert_eq!(shown["Id"], app.digest);
    assert_eq!(shown["RepoTags"], serde_json::json!([OTHER, "full:1", APP]));
    assert_eq!(rest.get("/images/a:2/json").status, 404);
    // Docker's client moves the one and not the other.
    rest.post("/images/legacy/three-layers:1/tag?repo=a&tag=2", "", "").expect(201);
    assert_eq!(target(&mut client, "a:2").await, app);
    assert_ne!(target(&mut client, "docker.io/library/a:2").await.digest, app.digest);
}

#[tokio::test]
async fn an_image_with_no_name_that_docker_knows_is_kept_and_shown_without_one() {
    let (daemon, mut client) = started().await;
    let legacy = target(&mut client, LEGACY).await;
    create(&mut client, image("a:2", legacy.clone(), &[])).await.unwrap();
    delete(&mut client, LEGACY, None).await.unwrap();
    let rest = daemon.client();
    rest.delete("/images/legacy/three-layers:latest").expect(200);
    rest.post("/images/prune", "", "").expect(200);
    assert_eq!(target(&mut client, "a:2").await.digest, legacy.digest);
    let rows = rest.get("/v1.43/images/json").expect(200).json();
    let row = rows.as_array().unwrap().iter().find(|row| row["Id"] == legacy.digest).unwrap().clone();
    assert_eq!(row["RepoTags"], serde_json::json!([]));
    assert_eq!(
        rest.get("/images/json?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D").expect(200).json(),
        serde_json::json!([])
    );
    let removed = rest.delete(&format!("/images/{}", legacy.digest)).expect(200).json();
    assert_eq!(removed, serde_json::json!([{"Untagged": "a:2"}, {"Deleted": legacy.digest}]));
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let (_daemon, mut client) = started().await;
    let app = target(&mut client, APP).await;
    let with = |change: fn(&mut Descriptor)| {
        let mut target = app.clone();
        change(&mut target);
        image("new", target, &[])
    };
    let long = "x".repeat(4097);
    let absent = Descriptor { digest: Digest::of(b"absent").to_string(), ..app.clone() };
    let cases: Vec<(Option<Image>, Code, &str)> = vec![
        (None, Code::InvalidArgument, "Image required"),
        (Some(image("", app.clone(), &[])), Code::InvalidArgument, "Image.Name required"),
        (Some(image(&"x".repeat(40_000), app.clone(), &[])), Code::InvalidArgument, "40000 bytes"),
        (Some(Image { name: "new".to_owned(), ..Image::default() }), Code::InvalidArgument, "Target.Digest"),
        (Some(with(|target| target.digest = "sha256:ab".to_owned())), Code::InvalidArgument, "Target.Digest"),
        (Some(with(|target| target.size = 0)), Code::InvalidArgument, "Target.Size"),
        (Some(with(|target| target.size = -1)), Code::InvalidArgument, "Target.Size"),
        (Some(with(|target| target.size += 1)), Code::InvalidArgument, "its descriptor says"),
        (Some(with(|target| target.media_type.clear())), Code::InvalidArgument, "Target.MediaType"),
        (Some(with(|target| target.media_type = "text/plain".to_owned())), Code::InvalidArgument, "is no image"),
        (Some(image("new", absent, &[])), Code::NotFound, "not found"),
        (Some(image("new", app.clone(), &[("k", &long)])), Code::InvalidArgument, "maximum size (4096 bytes), key: k"),
        (Some(image(&Digest::of(b"other").to_string(), app.clone(), &[])), Code::InvalidArgument, "is a digest"),
        (Some(image(&app.digest, app.clone(), &[])), Code::InvalidArgument, "has a name"),
        (
            Some(image(APP, app.clone(), &[])),
            Code::AlreadyExists,
            "image \"registry.example/team/app:1.0\": already exists",
        ),
    ];
    for (image, code, part) in cases {
        refused(create(&mut client, image).await, code, part);
    }
    for (seconds, nanos) in [(i64::MAX, 0), (0, -1), (0, 1_000_000_000), (200_000_000_000, 0)] {
        let source_date_epoch = Some(Timestamp { seconds, nanos });
        let request = CreateImageRequest { image: Some(image("new", app.clone(), &[])), source_date_epoch };
        refused(client.create(request).await, Code::InvalidArgument, "time");
    }
    assert_eq!(names(&mut client, &[]).await.len(), 4);
}

#[tokio::test]
async fn an_update_takes_what_its_mask_says() {
    let (_daemon, mut client) = started().await;
    let (app, legacy) = (target(&mut client, APP).await, target(&mut client, LEGACY).await);
    let made = create(&mut client, image("n", app.clone(), &[("a", "1"), ("b.c/d", "2")])).await.unwrap();
    let given = Image {
        target: Some(Descriptor { annotations: map(&[("x", "1"), ("y.z", "2")]), ..legacy.clone() }),
        ..image("n", legacy.clone(), &[("a", "9"), ("new", "3"), ("b.c/d", "")])
    };
    let one = update(&mut client, given.clone(), &["labels.b.c/d", "labels.new", "labels.absent"]).await.unwrap();
    assert_eq!((one.labels, one.target.clone()), (map(&[("a", "1"), ("new", "3")]), made.target.clone()));
    assert_eq!(one.created_at, made.created_at);
    let one = update(&mut client, given.clone(), &["labels"]).await.unwrap();
    assert_eq!(one.labels, map(&[("a", "9"), ("new", "3")]));
    let one = update(&mut client, given.clone(), &["annotations.y.z"]).await.unwrap();
    let noted = one.target.unwrap();
    assert_eq!(
        (noted.digest.as_str(), noted.annotations.get("y.z").map(String::as_str)),
        (app.digest.as_str(), Some("2"))
    );
    let one = update(&mut client, given.clone(), &["annotations"]).await.unwrap();
    assert_eq!(one.target, Some(Descriptor { annotations: map(&[("x", "1"), ("y.z", "2")]), ..app.clone() }));
    let one = update(&mut client, image("n", legacy.clone(), &[]), &["target"]).await.unwrap();
    assert_eq!((one.labels.len(), one.target), (2, Some(legacy.clone())));
    // Without a mask, all of it but the time of creation.
    let at = Timestamp { seconds: 1_700_000_000, nanos: 5 };
    let request = UpdateImageRequest {
        image: Some(image("n", app.clone(), &[("only", "this")])),
        update_mask: None,
        source_date_epoch: Some(at),
    };
    let one = client.update(request).await.unwrap().into_inner().image.unwrap();
    assert_eq!((one.labels, one.target), (map(&[("only", "this")]), Some(app.clone())));
    assert_eq!((one.created_at, one.updated_at), (made.created_at, Some(at)));

    let nothing = Descriptor::default();
    for (image, paths, code, part) in [
        (
            Some(image("n", app.clone(), &[])),
            &["name"][..],
            Code::InvalidArgument,
            "cannot update \"name\" field on image \"n\"",
        ),
        (Some(image("n", app.clone(), &[])), &["labels.a", "target.digest"], Code::InvalidArgument, "target.digest"),
        (Some(image("n", nothing.clone(), &[])), &["target"], Code::InvalidArgument, "Target.Digest"),
        (Some(image("n", nothing.clone(), &[])), &[], Code::InvalidArgument, "Target.Digest"),
        (Some(image("nope", nothing.clone(), &[])), &["target"], Code::NotFound, "image \"nope\": not found"),
        (Some(image("", app.clone(), &[])), &["labels"], Code::InvalidArgument, "Image.Name required"),
        (None, &["labels"], Code::InvalidArgument, "Image required"),
    ] {
        refused(update(&mut client, image, paths).await, code, part);
    }
    let absent = Descriptor { digest: Digest::of(b"absent").to_string(), ..app };
    refused(update(&mut client, image("n", absent, &[]), &["target"]).await, Code::NotFound, "not found");
    // A label alone needs no target.
    let bare = Image { name: "n".to_owned(), labels: map(&[("k", "v")]), ..Image::default() };
    assert_eq!(update(&mut client, bare, &["labels.k"]).await.unwrap().labels.len(), 2);
}

#[tokio::test]
async fn a_name_that_moves_leaves_its_image_under_its_digest() {
    let (daemon, mut client) = started().await;
    let (app, legacy) = (target(&mut client, APP).await, target(&mut client, LEGACY).await);
    for name in [LEGACY, LATEST] {
        update(&mut client, image(name, app.clone(), &[]), &["target"]).await.unwrap();
    }
    assert_eq!(names(&mut client, &[]).await, [OTHER, LEGACY, LATEST, APP, &legacy.digest]);
    assert_eq!(target(&mut client, &legacy.digest).await.digest, legacy.digest);
    delete(&mut client, &legacy.digest, Some(legacy.clone())).await.unwrap();
    assert_eq!(daemon.client().get("/images/json").expect(200).json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_image_goes_with_its_last_record() {
    let (daemon, mut client) = started().await;
    let app = target(&mut client, APP).await;
    let wrong = Descriptor { digest: Digest::of(b"wrong").to_string(), ..app.clone() };
    refused(delete(&mut client, APP, Some(wrong)).await, Code::NotFound, "has target");
    let malformed = Descriptor { digest: "x".to_owned(), ..app.clone() };
    refused(delete(&mut client, APP, Some(malformed)).await, Code::InvalidArgument, "Target.Digest");
    delete(&mut client, APP, Some(app.clone())).await.unwrap();
    refused(delete(&mut client, APP, None).await, Code::NotFound, "image \"registry.example/team/app:1.0\": not found");
    refused(delete(&mut client, "", None).await, Code::NotFound, "not found");
    let filter = format!("digest=={}", app.digest);
    assert_eq!(list_content(&daemon.socket(), &[&filter]).await.unwrap(), std::slice::from_ref(&app.digest));
    // A descriptor without a digest asks for nothing.
    delete(&mut client, OTHER, Some(Descriptor::default())).await.unwrap();
    assert_eq!(list_content(&daemon.socket(), &[&filter]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn records_last_over_restarts_and_crashes() {
    let (daemon, mut client) = started().await;
    let app = target(&mut client, APP).await;
    for name in ["a:2", "Not a\nName"] {
        create(&mut client, image(name, app.clone(), &[("k", name)])).await.unwrap();
    }
    delete(&mut client, APP, None).await.unwrap();
    let before = list(&mut client, &[]).await.unwrap();
    let daemon = daemon.crash_and_restart();
    assert_eq!(list(&mut self::client(&daemon.socket()).await, &[]).await.unwrap(), before);
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(list(&mut self::client(&daemon.socket()).await, &[]).await.unwrap(), before);
}

#[tokio::test]
async fn messages_are_bounded() {
    let (_daemon, mut client) = started().await;
    let app = target(&mut client, APP).await;
    // 16 MiB are read, and refused for what they say.
    let value = "x".repeat(4000);
    let labels: BTreeMap<String, String> = (0..4000).map(|number| (number.to_string(), value.clone())).collect();
    let large = Image { labels, ..image("n", app.clone(), &[]) };
    refused(create(&mut client, large).await, Code::InvalidArgument, "labels and annotations have");
    let too_large = image(&"x".repeat(17 << 20), app.clone(), &[]);
    refused(create(&mut client, too_large).await, Code::ResourceExhausted, "16777216");
    // A list that one message cannot hold says what to do.
    let labels: BTreeMap<String, String> = (0..64).map(|number| (number.to_string(), value.clone())).collect();
    for number in 0..66 {
        let large = Image { labels: labels.clone(), ..image(&number.to_string(), app.clone(), &[]) };
        create(&mut client, large).await.unwrap();
    }
    refused(list(&mut client, &[]).await, Code::ResourceExhausted, "filters");
    assert_eq!(names(&mut client, &["name~=^[0-9]$"]).await.len(), 10);
}

//! bollard, the client of programs in Rust. Whatever version is chosen, it leaves it off its paths: it gets the newest.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::ImageManifestSummaryKindEnum;
use bollard::query_parameters::{
    CreateImageOptions, EventsOptionsBuilder, ImportImageOptions, ListImagesOptions, ListImagesOptionsBuilder,
    PruneImagesOptionsBuilder, PushImageOptions, RemoveImageOptions, SearchImagesOptionsBuilder, TagImageOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use loadline::api::docker::versions::NEWEST_TEXT;

use super::{APP, PASSWORD, USER, fixture, index, registry};
use crate::support::daemon::Daemon;
use crate::support::registry::Registry;
use crate::support::repository;

const SECONDS: u64 = 20;

fn connect(daemon: &Daemon) -> Docker {
    Docker::connect_with_unix(daemon.socket().to_str().unwrap(), SECONDS, API_DEFAULT_VERSION).unwrap()
}

fn credentials(password: &str) -> Option<DockerCredentials> {
    Some(DockerCredentials { username: Some(USER.into()), password: Some(password.into()), ..Default::default() })
}

/// The time as the filters of events take it.
fn now() -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}

fn tag(repo: &str) -> Option<TagImageOptions> {
    Some(TagImageOptions { repo: Some(repo.into()), tag: Some("1".into()) })
}

/// What a stream brings until its end, in which nothing may fail.
async fn all<T>(stream: impl Stream<Item = Result<T, Error>>) -> Vec<T> {
    stream.try_collect().await.unwrap()
}

async fn load(docker: &Docker, archive: Vec<u8>) -> Vec<String> {
    let said = all(docker.import_image(ImportImageOptions::default(), body_full(archive.into()), None)).await;
    said.into_iter().filter_map(|line| line.stream).collect()
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, status: u16, part: &str) {
    match result.err().expect("this succeeds") {
        Error::DockerResponseServerError { status_code, message } => {
            assert!(status_code == status && message.contains(part), "{status_code}: {message}");
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn does_what_programs_do() {
    let (daemon, registry, index) = (Daemon::start(), registry(), index());
    let docker = connect(&daemon).negotiate_version().await.unwrap();
    assert_eq!(docker.client_version().minor_version, API_DEFAULT_VERSION.minor_version);
    let docker = &docker;
    let since = now();
    asks_who_answers(docker).await;
    let id = reads(docker).await;
    renames(docker, &id).await;
    moves(docker, &registry, &format!("{}/team/app", registry.host()), &id).await;
    finds(docker, &index).await;
    frees(docker, &id).await;

    let filters = HashMap::from([("type", vec!["image"])]);
    let ended = EventsOptionsBuilder::new().since(&since).until(&now()).filters(&filters);
    let events = all(docker.events(Some(ended.build()))).await;
    assert!(events.iter().any(|event| event.action.as_deref() == Some("load")), "{events:?}");
    assert!(events.iter().all(|event| event.actor.is_some() && event.time_nano.is_some()), "{events:?}");
}

async fn asks_who_answers(docker: &Docker) {
    assert_eq!(docker.ping().await.unwrap(), "OK");
    let version = docker.version().await.unwrap();
    assert_eq!((version.api_version.as_deref(), version.min_api_version.as_deref()), (Some(NEWEST_TEXT), Some("1.24")));
    let info = docker.info().await.unwrap();
    assert_eq!(info.server_version, version.version);
    assert_eq!(info.os_type.as_deref(), Some("linux"));
}

/// Loads the fixture, looks at it in every way, and gives its ID.
async fn reads(docker: &Docker) -> String {
    let loaded = load(docker, std::fs::read(fixture()).unwrap()).await;
    assert!(loaded.contains(&format!("Loaded image: {APP}\n")), "{loaded:?}");
    let image = docker.inspect_image(APP).await.unwrap();
    let id = image.id.unwrap();
    assert!(image.repo_tags.unwrap().iter().any(|name| name == APP));
    assert_eq!(image.os.as_deref(), Some("linux"));
    let history = docker.image_history(APP).await.unwrap();
    assert!(history.iter().any(|step| step.created_by.contains("COPY")), "{history:?}");

    let rows = docker.list_images(None::<ListImagesOptions>).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [&id]);
    assert!(rows[0].manifests.is_none());
    let filters = HashMap::from([("reference", vec![APP])]);
    let whole = ListImagesOptionsBuilder::new().manifests(true).shared_size(true).filters(&filters).build();
    let [row] = &*docker.list_images(Some(whole)).await.unwrap() else { panic!("not one image") };
    let kinds: Vec<_> = row.manifests.iter().flatten().filter_map(|manifest| manifest.kind).collect();
    let known = [ImageManifestSummaryKindEnum::IMAGE, ImageManifestSummaryKindEnum::ATTESTATION];
    assert!(kinds.iter().all(|kind| known.contains(kind)), "{kinds:?}");
    assert!(kinds.contains(&known[0]) && kinds.contains(&known[1]), "{kinds:?}");
    refused(docker.inspect_image("registry.test/nope:1").await, 404, "No such image");
    id
}

async fn renames(docker: &Docker, id: &str) {
    docker.tag_image(APP, tag("registry.test/renamed")).await.unwrap();
    let saved: Vec<Bytes> = all(docker.export_image("registry.test/renamed:1")).await;
    let both: Vec<Bytes> = all(docker.export_images(&[APP, "registry.test/renamed:1"])).await;
    let removed = docker.remove_image("registry.test/renamed:1", None::<RemoveImageOptions>, None).await.unwrap();
    assert_eq!(removed[0].untagged.as_deref(), Some("registry.test/renamed:1"));
    for archive in [saved, both] {
        let loaded = load(docker, archive.concat()).await;
        assert!(loaded.contains(&"Loaded image: registry.test/renamed:1\n".to_owned()), "{loaded:?}");
        assert_eq!(docker.inspect_image("registry.test/renamed:1").await.unwrap().id.as_deref(), Some(id));
    }
    let garbage = || Ok::<_, std::io::Error>(Bytes::from_static(b"garbage"));
    let pieces = futures_util::stream::repeat_with(garbage).take(1000);
    let failed: Result<Vec<_>, _> =
        docker.import_image_stream(ImportImageOptions::default(), pieces, None).try_collect().await;
    assert!(matches!(&failed, Err(Error::DockerStreamError { error }) if error.contains("not a tar")), "{failed:?}");
}

async fn moves(docker: &Docker, registry: &Registry, there: &str, id: &str) {
    docker.tag_image(APP, tag(there)).await.unwrap();
    let options = || Some(PushImageOptions { tag: Some("1".into()), platform: None });
    let pushed = all(docker.push_image(there, options(), credentials(PASSWORD))).await;
    let ended = format!("1: digest: {id}");
    let statuses: Vec<&str> = pushed.iter().filter_map(|line| line.status.as_deref()).collect();
    assert!(statuses.iter().any(|status| status.starts_with(&ended)), "{statuses:?}");
    let repository = there.strip_prefix(&format!("{}/", registry.host())).unwrap();
    assert!(registry.manifest(repository, id).is_some());
    let wrong: Result<Vec<_>, _> = docker.push_image(there, options(), credentials("wrong")).try_collect().await;
    assert!(matches!(&wrong, Err(Error::DockerStreamError { .. })), "{wrong:?}");

    let name = format!("{there}:1");
    docker.remove_image(&name, None::<RemoveImageOptions>, None).await.unwrap();
    let from = |tag: &str| {
        Some(CreateImageOptions { from_image: Some(there.into()), tag: Some(tag.into()), ..Default::default() })
    };
    let wrong: Result<Vec<_>, _> = docker.create_image(from("1"), None, credentials("wrong")).try_collect().await;
    refused(wrong, 404, "");
    for tag in ["1", id] {
        let pulled = all(docker.create_image(from(tag), None, credentials(PASSWORD))).await;
        let last = pulled.last().and_then(|line| line.status.as_deref()).unwrap();
        assert!(last.starts_with("Status: "), "{last}");
    }
    assert_eq!(docker.inspect_image(&name).await.unwrap().id.as_deref(), Some(id));
    let distribution = docker.inspect_registry_image(&name, credentials(PASSWORD)).await.unwrap();
    assert_eq!(distribution.descriptor.digest.as_deref(), Some(id));
    assert!(distribution.platforms.iter().any(|platform| platform.architecture.as_deref() == Some("arm64")));
}

async fn finds(docker: &Docker, index: &Registry) {
    let options = CreateImageOptions {
        from_src: Some("-".into()),
        repo: Some("imported".into()),
        tag: Some("1".into()),
        message: Some("a note".into()),
        ..Default::default()
    };
    let rootfs = std::fs::read(repository("tests/fixtures/tiny-rootfs.tar")).unwrap();
    let imported = all(docker.create_image(Some(options), Some(body_full(rootfs.into())), None)).await;
    let image = docker.inspect_image("imported:1").await.unwrap();
    assert_eq!(imported.last().and_then(|line| line.status.as_ref()), image.id.as_ref());
    assert_eq!(image.comment.as_deref(), Some("a note"));

    let hits = docker.search_images(SearchImagesOptionsBuilder::new().term(&format!("{}/app", index.host())).build());
    let names: Vec<_> = hits.await.unwrap().into_iter().filter_map(|hit| hit.name).collect();
    assert_eq!(names, ["app", "team/app"]);
}

async fn frees(docker: &Docker, id: &str) {
    docker.df(None).await.unwrap();
    let filters = HashMap::from([("dangling", vec!["false"])]);
    let pruned = docker.prune_images(Some(PruneImagesOptionsBuilder::new().filters(&filters).build())).await.unwrap();
    assert!(pruned.space_reclaimed.unwrap() > 1_000_000, "{pruned:?}");
    assert!(pruned.images_deleted.unwrap().iter().any(|line| line.deleted.as_deref() == Some(id)));
    assert_eq!(docker.list_images(None::<ListImagesOptions>).await.unwrap(), []);
}

#[tokio::test]
async fn follows_events() {
    let daemon = Daemon::start();
    let docker = connect(&daemon);
    let mut events = docker.events(None);
    let (first, loaded) = tokio::join!(events.next(), load(&docker, std::fs::read(fixture()).unwrap()));
    assert!(!loaded.is_empty());
    assert_eq!(first.unwrap().unwrap().action.as_deref(), Some("load"));
}

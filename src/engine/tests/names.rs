//! Names: giving, moving and taking them.

use super::*;
use crate::domain::Detail;

const LEGACY: &str = "legacy/three-layers:1";

async fn remove(engine: &Engine, image: &str) -> std::result::Result<Vec<String>, (Kind, String)> {
    let removed = engine.remove(&called(image), RemoveOptions::default()).await;
    removed.map(texts).map_err(|error| (error.kind(), error.public().to_owned()))
}

fn texts(removed: Vec<Removed>) -> Vec<String> {
    let text = |removed| match removed {
        Removed::Name(name) => name,
        Removed::Content(digest) => digest.to_string(),
    };
    removed.into_iter().map(text).collect()
}

async fn names_of(engine: &Engine, image: &str) -> Vec<String> {
    shown(&engine.inspect(&called(image), None).await.unwrap().names)
}

#[tokio::test]
async fn a_tag_is_one_more_name_with_what_stands_beside_the_old_one() {
    let engine = loaded().await;
    engine.tag(&called(APP), &new_name("copy/app:2")).await.unwrap();
    engine.tag(&called(APP_ID), &new_name("copy/app:3")).await.unwrap();
    engine.tag(&called(&APP_ID[7..19]), &new_name("copy/app:4")).await.unwrap();
    assert_eq!(names_of(&engine, "copy/app:2").await.len(), 5);
    let source = engine.inspect(&called(APP), None).await.unwrap();
    let copy = engine.inspect(&called("copy/app:2"), None).await.unwrap();
    assert_eq!(source.target, copy.target);
    // Saying it again changes nothing.
    let before = engine.inspect(&called(APP), None).await.unwrap().last_tag_time;
    engine.tag(&called(APP), &new_name("copy/app:2")).await.unwrap();
    assert_eq!(engine.inspect(&called(APP), None).await.unwrap().last_tag_time, before);
}

#[tokio::test]
async fn names_and_events_have_the_time_of_the_engines_clock() {
    let at = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let settings = Settings { clock: Clock::new(move || at), ..Settings::new("/nowhere") };
    let engine = Engine::with_stores(settings, MemoryStore::open()).await.unwrap();
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    engine.tag(&called(APP), &new_name("copy/app:2")).await.unwrap();
    assert_eq!(engine.inspect(&called("copy/app:2"), None).await.unwrap().last_tag_time, at);
    let past = EventQuery { since: Some(at), until: Some(at), ..EventQuery::default() };
    let told: Vec<_> = engine.events(past).map(|event| (event.action.name(), event.at)).collect().await;
    assert_eq!(told.last(), Some(&("tag", at)));
    assert_eq!(engine.now(), at);
}

#[tokio::test]
async fn a_name_that_moves_leaves_its_image_dangling_once_it_was_the_last() {
    let engine = loaded().await;
    engine.tag(&called(APP), &new_name(LEGACY)).await.unwrap();
    assert!(dangling_ids(&engine).is_empty());
    engine.tag(&called(APP), &new_name("legacy/three-layers:latest")).await.unwrap();
    assert_eq!(dangling_ids(&engine), [LEGACY_ID]);
    // A name takes it out of that state.
    engine.tag(&called(LEGACY_ID), &new_name("found/again:1")).await.unwrap();
    assert_eq!(names_of(&engine, LEGACY_ID).await, ["found/again:1"]);
    assert!(dangling_ids(&engine).is_empty());
}

#[tokio::test]
async fn the_image_goes_with_its_last_name() {
    let engine = loaded().await;
    let all = engine.blobs().len();
    engine.tag(&called(APP), &new_name("copy/app:2")).await.unwrap();
    assert_eq!(remove(&engine, "copy/app:2").await.unwrap(), ["copy/app:2"]);
    assert_eq!(remove(&engine, "127.0.0.1:5000/team/app:1.0").await.unwrap(), ["127.0.0.1:5000/team/app:1.0"]);
    assert_eq!(engine.blobs().len(), all);
    assert_eq!(remove(&engine, APP).await.unwrap(), [APP, APP_ID]);
    assert_eq!(engine.image_count(), 1);
    // Of the archives, only the legacy one is left: its manifest, configuration and three layers.
    assert_eq!(engine.blobs().len(), 5);
    assert_eq!(remove(&engine, APP).await.unwrap_err(), (Kind::NotFound, format!("no such image: {APP}")));
}

#[tokio::test]
async fn an_id_with_several_names_needs_force() {
    let engine = loaded().await;
    let error = engine.remove(&called(APP_ID), RemoveOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(error.detail(), &Detail::MustBeForced { image: APP_ID.parse().unwrap() });
    assert_eq!(remove(&engine, &LEGACY_ID[7..19]).await.unwrap_err().0, Kind::Conflict);
    let options = RemoveOptions { force: true, platforms: vec![] };
    let removed = engine.remove(&called(&APP_ID[7..19]), options).await.unwrap();
    assert_eq!(texts(removed), ["127.0.0.1:5000/team/app:1.0", APP, APP_ID]);
    // With one name, an ID does without.
    remove(&engine, LEGACY).await.unwrap();
    assert_eq!(remove(&engine, LEGACY_ID).await.unwrap(), ["legacy/three-layers:latest", LEGACY_ID]);
    assert!(engine.blobs().is_empty());
}

#[tokio::test]
async fn a_name_with_a_digest_is_all_names_of_its_repository() {
    let engine = loaded().await;
    engine.tag(&called(APP), &new_name("registry.example/team/app:2.0")).await.unwrap();
    let digested = format!("registry.example/team/app@{APP_ID}");
    assert_eq!(remove(&engine, &digested).await.unwrap(), [APP, "registry.example/team/app:2.0"]);
    assert_eq!(names_of(&engine, APP_ID).await, ["127.0.0.1:5000/team/app:1.0"]);
    assert_eq!(remove(&engine, &digested).await.unwrap_err().0, Kind::NotFound);
    let other = format!("legacy/three-layers:3@{LEGACY_ID}");
    assert_eq!(remove(&engine, &other).await.unwrap_err(), (Kind::NotFound, format!("no such name: {other}")));
}

#[tokio::test]
async fn a_dangling_image_goes_by_its_id() {
    let engine = loaded().await;
    engine.tag(&called(APP), &new_name(LEGACY)).await.unwrap();
    engine.tag(&called(APP), &new_name("legacy/three-layers:latest")).await.unwrap();
    assert_eq!(remove(&engine, LEGACY_ID).await.unwrap(), [LEGACY_ID]);
    assert_eq!(engine.image_count(), 1);
}

#[tokio::test]
async fn content_that_is_read_outlives_its_image() {
    let engine = loaded().await;
    let statements = engine.attestation_bodies(&called(APP), &AttestationQuery::default()).await.unwrap();
    let options = RemoveOptions { force: true, platforms: vec![] };
    engine.remove(&called(APP_ID), options).await.unwrap();
    for (statement, blob) in statements {
        let bytes: Vec<Bytes> = blob.stream(0, u64::MAX, 100).try_collect().await.unwrap();
        assert_eq!(Digest::of(&bytes.concat()), statement.digest);
    }
}

#[tokio::test]
async fn one_platform_goes_and_what_others_use_stays() {
    let engine = loaded().await;
    let arm = Platform::parse_specifier("linux/arm/v7").unwrap();
    let mut options = RemoveOptions { force: false, platforms: vec![arm.clone()] };
    let error = engine.remove(&called(APP), options.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.detail()), (Kind::InvalidArgument, &Detail::PlatformsMustBeForced));
    options.force = true;
    let removed = texts(engine.remove(&called(APP), options.clone()).await.unwrap());
    assert_eq!(removed, ["sha256:33d910e0abc378c5da9fd26259c3eb5cef2afef17cc63a86a415d0991d072be6"]);
    let available: Vec<bool> =
        engine.inspect(&called(APP), None).await.unwrap().manifests.iter().map(|manifest| manifest.available).collect();
    assert_eq!(available, [true, true, false, true, true, true]);
    let query = AttestationQuery { platform: Some(arm), types: vec![] };
    assert_eq!(engine.attestations(&called(APP), &query).await.unwrap().len(), 2);
    assert_eq!(engine.remove(&called(APP), options.clone()).await.unwrap_err().kind(), Kind::NotFound);
    // It can come back.
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    assert!(engine.inspect(&called(APP), None).await.unwrap().manifests.iter().all(|manifest| manifest.available));
    // An image that is one platform is not hollowed out.
    options.platforms = vec![Platform::parse_specifier("linux/amd64").unwrap()];
    assert_eq!(engine.remove(&called(LEGACY), options).await.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test]
async fn a_tag_needs_an_image() {
    let engine = loaded().await;
    let refusal = async |image: &str, new: &str| {
        let error = engine.tag(&called(image), &new_name(new)).await.unwrap_err();
        (error.kind(), error.public().to_owned())
    };
    assert_eq!(refusal("nope", "a/b:1").await, (Kind::NotFound, "no such image: nope:latest".to_owned()));
    // A platform's manifest leads to its image when it is read, and only then.
    let platform = "sha256:5856fc54da631d758059b384540ebac0ef666b859d2b8fe183f39436d0dd3967";
    assert_eq!(refusal(platform, "a/b:1").await.0, Kind::NotFound);
}

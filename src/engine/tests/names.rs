//! Names: giving, moving and taking them.

use super::*;
use crate::domain::Reference;

const LEGACY: &str = "legacy/three-layers:1";

fn name(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

async fn names_of(engine: &Engine, image: &str) -> Vec<String> {
    engine.inspect(image, None).await.unwrap().repo_tags
}

#[tokio::test]
async fn a_tag_is_one_more_name_with_what_stands_beside_the_old_one() {
    let engine = loaded().await;
    engine.tag(APP, &name("copy/app:2")).await.unwrap();
    engine.tag(APP_ID, &name("copy/app:3")).await.unwrap();
    engine.tag(&APP_ID[7..19], &name("copy/app:4")).await.unwrap();
    assert_eq!(names_of(&engine, "copy/app:2").await.len(), 5);
    let [source, copy] = [APP, "copy/app:2"].map(|name| engine.inspect(name, None));
    assert_eq!(source.await.unwrap().target, copy.await.unwrap().target);
    // Saying it again changes nothing.
    let before = engine.inspect(APP, None).await.unwrap().last_tag_time;
    engine.tag(APP, &name("copy/app:2")).await.unwrap();
    assert_eq!(engine.inspect(APP, None).await.unwrap().last_tag_time, before);
}

#[tokio::test]
async fn a_name_that_moves_leaves_its_image_dangling_once_it_was_the_last() {
    let engine = loaded().await;
    engine.tag(APP, &name(LEGACY)).await.unwrap();
    assert!(ids(&engine, r#"{"dangling":["true"]}"#).is_empty());
    engine.tag(APP, &name("legacy/three-layers:latest")).await.unwrap();
    assert_eq!(ids(&engine, r#"{"dangling":["true"]}"#), [LEGACY_ID]);
    // A name takes it out of that state.
    engine.tag(LEGACY_ID, &name("found/again:1")).await.unwrap();
    assert_eq!(names_of(&engine, LEGACY_ID).await, ["found/again:1"]);
    assert!(ids(&engine, r#"{"dangling":["true"]}"#).is_empty());
}

#[tokio::test]
async fn a_tag_needs_an_image_and_a_name() {
    let engine = loaded().await;
    let refusal = async |image: &str, new: &str| {
        let error = engine.tag(image, &name(new)).await.unwrap_err();
        (error.kind(), error.public().to_owned())
    };
    assert_eq!(refusal("nope", "a/b:1").await, (Kind::NotFound, "No such image: nope:latest".to_owned()));
    assert_eq!(refusal(APP, "sha256:x").await.0, Kind::InvalidArgument);
    assert_eq!(refusal(APP, "a/b").await.0, Kind::InvalidArgument);
    // A platform's manifest leads to its image when it is read, and only then.
    let platform = "sha256:5856fc54da631d758059b384540ebac0ef666b859d2b8fe183f39436d0dd3967";
    assert_eq!(refusal(platform, "a/b:1").await.0, Kind::NotFound);
}

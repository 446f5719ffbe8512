//! Names that Docker's clients do not know.

use super::*;
use crate::domain::{Detail, NameKey, StringMap};
use crate::engine::catalog::resolve::resolve_target;

const LEGACY: &str = "legacy/three-layers:1";

/// Gives an image a name that may be any text.
async fn name(engine: &Engine, image: &str, text: &str) {
    let target = resolve_target(&engine.0.catalog.state(), &called(image)).unwrap().record.target.clone();
    let name = NameKey::new(text).unwrap();
    engine.create_record(NewRecord { name, target, labels: StringMap::default(), at: None }).await.unwrap();
}

async fn remove(engine: &Engine, image: &str, force: bool) -> Result<Vec<String>> {
    let removed = engine.remove(&called(image), RemoveOptions { force, platforms: Vec::new() }).await?;
    let text = |removed| match removed {
        Removed::Name(name) => name,
        Removed::Content(digest) => digest.to_string(),
    };
    Ok(removed.into_iter().map(text).collect())
}

/// The names of an image: those that Docker's clients know, and the others.
async fn names_of(engine: &Engine, image: &str) -> (Vec<String>, Vec<String>) {
    let image = engine.inspect(&called(image), None).await.unwrap();
    (shown(&image.names), image.opaque_names.iter().map(NameKey::shown).collect())
}

/// Engines in memory whose legacy image has only names that Docker's clients do not know.
async fn only_opaque(names: &[&str]) -> Engine {
    let engine = loaded().await;
    for opaque in names {
        name(&engine, LEGACY, opaque).await;
    }
    for docker in [LEGACY, "legacy/three-layers:latest"] {
        remove(&engine, docker, false).await.unwrap();
    }
    engine
}

#[tokio::test]
async fn another_spelling_of_a_name_is_another_name() {
    let engine = loaded().await;
    name(&engine, APP, "a:2").await;
    assert_eq!(engine.inspect(&called("a:2"), None).await.err().unwrap().kind(), Kind::NotFound);
    assert_eq!(names_of(&engine, APP_ID).await.1, ["a:2"]);
    engine.tag(&called(LEGACY), &new_name("a:2")).await.unwrap();
    assert_eq!(names_of(&engine, APP_ID).await.1, ["a:2"]);
    let docker = [LEGACY, "legacy/three-layers:latest", "a:2"].map(str::to_owned).to_vec();
    assert_eq!(names_of(&engine, "a:2").await, (docker, vec![]));
    // In full, it is Docker's.
    name(&engine, LEGACY, "docker.io/library/full:1").await;
    assert_eq!(engine.inspect(&called("full:1"), None).await.unwrap().digest.to_string(), LEGACY_ID);
}

#[tokio::test]
async fn an_image_that_only_has_such_a_name_is_not_dangling() {
    let engine = only_opaque(&["a:2"]).await;
    assert_eq!(names_of(&engine, LEGACY_ID).await, (vec![], vec!["a:2".to_owned()]));
    assert!(dangling_ids(&engine).is_empty());
    assert_eq!(ids(&engine), [LEGACY_ID, APP_ID]);
    assert_eq!(engine.prune(&PruneFilter::default()).await.unwrap(), Pruned::default());
    assert_eq!(engine.disk_usage().await.unwrap().images.rows.len(), 2);
    // It is found by its ID, and can be given a name.
    engine.save(SaveOptions { names: vec![LEGACY_ID.to_owned()], platforms: vec![] }).await.unwrap();
    engine.tag(&called(LEGACY_ID), &new_name("found/again:1")).await.unwrap();
    assert_eq!(names_of(&engine, LEGACY_ID).await.0, ["found/again:1"]);
    // When its last Docker name goes, it stays.
    assert_eq!(remove(&engine, "found/again:1", false).await.unwrap(), ["found/again:1"]);
    let all = PruneFilter { named: true, ..PruneFilter::default() };
    let pruned = engine.prune(&all).await.unwrap();
    assert!(pruned.removed.contains(&Removed::Name("a:2".to_owned())), "{:?}", pruned.removed);
    assert_eq!(engine.image_count(), 0);
}

#[tokio::test]
async fn by_its_id_an_image_with_several_names_of_any_kind_goes_with_force_only() {
    let engine = only_opaque(&["one"]).await;
    assert_eq!(remove(&engine, LEGACY_ID, false).await.unwrap(), ["one", LEGACY_ID]);
    let must_be_forced = Detail::MustBeForced { image: LEGACY_ID.parse().unwrap() };
    let engine = only_opaque(&["b\n", "a"]).await;
    assert_eq!(remove(&engine, LEGACY_ID, false).await.unwrap_err().detail(), &must_be_forced);
    assert_eq!(remove(&engine, LEGACY_ID, true).await.unwrap(), ["a", "b\\n", LEGACY_ID]);
    let engine = only_opaque(&["a"]).await;
    engine.tag(&called(LEGACY_ID), &new_name("b:1")).await.unwrap();
    assert_eq!(remove(&engine, LEGACY_ID, false).await.unwrap_err().detail(), &must_be_forced);
    assert_eq!(remove(&engine, LEGACY_ID, true).await.unwrap(), ["b:1", "a", LEGACY_ID]);
    assert_eq!(engine.image_count(), 1);
}

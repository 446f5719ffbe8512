//! The engine's images of a node, on stores in memory.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use loadline::domain::manifest::ConfigSummary;
use loadline::domain::{Digest, Kind};
use loadline::engine::{Engine, LoadEvent, LoadOptions, PruneFilter, Settings};
use loadline::store::{Changes, Commit, CommitOutcome, Entry, MemoryStore, NameRecord, OperationId, Stores};
use serde_json::json;

use crate::support::images::{Layout, config};

async fn open(stores: &Stores) -> Engine {
    Engine::with_stores(Settings::new("/nowhere"), stores.clone()).await.unwrap()
}

async fn load(engine: &Engine, archive: Vec<u8>) {
    let mut events = engine.load(LoadOptions::default(), futures_util::stream::iter([Ok(archive.into())]));
    while let Some(event) = events.recv().await {
        assert!(matches!(event, LoadEvent::Named(_) | LoadEvent::Untagged(_)), "{event:?}");
    }
}

/// The records of all configurations.
async fn configs(stores: &Stores) -> Vec<(Digest, Arc<ConfigSummary>)> {
    let entries: Vec<Vec<Entry>> = stores.metadata.read(None).await.unwrap().batches.try_collect().await.unwrap();
    let config = |entry| match entry {
        Entry::Config(digest, Some(config)) => Some((digest, config)),
        _ => None,
    };
    entries.into_iter().flatten().filter_map(config).collect()
}

#[tokio::test]
async fn records_of_older_versions_learn_the_user_at_the_next_start() {
    let stores = MemoryStore::open();
    let mut config = config("linux/amd64", "app");
    config["config"]["User"] = json!("1000:1000");
    let mut layout = Layout::default();
    let image = layout.image_of(&config, "app");
    layout.named(&image, "app:1");
    load(&open(&stores).await, layout.tar()).await;

    let older = configs(&stores).await.into_iter().map(|(digest, config)| {
        assert_eq!(config.user.as_deref(), Some("1000:1000"));
        (digest, Arc::new(ConfigSummary { user: None, ..config.as_ref().clone() }))
    });
    let changes = Changes { configs: older.collect(), ..Changes::default() };
    commit(&stores, changes).await;

    let engine = open(&stores).await;
    assert_eq!(&*engine.node_image("app:1").unwrap().unwrap().user, "1000:1000");
    assert!(configs(&stores).await.iter().all(|(_, config)| config.user.is_some()));
}

/// Commits changes that a client of another API, or another version, would have made.
async fn commit(stores: &Stores, changes: Changes) {
    let expected = *stores.metadata.watch().borrow();
    let commit = Commit { id: OperationId::random(), expected, changes: Arc::new(changes) };
    assert!(matches!(stores.metadata.commit(commit).await.unwrap(), CommitOutcome::Committed(_)));
}

#[tokio::test]
async fn the_label_of_a_name_pins_its_image() {
    let stores = MemoryStore::open();
    for name in ["pinned:1", "other:1"] {
        load(&open(&stores).await, Layout::of_one(name).tar()).await;
    }
    let key = "docker.io/library/pinned:1";
    let entries: Vec<Vec<Entry>> = stores.metadata.read(None).await.unwrap().batches.try_collect().await.unwrap();
    let record = entries.into_iter().flatten().find_map(|entry| match entry {
        Entry::Name(name, Some(record)) if name == key => Some(record),
        _ => None,
    });
    let labels = [("io.cri-containerd.pinned", "pinned")].into_iter().collect();
    let record = NameRecord { labels, ..record.unwrap() };
    commit(&stores, Changes { names: vec![(key.to_owned(), Some(record))], ..Changes::default() }).await;

    let engine = open(&stores).await;
    let pinned = |name| engine.node_image(name).unwrap().is_some_and(|image| image.pinned);
    assert!(pinned("pinned:1") && !pinned("other:1"));
    engine.prune(&PruneFilter { named: true, ..PruneFilter::default() }).await.unwrap();
    assert!(pinned("pinned:1") && engine.node_images().len() == 1);
}

#[tokio::test]
async fn the_beginning_of_several_ids_is_refused_and_removes_nothing() {
    let stores = MemoryStore::open();
    let engine = open(&stores).await;
    // So many that the first four characters of two IDs are the same: the texts are chosen so.
    let id = |number: u32| {
        let config = config("linux/amd64", &number.to_string());
        Digest::of(config.to_string().as_bytes()).to_string()["sha256:".len()..][..4].to_owned()
    };
    let mut known = HashMap::new();
    let twins = (0..).find_map(|number| Some((known.insert(id(number), number)?, number))).unwrap();
    for number in [twins.0, twins.1] {
        let mut layout = Layout::default();
        let image = layout.image("linux/amd64", &number.to_string());
        layout.named(&image, &format!("app:{number}"));
        load(&engine, layout.tar()).await;
    }
    let prefix = id(twins.0);
    for text in [prefix.clone(), format!("sha256:{prefix}")] {
        assert_eq!(engine.node_image(&text).unwrap_err().kind(), Kind::InvalidArgument, "{text}");
        assert_eq!(engine.remove_from_node(&text).await.unwrap_err().kind(), Kind::InvalidArgument, "{text}");
    }
    let images = engine.node_images();
    assert_eq!(images.len(), 2);
    let whole = images[0].id.to_string();
    assert_eq!(engine.node_image(&whole[..40]).unwrap().unwrap().id, images[0].id);
    assert_eq!(engine.node_image(" ").unwrap_err().kind(), Kind::InvalidArgument);
}

#[tokio::test]
async fn an_image_without_a_name_is_listed_and_removed_by_its_id() {
    let engine = open(&MemoryStore::open()).await;
    load(&engine, Layout::of_one("app:1").tar()).await;
    let mut other = Layout::default();
    let image = other.image("linux/amd64", "other");
    other.named(&image, "app:1");
    load(&engine, other.tar()).await;
    let images = engine.node_images();
    let [unnamed] = images.iter().filter(|image| image.names.is_empty()).collect::<Vec<_>>().try_into().unwrap();
    assert!(unnamed.digests.is_empty());
    assert!(engine.remove_from_node(&unnamed.id.to_string()).await.unwrap());
    assert!(!engine.remove_from_node(&unnamed.id.to_string()).await.unwrap());
    assert_eq!(engine.node_images().len(), 1);
}

#[tokio::test]
async fn what_a_stranger_writes_into_an_image_is_shown_within_limits() {
    let engine = open(&MemoryStore::open()).await;
    let mut config = config("linux/amd64", "app");
    config["config"]["User"] = json!("é".repeat(10_000));
    config["config"]["Labels"] = json!({"io.cri-containerd.pinned": "pinned"});
    let mut layout = Layout::default();
    let layer = layout.blob(crate::support::images::LAYER, "layer");
    let configuration = layout.blob(crate::support::images::CONFIG, config.to_string());
    let manifest = json!({"schemaVersion": 2, "mediaType": crate::support::images::MANIFEST, "config": configuration,
        "layers": [layer], "annotations": {"a": "x".repeat(20_000), "io.cri-containerd.pinned": "pinned"}});
    let image = layout.blob(crate::support::images::MANIFEST, manifest.to_string());
    layout.named(&image, "app:1");
    load(&engine, layout.tar()).await;
    let image = engine.node_image("app:1").unwrap().unwrap();
    assert_eq!((image.user.len(), image.annotations.iter().count(), image.pinned), (256, 0, false));
}

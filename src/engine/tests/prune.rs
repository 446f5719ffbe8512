//! Prune, disk usage, and what they tell.

use super::*;
use crate::domain::event::Event;
use crate::domain::filter::LabelTest;
use crate::engine::gc::collect::{Collected, collect};
use crate::store::IngestRequest;

/// Images with names go, too.
fn all() -> PruneFilter {
    PruneFilter { named: true, ..PruneFilter::default() }
}

fn label(name: &str, value: &str) -> Option<Vec<LabelTest>> {
    Some(vec![LabelTest { name: name.to_owned(), value: Some(value.to_owned()), expected: true }])
}

fn texts(pruned: &Pruned) -> Vec<String> {
    let text = |removed: &Removed| match removed {
        Removed::Name(name) => name.clone(),
        Removed::Content(digest) => digest.to_string(),
    };
    pruned.removed.iter().map(text).collect()
}

fn bytes(engine: &Engine) -> u64 {
    engine.blobs().iter().map(|blob| blob.size).sum()
}

async fn told(engine: &Engine) -> Vec<String> {
    let past = EventQuery {
        since: Some(jiff::Timestamp::UNIX_EPOCH),
        until: Some(jiff::Timestamp::now()),
        ..EventQuery::default()
    };
    let text =
        |event: Arc<Event>| format!("{} {}", event.action.name(), event.attributes.get("name").unwrap_or_default());
    engine.events(past).map(text).collect().await
}

#[tokio::test]
async fn only_images_without_a_name_go_unless_more_is_asked_for() {
    let engine = loaded().await;
    assert_eq!(engine.prune(&PruneFilter::default()).await.unwrap(), Pruned::default());
    for name in ["legacy/three-layers:1", "legacy/three-layers:latest"] {
        engine.tag(&called(APP), &new_name(name)).await.unwrap();
    }
    let before = bytes(&engine);
    let pruned = engine.prune(&PruneFilter::default()).await.unwrap();
    assert_eq!(texts(&pruned), [LEGACY_ID, LEGACY_ID]);
    assert_eq!(pruned.reclaimed, before - bytes(&engine));
    assert!(pruned.reclaimed > 2_000_000);
    let all = engine.prune(&all()).await.unwrap();
    // Four names, the index, and six manifests under it.
    assert_eq!(all.removed.len(), 4 + 1 + 6);
    assert_eq!(all.reclaimed, before - pruned.reclaimed);
    assert!(engine.blobs().is_empty() && engine.image_count() == 0);
}

#[tokio::test]
async fn filters_choose_what_goes() {
    let engine = loaded().await;
    for nothing in [
        PruneFilter { labels: label("origin", "elsewhere"), ..all() },
        PruneFilter { until: jiff::Timestamp::from_second(946_684_800).ok(), ..all() },
        PruneFilter { labels: label("origin", "legacy"), ..PruneFilter::default() },
    ] {
        assert_eq!(engine.prune(&nothing).await.unwrap(), Pruned::default(), "{nothing:?}");
    }
    engine.prune(&PruneFilter { labels: label("origin", "legacy"), ..all() }).await.unwrap();
    assert_eq!(ids(&engine), [APP_ID]);
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_let_go() {
    let engine = loaded().await;
    let statements = engine.attestation_bodies(&called(APP), &AttestationQuery::default()).await.unwrap();
    let held: u64 = statements.iter().map(|(_, blob)| blob.size).sum();
    let usage = engine.disk_usage().await.unwrap();
    assert_eq!((usage.total, usage.total - usage.reclaimable), (bytes(&engine), held));
    assert_eq!(usage.images.rows.len(), 2);
    let pruned = engine.prune(&all()).await.unwrap();
    assert_eq!(pruned.reclaimed, usage.reclaimable);
    assert_eq!(bytes(&engine), held);
    drop(statements);
    // It goes by itself now, or with a prune that comes first.
    engine.prune(&PruneFilter::default()).await.unwrap();
    assert!(engine.blobs().is_empty());
}

#[tokio::test]
async fn a_prune_in_the_middle_of_a_load_takes_nothing_from_it() {
    let engine = engine().await;
    let archive = fixture("app-oci.tar");
    let pieces: Vec<Bytes> = archive.chunks(64 << 10).map(Bytes::copy_from_slice).collect();
    let pruning = engine.clone();
    let slowly = stream::iter(pieces).then(move |piece| {
        let engine = pruning.clone();
        async move {
            engine.prune(&all()).await.unwrap();
            Ok(piece)
        }
    });
    let mut events = engine.load(LoadOptions::default(), slowly);
    while let Some(event) = events.recv().await {
        assert!(matches!(event, LoadEvent::Named(_)), "{event:?}");
    }
    let manifests = engine.inspect(&called(APP), None).await.unwrap().manifests;
    assert!(manifests.len() == 6 && manifests.iter().all(|manifest| manifest.available));
}

#[tokio::test]
async fn labels_that_would_fill_the_memory_are_left_out_of_events() {
    let engine = engine().await;
    for (name, size) in [("small/label:1", 60_000), ("big/label:1", 70_000)] {
        let config = format!(
            r#"{{"os":"linux","architecture":"amd64","config":{{"Labels":{{"note":"{}"}}}}}}"#,
            "x".repeat(size)
        );
        let manifest = format!(r#"[{{"Config":"c.json","RepoTags":["{name}"],"Layers":[]}}]"#);
        let mut archive = tar::Builder::new(Vec::new());
        for (path, text) in [("c.json", config), ("manifest.json", manifest)] {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        load(&engine, LoadOptions::default(), archive.into_inner().unwrap()).await.unwrap();
    }
    let past = EventQuery {
        since: Some(jiff::Timestamp::UNIX_EPOCH),
        until: Some(jiff::Timestamp::now()),
        ..EventQuery::default()
    };
    let labelled: Vec<bool> = engine.events(past).map(|event| event.attributes.get("note").is_some()).collect().await;
    assert_eq!(labelled, [true, false]);
}

#[tokio::test]
async fn every_change_is_told_of() {
    let engine = engine().await;
    load(&engine, LoadOptions::default(), fixture("legacy-docker-archive.tar")).await.unwrap();
    engine.tag(&called("legacy/three-layers:1"), &new_name("copy/app:2")).await.unwrap();
    engine.remove(&called("copy/app:2"), RemoveOptions::default()).await.unwrap();
    engine.prune(&all()).await.unwrap();
    let id = LEGACY_ID;
    let expected = [
        &format!("load {id}"),
        &format!("load {id}"),
        "tag copy/app:2",
        "untag copy/app:2",
        "untag legacy/three-layers:1",
        "untag legacy/three-layers:latest",
        &format!("delete {id}"),
        "prune ",
    ];
    assert_eq!(told(&engine).await, expected);
    let listening = engine.events(EventQuery::default());
    assert_eq!(engine.event_listeners(), 1);
    drop(listening);
    assert_eq!(engine.event_listeners(), 0);
}

#[tokio::test]
async fn a_manifest_that_was_not_parsed_is_not_here_yet() {
    let engine = engine().await;
    let options = LoadOptions { platforms: vec![Platform::parse_specifier("linux/arm64").unwrap()] };
    load(&engine, options, fixture("app-oci.tar")).await.unwrap();
    let before = bytes(&engine);
    // As a load leaves it that brings the other platforms in several steps and is killed between two of them.
    let mut archive = tar::Archive::new(std::io::Cursor::new(fixture("app-oci.tar")));
    let amd64 = engine.list(&ListQuery::default()).unwrap().rows[0].summary().manifests[0].descriptor.digest.clone();
    let entry =
        archive.entries().unwrap().map(std::result::Result::unwrap).find(|e| e.path().unwrap().ends_with(amd64.hex()));
    let mut manifest = Vec::new();
    std::io::Read::read_to_end(&mut entry.unwrap(), &mut manifest).unwrap();
    let request = IngestRequest { expected: Some(amd64.clone()), ..IngestRequest::default() };
    let mut ingest = engine.0.stores.blobs.ingest(request).await.unwrap();
    ingest.write(&manifest).await.unwrap();
    engine.0.publisher.record(vec![ingest.finish().await.unwrap()]).await.unwrap();
    assert!(bytes(&engine) > before);
    let listing = engine.list(&ListQuery::default()).unwrap();
    let manifests = listing.rows[0].summary().manifests;
    assert!(!manifests[0].available && manifests[1].available);
    engine.prune(&PruneFilter::default()).await.unwrap();
    assert_eq!(bytes(&engine), before);
}

#[tokio::test]
async fn what_only_a_lease_kept_goes_when_it_ends() {
    let engine = loaded().await;
    let reading = engine.blob(&APP_ID.parse().unwrap()).await.unwrap();
    let before = bytes(&engine);
    engine.remove(&called(APP), RemoveOptions { force: true, ..RemoveOptions::default() }).await.unwrap();
    engine
        .remove(&called("127.0.0.1:5000/team/app:1.0"), RemoveOptions { force: true, ..RemoveOptions::default() })
        .await
        .unwrap();
    assert_eq!((engine.image_count(), bytes(&engine)), (1, before), "the index is read, and all is under it");
    drop(reading);
    while bytes(&engine) > before / 2 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(engine.blobs().iter().all(|blob| blob.digest.to_string() != APP_ID));
}

#[tokio::test]
async fn what_one_removal_leaves_is_what_a_collection_of_everything_would() {
    let engine = engine().await;
    let mut names = Vec::new();
    for file in ["app-oci.tar", "legacy-docker-archive.tar", "app-oci.tar"] {
        names.extend(load(&engine, LoadOptions::default(), fixture(file)).await.unwrap());
        // Content that two images share, and an image that comes back.
        let some = ids(&engine).remove(0);
        engine.tag(&called(&some), &new_name("shared/app:1")).await.unwrap();
        engine.remove(&called(&names.remove(0)), RemoveOptions::default()).await.unwrap();
        assert_eq!(collect(&engine.0.publisher, None).await.unwrap(), Collected::default(), "{file}");
    }
    for id in ids(&engine) {
        engine.remove(&called(&id), RemoveOptions { force: true, ..RemoveOptions::default() }).await.unwrap();
        assert_eq!(collect(&engine.0.publisher, None).await.unwrap(), Collected::default(), "{id}");
    }
    assert!(engine.blobs().is_empty());
}

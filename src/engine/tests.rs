//! The verbs together, on a store in memory and on real images.

use std::io::Write;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

mod names;
mod opaque;
mod prune;
mod records;
mod writer;

use std::sync::Arc;

use super::*;
use crate::domain::Result;
use crate::domain::image::ManifestKind;
use crate::domain::{Digest, ImageName, Kind, Platform, Reference, TagName, attestation};
use crate::store::MemoryStore;

pub(super) const APP: &str = "registry.example/team/app:1.0";
pub(super) const APP_ID: &str = "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7";
pub(super) const LEGACY_ID: &str = "sha256:006caab3563e9a6187e8ad7c085ad66910e5587c3aa0621761a64e81561b23d5";

pub(super) async fn engine() -> Engine {
    Engine::with_stores(Settings::new("/nowhere"), MemoryStore::open()).await.unwrap()
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub(super) fn called(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

fn shown(names: &[Reference]) -> Vec<String> {
    names.iter().map(Reference::familiar).collect()
}

pub(super) fn new_name(text: &str) -> TagName {
    TagName::new(text.parse().unwrap()).unwrap()
}

pub(super) async fn load(engine: &Engine, options: LoadOptions, archive: Vec<u8>) -> Result<Vec<String>> {
    let pieces: Vec<_> = archive.chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut events = engine.load(options, stream::iter(pieces));
    let mut names = Vec::new();
    while let Some(event) = events.recv().await {
        match event {
            LoadEvent::Named(name) => names.push(name),
            LoadEvent::Untagged(digest) => names.push(digest.to_string()),
            LoadEvent::Failed(error) => return Err(error),
        }
    }
    Ok(names)
}

async fn loaded() -> Engine {
    let engine = engine().await;
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    load(&engine, LoadOptions::default(), fixture("legacy-docker-archive.tar")).await.unwrap();
    engine
}

fn ids(engine: &Engine) -> Vec<String> {
    ids_of(engine, ImageFilter::default())
}

fn dangling_ids(engine: &Engine) -> Vec<String> {
    ids_of(engine, ImageFilter { dangling: Some(true), ..ImageFilter::default() })
}

fn ids_of(engine: &Engine, filter: ImageFilter) -> Vec<String> {
    let listing = engine.list(&ListQuery { filter, shared_size: false }).unwrap();
    listing.rows.iter().map(|row| row.summary().target.digest.to_string()).collect()
}

#[tokio::test]
async fn what_is_loaded_is_listed_newest_first() {
    let engine = loaded().await;
    assert_eq!(ids(&engine), [LEGACY_ID, APP_ID]);
    let rows = engine.list(&ListQuery::default()).unwrap().rows;
    let app = rows[1].summary();
    assert_eq!(shown(app.names), ["127.0.0.1:5000/team/app:1.0", APP]);
    assert_eq!(app.created, 1_767_225_600);
    let kinds: Vec<&str> = app
        .manifests
        .iter()
        .map(|manifest| match (&manifest.kind, manifest.manifest()) {
            (ManifestKind::Image, Some(_)) => "image",
            (ManifestKind::Attestation(_), Some(shown)) if attestation::statements(shown).count() == 2 => "attestation",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["image", "image", "image", "attestation", "attestation", "attestation"]);
    assert!(app.manifests.iter().all(|manifest| manifest.available));
    assert_eq!(app.manifests[0].content_size, 1_067_320);
}

#[tokio::test]
async fn images_are_found_by_every_name_they_have() {
    let engine = loaded().await;
    for name in [
        APP,
        "registry.example/team/app@sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
        APP_ID,
        &APP_ID[7..],
        &APP_ID[7..19],
        &APP_ID[..20],
        // A manifest and a configuration under it.
        "sha256:5856fc54da631d758059b384540ebac0ef666b859d2b8fe183f39436d0dd3967",
        "sha256:16e8a202019a95f9b608b844b8e912343180c52ef84e86adbc72d292e5accb2e",
    ] {
        let detail = engine.inspect(&called(name), None).await.unwrap();
        assert_eq!(detail.target.digest.to_string(), APP_ID, "{name}");
    }
    for (name, text) in [
        ("nope", "no such image: nope:latest"),
        ("registry.example/team/app", "no such image: registry.example/team/app:latest"),
        ("5", "no such image: 5:latest"),
    ] {
        let error = engine.inspect(&called(name), None).await.err().unwrap();
        assert_eq!((error.kind(), error.public()), (Kind::NotFound, text));
    }
}

#[tokio::test]
async fn each_platform_has_its_own_statements() {
    let engine = loaded().await;
    let mut seen = std::collections::HashSet::new();
    for platform in ["linux/amd64", "linux/arm64", "linux/arm/v7"] {
        let platform = Some(Platform::parse_specifier(platform).unwrap());
        let query = AttestationQuery { platform, types: vec![] };
        let bodies = engine.attestation_bodies(&called(APP), &query).await.unwrap();
        assert_eq!(bodies.len(), 2);
        for (statement, blob) in bodies {
            let bytes: Vec<Bytes> = blob.stream(0, u64::MAX, 100).try_collect().await.unwrap();
            assert_eq!(Digest::of(&bytes.concat()), statement.digest);
            assert!(seen.insert(statement.digest));
        }
    }
    let types = vec!["https://slsa.dev/provenance/v1".to_owned()];
    let one = engine.attestations(&called(APP), &AttestationQuery { platform: None, types }).await.unwrap();
    assert_eq!(one.len(), 1);
    let none = engine.attestations(&called("legacy/three-layers:1"), &AttestationQuery::default()).await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn one_platform_can_be_loaded_alone_with_its_evidence() {
    let engine = engine().await;
    let options = LoadOptions { platforms: vec![Platform::parse_specifier("linux/arm64").unwrap()] };
    load(&engine, options, fixture("app-oci.tar")).await.unwrap();
    let listing = engine.list(&ListQuery::default()).unwrap();
    let summary = listing.rows[0].summary();
    let available: Vec<bool> = summary.manifests.iter().map(|manifest| manifest.available).collect();
    assert_eq!(available, [false, true, false, false, true, false]);
    // index, manifest, configuration, layers, attestation manifest, its configuration, two statements
    assert!(engine.blobs().len() < 12, "{} blobs for one platform", engine.blobs().len());
    let options = LoadOptions { platforms: vec![Platform::parse_specifier("linux/riscv64").unwrap()] };
    let error = load(&engine, options, fixture("app-oci.tar")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    // The platforms that were left out can come later.
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    assert!(engine.list(&ListQuery::default()).unwrap().rows[0].summary().manifests.iter().all(|m| m.available));
}

#[tokio::test]
async fn a_load_that_fails_leaves_nothing_behind() {
    let whole = fixture("app-oci.tar");
    let mut damaged = whole.clone();
    // In the middle of the largest layer: its digest no longer fits.
    damaged[1_200_000] ^= 1;
    for archive in [whole[..whole.len() / 2].to_vec(), damaged, b"garbage".to_vec(), vec![]] {
        let engine = engine().await;
        load(&engine, LoadOptions::default(), archive).await.unwrap_err();
        assert!(engine.blobs().is_empty() && engine.ingests().is_empty() && engine.image_count() == 0);
        assert!(engine.0.leases.held().is_empty());
        load(&engine, LoadOptions::default(), whole.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn a_load_that_is_given_up_leaves_nothing_behind() {
    let engine = engine().await;
    let archive = fixture("app-oci.tar");
    let half = Bytes::copy_from_slice(&archive[..archive.len() / 2]);
    let endless = stream::once(async { Ok(half) }).chain(stream::pending());
    let events = engine.load(LoadOptions::default(), endless);
    while engine.ingests().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    drop(events);
    while !engine.ingests().is_empty() || !engine.0.leases.held().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(engine.blobs().is_empty());
}

#[tokio::test]
async fn an_image_that_loses_its_last_name_is_kept_under_its_digest() {
    let engine = loaded().await;
    // Another image under both names of the first.
    let layer = b"another layer".to_vec();
    let config = br#"{"os":"linux","architecture":"amd64","config":{}}"#.to_vec();
    let manifest =
        format!(r#"[{{"Config":"c.json","RepoTags":["{APP}","127.0.0.1:5000/team/app:1.0"],"Layers":["l.tar"]}}]"#);
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in [("l.tar", layer), ("c.json", config), ("manifest.json", manifest.into_bytes())] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    load(&engine, LoadOptions::default(), archive.into_inner().unwrap()).await.unwrap();
    assert_eq!(dangling_ids(&engine), [APP_ID]);
    assert_eq!(engine.image_count(), 3);
    // It gets its names back, and the other is dangling.
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    let dangling = dangling_ids(&engine);
    assert!(dangling.len() == 1 && dangling[0] != APP_ID, "{dangling:?}");
}

#[tokio::test]
async fn an_unchanged_image_is_rendered_once() {
    let engine = loaded().await;
    let render = |engine: &Engine| -> usize {
        let rendered = std::cell::Cell::new(0);
        for row in engine.list(&ListQuery::default()).unwrap().rows {
            row.rendered(1, |summary, bytes| {
                rendered.set(rendered.get() + 1);
                write!(bytes, "{}", summary.target.digest).unwrap();
            });
        }
        rendered.get()
    };
    assert_eq!((render(&engine), render(&engine)), (2, 0));
    // The legacy image gets its names again and nothing of it changes; it is not rendered again.
    load(&engine, LoadOptions::default(), fixture("legacy-docker-archive.tar")).await.unwrap();
    assert_eq!(render(&engine), 0);
}

#[tokio::test]
async fn history_is_newest_first_and_names_the_image_once() {
    let engine = loaded().await;
    let history = engine.history(&called("legacy/three-layers:1"), None).await.unwrap();
    assert_eq!(history[0].id.as_ref().map(ToString::to_string).as_deref(), Some(LEGACY_ID));
    assert_eq!(shown(&history[0].names), ["legacy/three-layers:1", "legacy/three-layers:latest"]);
    assert!(history[1..].iter().all(|item| item.id.is_none() && item.names.is_empty()));
    assert_eq!(history.iter().map(|item| item.size).sum::<u64>(), 2_124_800 + 2048 + 2048);
}

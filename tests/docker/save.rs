//! `GET /images/{name}/get` and `GET /images/get`: what an archive holds, and that it loads again.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::http::{Client, Request};
use crate::support::images::{self, Layout, PROVENANCE, digest, docker_archive};
use crate::support::loading::{encode, is_whole, loaded, read};

/// The files of an archive by path.
fn members(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert!(files.insert(path, content).is_none());
        }
    }
    files
}

/// Saves images and checks that the archive lacks nothing that it refers to.
#[track_caller]
fn saved(client: &Client, target: &str) -> Vec<u8> {
    let answer = client.get(target).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-tar"));
    let files = members(&answer.body);
    let mut next = entries(&files);
    while let Some(descriptor) = next.pop() {
        let path = format!("blobs/{}", digest(&descriptor).replace(':', "/"));
        let bytes = files.get(&path).unwrap_or_else(|| panic!("the archive lacks {descriptor}"));
        assert_eq!(json!(bytes.len()), descriptor["size"]);
        let media_type = descriptor["mediaType"].as_str().unwrap();
        if media_type.contains("index") || media_type.contains("manifest") {
            let document: Value = serde_json::from_slice(bytes).unwrap();
            for list in ["manifests", "layers"] {
                next.extend(document[list].as_array().cloned().unwrap_or_default());
            }
            next.extend(document.get("config").cloned());
        }
    }
    answer.body
}

fn entries(files: &BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    index["manifests"].as_array().unwrap().clone()
}

#[test]
fn what_was_saved_and_loaded_is_saved_the_same() {
    let (one, two) = (Daemon::start(), Daemon::start());
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "a");
    let arm64 = layout.image("linux/arm64", "b");
    let statement = layout.statement(PROVENANCE, b"{}");
    let attestation = layout.attestation(&amd64, std::slice::from_ref(&statement));
    let index = layout.index(&[amd64.clone(), arm64, attestation]);
    layout.named(&index, "registry.test/app:1");
    layout.named(&index, "short:2");
    let referrer = layout.referrer(&amd64, "application/vnd.test.evidence", &[statement]);
    layout.listed(&referrer);
    loaded(&one.client(), layout.tar());
    loaded(&one.client(), docker_archive(&["registry.test/old:1"], &["one", "two"]));
    let target = "/images/get?names=registry.test/app:1&names=short:2,registry.test/old:1";
    let first = saved(&one.client(), target);
    assert_eq!(loaded(&two.client(), first.clone()), ["registry.test/app:1", "short:2", "registry.test/old:1"]);
    assert!(saved(&two.client(), target) == first, "the second archive differs from the first");
    read(&two.client(), digest(&referrer)).expect(200);
    is_whole(&two);

    let files = members(&first);
    let docker: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(docker[0]["RepoTags"], json!(["registry.test/app:1", "short:2"]));
    assert_eq!(docker[1]["Layers"].as_array().unwrap().len(), 2);
    assert_eq!(entries(&files)[0]["annotations"]["org.opencontainers.image.ref.name"], "1");
}

#[test]
fn an_image_that_is_not_whole_is_saved_with_a_trimmed_index() {
    let (one, two) = (Daemon::start(), Daemon::start());
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "a");
    let arm64 = layout.image("linux/arm64", "b");
    let statement = layout.statement(PROVENANCE, b"{}");
    let about_amd64 = layout.attestation(&amd64, std::slice::from_ref(&statement));
    let about_arm64 = layout.attestation(&arm64, &[statement]);
    let index = layout.index(&[amd64.clone(), arm64.clone(), about_amd64.clone(), about_arm64]);
    layout.named(&index, "registry.test/partial:1");
    layout.remove(&arm64);
    loaded(&one.client(), layout.tar());
    let first = saved(&one.client(), "/images/registry.test/partial:1/get");
    let files = members(&first);
    let entry = &entries(&files)[0];
    assert_ne!(digest(entry), digest(&index));
    let trimmed: Value = serde_json::from_slice(&files[&format!("blobs/{}", digest(entry).replace(':', "/"))]).unwrap();
    assert_eq!(trimmed["annotations"]["dev.loadline.trimmed-from"], digest(&index));
    assert_eq!(trimmed["manifests"], json!([amd64, about_amd64]));
    loaded(&two.client(), first.clone());
    assert!(saved(&two.client(), "/images/registry.test/partial:1/get") == first);

    // A single manifest cannot be trimmed.
    let mut bare = Layout::default();
    let image = bare.image("linux/amd64", "c");
    let layer = serde_json::from_slice::<Value>(bare.bytes(&image)).unwrap()["layers"][0].clone();
    bare.named(&image, "registry.test/bare:1");
    bare.remove(&layer);
    loaded(&one.client(), bare.tar());
    one.client().get("/images/registry.test/bare:1/get").expect(404);
}

#[test]
fn only_the_platforms_asked_for_are_saved() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let name = "registry.test/many:1";
    loaded(&client, Layout::of_platforms(name, &["linux/amd64", "linux/arm64", "linux/s390x"]).tar());
    let platform = |text: &str| format!("platform={}", encode(&images::platform(text).to_string()));
    let one = saved(&client, &format!("/images/{name}/get?{}", platform("linux/arm64")));
    let files = members(&one);
    assert_eq!(entries(&files).len(), 1);
    assert_eq!(entries(&files)[0]["mediaType"], images::MANIFEST);
    assert_eq!(files.keys().filter(|path| path.starts_with("blobs/")).count(), 3);
    let both = format!("/images/{name}/get?{}&{}", platform("linux/arm64"), platform("linux/s390x"));
    let files = members(&saved(&client, &both));
    assert_eq!(files.keys().filter(|path| path.starts_with("blobs/")).count(), 7);
    client.get(&format!("/v1.51{both}")).expect(400);
    let missing = client.get(&format!("/images/{name}/get?{}", platform("linux/riscv64"))).expect(404).json();
    let text = missing["message"].as_str().unwrap();
    assert!(text.starts_with("no suitable export target found") && text.contains("linux/riscv64"), "{text}");
    // Versions that do not have the parameter save everything.
    let whole = saved(&client, &format!("/v1.47/images/{name}/get?{}", platform("linux/riscv64")));
    assert_eq!(members(&whole).keys().filter(|path| path.starts_with("blobs/")).count(), 10);
}

#[test]
fn ids_save_content_and_repositories_save_names() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "a");
    layout.named(&image, "registry.test/app:1");
    layout.named(&image, "registry.test/app:2");
    loaded(&client, layout.tar());
    let by_id = members(&saved(&client, &format!("/images/{}/get", digest(&image))));
    assert_eq!(entries(&by_id)[0].get("annotations"), None);
    assert_eq!(serde_json::from_slice::<Value>(&by_id["manifest.json"]).unwrap()[0]["RepoTags"], Value::Null);
    assert_eq!(entries(&members(&saved(&client, "/images/registry.test/app/get"))).len(), 2);
    client.get("/images/get").expect(400);
    client.get("/images/get?names=").expect(400);
    client.get("/images/get?names=nope&names=registry.test/app:1").expect(404);
}

#[test]
fn a_client_that_hangs_up_frees_what_is_read() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", &"large".repeat(4 << 20));
    layout.named(&image, "registry.test/large:1");
    loaded(&client, layout.tar());
    let mut open = client.open(&Request::get("/images/registry.test/large:1/get")).unwrap();
    let mut start = [0; 4096];
    open.body.read_exact(&mut start).unwrap();
    // What is read stays although its name goes.
    client.delete("/images/registry.test/large:1").expect(200);
    drop(open);
    // Once nobody reads it, a prune takes it.
    let begun = std::time::Instant::now();
    while read(&client, digest(&image)).status != 404 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "the lease is never given back");
        client.post("/images/prune", "application/json", "").expect(200);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

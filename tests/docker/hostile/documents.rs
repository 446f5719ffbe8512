//! Indexes, manifests and names that are wrong, too large, or too many.

use loadline::domain::Digest;
use serde_json::{Value, json};

use super::{Target, good, gzip};
use crate::docker::load::peak_memory;
use crate::support::daemon::Daemon;
use crate::support::images::{self, CONFIG, INDEX, LAYER, Layout, MANIFEST, annotated, digest, path, with};
use crate::support::loading::{files, is_whole, load, loaded};
use crate::support::tar::Tar;

/// A layout whose `index.json` names a blob of these bytes.
fn layout_naming(media_type: &str, bytes: &[u8]) -> Vec<u8> {
    let mut layout = good();
    let descriptor = layout.blob(media_type, bytes);
    layout.named(&descriptor, "registry.test/bad:2");
    layout.tar()
}

#[test]
fn documents_that_are_none() {
    let target = Target::start();
    for (what, says, bytes) in [
        ("text", "invalid manifest", b"hello".to_vec()),
        ("an array", "invalid manifest", b"[]".to_vec()),
        ("nothing", "invalid manifest", Vec::new()),
        ("null", "invalid manifest", b"null".to_vec()),
        ("no UTF-8", "invalid manifest", b"{\"mediaType\": \"\xff\xfe\"}".to_vec()),
        ("an object of nothing", "is not of its type", b"{}".to_vec()),
        ("deep nesting", "invalid manifest", [b"[".repeat(200_000), b"]".repeat(200_000)].concat()),
        ("deep nesting inside", "invalid manifest", [b"{\"a\":".to_vec(), b"{\"a\":".repeat(100_000)].concat()),
        ("schema 1", "schema 1 are not supported", br#"{"schemaVersion":1,"fsLayers":[],"name":"a"}"#.to_vec()),
        ("layers that are none", "invalid manifest", br#"{"schemaVersion":2,"config":{},"layers":{}}"#.to_vec()),
    ] {
        target.refuses(what, layout_naming(MANIFEST, &bytes), says);
    }
    for (what, says, bytes) in [
        ("manifests that are none", "invalid manifest", br#"{"schemaVersion":2,"manifests":7}"#.to_vec()),
        ("numbers for manifests", "invalid manifest", br#"{"schemaVersion":2,"manifests":[1,2]}"#.to_vec()),
        ("both at once", "a manifest and an index at once", format!(r#"{{"schemaVersion":2,"manifests":[],"layers":[],"config":{{"mediaType":"{CONFIG}","digest":"{}","size":2}}}}"#, Digest::of(b"{}")).into_bytes()),
        ("a manifest, it says", "its descriptor says", format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","manifests":[]}}"#).into_bytes()),
    ] {
        target.refuses(what, layout_naming(INDEX, &bytes), says);
    }
    for index in ["", "[]", "7", "{", r#"{"manifests":{}}"#, r#"{"manifests":[7]}"#, r#"{"manifests":[{}]}"#] {
        let tar = Tar::default().file("oci-layout", b"{}").file("index.json", index.as_bytes());
        target.refuses(&format!("index.json: {index}"), tar.end(), "invalid index.json");
    }
    for manifest in ["", "{}", "7", "[7]", "[{}]", r#"[{"Config":7}]"#, r#"[{"Config":"a","Layers":[7]}]"#] {
        let tar = Tar::default().file("manifest.json", manifest.as_bytes());
        target.refuses(&format!("manifest.json: {manifest}"), tar.end(), "invalid manifest.json");
    }
    target.refuses("a layer for an image", layout_naming(LAYER, b"layer"), "no image");
    target.refuses("an unknown type", layout_naming("text/html", b"<html>"), "no image");
    target.stays_unharmed();
}

#[test]
fn documents_that_are_too_large() {
    let target = Target::start();
    let padded = |size: usize| {
        let (start, end) =
            (format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[],"annotations":{{"a":""#), "\"}}");
        format!("{start}{}{end}", "x".repeat(size - start.len() - end.len()))
    };
    const LIMIT: usize = 4 << 20;
    target.refuses("an index of 4 MiB and a byte", layout_naming(INDEX, padded(LIMIT + 1).as_bytes()), "larger than");
    target.refuses("an index of 64 MiB", layout_naming(INDEX, padded(64 << 20).as_bytes()), "larger than");
    target.refuses("a compressed one", gzip(&layout_naming(INDEX, padded(64 << 20).as_bytes())), "larger than");
    let giant = padded(64 << 20);
    for path in ["index.json", "manifest.json", "oci-layout"] {
        let plain = Tar::default().file(path, giant.as_bytes()).end();
        target.refuses(path, zstd::encode_all(plain.as_slice(), 1).unwrap(), "larger than");
        target.refuses(path, plain, "larger than");
    }
    target.stays_unharmed();

    let target = Target::start();
    assert_eq!(load(&target.daemon.client(), layout_naming(INDEX, padded(LIMIT).as_bytes())).len(), 2);
}

#[test]
fn listings_that_fill_the_memory() {
    let target = Target::start();
    // Numbers of which each is small as bytes and large in memory.
    let zeroes = format!(r#"{{"manifests":[{}0]}}"#, "0,".repeat(8 << 20));
    let tar = Tar::default().file("oci-layout", b"{}").file("index.json", zeroes.as_bytes()).end();
    target.refuses("sixteen million numbers", gzip(&tar), "larger than");
    let tar = Tar::default().file("manifest.json", format!("[{}0]", "0,".repeat(8 << 20)).as_bytes()).end();
    target.refuses("sixteen million numbers", gzip(&tar), "larger than");
    target.stays_unharmed();
}

#[test]
fn indexes_without_end() {
    let target = Target::start();
    let mut layout = Layout::default();
    let mut deep = layout.image("linux/amd64", "deep");
    for _ in 0..100 {
        deep = layout.index(&[deep]);
    }
    layout.named(&deep, "registry.test/deep:1");
    target.refuses("a hundred levels", layout.tar(), "nested");

    // A digest cannot stand in its own content, so an index that names itself lies about one of the two.
    let own = Digest::of(b"own");
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": INDEX, "digest": own.to_string(), "size": 3}]});
    let mut layout = Layout::default();
    layout.named(
        &json!({"mediaType": INDEX, "digest": own.to_string(), "size": index.to_string().len()}),
        "registry.test/own:1",
    );
    let tar = layout.open_tar().file(&path(&own), index.to_string().as_bytes()).end();
    target.refuses("an index that names itself", tar, "does not match its digest");
    target.stays_unharmed();
}

#[test]
fn indexes_that_share_everything_are_read_once() {
    let daemon = Daemon::start();
    let client = daemon.client();
    // Every level names the one below ten times: ten million manifests to whoever walks without looking.
    let mut layout = Layout::default();
    let mut level = layout.image("linux/amd64", "shared");
    for _ in 0..7 {
        level = layout.index(&vec![level; 10]);
    }
    layout.named(&level, "registry.test/wide:1");
    // Thousands of manifests that are not here.
    let absent: Vec<Value> = (0..10_000)
        .map(|n| {
            with(
                &json!({"mediaType": MANIFEST, "digest": Digest::of(format!("{n}").as_bytes()).to_string(), "size": 9}),
                "platform",
                images::platform("linux/amd64"),
            )
        })
        .collect();
    let index = layout.index(&absent);
    layout.named(&index, "registry.test/many:1");
    let start = std::time::Instant::now();
    assert_eq!(loaded(&client, layout.tar()), ["registry.test/wide:1", "registry.test/many:1"]);
    for target in [
        "/images/json?manifests=1",
        "/images/registry.test/wide:1/json?manifests=1",
        "/images/registry.test/many:1/json?manifests=1",
    ] {
        client.get(target).expect(200);
    }
    // Each index is opened once, and the innermost names its manifest ten times.
    let wide = client.get("/images/registry.test/wide:1/json?manifests=1").expect(200).json();
    assert_eq!(wide["Manifests"].as_array().unwrap().len(), 10);
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(peak_memory(&daemon) < 256 << 20);
}

#[test]
fn very_many_entries_and_names() {
    let daemon = Daemon::start_unpacked();
    let client = daemon.client();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "named");
    for number in 0..5_000 {
        layout.listed(&annotated(&image, "io.containerd.image.name", &format!("registry.test/many:{number}")));
    }
    let tar = (0..20_000)
        .fold(layout.open_tar(), |tar, number| tar.file(&format!("junk/{number}"), format!("{number}").as_bytes()));
    assert_eq!(loaded(&client, gzip(&tar.end())).len(), 5_000);
    // Nothing of the junk is kept.
    assert_eq!(files(&daemon.data_root()).len(), 3);
    let row = client.get("/images/json").expect(200).json()[0].clone();
    assert_eq!(row["RepoTags"].as_array().unwrap().len(), 5_000);
}

#[test]
fn names_that_are_none() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let long = "x".repeat(5000);
    for (number, bad) in
        ["<none>:<none>", "a/UPPER:1", "../../etc", "a:b:c:d", "-x", "a b", "\u{0}", "é", long.as_str(), "sha256:abc"]
            .into_iter()
            .enumerate()
    {
        let mut layout = Layout::default();
        let image = layout.image("linux/amd64", &format!("bad name {number}"));
        layout.named(&image, bad);
        let lines = load(&client, layout.tar());
        // Either it is said to be no name, or the image is kept under its digest; never under something else.
        if lines[0]["error"].is_null() && bad != "sha256:abc" {
            assert_eq!(lines[0]["stream"], format!("Loaded image ID: {}\n", digest(&image)), "{bad:?}");
        }
    }
    let rows = client.get("/images/json").expect(200).json();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["RepoTags"] == json!([]) || row["RepoTags"] == json!(["sha256:abc"])),
        "{rows}"
    );
    is_whole(&daemon);
}

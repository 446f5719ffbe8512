//! `POST /images/load`: what an archive becomes.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::http::{Open, Request};
use crate::support::images::{self, IN_TOTO, INDEX, Layout, PROVENANCE, digest, docker_archive, with};
use crate::support::loading::{
    comes_to_hold, encode, error, files, is_whole, load, load_with, loaded, names, read, refused, row,
};
use crate::support::repository;
use crate::support::tar::Tar;

const ARM64: &str = r#"{"os":"linux","architecture":"arm64"}"#;
const S390X: &str = r#"{"os":"linux","architecture":"s390x"}"#;

fn platforms_query(platforms: &[&str]) -> String {
    let all: Vec<String> = platforms.iter().map(|platform| format!("platform={}", encode(platform))).collect();
    format!("/images/load?{}", all.join("&"))
}

#[test]
fn names_come_from_either_annotation() {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "a");
    let both = images::annotated(&image, "io.containerd.image.name", "registry.test/both:1");
    layout.listed(&images::annotated(&both, "org.opencontainers.image.ref.name", "other:2"));
    layout.listed(&images::annotated(&image, "org.opencontainers.image.ref.name", "registry.test/spec:1"));
    layout.listed(&images::annotated(&image, "io.containerd.image.name", "short"));
    assert_eq!(
        loaded(&daemon.client(), layout.tar()),
        ["registry.test/both:1", "registry.test/spec:1", "short:latest"]
    );
    let tags = row(&daemon.client(), "short:latest")["RepoTags"].clone();
    // By their full names: `short` is docker.io/library/short.
    assert_eq!(tags, json!(["short:latest", "registry.test/both:1", "registry.test/spec:1"]));
}

#[test]
fn an_image_without_a_name_is_kept_under_its_digest() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "untagged");
    layout.listed(&image);
    assert_eq!(loaded(&client, layout.tar()), [digest(&image)]);
    let rows = client.get("/images/json").expect(200).json();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["Id"]), (1, &json!(digest(&image))));
    assert_eq!((&rows[0]["RepoTags"], &rows[0]["RepoDigests"]), (&json!([]), &json!([])));
    client.get(&format!("/images/{}/json", digest(&image))).expect(200);

    // A name that comes later takes its place.
    layout.named(&image, "registry.test/late:1");
    load(&client, layout.tar());
    assert_eq!(client.get("/images/json").expect(200).json().as_array().unwrap().len(), 1);
    // So does a name that moves away leave the image without one.
    loaded(&client, Layout::of_one("registry.test/late:1").tar());
    let dangling = client.get("/images/json?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D").expect(200).json();
    assert_eq!(dangling[0]["Id"], digest(&image));
    is_whole(&daemon);
}

#[test]
fn docker_archives_of_every_age_load() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let legacy = std::fs::read(repository("tests/fixtures/legacy-docker-archive.tar")).unwrap();
    assert_eq!(loaded(&client, legacy), ["legacy/three-layers:1", "legacy/three-layers:latest"]);
    assert_eq!(loaded(&client, docker_archive(&["registry.test/new:1"], &["one", "two"])), ["registry.test/new:1"]);
    let untagged = loaded(&client, docker_archive(&[], &["three"]));
    assert!(untagged[0].starts_with("sha256:"), "{untagged:?}");
    // The file `repositories` says the same as manifest.json, which is newer.
    let tar = Tar::default().file("repositories", b"{\"lies\":{\"latest\":\"x\"}}");
    assert_eq!(
        loaded(&client, tar.bytes(&docker_archive(&["registry.test/r:1"], &["r"])).unended()),
        ["registry.test/r:1"]
    );
    is_whole(&daemon);
}

#[test]
fn compressed_archives_load_as_plain_ones_do() {
    let daemon = Daemon::start();
    let client = daemon.client();
    for (name, compress) in [("registry.test/gzip:1", gzip as fn(&[u8]) -> Vec<u8>), ("registry.test/zstd:1", zstd)] {
        assert_eq!(loaded(&client, compress(&Layout::of_one(name).tar())), [name]);
        let archive = name.replace("test/", "test/docker-");
        assert_eq!(loaded(&client, compress(&docker_archive(&[&archive], &[name]))), [archive]);
    }
    // Several gzip members in a row are one archive, as gzip itself reads them.
    let tar = Layout::of_one("registry.test/members:1").tar();
    let (first, second) = tar.split_at(700);
    assert_eq!(loaded(&client, [gzip(first), gzip(second)].concat()), ["registry.test/members:1"]);
    is_whole(&daemon);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn an_index_of_which_one_platform_is_here_loads() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "a");
    let arm64 = layout.image("linux/arm64", "b");
    let index = layout.index(&[amd64.clone(), arm64.clone()]);
    layout.named(&index, "registry.test/partial:1");
    let layers = serde_json::from_slice::<serde_json::Value>(layout.bytes(&arm64)).unwrap();
    layout.remove(&arm64);
    assert_eq!(loaded(&client, layout.tar()), ["registry.test/partial:1"]);
    let manifests = row(&client, "registry.test/partial:1")["Manifests"].clone();
    assert_eq!((&manifests[0]["Available"], &manifests[1]["Available"]), (&json!(true), &json!(false)));
    assert_eq!(manifests[1]["Size"]["Content"], 0);
    assert_eq!(manifests[1]["ImageData"]["Platform"], images::platform("linux/arm64"));
    // What nothing leads to is not kept.
    assert_eq!(read(&client, digest(&layers["config"])).status, 404);

    // The platform's manifest alone is not the platform.
    let mut bare = Layout::default();
    let amd64 = bare.image("linux/amd64", "c");
    let layer = serde_json::from_slice::<serde_json::Value>(bare.bytes(&amd64)).unwrap()["layers"][0].clone();
    let index = bare.index(&[amd64]);
    bare.named(&index, "registry.test/bare:1");
    bare.remove(&layer);
    loaded(&client, bare.tar());
    assert_eq!(row(&client, "registry.test/bare:1")["Manifests"][0]["Available"], false);

    // What was missing may come later.
    let mut rest = Layout::default();
    let arm64 = rest.image("linux/arm64", "b");
    rest.named(&arm64, "registry.test/rest:1");
    loaded(&client, rest.tar());
    assert_eq!(row(&client, "registry.test/partial:1")["Manifests"][1]["Available"], true);
    is_whole(&daemon);
}

#[test]
fn only_the_platforms_asked_for_are_kept() {
    let daemon = Daemon::start_unpacked();
    let client = daemon.client();
    let mut layout = Layout::default();
    let images: Vec<_> = ["linux/amd64", "linux/arm64", "linux/s390x"].map(|p| layout.image(p, p)).into();
    let mut manifests = images.clone();
    for image in &images {
        let statement = layout.statement(PROVENANCE, format!("{{\"about\":{}}}", image["digest"]).as_bytes());
        manifests.push(layout.attestation(image, &[statement]));
    }
    let index = layout.index(&manifests);
    layout.named(&index, "registry.test/some:1");
    let lines = load_with(&client, &platforms_query(&[ARM64, S390X]), layout.tar());
    assert_eq!(names(&lines), ["registry.test/some:1"]);
    let shown = row(&client, "registry.test/some:1")["Manifests"].clone();
    let available: Vec<bool> = shown.as_array().unwrap().iter().map(|m| m["Available"] == true).collect();
    assert_eq!(available, [false, true, true, false, true, true]);
    assert_eq!(read(&client, digest(&images[0])).status, 404);
    is_whole(&daemon);

    let missing = r#"{"os":"windows","architecture":"amd64"}"#;
    let before = files(&daemon.data_root());
    let text = error(&load_with(&client, &platforms_query(&[ARM64, missing]), layout.tar()));
    assert!(text.contains("windows/amd64"), "{text}");
    assert_eq!(files(&daemon.data_root()), before);
}

#[test]
fn several_platforms_need_a_version_that_has_them() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let target = platforms_query(&[ARM64, S390X]);
    let tar = Layout::of_platforms("registry.test/versions:1", &["linux/arm64", "linux/s390x"]).tar();
    let refusal = client.post(&format!("/v1.51{target}"), "application/x-tar", tar.clone()).expect(400).json();
    assert!(refusal["message"].as_str().unwrap().contains("1.52"), "{refusal}");
    assert_eq!(names(&load_with(&client, &format!("/v1.52{target}"), tar.clone())), ["registry.test/versions:1"]);
    // Before 1.48 there is no such parameter, so nothing is read into it.
    load_with(&client, &format!("/v1.47{}", platforms_query(&["nonsense"])), tar.clone());
    let malformed = client.post(&platforms_query(&["linux/arm64"]), "application/x-tar", tar).expect(400).json();
    assert!(malformed["message"].is_string(), "{malformed}");
}

#[test]
fn quiet_changes_nothing_that_is_told() {
    let daemon = Daemon::start();
    for quiet in ["0", "1", "true"] {
        let tar = Layout::of_one("registry.test/quiet:1").tar();
        let lines = load_with(&daemon.client(), &format!("/v1.24/images/load?quiet={quiet}"), tar);
        assert_eq!(names(&lines), ["registry.test/quiet:1"]);
    }
}

#[test]
fn evidence_in_the_index_is_kept_with_its_subject() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "subject");
    let statement = layout.statement(PROVENANCE, b"{\"a\": 1}");
    let referrer = layout.referrer(&image, IN_TOTO, std::slice::from_ref(&statement));
    let signature = layout.blob("application/vnd.dev.sigstore.bundle.v0.3+json", "{}");
    let upon = layout.referrer(&referrer, "application/vnd.dev.sigstore.bundle.v0.3+json", &[signature]);
    let stray = layout.statement(PROVENANCE, b"{\"about\": \"nothing\"}");
    let absent = images::with(&image, "digest", json!(format!("sha256:{}", "a".repeat(64))));
    let about_nothing = layout.referrer(&absent, IN_TOTO, std::slice::from_ref(&stray));
    for evidence in [&about_nothing, &upon, &referrer] {
        layout.listed(evidence);
    }
    layout.named(&image, "registry.test/subject:1");
    // Evidence is no image, so it gets no line and no row.
    assert_eq!(loaded(&client, layout.tar()), ["registry.test/subject:1"]);
    assert_eq!(client.get("/images/json").expect(200).json().as_array().unwrap().len(), 1);
    for kept in [&referrer, &upon, &statement] {
        read(&client, digest(kept)).expect(200);
    }
    for dropped in [&about_nothing, &stray] {
        read(&client, digest(dropped)).expect(404);
    }
}

#[test]
fn keys_that_mean_something_to_containerd_mean_nothing_in_an_archive() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let key = "containerd.io/gc.ref.content.config";
    let orphan = layout.blob("application/octet-stream", "nothing leads here");
    let mut config = images::config("linux/amd64", "labels");
    config["config"]["Labels"] = json!({key: digest(&orphan), "containerd.io/gc.root": "2026-01-01T00:00:00Z"});
    let image = layout.image_of(&config, "labels");
    let image = images::annotated(&image, key, digest(&orphan));
    let image = images::annotated(&image, "containerd.io/distribution.source.docker.io", "library/alpine");
    layout.named(&image, "registry.test/labels:1");
    loaded(&client, layout.tar());
    // They are shown as the text that they are, and hold nothing.
    assert_eq!(row(&client, "registry.test/labels:1")["Labels"][key], digest(&orphan));
    read(&client, digest(&orphan)).expect(404);
}

#[test]
fn a_long_body_is_streamed_and_held_nowhere() {
    const SIZE: usize = 128 << 20;
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let big = vec![7u8; SIZE];
    let layer = layout.blob(images::LAYER, big);
    let config = layout.blob(images::CONFIG, images::config("linux/amd64", "big").to_string());
    let image = layout.manifest(images::MANIFEST, &config, std::slice::from_ref(&layer));
    layout.named(&image, "registry.test/big:1");
    let tar = layout.tar();
    drop(layout);

    let mut stream = daemon.client().connect().unwrap();
    let head = "POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    for piece in tar.chunks(1 << 20) {
        write!(stream, "{:x}\r\n", piece.len()).unwrap();
        stream.write_all(piece).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = Open::read(stream, "POST").unwrap();
    let mut body = String::new();
    std::io::Read::read_to_string(&mut answer.body, &mut body).unwrap();
    assert!(body.contains("Loaded image: registry.test/big:1"), "{body}");
    let peak = peak_memory(&daemon);
    assert!(peak < 64 << 20, "{} MiB at the peak", peak >> 20);
    let head = daemon.client().send(&Request::new("HEAD", &format!("/content/{}", digest(&layer)))).expect(200);
    assert_eq!(head.header("content-length"), Some(SIZE.to_string().as_str()));
}

/// The most memory that a daemon had so far, in bytes.
pub fn peak_memory(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn a_client_that_hangs_up_leaves_nothing() {
    let daemon = Daemon::start_unpacked();
    let client = daemon.client();
    loaded(&client, Layout::of_one("registry.test/before:1").tar());
    let before = files(&daemon.data_root());
    let mut layout = Layout::of_platforms("registry.test/gone:1", &["linux/amd64", "linux/arm64"]);
    let filler: Vec<u8> = (0..4 << 20).map(|n: u32| (n % 251) as u8).collect();
    layout.blob("application/octet-stream", filler);
    let tar = layout.tar();
    for part in [0, 100, 512, 2000, 5000, 1 << 20, tar.len() - 1024, tar.len() - 1] {
        let request = Request::post("/images/load").body(tar.clone());
        let mut stream = client.connect().unwrap();
        stream.write_all(request.head().as_bytes()).unwrap();
        stream.write_all(&tar[..part]).unwrap();
        drop(stream);
        comes_to_hold(&daemon.data_root(), &before);
    }
    assert_eq!(client.get("/images/json").expect(200).json().as_array().unwrap().len(), 1);
    is_whole(&daemon);
    assert_eq!(loaded(&client, layout.tar()), ["registry.test/gone:1"]);
}

#[test]
fn a_load_that_waits_is_seen_as_an_ingest() {
    let daemon = Daemon::start();
    let mut layout = Layout::of_one("registry.test/slow:1");
    let content = vec![1u8; 3 << 20];
    let big = layout.blob("application/octet-stream", content);
    let tar = layout.tar();
    let mut stream = daemon.client().connect().unwrap();
    stream.write_all(Request::post("/images/load").body(tar.clone()).head().as_bytes()).unwrap();
    stream.write_all(&tar[..tar.len() - (1 << 20)]).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = std::time::Instant::now();
    loop {
        let statuses = runtime.block_on(crate::containerd::content::statuses(&daemon.socket())).unwrap();
        if let [status] = statuses.as_slice()
            && status.offset > 0
        {
            assert_eq!((status.expected.as_str(), status.total), (digest(&big), 3 << 20));
            break;
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "no ingest is seen");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // Nothing is answered until all is read: containers/image stops sending when it sees a status.
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(stream);
    comes_to_hold(&daemon.data_root(), &BTreeSet::new());
    assert!(runtime.block_on(crate::containerd::content::statuses(&daemon.socket())).unwrap().is_empty());
}

#[test]
fn loads_at_once_do_not_disturb_each_other() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let client = client.clone();
            std::thread::spawn(move || {
                // Pairs share all their content; every other load fails and must not take that away.
                let mut layout = Layout::default();
                let image = layout.image("linux/amd64", &format!("shared {}", number / 2));
                layout.named(&image, &format!("registry.test/image{number}:1"));
                for _ in 0..5 {
                    if number % 2 == 0 {
                        loaded(&client, layout.tar());
                    } else {
                        let mut tar = layout.open_tar().unended();
                        tar.push(b'x');
                        refused(&client, tar);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let rows = client.get("/images/json?manifests=1").expect(200).json();
    assert_eq!(rows.as_array().unwrap().len(), 4);
    for row in rows.as_array().unwrap() {
        assert_eq!(row["Manifests"][0]["Available"], true, "{row}");
    }
    is_whole(&daemon);
}

#[test]
fn nested_indexes_and_sha512_load() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "inner");
    let inner = layout.index(&[amd64]);
    let arm64 = layout.image("linux/arm64", "outer");
    let outer = layout.index(&[inner, arm64]);
    layout.named(&outer, "registry.test/nested:1");
    loaded(&client, layout.tar());
    let manifests = row(&client, "registry.test/nested:1")["Manifests"].clone();
    let platforms: Vec<_> = manifests.as_array().unwrap().iter().map(|m| m["ImageData"]["Platform"].clone()).collect();
    assert_eq!(platforms, [images::platform("linux/amd64"), images::platform("linux/arm64")]);

    let bytes = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "note": "long digest"}).to_string();
    let long = loadline::domain::Digest::compute(loadline::domain::digest::Algorithm::Sha512, bytes.as_bytes());
    let mut layout = Layout::default();
    let index = json!({"mediaType": INDEX, "digest": long.to_string(), "size": bytes.len()});
    layout.named(&with(&index, "annotations", json!({})), "registry.test/sha512:1");
    let tar = layout.open_tar().file(&images::path(&long), bytes.as_bytes()).end();
    assert_eq!(loaded(&client, tar), ["registry.test/sha512:1"]);
    assert_eq!(read(&client, &long.to_string()).expect(200).text(), bytes);
    is_whole(&daemon);
}

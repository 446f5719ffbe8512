//! `GET|HEAD /content/{digest}`.

use loadline::domain::Digest;

use crate::support::daemon::Daemon;
use crate::support::http::{Answer, Client, Request};
use crate::support::images::{LAYER, Layout, digest};
use crate::support::loading::{loaded, read};

/// A daemon with a blob of ten thousand bytes.
fn start() -> (Daemon, Vec<u8>, String) {
    let daemon = Daemon::start_unpacked();
    let bytes: Vec<u8> = (0..10_000u32).map(|n| (n % 253) as u8).collect();
    let mut layout = Layout::default();
    let layer = layout.blob(LAYER, bytes.clone());
    let config = layout.blob(crate::support::images::CONFIG, "{\"os\":\"linux\",\"architecture\":\"amd64\"}");
    let image = layout.manifest(crate::support::images::MANIFEST, &config, std::slice::from_ref(&layer));
    layout.named(&image, "registry.test/content:1");
    loaded(&daemon.client(), layout.tar());
    (daemon, bytes, digest(&layer).to_owned())
}

fn get(client: &Client, digest: &str, headers: &[(&str, &str)]) -> Answer {
    ask(client, "GET", digest, headers)
}

fn ask(client: &Client, method: &str, digest: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::new(method, &format!("/content/{digest}"));
    client.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

#[test]
fn a_blob_is_read_whole() {
    let (daemon, bytes, digest) = start();
    let client = daemon.client();
    for method in ["GET", "HEAD"] {
        let answer = ask(&client, method, &digest, &[]).expect(200);
        assert_eq!(answer.header("content-length"), Some("10000"));
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
        assert_eq!(answer.header("docker-content-digest"), Some(&*digest));
        assert_eq!(answer.header("etag"), Some(&*format!("\"{digest}\"")));
        assert!(answer.body == if method == "GET" { &bytes[..] } else { &[] });
    }
    // With the escapes that clients put into paths, and under any version that has it.
    assert!(read(&client, &digest.replace(':', "%3A")).expect(200).body == bytes);
    client.get(&format!("/v1.55/content/{digest}")).expect(200);
}

#[test]
fn a_range_is_read() {
    let (daemon, bytes, digest) = start();
    let client = daemon.client();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9999", 0, 10_000),
        ("bytes=5000-", 5000, 10_000),
        ("bytes=9999-", 9999, 10_000),
        ("bytes=-1", 9999, 10_000),
        ("bytes=-20000", 0, 10_000),
        ("bytes=9990-20000", 9990, 10_000),
        ("bytes=5-99999999999999999999999", 5, 10_000),
    ] {
        let answer = get(&client, &digest, &[("Range", range)]).expect(206);
        assert!(answer.body == bytes[from..to], "{range}");
        assert_eq!(answer.header("content-range"), Some(&*format!("bytes {from}-{}/10000", to - 1)));
        assert_eq!(answer.header("content-length"), Some(&*(to - from).to_string()));
    }
    for range in ["bytes=10000-", "bytes=10000-20000", "bytes=-0"] {
        let answer = get(&client, &digest, &[("Range", range)]).expect(416);
        assert_eq!(answer.header("content-range"), Some("bytes */10000"));
        assert!(answer.json()["message"].is_string());
    }
    // What a server does not understand it must ignore.
    for range in ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes", ""] {
        assert!(get(&client, &digest, &[("Range", range)]).expect(200).body == bytes, "{range}");
    }
    ask(&client, "HEAD", &digest, &[("Range", "bytes=0-1")]).expect(200);
}

#[test]
fn a_client_that_has_the_blob_is_spared_it() {
    let (daemon, bytes, digest) = start();
    let client = daemon.client();
    let tag = format!("\"{digest}\"");
    for known in [tag.clone(), format!("W/{tag}"), "*".into(), format!("\"x\", {tag}")] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&client, method, &digest, &[("If-None-Match", &known)]).expect(304);
            assert_eq!(answer.header("etag"), Some(&*tag));
            assert!(answer.body.is_empty());
        }
    }
    get(&client, &digest, &[("If-None-Match", "\"other\"")]).expect(200);
    let range = ("Range", "bytes=0-4");
    assert!(get(&client, &digest, &[range, ("If-Range", &tag)]).expect(206).body == bytes[..5]);
    assert!(get(&client, &digest, &[range, ("If-Range", "\"older\"")]).expect(200).body == bytes);
}

#[test]
fn what_is_not_here_and_what_is_no_digest() {
    let (daemon, _, digest) = start();
    let client = daemon.client();
    let absent = Digest::of(b"nobody has this").to_string();
    let text = read(&client, &absent).expect(404).json()["message"].as_str().unwrap().to_owned();
    assert!(text.contains(&absent), "{text}");
    assert!(ask(&client, "HEAD", &absent, &[]).expect(404).body.is_empty());
    for bad in [
        "latest",
        "sha256:",
        "sha256:abc",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        &digest.to_uppercase(),
        &format!("{digest}0"),
        "%2e%2e%2f%2e%2e%2fmetadata.redb",
        "sha256:..%2f..%2f..%2fmetadata.redb",
        "..",
    ] {
        let answer = read(&client, bad).expect(400).json();
        assert!(answer["message"].as_str().unwrap().contains("digest"), "{bad}: {answer}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(ask(&client, method, &digest, &[]).status, 404, "{method}");
    }
    read(&client, &digest).expect(200);
}

#[test]
fn an_empty_blob_is_a_blob() {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let empty = layout.blob(LAYER, "");
    let config = layout.blob(crate::support::images::CONFIG, "{}");
    let image = layout.manifest(crate::support::images::MANIFEST, &config, std::slice::from_ref(&empty));
    layout.named(&image, "registry.test/empty:1");
    loaded(&daemon.client(), layout.tar());
    let answer = read(&daemon.client(), digest(&empty)).expect(200);
    assert_eq!((answer.body.len(), answer.header("content-length")), (0, Some("0")));
    get(&daemon.client(), digest(&empty), &[("Range", "bytes=0-")]).expect(416);
}

#[test]
fn a_blob_whose_file_is_gone_is_an_honest_error() {
    let (daemon, _, digest) = start();
    let file = daemon.data_root().join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap());
    std::fs::remove_file(&file).unwrap();
    let answer = read(&daemon.client(), &digest).expect(404);
    assert!(answer.json()["message"].as_str().unwrap().contains(&digest));
    // A start after a crash finds out, and says that the image is incomplete.
    let daemon = daemon.crash_and_restart();
    let row = crate::support::loading::row(&daemon.client(), "registry.test/content:1");
    assert_eq!(row["Manifests"][0]["Available"], false);
    daemon.client().get("/images/registry.test/content:1/json").expect(200);
}

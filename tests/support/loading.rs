//! Loading archives, and what a daemon holds afterwards.

use std::collections::BTreeSet;
use std::path::Path;

use loadline::domain::Digest;
use serde_json::Value;

use super::daemon::Daemon;
use super::http::{Answer, Client, Request};

const TAR: &str = "application/x-tar";

/// Loads an archive and gives the lines of the answer.
#[track_caller]
pub fn load(client: &Client, archive: impl Into<Vec<u8>>) -> Vec<Value> {
    load_with(client, "/images/load", archive)
}

/// The same with a query.
#[track_caller]
pub fn load_with(client: &Client, target: &str, archive: impl Into<Vec<u8>>) -> Vec<Value> {
    lines(&client.post(target, TAR, archive).expect(200))
}

/// The JSON objects of a stream.
#[track_caller]
pub fn lines(answer: &Answer) -> Vec<Value> {
    let lines = answer.text().lines().filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))).collect()
}

/// Loads an archive that must load and gives what was loaded: familiar names, and digests of images without one.
#[track_caller]
pub fn loaded(client: &Client, archive: impl Into<Vec<u8>>) -> Vec<String> {
    names(&load(client, archive))
}

/// What the lines of a load say was loaded.
#[track_caller]
pub fn names(lines: &[Value]) -> Vec<String> {
    let name = |line: &Value| {
        let text = line["stream"].as_str().unwrap_or_else(|| panic!("the load failed: {line}"));
        let name = text.strip_prefix("Loaded image: ").or_else(|| text.strip_prefix("Loaded image ID: "));
        name.unwrap_or_else(|| panic!("not a name: {text:?}")).trim_end().to_owned()
    };
    lines.iter().map(name).collect()
}

/// Loads an archive that must not load and gives the error's text, which is the last and only line.
#[track_caller]
pub fn refused(client: &Client, archive: impl Into<Vec<u8>>) -> String {
    error(&load(client, archive))
}

/// The text of the error that a load ended with.
#[track_caller]
pub fn error(lines: &[Value]) -> String {
    let [line] = lines else { panic!("not one line: {lines:?}") };
    let text = line["error"].as_str().unwrap_or_else(|| panic!("no error: {line}"));
    assert_eq!(line["errorDetail"]["message"], text);
    assert!(!text.is_empty());
    text.to_owned()
}

/// Everything in the directories of blobs, packs and ingests of a data root, by path.
pub fn files(data_root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in ["blobs/sha256", "blobs/sha512", "packs", "ingest"] {
        for entry in std::fs::read_dir(data_root.join(directory)).unwrap() {
            found.insert(format!("{directory}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    // An index is written whenever there is time for it.
    found.retain(|path| !path.ends_with(".idx"));
    found
}

/// Waits until nothing is in the directories of a data root but this, for what goes on after a client has left.
#[track_caller]
pub fn comes_to_hold(data_root: &Path, expected: &BTreeSet<String>) {
    let start = std::time::Instant::now();
    while files(data_root) != *expected {
        assert!(
            start.elapsed() < std::time::Duration::from_secs(20),
            "left behind: {:?}; lost: {:?}",
            files(data_root).difference(expected),
            expected.difference(&files(data_root)),
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Fails where the daemon holds half of something: a file that does not hash to its name, an ingest that nobody writes,
/// or a manifest that is said to be available and lacks a blob.
#[track_caller]
pub fn is_whole(daemon: &Daemon) {
    let root = daemon.data_root();
    for file in files(&root) {
        let (kind, name) = file.rsplit_once('/').unwrap();
        assert_ne!(kind, "ingest", "a leaked ingest: {file}");
        if kind == "packs" {
            continue;
        }
        let digest: Digest = format!("{}:{name}", kind.strip_prefix("blobs/").unwrap()).parse().unwrap();
        let bytes = std::fs::read(root.join(&file)).unwrap();
        assert_eq!(Digest::compute(digest.algorithm(), &bytes), digest, "{file}");
    }
    let client = daemon.client();
    for image in client.get("/images/json?manifests=1").expect(200).json().as_array().unwrap() {
        let target = image["Id"].as_str().unwrap();
        assert_eq!(read(&client, target).status, 200, "the target {target} of an image");
        // An index of nothing has no member for it.
        for manifest in image["Manifests"].as_array().into_iter().flatten() {
            if manifest["Available"] == true {
                let own = read(&client, manifest["ID"].as_str().unwrap()).expect(200).json();
                let layers = own["layers"].as_array().unwrap().iter();
                for child in layers.chain([&own["config"]]) {
                    let blob = read(&client, child["digest"].as_str().unwrap()).expect(200);
                    assert_eq!(blob.body.len() as u64, child["size"].as_u64().unwrap(), "{child}");
                    let digest: Digest = child["digest"].as_str().unwrap().parse().unwrap();
                    assert_eq!(Digest::compute(digest.algorithm(), &blob.body), digest, "{child}");
                }
            }
        }
    }
}

/// A blob over REST.
#[track_caller]
pub fn read(client: &Client, digest: &str) -> Answer {
    client.send(&Request::get(&format!("/content/{digest}")))
}

/// The row of the image of a name in the list, with its manifests.
#[track_caller]
pub fn row(client: &Client, name: &str) -> Value {
    row_of("/images/json?manifests=1", client, name)
}

/// The same of another list.
#[track_caller]
pub fn row_of(list: &str, client: &Client, name: &str) -> Value {
    let rows = client.get(list).expect(200).json();
    let named = |row: &&Value| row["RepoTags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == name));
    rows.as_array().unwrap().iter().find(named).unwrap_or_else(|| panic!("{name} is not in {rows}")).clone()
}

/// Text as a query's value.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

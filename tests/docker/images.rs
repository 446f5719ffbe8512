//! The images of the fixtures, and how tests load them.

use crate::support::http::Client;
use crate::support::repository;

pub const APP: &str = "registry.example/team/app:1.0";
pub const APP_ID: &str = "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7";
pub const LEGACY: &str = "legacy/three-layers:1";

/// Loads a fixture, and expects that every line of the answer tells of a name.
#[track_caller]
pub fn load(client: &Client, fixture: &str) {
    let archive = std::fs::read(repository(&format!("tests/fixtures/{fixture}"))).unwrap();
    load_archive(client, archive);
}

#[track_caller]
pub fn load_archive(client: &Client, archive: Vec<u8>) {
    let answer = client.post("/images/load?quiet=1", "application/x-tar", archive).expect(200);
    let lines: Vec<&str> = answer.text().lines().collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("Loaded image")), "{lines:?}");
}

/// A docker-archive of one image under a name, with a label of its own.
pub fn archive(name: &str, label: &str) -> Vec<u8> {
    let config = serde_json::json!({
        "os": "linux", "architecture": "amd64", "config": {"Labels": {"note": label}}, "rootfs": {"type": "layers"},
    });
    let manifest = serde_json::json!([{"Config": "c.json", "RepoTags": [name], "Layers": ["l.tar"]}]);
    let mut archive = tar::Builder::new(Vec::new());
    let members = [("l.tar", name.to_owned()), ("c.json", config.to_string()), ("manifest.json", manifest.to_string())];
    for (path, text) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

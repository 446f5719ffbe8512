//! podman, loading what the daemon saved.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{APP, is_here, save, start, succeed};
use crate::support::loading::loaded;
use crate::support::repository;

const LEGACY: &str = "legacy/three-layers:1";
const LEGACY_CONFIG: &str = "5ace31629c83ab2a0dbc168521538074c377c9ac35901fd166b3c3f533bd93a1";

/// podman with a storage of its own.
fn podman(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new("podman");
    command.arg("--root").arg(place.path().join("root")).arg("--runroot").arg(place.path().join("run"));
    command.args(["--storage-driver", "vfs"]).args(arguments);
    command.env("HOME", place.path()).env("TMPDIR", place.path()).env_remove("CONTAINER_HOST");
    command
}

#[test]
fn loads_what_was_saved() {
    if !is_here(Command::new("podman").arg("--version")) {
        return;
    }
    let daemon = start();
    let client = daemon.client();
    loaded(&client, std::fs::read(repository("tests/fixtures/legacy-docker-archive.tar")).unwrap());
    let place = tempfile::tempdir().unwrap();
    let (archive, policy) = (place.path().join("saved.tar"), place.path().join("policy.json"));
    save(&daemon, &[APP, LEGACY], &archive);
    std::fs::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    let options = ["--signature-policy", policy.to_str().unwrap(), "-i", archive.to_str().unwrap()];
    let said = succeed(&mut podman(&place, &[&["load", "--quiet"][..], &options].concat())).out;
    assert_eq!(said, format!("Loaded image: {APP}\nLoaded image: localhost/{LEGACY}\n"));

    // podman keeps one platform, and has checked its layers against the diff IDs.
    for (here, there) in [(APP, APP.to_owned()), (LEGACY, format!("localhost/{LEGACY}"))] {
        let shown: Value =
            serde_json::from_str(&succeed(&mut podman(&place, &["image", "inspect", &there])).out).unwrap();
        let image = client.get(&format!("/images/{here}/json")).expect(200).json();
        assert_eq!(shown[0]["RootFS"]["Layers"], image["RootFS"]["Layers"], "{here}");
        assert_eq!(shown[0]["Architecture"], image["Architecture"], "{here}");
        assert_eq!(shown[0]["RepoTags"], serde_json::json!([there]));
        if here == LEGACY {
            // The ID is the digest of the configuration.
            assert_eq!(shown[0]["Id"], LEGACY_CONFIG);
        }
    }
}

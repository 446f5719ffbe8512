//! skopeo's `docker-daemon:`, whose older versions ask for API 1.22 and stop sending as soon as they see a status.

use std::path::Path;
use std::process::Command;

use loadline::domain::Digest;
use serde_json::Value;
use tempfile::TempDir;

use super::{APP, Said, fixture, is_here, run, start, succeed};
use crate::support::daemon::Daemon;
use crate::support::loading::{is_whole, read};
use crate::support::repository;

struct Skopeo<'a> {
    daemon: &'a Daemon,
    home: TempDir,
}

impl<'a> Skopeo<'a> {
    /// `None` where there is no skopeo.
    fn new(daemon: &'a Daemon) -> Option<Self> {
        is_here(Command::new("skopeo").arg("--version")).then(|| Self { daemon, home: tempfile::tempdir().unwrap() })
    }

    /// A copy of the image of one platform, whatever the host's is.
    fn copy(&self, from: &str, to: &str) -> Command {
        let host = format!("unix://{}", self.daemon.socket().display());
        let mut command = Command::new("skopeo");
        command.args(["--insecure-policy", "--override-os", "linux", "--override-arch", "amd64", "copy"]);
        for (side, name) in [("--src-daemon-host", from), ("--dest-daemon-host", to)] {
            if name.starts_with("docker-daemon:") {
                command.args([side, &host]);
            }
        }
        command.args([from, to]).env("HOME", self.home.path()).env_remove("DOCKER_HOST");
        command
    }

    #[track_caller]
    fn copies(&self, from: &str, to: &str) -> Said {
        succeed(&mut self.copy(from, to))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }
}

/// The digest of the configuration of an image of one platform.
#[track_caller]
fn config(daemon: &Daemon, name: &str) -> String {
    let client = daemon.client();
    let image = client.get(&format!("/images/{name}/json")).expect(200).json();
    let manifest = read(&client, image["Id"].as_str().unwrap()).expect(200).json();
    manifest["config"]["digest"].as_str().unwrap().to_owned()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn copies_archives_into_the_daemon() {
    let daemon = Daemon::start();
    let Some(skopeo) = Skopeo::new(&daemon) else { return };
    let legacy = repository("tests/fixtures/legacy-docker-archive.tar");
    for (archive, name, is) in [
        (
            format!("oci-archive:{}:1.0", fixture().display()),
            "registry.test/from/oci:1",
            "sha256:16e8a202019a95f9b608b844b8e912343180c52ef84e86adbc72d292e5accb2e",
        ),
        (
            format!("docker-archive:{}:legacy/three-layers:1", legacy.display()),
            "from/legacy:latest",
            "sha256:5ace31629c83ab2a0dbc168521538074c377c9ac35901fd166b3c3f533bd93a1",
        ),
    ] {
        skopeo.copies(&archive, &format!("docker-daemon:{name}"));
        assert_eq!(config(&daemon, name), is, "{archive}");
        // Again, over what is here.
        skopeo.copies(&archive, &format!("docker-daemon:{name}"));
        assert_eq!(config(&daemon, name), is, "{archive}");
    }
    is_whole(&daemon);
}

#[test]
fn copies_images_out_of_the_daemon() {
    let daemon = start();
    let Some(skopeo) = Skopeo::new(&daemon) else { return };
    let source = format!("docker-daemon:{APP}");
    let directory = skopeo.path("directory");
    skopeo.copies(&source, &format!("dir:{}", directory.display()));
    let manifest = json(&directory.join("manifest.json"));
    let image = daemon.client().get(&format!("/images/{APP}/json")).expect(200).json();
    let layers = manifest["layers"].as_array().unwrap();
    for blob in layers.iter().chain([&manifest["config"]]) {
        let digest: Digest = blob["digest"].as_str().unwrap().parse().unwrap();
        let bytes = std::fs::read(directory.join(digest.hex())).unwrap();
        assert_eq!(Digest::of(&bytes), digest);
    }
    // skopeo unpacks layers that it takes from a daemon: what it stores is known by the diff IDs.
    let digests: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    assert_eq!(digests, image["RootFS"]["Layers"].as_array().unwrap().iter().collect::<Vec<_>>());

    let archive = skopeo.path("out.tar");
    skopeo.copies(&source, &format!("oci-archive:{}:registry.test/copied:1", archive.display()));
    // skopeo writes OCI's form of the configuration into the archive; straight back the image stays as it was.
    skopeo.copies(&format!("oci-archive:{}", archive.display()), "docker-daemon:registry.test/back:1");
    skopeo.copies(&source, "docker-daemon:registry.test/straight:1");
    for name in ["registry.test/back:1", "registry.test/straight:1"] {
        let copy = daemon.client().get(&format!("/images/{name}/json")).expect(200).json();
        assert_eq!(copy["RootFS"], image["RootFS"], "{name}");
        assert_eq!(copy["Config"], image["Config"], "{name}");
    }
    assert_eq!(config(&daemon, "registry.test/straight:1"), manifest["config"]["digest"]);
    is_whole(&daemon);
}

#[test]
fn is_told_what_is_not_here() {
    let daemon = Daemon::start();
    let Some(skopeo) = Skopeo::new(&daemon) else { return };
    let to = format!("dir:{}", skopeo.path("directory").display());
    let output = run(&mut skopeo.copy("docker-daemon:registry.test/nope:1", &to));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("No such image: registry.test/nope:1"), "{said}");
}

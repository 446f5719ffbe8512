//! docker-py, the client of Ansible, Compose v1 and many scripts.

use std::process::Command;

use super::{APP, fixture, is_here, succeed};
use crate::support::daemon::Daemon;
use crate::support::images::{Layout, docker_archive};

const SCRIPT: &str = r#"
import sys
import docker

base, archive, name, extra = sys.argv[1:]
newest = docker.DockerClient(base_url=base, version="auto")
for version in ["auto", "1.24", "1.41", "1.44"]:
    client = docker.DockerClient(base_url=base, version=version)
    assert client.ping()
    assert client.version()["ApiVersion"] == "1.55"
    info = client.info()
    assert info["OSType"] == "linux" and info["Containers"] == 0, info
    with open(archive, "rb") as data:
        loaded = client.images.load(data)
    assert name in [tag for image in loaded for tag in image.tags], loaded
    image = client.images.get(name)
    assert image.id.startswith("sha256:") and name in image.tags, image.attrs
    assert [found.id for found in client.images.list(name="registry.example/team/app")] == [image.id]
    assert image.id in [found.id for found in client.images.list(all=True, filters={"dangling": False})]
    assert client.images.list(filters={"label": "no such label"}) == []
    assert client.api.inspect_image(image.id)["Id"] == image.id
    assert len(image.history()) > 0
    assert isinstance(image.labels, dict) and image.short_id
    try:
        client.images.get("registry.example/none:1")
        raise AssertionError("an image that is not there is found")
    except docker.errors.ImageNotFound as error:
        assert "No such image" in str(error)
    assert client.containers.list(all=True) == []
    assert client.volumes.list() == [] and client.networks.list() == []
    try:
        client.images.load(b"garbage" * 1000)
        raise AssertionError("garbage is loaded")
    except docker.errors.ImageLoadError as error:
        assert "not a tar" in str(error), error
with open(extra, "rb") as data:
    assert newest.images.load(data)[0].tags == ["registry.test/archive:1"]
print("done")
"#;

#[test]
fn does_what_scripts_do() {
    if !is_here(Command::new("python3").args(["-c", "import docker"])) {
        return;
    }
    let daemon = Daemon::start();
    let directory = tempfile::tempdir().unwrap();
    let extra = directory.path().join("archive.tar");
    std::fs::write(&extra, docker_archive(&["registry.test/archive:1"], &["one"])).unwrap();
    // An image of which nothing is here must not break the others.
    let mut layout = Layout::default();
    let away = layout.image("linux/amd64", "away");
    let index = layout.index(std::slice::from_ref(&away));
    layout.listed(&index);
    layout.remove(&away);
    crate::support::loading::loaded(&daemon.client(), layout.tar());

    let mut command = Command::new("python3");
    command
        .args(["-c", SCRIPT])
        .arg(format!("unix://{}", daemon.socket().display()))
        .arg(fixture())
        .arg(APP)
        .arg(extra);
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_TLS_VERIFY").env("DOCKER_CONFIG", directory.path());
    assert_eq!(succeed(&mut command).out, "done\n");
}

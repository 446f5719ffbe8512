//! docker-py, the client of Ansible, Compose v1 and many scripts.

use std::process::Command;

use loadline::api::docker::versions::NEWEST_TEXT;

use super::{APP, PASSWORD, USER, fixture, index, is_here, registry, succeed};
use crate::support::daemon::Daemon;
use crate::support::images::{Layout, docker_archive};
use crate::support::repository;

#[test]
fn does_what_scripts_do() {
    if !is_here(Command::new("python3").args(["-c", "import docker"])) {
        return;
    }
    let (daemon, registry, index) = (Daemon::start(), registry(), index());
    let directory = tempfile::tempdir().unwrap();
    let mut layout = Layout::default();
    let away = layout.image("linux/amd64", "away");
    let nothing = layout.index(std::slice::from_ref(&away));
    layout.listed(&nothing);
    layout.remove(&away);
    for (name, archive) in
        [("incomplete.tar", layout.tar()), ("docker.tar", docker_archive(&["registry.test/archive:1"], &["one"]))]
    {
        std::fs::write(directory.path().join(name), archive).unwrap();
    }
    std::fs::copy(repository("tests/fixtures/tiny-rootfs.tar"), directory.path().join("rootfs.tar")).unwrap();
    let mut command = Command::new("python3");
    command.arg(repository("tests/clients/scripts/docker_py.py"));
    command.arg(format!("unix://{}", daemon.socket().display())).arg(fixture()).arg(APP).arg(directory.path());
    command.args([&registry.host(), USER, PASSWORD, &index.host()]);
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_TLS_VERIFY").env("DOCKER_CONFIG", directory.path());
    command.env("NEWEST_API", NEWEST_TEXT);
    assert_eq!(succeed(&mut command).out, "done\n");
}

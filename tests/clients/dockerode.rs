//! dockerode, the client of programs in JavaScript.

use std::process::Command;

use loadline::api::docker::versions::NEWEST_TEXT;

use super::{APP, PASSWORD, USER, fixture, index, is_here, registry, succeed};
use crate::support::daemon::Daemon;
use crate::support::repository;

#[test]
fn does_what_programs_do() {
    if !is_here(Command::new("node").args(["-e", "require('dockerode')"])) {
        return;
    }
    let (daemon, registry, index) = (Daemon::start(), registry(), index());
    let mut command = Command::new("node");
    command.arg(repository("tests/clients/scripts/dockerode.js")).arg(daemon.socket()).arg(fixture()).arg(APP);
    command.arg(repository("tests/fixtures/tiny-rootfs.tar"));
    command.args([&registry.host(), USER, PASSWORD, &index.host()]);
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_API_VERSION");
    command.env("NEWEST_API", NEWEST_TEXT);
    assert_eq!(succeed(&mut command).out, "done\n");
}

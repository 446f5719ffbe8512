//! dockerode, the client of programs in JavaScript.

use std::process::Command;

use super::{APP, PASSWORD, USER, fixture, is_here, registry, succeed};
use crate::support::daemon::Daemon;
use crate::support::repository;

#[test]
fn does_what_programs_do() {
    if !is_here(Command::new("node").args(["-e", "require('dockerode')"])) {
        return;
    }
    let (daemon, registry) = (Daemon::start(), registry());
    let mut command = Command::new("node");
    command.arg(repository("tests/clients/scripts/dockerode.js")).arg(daemon.socket()).arg(fixture());
    command.args([APP, &registry.host(), USER, PASSWORD]);
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_API_VERSION");
    assert_eq!(succeed(&mut command).out, "done\n");
}

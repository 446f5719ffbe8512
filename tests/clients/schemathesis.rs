//! Requests that Schemathesis makes up from the documents: no answer is a server error or contradicts its document.
//!
//! `SCHEMATHESIS_SEED` and `SCHEMATHESIS_EXAMPLES` make it look elsewhere, and longer.

use std::process::Command;

use loadline::api::docker::versions::NEWEST_TEXT;
use serde_json::json;

use super::{fixture, is_here, succeed};
use crate::support::daemon::Daemon;
use crate::support::images::{Layout, annotated};
use crate::support::port::Port;
use crate::support::registry::Registry;
use crate::support::repository;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

/// Operations that Schemathesis cannot judge: their answers are streams of lines, of which it reads one document; events do
/// not end unless asked to; and what it makes up for a pull, a push or a search leads to registries of the internet.
const LEFT_OUT: [&str; 5] = ["SystemEvents", "ImageLoad", "ImageCreate", "ImagePush", "ImageSearch"];

#[test]
fn the_newest_version_answers_as_documented() {
    answers_as_documented(NEWEST_TEXT, "1");
}

#[test]
fn the_oldest_version_answers_as_documented() {
    answers_as_documented("1.24", "2");
}

#[test]
fn a_version_in_the_middle_answers_as_documented() {
    answers_as_documented("1.40", "2");
}

#[test]
fn the_first_version_that_lists_manifests_answers_as_documented() {
    answers_as_documented("1.47", "1");
}

/// A version and a seed more take ten seconds, which is why not all versions are tried.
#[track_caller]
fn answers_as_documented(version: &str, seed: &str) {
    if !is_here(Command::new("python3").args(["-c", "import schemathesis"])) {
        return;
    }
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join("odd.tar");
    std::fs::write(&odd, odd_images()).unwrap();
    let archives = json!([fixture(), repository("tests/fixtures/legacy-docker-archive.tar"), odd]);
    let registry = Registry::start();
    registry.put_image("team/app", Some("1.0"), &[b"layer".to_vec()]);
    let daemon = Daemon::start();
    daemon.client().post(&format!("/images/create?fromImage={}/team/app&tag=1.0", registry.host()), "", "").expect(200);
    let port = Port::leading_to(&daemon.socket());

    let mut command = Command::new("python3");
    command.args(["-m", "schemathesis.cli", "run"]);
    command.arg(repository(&format!("api-versions/engine-{version}.json")));
    command.args(["--url", &format!("{}/v{version}", port.url()), "--checks", CHECKS]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--no-shrink",
        "--continue-on-failure",
        "--warnings",
        "off",
    ]);
    command.args(["--seed", &setting("SCHEMATHESIS_SEED", seed)]);
    command.args(["--max-examples", &setting("SCHEMATHESIS_EXAMPLES", "20")]);
    command.args(["--no-color", "--suppress-health-check", "all", "--request-timeout", "30"]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    command.current_dir(&directory);
    command.env("SCHEMATHESIS_HOOKS", repository("tests/clients/scripts/schemathesis.py"));
    command.env("LOADLINE_URL", port.url()).env("LOADLINE_REGISTRY", registry.host());
    command.env("LOADLINE_ARCHIVES", archives.to_string());
    println!("{}", succeed(&mut command).out);
}

/// What images may lack: names, platforms, configurations, everything.
fn odd_images() -> Vec<u8> {
    let mut layout = Layout::default();
    let (here, away) = (layout.image("linux/amd64", "here"), layout.image("linux/arm64", "away"));
    let statement =
        layout.statement("https://example.com/predicate", br#"{"predicateType": "https://example.com/predicate"}"#);
    let lost = layout.statement("https://example.com/lost", br#"{"lost": true}"#);
    let attestation = layout.attestation(&here, &[statement, lost.clone()]);
    let partial = layout.index(&[here, attestation, away.clone()]);
    layout.named(&partial, "odd.example/partial:1");
    let nothing = layout.image("linux/amd64", "nothing");
    let index = layout.index(std::slice::from_ref(&nothing));
    layout.named(&index, "odd.example/absent:1");
    let dangling = layout.image("linux/amd64", "dangling");
    layout.listed(&annotated(&dangling, "org.example.note", "kept without a name"));
    let empty = layout.index(&[]);
    layout.named(&empty, "odd.example/empty:1");
    let bare = layout.blob("application/vnd.oci.image.config.v1+json", *b"{}");
    let bare = layout.manifest("application/vnd.oci.image.manifest.v1+json", &bare, &[]);
    layout.named(&bare, "odd.example/bare:1");
    for descriptor in [&away, &nothing, &lost] {
        layout.remove(descriptor);
    }
    layout.tar()
}

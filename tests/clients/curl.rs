//! curl, over HTTP/1.1 and HTTP/2 with prior knowledge.

use std::process::Command;

use loadline::api::docker::versions::NEWEST_TEXT;
use serde_json::Value;

use super::{APP, Said, fixture, is_here, succeed};
use crate::support::daemon::Daemon;
use crate::support::skip;

fn curl(daemon: &Daemon, arguments: &[&str]) -> Said {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--disable", "--noproxy", "*", "--unix-socket"]).arg(daemon.socket());
    succeed(command.args(arguments))
}

/// The protocols that this curl speaks; none where there is no curl.
fn protocols() -> Vec<&'static str> {
    if !is_here(Command::new("curl").arg("--version")) {
        return vec![];
    }
    let version = succeed(Command::new("curl").arg("--version")).out;
    if version.contains("HTTP2") {
        return vec!["--http1.1", "--http2-prior-knowledge"];
    }
    skip("a curl that speaks HTTP/2");
    vec!["--http1.1"]
}

#[test]
fn loads_and_reads() {
    for protocol in protocols() {
        let daemon = Daemon::start();
        let archive = format!("@{}", fixture().display());
        let url = |path: &str| format!("http://localhost{path}");
        let load = url("/images/load");
        let posted =
            curl(&daemon, &[protocol, "--data-binary", &archive, "--header", "content-type: application/x-tar", &load]);
        assert!(posted.out.contains(&format!("Loaded image: {APP}")), "{}", posted.out);
        // Streamed from a pipe, of which nobody knows the length.
        let file = fixture();
        let piped = curl(
            &daemon,
            &[protocol, "--request", "POST", "--upload-file", file.to_str().unwrap(), "--header", "expect:", &load],
        );
        assert!(piped.out.contains("Loaded image"), "{}", piped.out);

        let list: Value =
            serde_json::from_str(&curl(&daemon, &[protocol, &url("/images/json?manifests=1")]).out).unwrap();
        let attestations = url(&format!("/images/{APP}/attestations?statement=1"));
        let statements: Value = serde_json::from_str(&curl(&daemon, &[protocol, &attestations]).out).unwrap();
        let manifests = list[0]["Manifests"].as_array().unwrap();
        assert!(manifests.iter().any(|manifest| manifest["Kind"] == "attestation"));
        let digest = statements[0]["Descriptor"]["digest"].as_str().unwrap();
        let blob: Value =
            serde_json::from_str(&curl(&daemon, &[protocol, &url(&format!("/content/{digest}"))]).out).unwrap();
        assert_eq!(blob, statements[0]["Statement"]);
        let part = curl(&daemon, &[protocol, "--range", "0-9", "--include", &url(&format!("/content/{digest}"))]);
        assert!(part.out.contains(" 206") && part.out.contains("content-range: bytes 0-9/"), "{}", part.out);
        let head = curl(&daemon, &[protocol, "--head", &url("/_ping")]);
        assert!(
            head.out.contains(" 200") && head.out.to_lowercase().contains(&format!("api-version: {NEWEST_TEXT}")),
            "{}",
            head.out
        );
        let missing = curl(&daemon, &[protocol, "--write-out", " %{http_code}", &url("/images/nope/json")]);
        assert_eq!(missing.out, "{\"message\":\"No such image: nope:latest\"} 404");
    }
}

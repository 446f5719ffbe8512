//! `POST /images/{name}/verify`, and the commands that ask it.

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::docker::images::{APP, load};
use crate::support::daemon::{Daemon, loadline};
use crate::support::http::Client;
use crate::support::repository;

/// Signed and attested by cosign 3.1.1 with a key, which `cosign.json` holds.
const SIGNED: &str = "example/signed:1.0";
const DIGEST: &str = "sha256:4d6ba249fdfd626a4e9940d725e32e82cbaa5dfe95688f5c79438f955b40cb78";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

fn started() -> Daemon {
    let daemon = Daemon::start();
    load(&daemon.client(), "verify/signed-image.tar");
    daemon
}

fn signers_key() -> String {
    let text = std::fs::read_to_string(repository("tests/fixtures/verify/cosign.json")).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap();
    fixture["keys"]["p256"].as_str().unwrap().to_owned()
}

fn another_key() -> String {
    std::fs::read_to_string(repository("tests/fixtures/verify/keys/p384.pem")).unwrap()
}

fn rules(rule: Value) -> String {
    json!({ "apiVersion": "v1alpha1", "kind": "ImageVerificationConfig", "rules": [rule] }).to_string()
}

#[track_caller]
fn verify(client: &Client, image: &str, rule: Value) -> Value {
    let body = json!({ "Rules": rules(rule) }).to_string();
    client.post(&format!("/images/{image}/verify"), "application/json", body).expect(200).json()
}

#[test]
fn an_image_is_verified_by_the_key_that_signed_it() {
    let daemon = started();
    let client = daemon.client();
    let found = verify(&client, SIGNED, json!({ "image": "*", "publicKey": { "certificate": signers_key() } }));
    assert_eq!(found["Verified"], true, "{found}");
    assert_eq!(found["Image"], format!("docker.io/example/signed@{DIGEST}"));
    assert_eq!(found["Rule"], "0000 (*)");
    assert!(found["Message"].as_str().unwrap().starts_with("signed by the key sha256:"), "{found}");
    let platform = &found["Platforms"][0];
    assert_eq!((&platform["Platform"], &platform["Digest"]), (&json!("linux/amd64"), &json!(DIGEST)));
    let signatures = platform["Signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 2);
    for signature in signatures {
        assert_eq!(signature["Kind"], "bundle");
        assert!(signature["Identity"].as_str().unwrap().starts_with("sha256:"));
        // The attestation verifies, and is no signature.
        assert_eq!(signature["Verified"], signature["Reason"] == "", "{signature}");
    }
    assert_eq!(signatures.iter().filter(|signature| signature["Verified"] == true).count(), 1);
}

#[test]
fn every_reason_why_an_image_is_not_verified_is_told() {
    let daemon = started();
    let client = daemon.client();
    load(&client, "app-oci.tar");
    let key = |pem: String| json!({ "certificate": pem });
    let attested = |kind: &str, builder: &str| json!({ "image": "*", "publicKey": key(signers_key()), "attestations": [{ "predicateType": kind, "builderId": builder }] });
    for (image, rule, verified, words) in [
        (SIGNED, json!({ "image": "*", "publicKey": key(another_key()) }), false, "no signature by"),
        (SIGNED, json!({ "image": "other/*", "publicKey": key(signers_key()) }), false, "no rule is about it"),
        (SIGNED, json!({ "image": "*", "deny": true }), false, "denies"),
        (SIGNED, json!({ "image": "*", "skip": true }), false, "without verification"),
        (
            SIGNED,
            json!({ "image": "*", "publicKey": key(signers_key()), "tlog": "required" }),
            false,
            "transparency log",
        ),
        (
            SIGNED,
            json!({ "image": "*", "keyless": { "issuer": "https://a", "subject": "b" } }),
            false,
            "no signature by b",
        ),
        (SIGNED, attested(PROVENANCE, "https://example.com/builder"), true, "signed by"),
        (SIGNED, attested(PROVENANCE, "https://example.com/another"), false, "no attestation as wanted"),
        (SIGNED, attested("https://spdx.dev/Document", ""), false, "no attestation as wanted"),
        (APP, json!({ "image": "*", "publicKey": key(signers_key()) }), false, "no signature by"),
    ] {
        let found = verify(&client, image, rule.clone());
        assert_eq!(found["Verified"], verified, "{rule}: {found}");
        assert!(found["Message"].as_str().unwrap().contains(words), "{rule}: {found}");
        let is_let_in = verified || words == "no rule is about it" || words == "without verification";
        assert_eq!(found["Admitted"], is_let_in, "{rule}: {found}");
    }
    for (target, body, status) in [
        ("/images/nope/verify", "", 404),
        ("/images/example/signed:1.0/verify?platform={\"os\":\"plan9\",\"architecture\":\"amd64\"}", "", 404),
        ("/images/example/signed:1.0/verify", "[", 400),
        ("/images/example/signed:1.0/verify", r#"{"Rule":"x"}"#, 400),
        ("/images/example/signed:1.0/verify", r#"{"Rules":"x"}"#, 400),
        ("/images/example/signed:1.0/verify", r#"{"TrustedRoot":"x"}"#, 400),
    ] {
        let target = target.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        client.post(&target, "application/json", body).expect(status);
    }
    // Without rules of its own, the daemon names the signatures and judges nothing.
    let found = client.post(&format!("/images/{SIGNED}/verify"), "application/json", "").expect(200).json();
    assert_eq!((&found["Verified"], &found["Rule"]), (&json!(false), &Value::Null));
    assert_eq!(found["Platforms"][0]["Signatures"].as_array().unwrap().len(), 2);
}

#[test]
fn commands_answer_with_their_exit_status() {
    let daemon = started();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (right, wrong) = (file("right.pem", &signers_key()), file("wrong.pem", &another_key()));
    let address = format!("unix://{}", daemon.socket().display());
    let ask = |key: &std::path::Path, image: &str, address: &str| {
        loadline().args(["verify", "-H", address, "--key"]).arg(key).arg(image).output().unwrap()
    };
    let told = |output: &Output| (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap());
    let pinned = format!("docker.io/example/signed@{DIGEST}\n");
    assert_eq!(told(&ask(&right, SIGNED, &address)), (Some(0), pinned));
    assert_eq!(told(&ask(&wrong, SIGNED, &address)), (Some(1), String::new()));
    assert_eq!(told(&ask(&right, "nope", &address)), (Some(2), String::new()));
    assert_eq!(told(&ask(&right, SIGNED, "unix:///nowhere.sock")), (Some(2), String::new()));
    assert_eq!(told(&ask(&right, SIGNED, "ssh://host")), (Some(2), String::new()));
    let mut command = loadline();
    command.args(["verify", "-H", &address, "--format", "json", "--platform", "linux/amd64", "--key"]);
    let output = command.arg(&right).arg(SIGNED).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["Verified"], true);
}

#[test]
fn containerd_is_answered_by_the_daemons_rules() {
    let files = tempfile::tempdir().unwrap();
    let rules_file = files.path().join("rules.json");
    std::fs::write(&rules_file, rules(json!({ "image": "*", "publicKey": { "certificate": signers_key() } }))).unwrap();
    let daemon = Daemon::start_with(&["--verify-rules", rules_file.to_str().unwrap()]);
    load(&daemon.client(), "verify/signed-image.tar");
    // containerd calls the plugin by its file's name.
    let plugin = files.path().join("loadline-image-verifier");
    symlink(env!("CARGO_BIN_EXE_loadline"), &plugin).unwrap();
    let ask = |digest: &str, address: &str| {
        let mut command = Command::new(&plugin);
        command.args([
            "-name",
            "docker.io/example/signed:1.0",
            "-digest",
            digest,
            "-stdin-media-type",
            "application/json",
        ]);
        command.env("DOCKER_HOST", address).output().unwrap()
    };
    let address = format!("unix://{}", daemon.socket().display());
    let allowed = ask(DIGEST, &address);
    assert_eq!(allowed.status.code(), Some(0), "{allowed:?}");
    assert!(String::from_utf8(allowed.stdout).unwrap().starts_with("signed by the key"));
    let other = DIGEST.replace("sha256:4d", "sha256:4e");
    for refused in [ask(&other, &address), ask("sha256:0", &address), ask(DIGEST, "unix:///nowhere.sock")] {
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    }
}

#[test]
fn a_bundle_is_verified_without_a_daemon() {
    let files = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(repository("tests/fixtures/verify/keyless.json")).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (bundle, root) =
        (file("bundle", &fixture["bundles"]["message"].to_string()), file("root", &fixture["root"].to_string()));
    let artifact = file("artifact", fixture["manifest"].as_str().unwrap());
    let ask = |identity: &str, artifact: &str| {
        let mut command = loadline();
        command.arg("verify-bundle").arg("--bundle").arg(&bundle).arg("--trusted-root").arg(&root);
        command.args([
            "--certificate-identity",
            identity,
            "--certificate-oidc-issuer",
            "https://issuer.example",
            artifact,
        ]);
        command.output().unwrap().status.code()
    };
    let identity = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main";
    let (artifact, digest) = (artifact.to_str().unwrap(), fixture["digest"].as_str().unwrap());
    assert_eq!((ask(identity, artifact), ask(identity, digest)), (Some(0), Some(0)));
    assert_eq!((ask("somebody", artifact), ask(identity, DIGEST)), (Some(1), Some(1)));
    assert_eq!(ask(identity, "/nowhere"), Some(2));
}

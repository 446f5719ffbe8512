//! `Verify`.

use loadline::api::talos::proto::machine::image_service_client::ImageServiceClient;
use loadline::api::talos::proto::machine::{ImageServiceCredentials, ImageServiceVerifyRequest};
use tonic::Code;

use super::channel;
use crate::support::daemon::Daemon;

#[tokio::test]
async fn without_rules_nothing_is_verified() {
    let daemon = Daemon::start();
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    let digest = "sha256:1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";
    let credentials = ImageServiceCredentials { host: "registry.example".into(), ..Default::default() };
    for name in ["app", "INDEX.docker.io/app:1", &format!("registry.example/team/app:1@{digest}")] {
        let request = ImageServiceVerifyRequest { image_ref: name.to_owned(), credentials: Some(credentials.clone()) };
        let answer = client.verify(request).await.unwrap().into_inner();
        assert_eq!((answer.verified, &*answer.message, &*answer.digested_image_ref), (false, "no matched rule", ""));
    }
}

#[tokio::test]
async fn what_is_no_reference_is_refused() {
    let daemon = Daemon::start();
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    for name in ["", "Team/app:1", "app@sha256:1a3f", "a b", &"a".repeat(10_000)] {
        let request = ImageServiceVerifyRequest { image_ref: name.to_owned(), credentials: None };
        let error = client.verify(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{name}");
        assert!(error.message().starts_with("image reference is invalid: "), "{error}");
    }
}

#[tokio::test]
async fn rules_answer() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    let text = "apiVersion: v1alpha1\nkind: ImageVerificationConfig\nrules:\n  - {image: \"registry.example/no/*\", deny: true}\n";
    std::fs::write(&rules, text).unwrap();
    let daemon = Daemon::start_with(&["--verify-rules", rules.to_str().unwrap()]);
    let mut client = ImageServiceClient::new(channel(&daemon).await);
    let request = |name: &str| ImageServiceVerifyRequest { image_ref: name.to_owned(), credentials: None };
    let error = client.verify(request("Registry.example/no/app:1")).await.unwrap_err();
    let text = "verification denied by matched rule (0000)";
    assert_eq!((error.code(), error.message()), (Code::PermissionDenied, text));
    assert!(!client.verify(request("app:1")).await.unwrap().into_inner().verified);
}

//! `POST /images/{name}/verify`: who signed an image. Docker has no such path.

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::docker::answer::{Answer, ErrorResponse, json};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::api::docker::render::verification::ImageVerification;
use crate::domain::{Error, ImageName, Result};
use crate::engine::VerifyQuery;

/// What an image is verified by.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct VerifyRequest {
    /// The rules to judge by, an `ImageVerificationConfig` in YAML or JSON; by default those of the daemon.
    #[schema(
        nullable = false,
        example = "{\"apiVersion\":\"v1alpha1\",\"kind\":\"ImageVerificationConfig\",\"rules\":[{\"image\":\"*\",\"deny\":true}]}"
    )]
    rules: Option<String>,
    /// The roots of trust, a `trusted_root.json` of Sigstore; by default those of the public instance.
    #[schema(
        nullable = false,
        example = "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\"}"
    )]
    trusted_root: Option<String>,
}

/// Verify the signatures of an image
///
/// Verifies every signature and attestation about a local image and judges them by rules. Uses no network.
#[utoipa::path(
    post,
    path = "/images/{name}/verify",
    operation_id = "ImageVerify",
    tag = "Image",
    extensions(("x-loadline-extension" = json!(true))),
    params(
        ("name" = String, Path, description = "An image name, a digest, or an image ID or the beginning of one", example = "registry.example/team/app:1.0"),
        ("platform" = Option<String>, Query, description = "The platform to verify, as a JSON object; by default all",
            example = json!("{\"os\":\"linux\",\"architecture\":\"arm64\"}")),
    ),
    request_body(content = VerifyRequest, description = "What to verify by; may be left out",
        example = json!({"Rules": "{\"apiVersion\":\"v1alpha1\",\"kind\":\"ImageVerificationConfig\",\"rules\":[{\"image\":\"*\",\"deny\":true}]}"})),
    responses(
        (status = 200, description = "What was found, verified or not", body = ImageVerification<'static>, example = json!({
            "Verified": true,
            "Admitted": true,
            "Image": "registry.example/team/app@sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
            "Rule": "0000 (registry.example/team/*)",
            "Message": "signed by someone@example.org (issuer https://issuer.example)",
            "Platforms": [{
                "Platform": "linux/amd64",
                "Digest": "sha256:574cc6587cfcacce046835c1eada18bc9e9d5c98572dbccffc68962295f6edbe",
                "Verified": true,
                "Signatures": [{
                    "Kind": "bundle",
                    "Digest": "sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22",
                    "Verified": true,
                    "Identity": "someone@example.org",
                    "Reason": "",
                }],
            }],
        })),
        (status = 400, description = "The name, the platform, the rules or the roots are malformed", body = ErrorResponse<'static>,
            example = json!({"message": "the body is no request for a verification"})),
        (status = 404, description = "No such image, or the image lacks the platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_verify(State(app): State<App>, Path(name): Path<String>, query: Query, body: Bytes) -> Answer {
    let request = request(&body)?;
    let platform = super::platform(&query)?;
    let wanted = VerifyQuery { platform, rules: request.rules, trusted_root: request.trusted_root };
    let verification = app.engine.verify(&ImageName::parse(&name)?, wanted).await?;
    json(StatusCode::OK, &ImageVerification::from(&verification))
}

fn request(body: &[u8]) -> Result<VerifyRequest> {
    if body.is_empty() {
        return Ok(VerifyRequest::default());
    }
    let read = serde_json::from_slice(body);
    read.map_err(|error| Error::invalid("the body is no request for a verification").with_cause(error))
}

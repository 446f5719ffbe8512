//! `GET /distribution/{name}/json`.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::credential;
use crate::api::docker::answer::{Answer, ErrorResponse, Failure, json};
use crate::api::docker::app::App;
use crate::api::docker::render::descriptor::{OciDescriptor, OciPlatform};
use crate::domain::Reference;
use crate::domain::descriptor::DescriptorJson;
use crate::domain::platform::PlatformJson;

/// An image in a registry.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DistributionInspect<'a> {
    /// The index of the image, or its only manifest.
    #[schema(value_type = OciDescriptor)]
    descriptor: DescriptorJson<'a>,
    /// The platforms that the index lists, or that of a manifest of Docker's type; null for other manifests.
    #[schema(value_type = Option<Vec<OciPlatform>>, required = true)]
    platforms: Option<Vec<PlatformJson<'a>>>,
}

/// Inspect an image in its registry
///
/// Resolves the image and lists its platforms, without pulling it.
#[utoipa::path(
    get,
    path = "/distribution/{name}/json",
    operation_id = "DistributionInspect",
    tag = "Distribution",
    params(
        ("name" = String, Path, description = "The name of the image, with an optional tag or digest", example = "registry.example/team/app:1.0"),
        ("X-Registry-Auth" = Option<String>, Header, description = "Registry credentials: a JSON object (`AuthConfig`), base64url-encoded",
            example = "eyJ1c2VybmFtZSI6InNvbWV1c2VyIiwicGFzc3dvcmQiOiJzZWNyZXQifQ=="),
    ),
    responses(
        (status = 200, description = "The image", body = DistributionInspect<'static>, example = json!({
            "Descriptor": {
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
                "size": 2385,
            },
            "Platforms": [{"architecture": "amd64", "os": "linux"}],
        })),
        (status = 400, description = "The name is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid reference format"})),
        (status = 401, description = "The registry requires credentials", body = ErrorResponse<'static>,
            example = json!({"message": "unauthorized: authentication required"})),
        (status = 403, description = "The registry denies access to the image", body = ErrorResponse<'static>,
            example = json!({"message": "denied: requested access to the resource is denied"})),
        (status = 404, description = "The registry has no such image", body = ErrorResponse<'static>,
            example = json!({"message": "manifest unknown: manifest unknown"})),
        (status = 500, description = "The daemon failed, or the registry cannot be reached", body = ErrorResponse<'static>,
            example = json!({"message": "HEAD https://registry.example/v2/team/app/manifests/1.0: Connection refused (os error 111)"})),
    ),
)]
pub async fn distribution_inspect(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    let reference = Reference::parse(&name)?.with_default_tag();
    let image = app.engine.remote(&reference, credential(&headers)).await.map_err(Failure::remote)?;
    let platforms = image.platforms.as_ref().map(|all| all.iter().map(PlatformJson).collect());
    json(StatusCode::OK, &DistributionInspect { descriptor: image.descriptor.json(), platforms })
}

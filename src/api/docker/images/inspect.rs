//! `GET /images/{name}/json`.

use axum::extract::{Path, State};
use http::StatusCode;

use crate::api::docker::answer::{Answer, ErrorResponse, json};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::api::docker::render::detail::ImageInspect;
use crate::api::docker::versions::Form;
use crate::domain::{Error, ImageName};

/// Inspect an image
///
/// For an image with several platforms, the details are those of the requested platform, or else of the one that matches the
/// host best.
#[utoipa::path(
    get,
    path = "/images/{name}/json",
    operation_id = "ImageInspect",
    tag = "Image",
    params(
        ("name" = String, Path, description = "An image name, a digest, or an image ID or the beginning of one", example = "registry.example/team/app:1.0"),
        ("manifests" = Option<bool>, Query, description = "Include the manifests of the image: its platforms and attestations"),
        ("platform" = Option<String>, Query,
            description = "The platform to show, as a JSON object; cannot be combined with `manifests`",
            example = json!("{\"os\":\"linux\",\"architecture\":\"arm64\"}")),
    ),
    responses(
        (status = 200, description = "The image", body = ImageInspect<'static>, example = json!({
            "Id": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
            "RepoTags": ["registry.example/team/app:1.0"],
            "RepoDigests": ["registry.example/team/app@sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"],
            "Comment": "buildkit.dockerfile.v0",
            "Created": "2026-01-01T00:00:00Z",
            "Config": {"Entrypoint": ["/bin/busybox"], "Cmd": ["httpd", "-f", "-p", "8080"], "WorkingDir": "/www"},
            "Architecture": "amd64",
            "Os": "linux",
            "Size": 1067320,
            "RootFS": {"Type": "layers", "Layers": ["sha256:574cc6587cfcacce046835c1eada18bc9e9d5c98572dbccffc68962295f6edbe"]},
            "Metadata": {"LastTagTime": "2026-11-20T18:32:44.572843485Z"},
        })),
        (status = 400, description = "The name or the platform is malformed, or the parameters conflict",
            body = ErrorResponse<'static>,
            example = json!({"message": "conflicting options: manifests and platform options cannot both be set"})),
        (status = 404, description = "No such image, or the image lacks the platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_inspect(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(shape): Form,
    query: Query,
) -> Answer {
    let manifests = query.flag("manifests");
    let platform = super::platform(&query)?;
    if manifests && platform.is_some() {
        return Err(Error::invalid("conflicting options: manifests and platform options cannot both be set").into());
    }
    let image = app.engine.inspect(&ImageName::parse(&name)?, platform.as_ref()).await?;
    json(StatusCode::OK, &ImageInspect::new(&image, &shape.detail, manifests))
}

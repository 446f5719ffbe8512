//! `GET /images/{name}/history`.

use axum::extract::{Path, State};
use http::StatusCode;

use crate::api::docker::answer::{Answer, ErrorResponse, json};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::api::docker::render::history::ImageHistoryResponseItem;
use crate::domain::ImageName;

/// Show the history of an image
///
/// The build steps, newest first, each with the compressed size of its layer.
#[utoipa::path(
    get,
    path = "/images/{name}/history",
    operation_id = "ImageHistory",
    tag = "Image",
    params(
        ("name" = String, Path, description = "An image name, a digest, or an image ID or the beginning of one", example = "registry.example/team/app:1.0"),
        ("platform" = Option<String>, Query, description = "The platform to show, as a JSON object; by default that of the host",
            example = json!("{\"os\":\"linux\",\"architecture\":\"arm64\"}")),
    ),
    responses(
        (status = 200, description = "The steps", body = Vec<ImageHistoryResponseItem<'static>>, example = json!([{
            "Comment": "buildkit.dockerfile.v0",
            "Created": 1767225600,
            "CreatedBy": "CMD [\"httpd\" \"-f\" \"-p\" \"8080\"]",
            "Id": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
            "Size": 0,
            "Tags": ["registry.example/team/app:1.0"],
        }])),
        (status = 400, description = "The name or the platform is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "both OS and Architecture must be provided"})),
        (status = 404, description = "No such image, or the image lacks the platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_history(State(app): State<App>, Path(name): Path<String>, query: Query) -> Answer {
    let platform = super::platform(&query)?;
    let items = app.engine.history(&ImageName::parse(&name)?, platform.as_ref()).await?;
    json(StatusCode::OK, &items.iter().map(ImageHistoryResponseItem::from).collect::<Vec<_>>())
}

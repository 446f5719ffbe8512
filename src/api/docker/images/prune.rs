//! `POST /images/prune`.

use axum::extract::State;
use http::StatusCode;

use crate::api::docker::answer::{Answer, ErrorResponse, json};
use crate::api::docker::app::App;
use crate::api::docker::filters::{self, Filters};
use crate::api::docker::query::Query;
use crate::api::docker::render::removed::ImagePruneResponse;

/// Remove unused images
///
/// Removes images without a name, or with the filter `dangling=false` all images, as no container uses any. Content that a
/// running operation uses is kept.
#[utoipa::path(
    post,
    path = "/images/prune",
    operation_id = "ImagePrune",
    tag = "Image",
    params(
        ("filters" = Option<String>, Query,
            description = "Filters, as a JSON object that maps names to lists of values: `dangling`, `label`, `label!`, `until`",
            example = json!("{\"dangling\":[\"false\"],\"until\":[\"24h\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed", body = ImagePruneResponse, example = json!({
            "ImagesDeleted": [
                {"Untagged": "registry.example/team/app:1.0"},
                {"Deleted": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"},
            ],
            "SpaceReclaimed": 3041652,
        })),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    ),
)]
pub async fn image_prune(State(app): State<App>, query: Query) -> Answer {
    let filter = filters::pruned(&Filters::parse(query.text("filters"))?, app.engine.now())?;
    let pruned = app.engine.prune(&filter).await?;
    json(StatusCode::OK, &ImagePruneResponse::from(pruned))
}

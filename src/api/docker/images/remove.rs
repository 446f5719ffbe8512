//! `DELETE /images/{name}`.

use axum::extract::{Path, State};
use http::StatusCode;

use crate::api::docker::answer::{Answer, ErrorResponse, json};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::api::docker::render::removed::ImageDeleteResponseItem;
use crate::domain::{ImageName, Platform, Result};
use crate::engine::RemoveOptions;

/// Remove an image
///
/// Removes a name. Removing the last name of an image also removes the image and all content that no other image uses. With
/// `platforms`, only the content of those platforms is removed: the image, its names and the attestations stay.
#[utoipa::path(
    delete,
    path = "/images/{name}",
    operation_id = "ImageDelete",
    tag = "Image",
    params(
        ("name" = String, Path, description = "An image name, a digest, or an image ID or the beginning of one", example = "registry.example/team/app:1.0"),
        ("force" = Option<bool>, Query, description = "Remove an image by its ID even if it has several names; required with `platforms`"),
        ("noprune" = Option<bool>, Query, description = "Accepted for compatibility; images have no parents to remove"),
        ("platforms" = Option<Vec<String>>, Query,
            description = "Platforms whose content to remove, each as a JSON object; by default the whole image",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
    ),
    responses(
        (status = 200, description = "What was removed", body = Vec<ImageDeleteResponseItem>, example = json!([
            {"Untagged": "registry.example/team/app:1.0"},
            {"Deleted": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"},
        ])),
        (status = 400, description = "The name or a platform is malformed, or `platforms` is used without `force`",
            body = ErrorResponse<'static>, example = json!({"message": "image name cannot be blank"})),
        (status = 404, description = "No such image, or the image lacks the platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
        (status = 409, description = "The image has several names, or has only the one platform", body = ErrorResponse<'static>,
            example = json!({"message":
                "conflict: unable to delete 52a3f31150ff (must be forced) - image is referenced in multiple repositories"})),
    ),
)]
pub async fn image_delete(State(app): State<App>, Path(name): Path<String>, query: Query) -> Answer {
    let platforms = query.all("platforms").map(Platform::parse_json).collect::<Result<_>>()?;
    let options = RemoveOptions { force: query.flag("force"), platforms };
    // Before the name is read: where both are wrong, clients have always been told this.
    options.check()?;
    let removed = app.engine.remove(&ImageName::parse(&name)?, options).await?;
    let items: Vec<ImageDeleteResponseItem> = removed.into_iter().map(ImageDeleteResponseItem::from).collect();
    json(StatusCode::OK, &items)
}

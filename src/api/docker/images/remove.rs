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
/// A name is taken away; with its last name the image goes, and all content that no other image uses. With `platforms`,
/// only the content of those platforms goes: the image and its names stay, and so do the attestations.
#[utoipa::path(
    delete,
    path = "/images/{name}",
    operation_id = "ImageDelete",
    tag = "Image",
    params(
        ("name" = String, Path, description = "A name, or an ID or its beginning", example = "registry.example/team/app:1.0"),
        ("force" = Option<bool>, Query, description = "Remove an image by its ID although it has several names, or content of platforms"),
        ("noprune" = Option<bool>, Query, description = "Accepted; images have no parents that could be removed along"),
        ("platforms" = Option<Vec<String>>, Query,
            description = "Platforms whose content to remove, each as a JSON object; the whole image if not set",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
    ),
    responses(
        (status = 200, description = "What was removed", body = Vec<ImageDeleteResponseItem>, example = json!([
            {"Untagged": "registry.example/team/app:1.0"},
            {"Deleted": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"},
        ])),
        (status = 400, description = "The name or a platform is malformed, or platforms are to go without force",
            body = ErrorResponse<'static>, example = json!({"message": "image name cannot be blank"})),
        (status = 404, description = "There is no such image, or it is not for that platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
        (status = 409, description = "The image has several names, or only the one platform", body = ErrorResponse<'static>,
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

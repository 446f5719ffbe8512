//! `POST /images/{name}/tag`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use crate::api::docker::answer::{Answer, ErrorResponse};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::domain::{Error, ImageName, Reference, Result, TagName};

/// Tag an image
///
/// Adds a name to an image. If another image has that name, the name moves.
#[utoipa::path(
    post,
    path = "/images/{name}/tag",
    operation_id = "ImageTag",
    tag = "Image",
    params(
        ("name" = String, Path, description = "An image name, a digest, or an image ID or the beginning of one", example = "registry.example/team/app:1.0"),
        ("repo" = Option<String>, Query, description = "The repository of the new name (required)", example = "someuser/someimage"),
        ("tag" = Option<String>, Query, description = "The tag of the new name, by default `latest`", example = "newest"),
    ),
    responses(
        (status = 201, description = "The image has the new name"),
        (status = 400, description = "A name is malformed, or `repo` is missing", body = ErrorResponse<'static>,
            example = json!({"message": "invalid tag format"})),
        (status = 404, description = "No such image", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_tag(State(app): State<App>, Path(name): Path<String>, query: Query) -> Answer {
    let new = new_name(&query)?;
    app.engine.tag(&ImageName::parse(&name)?, &new).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn new_name(query: &Query) -> Result<TagName> {
    let repository = match query.text("repo") {
        "" => return Err(Error::invalid("the parameter repo is missing: the repository of the new name")),
        repository => Reference::parse(repository)?,
    };
    if repository.digest().is_some() {
        return Err(Error::invalid("the repository of a new name cannot have a digest"));
    }
    TagName::new(match query.text("tag") {
        "" => repository.with_default_tag(),
        tag => repository.with_tag(tag)?,
    })
}

#[cfg(test)]
mod tests;

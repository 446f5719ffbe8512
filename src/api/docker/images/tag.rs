//! `POST /images/{name}/tag`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use crate::api::docker::answer::{Answer, ErrorResponse};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::domain::{Error, ImageName, Reference, Result, TagName};

/// Give an image a further name
///
/// A name that another image has is taken from it.
#[utoipa::path(
    post,
    path = "/images/{name}/tag",
    operation_id = "ImageTag",
    tag = "Image",
    params(
        ("name" = String, Path, description = "A name, or an ID or its beginning", example = "registry.example/team/app:1.0"),
        ("repo" = Option<String>, Query, description = "The repository of the new name; must be set", example = "someuser/someimage"),
        ("tag" = Option<String>, Query, description = "The tag of the new name; `latest` if not set", example = "newest"),
    ),
    responses(
        (status = 201, description = "The image has the name"),
        (status = 400, description = "A name is malformed, or there is no new one", body = ErrorResponse<'static>,
            example = json!({"message": "invalid tag format"})),
        (status = 404, description = "There is no such image", body = ErrorResponse<'static>,
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

//! `GET /images/{name}/get` and `GET /images/get`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::StreamExt;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::load::platforms;
use crate::api::docker::answer::{Answer, ErrorResponse};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::api::docker::render::binary::Binary;
use crate::api::docker::versions::{Form, LoadShape};
use crate::api::error_table;
use crate::engine::SaveOptions;

/// Save an image
///
/// An OCI image layout in a tar archive that readers of docker-archives read as well: the image with its attestations and
/// referrers, as far as they are here. Where a platform is missing, the image's index is trimmed to what is here.
#[utoipa::path(
    get,
    path = "/images/{name}/get",
    operation_id = "ImageGet",
    tag = "Image",
    params(
        ("name" = String, Path,
            description = "A name, or an ID or its beginning; without a tag, every image of the repository is saved",
            example = "registry.example/team/app:1.0"),
        ("platform" = Option<Vec<String>>, Query, description = "The platforms to save, each as a JSON object; all if not set",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
    ),
    responses(
        (status = 200, description = "The archive", body = inline(Binary), content_type = "application/x-tar"),
        (status = 400, description = "The name or a platform is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "both OS and Architecture must be provided"})),
        (status = 404, description = "There is no such image, or it is not for that platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_get(State(app): State<App>, Form(shape): Form, Path(name): Path<String>, query: Query) -> Answer {
    archive(&app, vec![name], &query, &shape.load).await
}

/// Save images
///
/// The same archive of several images; what they share is in it once.
#[utoipa::path(
    get,
    path = "/images/get",
    operation_id = "ImageGetAll",
    tag = "Image",
    params(
        ("names" = Option<Vec<String>>, Query, description = "Names or IDs of the images; one at least",
            example = json!(["registry.example/team/app:1.0"])),
        ("platform" = Option<Vec<String>>, Query, description = "The platforms to save, each as a JSON object; all if not set",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
    ),
    responses(
        (status = 200, description = "The archive", body = inline(Binary), content_type = "application/x-tar"),
        (status = 400, description = "No image is named, or a name or a platform is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "no image to save is named"})),
        (status = 404, description = "There is no such image, or it is not for that platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_get_all(State(app): State<App>, Form(shape): Form, query: Query) -> Answer {
    // Clients that were generated from Docker's document join the names; no name holds a comma.
    let names = query.all("names").flat_map(|names| names.split(',')).filter(|name| !name.is_empty());
    let names = names.map(str::to_owned).collect();
    archive(&app, names, &query, &shape.load).await
}

async fn archive(app: &App, names: Vec<String>, query: &Query, shape: &LoadShape) -> Answer {
    let options = SaveOptions { names, platforms: platforms(query, shape)? };
    let saved = app.engine.save(options).await?;
    let size = saved.size;
    let pieces = saved.stream().inspect(|piece| {
        if let Err(error) = piece {
            error_table::log(error);
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    // So that a client can tell an archive that broke off from one that ended.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}

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
/// The archive is an OCI image layout in a tar file that readers of docker-archive also accept. It holds the image with the
/// attestations and referrers that are present locally. If a platform is missing, the saved index lists only those present.
#[utoipa::path(
    get,
    path = "/images/{name}/get",
    operation_id = "ImageGet",
    tag = "Image",
    params(
        ("name" = String, Path,
            description = "An image name, a digest, or an image ID or the beginning of one; a name without a tag saves all images of the repository",
            example = "registry.example/team/app:1.0"),
        ("platform" = Option<Vec<String>>, Query, description = "The platforms to save, each as a JSON object; by default all",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
    ),
    responses(
        (status = 200, description = "The archive", body = inline(Binary), content_type = "application/x-tar"),
        (status = 400, description = "The name or a platform is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "both OS and Architecture must be provided"})),
        (status = 404, description = "No such image, or the image lacks the platform", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_get(State(app): State<App>, Form(shape): Form, Path(name): Path<String>, query: Query) -> Answer {
    archive(&app, vec![name], &query, &shape.load).await
}

/// Save images
///
/// Saves several images in one archive. Content that they share is stored once.
#[utoipa::path(
    get,
    path = "/images/get",
    operation_id = "ImageGetAll",
    tag = "Image",
    params(
        ("names" = Option<Vec<String>>, Query, description = "Names or IDs of the images; at least one",
            example = json!(["registry.example/team/app:1.0"])),
        ("platform" = Option<Vec<String>>, Query, description = "The platforms to save, each as a JSON object; by default all",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
    ),
    responses(
        (status = 200, description = "The archive", body = inline(Binary), content_type = "application/x-tar"),
        (status = 400, description = "No image is named, or a name or platform is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "no image to save is named"})),
        (status = 404, description = "No such image, or the image lacks the platform", body = ErrorResponse<'static>,
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

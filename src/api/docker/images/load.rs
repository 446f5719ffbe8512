//! `POST /images/load`.

use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;

use crate::api::docker::answer::{Answer, ErrorResponse, bytes};
use crate::api::docker::app::App;
use crate::api::docker::body_error::unreadable;
use crate::api::docker::lines::lines;
use crate::api::docker::query::Query;
use crate::api::docker::render::binary::Binary;
use crate::api::docker::render::message::{self, LoadMessage};
use crate::api::docker::versions::{Form, LoadShape};
use crate::api::docker::words;
use crate::api::error_table;
use crate::domain::{Error, Platform, Result};
use crate::engine::{LoadEvent, LoadOptions};

/// Load images from an archive
///
/// The body is a tar archive of an OCI image layout, or one that `docker save` has written, plain or compressed with gzip,
/// zstd, xz or bzip2. The stream has one line for each loaded image. A load that fails answers 200 and reports the failure in
/// the last line.
#[utoipa::path(
    post,
    path = "/images/load",
    operation_id = "ImageLoad",
    tag = "Image",
    params(
        ("quiet" = Option<bool>, Query, description = "Accepted for compatibility; no progress is reported in either case"),
        ("platform" = Option<Vec<String>>, Query, description = "The platforms to load, each as a JSON object; by default all",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
    ),
    request_body(content = inline(Binary), content_type = "application/x-tar", description = "The archive"),
    responses(
        (status = 200, description = "The loaded images, or the failure, one JSON object per line",
            body = Vec<LoadMessage<'static>>, content_type = "application/x-ndjson", example = json!([
                {"stream": "Loaded image: registry.example/team/app:1.0\n"},
                {"stream": "Loaded image: registry.example/team/base:1.0\n"},
            ])),
        (status = 400, description = "A platform is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "both OS and Architecture must be provided"})),
    ),
)]
pub async fn image_load(State(app): State<App>, Form(shape): Form, query: Query, body: Body) -> Answer {
    let options = LoadOptions { platforms: platforms(&query, &shape.load)? };
    let archive = body.into_data_stream().map(|piece| piece.map_err(unreadable));
    let mut events = app.engine.load(options, archive);
    // As Docker Engine, and because containers/image (skopeo, buildah) stops sending as soon as it sees a status.
    let first = events.recv().await;
    Ok(bytes(StatusCode::OK, lines(first, events, line)))
}

/// The platforms that a load or a save is of; all where empty.
pub(super) fn platforms(query: &Query, shape: &LoadShape) -> Result<Vec<Platform>> {
    if !shape.platforms && query.all("platform").nth(1).is_some() {
        return Err(Error::invalid(
            "multiple platform parameters are not supported in this API version; use API version 1.52 or later",
        ));
    }
    query.all("platform").map(Platform::parse_json).collect()
}

/// The line that tells of an event.
fn line(event: LoadEvent) -> Bytes {
    match event {
        LoadEvent::Named(name) => message::line(&LoadMessage::stream(&format!("Loaded image: {name}\n"))),
        LoadEvent::Untagged(digest) => message::line(&LoadMessage::stream(&format!("Loaded image ID: {digest}\n"))),
        LoadEvent::Failed(error) => {
            error_table::log(&error);
            message::line(&LoadMessage::failed(&words::text(&error)))
        }
    }
}

#[cfg(test)]
mod tests;

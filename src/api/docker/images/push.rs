//! `POST /images/{name}/push`.

use axum::extract::{Path, State};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{platform, with_tag_parameter};
use crate::api::docker::answer::{Answer, ErrorResponse, bytes};
use crate::api::docker::app::App;
use crate::api::docker::lines::lines;
use crate::api::docker::query::Query;
use crate::api::docker::registry::credential;
use crate::api::docker::render::message::{self, Aux, ProgressDetail, TransferMessage};
use crate::api::docker::words;
use crate::api::error_table;
use crate::domain::{Reference, Result};
use crate::engine::{PushEvent, PushRequest, UploadState};

/// How many characters of a blob's digest clients are shown.
const SHORT_ID: usize = 12;

/// Push an image
///
/// The stream reports the progress of each layer, then the digest of each tag. The whole image is pushed, with all
/// platforms and attestations. If some of its content is neither stored locally nor in the registry, a single platform is
/// pushed instead, and the member `aux` of a line reports that. A failure is reported in the last line. Closing the
/// connection cancels the push.
#[utoipa::path(
    post,
    path = "/images/{name}/push",
    operation_id = "ImagePush",
    tag = "Image",
    params(
        ("name" = String, Path, description = "The name of the image with its registry, and an optional tag", example = "registry.example/team/app"),
        ("tag" = Option<String>, Query,
            description = "The tag to push; all tags of the repository are pushed if neither this nor the name has one", example = "1.0"),
        ("platform" = Option<String>, Query, description = "The only platform to push, as a JSON object; by default the whole image",
            example = "{\"os\":\"linux\",\"architecture\":\"arm64\"}"),
        ("referrers" = Option<bool>, Query, extensions(("x-loadline-extension" = json!(true))),
            description = "Also push the signatures and attestations that have the image as their subject"),
        ("X-Registry-Auth" = Option<String>, Header, description = "Registry credentials: a JSON object (`AuthConfig`), base64url-encoded",
            example = "eyJ1c2VybmFtZSI6InNvbWV1c2VyIiwicGFzc3dvcmQiOiJzZWNyZXQifQ=="),
    ),
    responses(
        (status = 200, description = "Progress messages, one JSON object per line",
            body = Vec<TransferMessage<'static>>, content_type = "application/x-ndjson", example = json!([
                {"status": "Pushing", "progressDetail": {"current": 524288, "total": 1064328}, "id": "f2f97cca978b"},
                {"status":
                    "1.0: digest: sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7 size: 2385"},
            ])),
        (status = 400, description = "The name, the tag or the platform is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid reference format"})),
    ),
)]
pub async fn image_push(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap, query: Query) -> Answer {
    let platform = platform(&query)?;
    let reference = reference(&name, query.text("tag"))?;
    let referrers = query.flag("referrers");
    let events = app.engine.push(PushRequest { reference, platform, referrers, credential: credential(&headers) });
    Ok(bytes(StatusCode::OK, lines(None, events, line)))
}

/// The name that a request means: its tag, which may be a digest, goes before that of the name.
fn reference(name: &str, tag: &str) -> Result<Reference> {
    with_tag_parameter(Reference::parse(name)?, tag)
}

/// The line that tells of an event; empty for what is not told.
fn line(event: PushEvent) -> Bytes {
    match event {
        PushEvent::Repository(name) => status(&format!("The push refers to repository [{name}]")),
        PushEvent::Blob { digest, state } => {
            let (text, progress) = match state {
                UploadState::Preparing => ("Preparing".to_owned(), ProgressDetail::default()),
                UploadState::Waiting => ("Waiting".to_owned(), ProgressDetail::default()),
                UploadState::Pushing { current, total } => (
                    "Pushing".to_owned(),
                    ProgressDetail { current: Some(current), total: Some(total), hidecounts: None },
                ),
                UploadState::Pushed => ("Pushed".to_owned(), ProgressDetail::default()),
                UploadState::Exists => ("Layer already exists".to_owned(), ProgressDetail::default()),
                UploadState::Mounted(path) => (format!("Mounted from {path}"), ProgressDetail::default()),
                UploadState::Foreign => ("Skipped foreign layer".to_owned(), ProgressDetail::default()),
                UploadState::Unavailable => ("Unavailable".to_owned(), ProgressDetail::default()),
            };
            message::line(&TransferMessage::blob(&text, &digest.hex()[..SHORT_ID], progress))
        }
        PushEvent::Instead { index, manifest } => {
            message::line(&TransferMessage::aux(Aux::instead(index.json(), manifest.json())))
        }
        PushEvent::Missing(image) => message::line(&TransferMessage::aux(Aux::missing(image.json()))),
        // Docker Engine says nothing of a name with a digest alone.
        PushEvent::Done { tag: None, .. } => Bytes::new(),
        PushEvent::Done { tag: Some(tag), digest, size } => status(&format!("{tag}: digest: {digest} size: {size}")),
        PushEvent::Failed(error) => {
            error_table::log(&error);
            message::line(&TransferMessage::failed(&words::text(&error)))
        }
    }
}

fn status(text: &str) -> Bytes {
    message::line(&TransferMessage::status(text, None))
}

#[cfg(test)]
mod tests;

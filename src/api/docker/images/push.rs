//! `POST /images/{name}/push`.

use axum::extract::{Path, State};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::platform;
use crate::api::docker::answer::{Answer, ErrorResponse, bytes};
use crate::api::docker::app::App;
use crate::api::docker::lines::lines;
use crate::api::docker::query::Query;
use crate::api::docker::registry::credential;
use crate::api::docker::render::message::{self, Aux, ProgressDetail, TransferMessage};
use crate::api::docker::words;
use crate::api::error_table;
use crate::domain::{Digest, Reference, Result};
use crate::engine::{PushEvent, PushRequest, UploadState};

/// How many characters of a blob's digest clients are shown.
const SHORT_ID: usize = 12;

/// Push an image
///
/// The answer is a stream of JSON objects: the layers' progress, then for each tag its digest. The whole image is pushed,
/// with every platform and attestation. Where content of it is neither here nor in the registry, one platform is pushed in
/// its place, and a line says so under `aux`. What fails says so in the last line. A push ends when the client hangs up.
#[utoipa::path(
    post,
    path = "/images/{name}/push",
    operation_id = "ImagePush",
    tag = "Image",
    params(
        ("name" = String, Path, description = "A name with its registry, which may have a tag", example = "registry.example/team/app"),
        ("tag" = Option<String>, Query,
            description = "The tag to push; where neither this nor the name has one, all tags are pushed", example = "1.0"),
        ("platform" = Option<String>, Query, description = "The one platform to push, as a JSON object; the whole image if not set",
            example = "{\"os\":\"linux\",\"architecture\":\"arm64\"}"),
        ("referrers" = Option<bool>, Query, extensions(("x-loadline-extension" = json!(true))),
            description = "Whether signatures and attestations go along that have the image as their subject"),
        ("X-Registry-Auth" = Option<String>, Header, description = "What opens the registry: base64 of a JSON object",
            example = "eyJ1c2VybmFtZSI6InNvbWV1c2VyIiwicGFzc3dvcmQiOiJzZWNyZXQifQ=="),
    ),
    responses(
        (status = 200, description = "How the push goes", body = TransferMessage<'static>,
            example = json!({"status": "Pushing", "progressDetail": {"current": 524288, "total": 1064328}, "id": "f2f97cca978b"})),
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
    let name = Reference::parse(name)?;
    if tag.is_empty() {
        return Ok(name);
    }
    match tag.parse::<Digest>() {
        Ok(digest) => Ok(name.trimmed().with_digest(digest)),
        Err(_) => name.without_digest().with_tag(tag),
    }
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

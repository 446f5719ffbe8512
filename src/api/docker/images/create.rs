//! `POST /images/create`: pulls, and imports.

use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::import::import;
use super::with_tag_parameter;
use crate::api::docker::answer::{Answer, ErrorResponse, Failure, bytes};
use crate::api::docker::app::App;
use crate::api::docker::lines::lines;
use crate::api::docker::query::Query;
use crate::api::docker::registry::credential;
use crate::api::docker::render::binary::Binary;
use crate::api::docker::render::message::{self, ProgressDetail, TransferMessage};
use crate::api::docker::words;
use crate::api::error_table;
use crate::domain::{Error, Kind, Platform, Reference, Result};
use crate::engine::{BlobState, PullEvent, PullRequest};

/// How many characters of a blob's digest clients are shown.
const SHORT_ID: usize = 12;

/// Pull or import an image
///
/// With `fromImage`, an image is pulled from its registry: the stream reports the progress of each layer, then the image's
/// digest and whether the image is new. With `fromSrc`, a root file system is imported as an image of one layer: the last
/// line has its digest. A failure before the first line is answered with a status of its own; a later one is reported in
/// the last line. Closing the connection cancels the operation.
#[utoipa::path(
    post,
    path = "/images/create",
    operation_id = "ImageCreate",
    tag = "Image",
    params(
        ("fromImage" = Option<String>, Query, description = "The name of the image to pull, with an optional tag or digest",
            example = "registry.example/team/app"),
        ("tag" = Option<String>, Query,
            description = "The tag or digest to pull; all tags are pulled if neither this nor `fromImage` has one. For an \
                import, the tag of the new image, by default `latest`", example = "1.0"),
        ("platform" = Option<String>, Query, description = "The platform to pull, or the platform of the \
            imported image, as `os[/arch[/variant]]`; by default that of the host", example = "linux/arm64"),
        ("fromSrc" = Option<String>, Query, description = "Where to import from: `-` for the request body, or an http or https URL",
            example = "-"),
        ("repo" = Option<String>, Query, description = "The repository of the imported image; without it the image has no name",
            example = "team/base"),
        ("message" = Option<String>, Query, description = "The comment in the history of the imported image",
            example = "Imported from the base system"),
        ("changes" = Option<Vec<String>>, Query,
            description = "Dockerfile instructions to apply to the imported image: `CMD`, `ENTRYPOINT`, `ENV`, `EXPOSE`, `HEALTHCHECK`, \
                `LABEL`, `ONBUILD`, `STOPSIGNAL`, `USER`, `VOLUME`, `WORKDIR`",
            example = json!(["CMD [\"/bin/sh\"]", "ENV DEBUG=true"])),
        ("X-Registry-Auth" = Option<String>, Header, description = "Registry credentials: a JSON object (`AuthConfig`), base64url-encoded",
            example = "eyJ1c2VybmFtZSI6InNvbWV1c2VyIiwicGFzc3dvcmQiOiJzZWNyZXQifQ=="),
    ),
    request_body(content = inline(Option<Binary>), content_type = "application/x-tar",
        description = "The root file system to import with `fromSrc=-`: a tar archive, plain or compressed with gzip, zstd, xz or bzip2"),
    responses(
        (status = 200, description = "Progress messages, one JSON object per line",
            body = Vec<TransferMessage<'static>>, content_type = "application/x-ndjson", example = json!([
                {"status": "Pulling from team/app", "id": "1.0"},
                {"status": "Downloading", "progressDetail": {"current": 524288, "total": 1064328}, "id": "f2f97cca978b"},
                {"status": "Status: Downloaded newer image for registry.example/team/app:1.0"},
            ])),
        (status = 400, description = "The name, the platform, an instruction or the archive is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid reference format"})),
        (status = 401, description = "The server to import from requires credentials; Loadline sends none", body = ErrorResponse<'static>,
            example = json!({"message": "failed to GET https://files.example/rootfs.tar with status 401 Unauthorized: "})),
        (status = 403, body = ErrorResponse<'static>,
            description = "The name is reserved, an admission rule denies the image, or the server to import from denies access",
            example = json!({"message": "'scratch' is a reserved name"})),
        (status = 404, description = "The registry has no such image, or denies access to it", body = ErrorResponse<'static>,
            example = json!({"message": "manifest unknown: manifest unknown"})),
    ),
)]
pub async fn image_create(State(app): State<App>, headers: HeaderMap, query: Query, body: Body) -> Answer {
    let platform = match query.text("platform") {
        "" => None,
        text => Some(Platform::parse_specifier(text)?),
    };
    let reference = match (query.text("fromImage"), query.text("fromSrc")) {
        ("", "") => return Err(Error::invalid("no image: set fromImage or fromSrc").into()),
        ("", source) => return import(&app, &query, source, platform, body).await,
        (name, _) => reference(name, query.text("tag"))?,
    };
    let mut events = app.engine.pull(PullRequest { reference, platform, credential: credential(&headers) });
    // A failure before the image is found is still an answer of its own.
    let first = match events.recv().await {
        Some(PullEvent::Failed(error)) => return Err(Failure::pull(error)),
        first => first,
    };
    Ok(bytes(StatusCode::OK, lines(first, events, line)))
}

/// The name that a request means: its tag, which may be a digest, goes before that of the name.
fn reference(name: &str, tag: &str) -> Result<Reference> {
    // Clients that pull all tags have left the colon of none.
    let name = Reference::parse(name.strip_suffix(':').unwrap_or(name))?;
    if name.familiar_name() == "scratch" {
        return Err(Error::new(Kind::PermissionDenied, "'scratch' is a reserved name"));
    }
    with_tag_parameter(name, tag)
}

/// The lines that tell of an event.
fn line(event: PullEvent) -> Bytes {
    const WITHOUT_COUNTS: ProgressDetail = ProgressDetail { current: None, total: None, hidecounts: Some(true) };
    match event {
        PullEvent::From { path, tag } => {
            message::line(&TransferMessage::status(&format!("Pulling from {path}"), Some(&tag)))
        }
        PullEvent::Blob { digest, state } => {
            let hex = digest.hex();
            let (text, progress) = match state {
                BlobState::Waiting => ("Pulling fs layer", ProgressDetail::default()),
                BlobState::Exists => ("Already exists", WITHOUT_COUNTS),
                BlobState::Downloading { current, total } => {
                    ("Downloading", ProgressDetail { current: Some(current), total: Some(total), hidecounts: None })
                }
                BlobState::Downloaded => ("Download complete", WITHOUT_COUNTS),
                BlobState::Complete => ("Pull complete", WITHOUT_COUNTS),
            };
            message::line(&TransferMessage::blob(text, &hex[..SHORT_ID], progress))
        }
        PullEvent::Digest(digest) => message::line(&TransferMessage::status(&format!("Digest: {digest}"), None)),
        PullEvent::Done { name, newer } => {
            let what = if newer { "Downloaded newer image" } else { "Image is up to date" };
            message::line(&TransferMessage::status(&format!("Status: {what} for {name}"), None))
        }
        PullEvent::Failed(error) => {
            error_table::log(&error);
            message::line(&TransferMessage::failed(&words::text(&error)))
        }
    }
}

#[cfg(test)]
mod tests;

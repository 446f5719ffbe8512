//! `GET|HEAD /content/{digest}`: a blob by its digest, for those who do not speak gRPC. Docker has no such path.

mod range;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use self::range::Part;
use super::answer::{Answer, ErrorResponse, refusal};
use super::app::App;
use super::render::binary::Binary;
use crate::api::error_table;
use crate::domain::{Digest, Error, Kind, Result};

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// How much of a blob is in memory at once, in bytes.
const CHUNK: usize = 256 << 10;

/// Read a blob
///
/// Returns any blob of any image by its digest: an index, manifest, configuration, layer or statement. A blob never changes,
/// so its digest is its entity tag.
#[utoipa::path(
    get,
    path = "/content/{digest}",
    operation_id = "ContentRead",
    tag = "Content",
    extensions(("x-loadline-extension" = json!(true))),
    params(
        ("digest" = String, Path, description = "The blob's digest",
            example = "sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22"),
        ("Range" = Option<String>, Header, description = "The range of bytes to read; only a single range is supported", example = "bytes=0-1023"),
        ("If-None-Match" = Option<String>, Header, description = "Entity tags of the content that the client already has",
            example = "\"sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22\""),
        ("If-Range" = Option<String>, Header, description = "The entity tag that the range applies to",
            example = "\"sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22\""),
    ),
    responses(
        (status = 200, description = "The blob", body = inline(Binary), content_type = "application/octet-stream", headers(
            ("Docker-Content-Digest" = String, description = "The blob's digest"),
            ("ETag" = String, description = "The digest in quotes"),
            ("Accept-Ranges" = String, description = "Always `bytes`")
        )),
        (status = 206, description = "The requested range of the blob", body = inline(Binary), content_type = "application/octet-stream", headers(
            ("Docker-Content-Digest" = String, description = "The blob's digest"),
            ("ETag" = String, description = "The digest in quotes"),
            ("Content-Range" = String, description = "The range of the returned bytes, and the size of the blob")
        )),
        (status = 304, description = "The client already has the blob", headers(
            ("ETag" = String, description = "The digest in quotes")
        )),
        (status = 400, description = "The digest is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid digest format"})),
        (status = 404, description = "No such blob", body = ErrorResponse<'static>,
            example = json!({"message": "content sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22: not found"})),
        (status = 416, description = "The range lies outside of the blob", body = ErrorResponse<'static>,
            headers(("Content-Range" = String, description = "The size of the blob")),
            example = json!({"message": "the blob has no such range"})),
    ),
)]
pub async fn content_read(State(app): State<App>, Path(digest): Path<String>, headers: HeaderMap) -> Answer {
    let digest = parse(&digest)?;
    let blob = app.engine.blob(&digest).await?;
    let tag = entity_tag(&digest)?;
    if is_known(&headers, &tag) {
        return described(StatusCode::NOT_MODIFIED, &digest, tag, Body::empty());
    }
    let size = blob.size;
    // A range is of one version of what it is part of; of another version, the client needs the whole.
    let current = headers.get(IF_RANGE).is_none_or(|range_of| *range_of == tag);
    let part = if current { Part::of(headers.get(RANGE), size) } else { Part::Whole };
    let (status, start, length) = match part {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Range { start, length } => (StatusCode::PARTIAL_CONTENT, start, length),
        Part::Unsatisfiable => {
            let mut response = refusal(Kind::OutOfRange, "the blob has no such range").into_response();
            response.headers_mut().insert(CONTENT_RANGE, header(&format!("bytes */{size}"))?);
            return Ok(response);
        }
    };
    let bytes = blob.stream(start, length, CHUNK).inspect(|piece| {
        if let Err(error) = piece {
            error_table::log(error);
        }
    });
    let mut response = described(status, &digest, tag, Body::from_stream(bytes))?;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{size}", start + length - 1);
        response.headers_mut().insert(CONTENT_RANGE, header(&range)?);
    }
    Ok(response)
}

/// Check whether a blob exists
///
/// The same headers as reading the blob, without the body.
#[utoipa::path(
    head,
    path = "/content/{digest}",
    operation_id = "ContentHead",
    tag = "Content",
    extensions(("x-loadline-extension" = json!(true))),
    params(
        ("digest" = String, Path, description = "The blob's digest",
            example = "sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22"),
        ("If-None-Match" = Option<String>, Header, description = "Entity tags of the content that the client already has",
            example = "\"sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22\""),
    ),
    responses(
        (status = 200, description = "The blob exists; `Content-Length` is its size", headers(
            ("Docker-Content-Digest" = String, description = "The blob's digest"),
            ("ETag" = String, description = "The digest in quotes"),
            ("Accept-Ranges" = String, description = "Always `bytes`")
        )),
        (status = 304, description = "The client already has the blob", headers(
            ("ETag" = String, description = "The digest in quotes")
        )),
        (status = 400, description = "The digest is malformed"),
        (status = 404, description = "No such blob"),
    ),
)]
pub async fn content_head(State(app): State<App>, Path(digest): Path<String>, headers: HeaderMap) -> Answer {
    let digest = parse(&digest)?;
    let blob = app.engine.blob(&digest).await?;
    let tag = entity_tag(&digest)?;
    let status = if is_known(&headers, &tag) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = described(status, &digest, tag, Body::empty())?;
    if status == StatusCode::OK {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(blob.size));
    }
    Ok(response)
}

fn parse(digest: &str) -> Result<Digest> {
    digest.parse().map_err(|e| Error::invalid(format!("{e}")))
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|e| Error::internal("writing the answer failed", e))
}

fn entity_tag(digest: &Digest) -> Result<HeaderValue> {
    header(&format!("\"{digest}\""))
}

/// Whether the client has what the tag names. Tags are compared weakly here, as RFC 9110, section 13.1.2 asks.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes())
}

fn described(status: StatusCode, digest: &Digest, tag: HeaderValue, body: Body) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, tag);
    headers.insert(DOCKER_CONTENT_DIGEST, header(&digest.to_string())?);
    Ok(response)
}

#[cfg(test)]
mod tests;

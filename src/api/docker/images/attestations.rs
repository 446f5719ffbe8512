//! `GET /images/{name}/attestations`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, StatusCode};

use crate::api::docker::answer::{Answer, ErrorResponse, bytes, json};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::api::docker::render::attestation::AttestationStatement;
use crate::domain::{Descriptor, Error, ImageName, Result};
use crate::engine::{AttestationQuery, Blob};

/// How much of a statement is in memory at once, in bytes.
const CHUNK: usize = 256 << 10;

/// List the attestations of an image
///
/// The in-toto statements about one platform of an image, in the order of its attestation manifests. The list is empty if
/// there are none.
#[utoipa::path(
    get,
    path = "/images/{name}/attestations",
    operation_id = "ImageAttestations",
    tag = "Image",
    params(
        ("name" = String, Path, description = "An image name, a digest, or an image ID or the beginning of one", example = "registry.example/team/app:1.0"),
        ("platform" = Option<Vec<String>>, Query,
            description = "The platform that the statements are about, as a JSON object; by default that of the host. At most one value.",
            example = json!(["{\"os\":\"linux\",\"architecture\":\"arm64\"}"])),
        ("type" = Option<Vec<String>>, Query, description = "Predicate types to list; by default all",
            example = json!(["https://slsa.dev/provenance/v1"])),
        ("statement" = Option<bool>, Query, description = "Include the statements themselves"),
    ),
    responses(
        (status = 200, description = "The statements", body = Vec<AttestationStatement<'static>>, example = json!([{
            "Descriptor": {
                "mediaType": "application/vnd.in-toto+json",
                "digest": "sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22",
                "size": 5398,
                "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"},
            },
            "PredicateType": "https://slsa.dev/provenance/v1",
        }])),
        (status = 400, description = "The name or the platform is malformed, or more than one platform is given",
            body = ErrorResponse<'static>, example = json!({"message": "only one platform value is currently supported"})),
        (status = 404, description = "No such image, the image lacks the platform, or a statement is not present locally",
            body = ErrorResponse<'static>, example = json!({"message": "No such image: app:latest"})),
        (status = 500, description = "The daemon failed, or a statement is not valid JSON", body = ErrorResponse<'static>,
            example = json!({"message":
                "attestation statement sha256:249cb66545e572444e01ded950671f232997896bb46c2cd3bba3aa3d93885e22 is not valid JSON"})),
    ),
)]
pub async fn image_attestations(State(app): State<App>, Path(name): Path<String>, query: Query) -> Answer {
    if query.all("platform").nth(1).is_some() {
        return Err(Error::invalid("only one platform value is currently supported").into());
    }
    let types = query.all("type").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
    let wanted = AttestationQuery { platform: super::platform(&query)?, types };
    let name = ImageName::parse(&name)?;
    if query.flag("statement") {
        return with_bodies(app.engine.attestation_bodies(&name, &wanted).await?);
    }
    let statements = app.engine.attestations(&name, &wanted).await?;
    json(StatusCode::OK, &statements.iter().filter_map(AttestationStatement::listed).collect::<Vec<_>>())
}

/// The list with each statement's own bytes in it. Its length is known beforehand, so that a client can tell an answer
/// that broke off from one that ended.
fn with_bodies(statements: Vec<(Descriptor, Blob)>) -> Answer {
    let mut length = 2;
    let mut pieces = Vec::new();
    for (at, (statement, blob)) in statements.into_iter().enumerate() {
        let mut head = serde_json::to_vec(&AttestationStatement::listed(&statement))
            .map_err(|e| Error::internal("writing the answer failed", e))?;
        // The entry stays open for the statement.
        head.pop();
        head.extend_from_slice(br#","Statement":"#);
        if at > 0 {
            head.insert(0, b',');
        }
        length += head.len() as u64 + blob.size + 1;
        pieces.push((Bytes::from(head), blob));
    }
    let entries = stream::iter(pieces).flat_map(|(head, blob)| {
        let size = blob.size;
        let body = blob.stream(0, size, CHUNK).inspect(|piece| {
            if let Err(error) = piece {
                crate::api::error_table::log(error);
            }
        });
        literal(head).chain(body).chain(literal(Bytes::from_static(b"}"))).boxed()
    });
    let body = literal(Bytes::from_static(b"[")).chain(entries).chain(literal(Bytes::from_static(b"]")));
    let mut response: Response = bytes(StatusCode::OK, Body::from_stream(body));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

fn literal(piece: Bytes) -> impl futures_util::Stream<Item = Result<Bytes>> + Send {
    stream::once(std::future::ready(Ok(piece)))
}

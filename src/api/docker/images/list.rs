//! `GET /images/json`.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::api::docker::answer::{Answer, ErrorResponse, bytes};
use crate::api::docker::app::App;
use crate::api::docker::filters::{self, Filters};
use crate::api::docker::query::Query;
use crate::api::docker::render::summary::ImageSummary;
use crate::api::docker::versions::{Detail, Form, Shape};
use crate::domain::{Error, Result, image};
use crate::engine::{Engine, ImageFilter, ListQuery, ListedImage, Listing};

/// How many bytes of a list are written at once. A list that is shorter is sent with its length.
const CHUNK: usize = 256 << 10;

/// From how many images on a list that is not rendered yet is worth a second thread.
const RENDERED_BY_TWO: usize = 64;

/// How many chunks wait for a slow client.
const WAITING: usize = 2;

/// List images
///
/// Newest first. With `manifests`, the platforms of each image and their attestations are listed as well.
#[utoipa::path(
    get,
    path = "/images/json",
    operation_id = "ImageList",
    tag = "Image",
    params(
        ("all" = Option<bool>, Query, description = "Accepted for compatibility; all images are listed in either case"),
        ("filters" = Option<String>, Query,
            description = "Filters, as a JSON object that maps names to lists of values: `reference`, `label`, `label!`, `dangling`, `before`, `since`, `until`",
            example = json!("{\"reference\":[\"registry.example/*/*\"]}")),
        ("filter" = Option<String>, Query, description = "Only images with this name, which may contain wildcards", example = "registry.example/*/*"),
        ("shared-size" = Option<bool>, Query, description = "Include the size of the content that each image shares with others"),
        ("digests" = Option<bool>, Query, description = "Accepted for compatibility; digests are listed in either case"),
        ("manifests" = Option<bool>, Query, description = "Include the manifests of each image: its platforms and attestations"),
        ("identity" = Option<bool>, Query, description = "Include where the images were pulled from; requires `manifests`"),
    ),
    responses(
        (status = 200, description = "The images", body = Vec<ImageSummary<'static>>, example = json!([{
            "Containers": 0,
            "Created": 1767225600,
            "Id": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
            "Labels": {"org.opencontainers.image.version": "1.0.0"},
            "ParentId": "",
            "RepoDigests": ["registry.example/team/app@sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"],
            "RepoTags": ["registry.example/team/app:1.0"],
            "SharedSize": -1,
            "Size": 3041652,
        }])),
        (status = 400, description = "A filter is unknown or malformed, or the parameters conflict", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
        (status = 404, description = "The image that `before` or `since` names does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "No such image: app:latest"})),
    ),
)]
pub async fn image_list(State(app): State<App>, Form(shape): Form, query: Query) -> Answer {
    let detail = match (query.flag("manifests"), query.flag("identity")) {
        (false, true) => return Err(Error::invalid("conflicting options: identity requires manifests=1").into()),
        (false, false) => Detail::Row,
        (true, false) => Detail::Manifests,
        (true, true) => Detail::Identity,
    };
    let wanted = ListQuery { filter: filter(&query, shape, app.engine.now())?, shared_size: query.flag("shared-size") };
    let (sender, receiver) = mpsc::channel(WAITING);
    let engine = app.engine;
    tokio::task::spawn_blocking(move || write(&engine, &wanted, shape, detail, &sender));
    answer(receiver).await
}

fn filter(query: &Query, shape: &Shape, now: Timestamp) -> Result<ImageFilter> {
    let mut filters = Filters::parse(query.text("filters"))?;
    let name = query.text("filter");
    if shape.name_filter && !name.is_empty() && !filters.contains("reference") {
        filters.add("reference", name);
    }
    filters::listed(&filters, now)
}

/// A part of the answer.
enum Part {
    Chunk(Bytes),
    Last(Bytes),
    Refused(Error),
}

/// Writes the list, chunk by chunk, until the client hangs up.
fn write(engine: &Engine, wanted: &ListQuery, shape: &Shape, detail: Detail, to: &mpsc::Sender<Part>) {
    // A send fails where the client hung up: then there is nobody to write for.
    let listing = match engine.list(wanted) {
        Ok(listing) => listing,
        Err(error) => {
            let _ = to.blocking_send(Part::Refused(error));
            return;
        }
    };
    let form = shape.list_forms[detail as usize];
    let fragment = |row: &ListedImage| row.rendered(form, |summary, out| render(summary, shape, detail, None, out));
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let new = listing.rows.last().is_some_and(|row| row.shared_size.is_none() && !row.is_rendered(form));
        if new && listing.rows.len() >= RENDERED_BY_TWO {
            // What is rendered is kept, so a second thread that comes from the other end halves the wait for a list
            // that is new. It ends where the two meet.
            scope.spawn(|| {
                let from_behind = listing.rows.iter().enumerate().rev();
                from_behind
                    .take_while(|(at, _)| *at > done.load(Ordering::Relaxed))
                    .for_each(|(_, row)| drop(fragment(row)));
            });
        }
        write_rows(&listing, shape, detail, &fragment, &done, to);
        done.store(usize::MAX, Ordering::Relaxed);
    });
}

/// Writes the rows in order, and keeps count of them.
fn write_rows(
    listing: &Listing,
    shape: &Shape,
    detail: Detail,
    fragment: &impl Fn(&ListedImage) -> Bytes,
    done: &AtomicUsize,
    to: &mpsc::Sender<Part>,
) {
    let mut chunk = Vec::with_capacity(CHUNK.min(listing.rows.len() * 4096 + 2));
    chunk.push(b'[');
    for (at, row) in listing.rows.iter().enumerate() {
        if at > 0 {
            chunk.push(b',');
        }
        done.store(at, Ordering::Relaxed);
        match row.shared_size {
            Some(_) => render(&row.summary(), shape, detail, row.shared_size, &mut chunk),
            None => chunk.extend_from_slice(&fragment(row)),
        }
        if chunk.len() >= CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + CHUNK / 4));
            if to.blocking_send(Part::Chunk(full.into())).is_err() {
                return;
            }
        }
    }
    chunk.push(b']');
    let _ = to.blocking_send(Part::Last(chunk.into()));
}

fn render(image: &image::ImageSummary<'_>, shape: &Shape, detail: Detail, shared_size: Option<u64>, out: &mut Vec<u8>) {
    let row = ImageSummary::new(image, &shape.list, detail, shared_size);
    // Texts and numbers always serialise, and writing to memory does not fail.
    let _ = serde_json::to_writer(out, &row);
}

async fn answer(mut parts: mpsc::Receiver<Part>) -> Answer {
    let first = match parts.recv().await {
        Some(Part::Last(whole)) => return Ok(bytes(StatusCode::OK, whole)),
        Some(Part::Chunk(first)) => first,
        Some(Part::Refused(error)) => return Err(error.into()),
        None => return Err(Error::internal("listing images failed", io::Error::other("the writer ended early")).into()),
    };
    let rest = stream::unfold(Some(parts), |parts| async {
        let mut parts = parts?;
        match parts.recv().await {
            Some(Part::Chunk(chunk)) => Some((Ok(chunk), Some(parts))),
            Some(Part::Last(chunk)) => Some((Ok(chunk), None)),
            // Whatever ends the list too early breaks the answer off, so that no client takes it for the whole.
            Some(Part::Refused(_)) | None => Some((Err(io::Error::other("the list broke off")), None)),
        }
    });
    let first = stream::once(std::future::ready(Ok(first)));
    Ok(bytes(StatusCode::OK, Body::from_stream(futures_util::StreamExt::chain(first, rest))))
}

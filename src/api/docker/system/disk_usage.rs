//! `GET /system/df`.

use axum::extract::State;
use http::StatusCode;
use serde_json::value::RawValue;

use crate::api::docker::answer::{self, Answer, ErrorResponse};
use crate::api::docker::app::App;
use crate::api::docker::query::Query;
use crate::api::docker::render::summary::ImageSummary;
use crate::api::docker::render::usage::{ImagesDiskUsage, Nothing, SystemDataUsageResponse, UsageType};
use crate::api::docker::versions::{Detail, Form, ListShape};
use crate::domain::{Error, Result};
use crate::engine::{DiskUsage, ListedImage};

/// Show disk usage
///
/// Only images use disk space: Loadline has no containers, volumes or build caches. Without `verbose`, the response also has
/// the members of older API versions.
#[utoipa::path(
    get,
    path = "/system/df",
    operation_id = "SystemDataUsage",
    tag = "System",
    params(
        ("type" = Option<Vec<UsageType>>, Query, description = "Kinds of objects to report; by default all",
            example = json!(["image"])),
        ("verbose" = Option<bool>, Query, description = "Include the list of images; if set, true or false, the members of older API versions are left out"),
    ),
    responses(
        (status = 200, description = "The disk usage", body = SystemDataUsageResponse<'static>,
            example = json!({"ImageUsage": {"Reclaimable": 9210627, "TotalCount": 2, "TotalSize": 9210627}})),
        (status = 400, description = "The type is unknown, or `verbose` is neither true nor false", body = ErrorResponse<'static>,
            example = json!({"message": "unknown object type: zebra"})),
    ),
)]
pub async fn disk_usage(State(app): State<App>, Form(shape): Form, query: Query) -> Answer {
    let types = Types::of(&query)?;
    let verbose = verbose(&query)?;
    let (usage, images) = match types.images {
        true => {
            let usage = app.engine.disk_usage().await?;
            let listed = (verbose != Some(false)).then_some(&shape.list);
            // Thousands of images take a while.
            let rendered = tokio::task::spawn_blocking(move || {
                let images = listed.map(|list| images(&usage.images.rows, list)).transpose()?;
                Ok::<_, Error>((Some(usage), images))
            });
            rendered.await.map_err(|e| Error::internal("writing the answer was stopped", e))??
        }
        false => (None, None),
    };
    let older = verbose.is_none() || !shape.system.usage;
    let answer = compose(&types, usage.as_ref(), images.as_deref(), older, shape.system.usage);
    answer::json(StatusCode::OK, &answer)
}

fn compose<'a>(
    types: &Types,
    usage: Option<&DiskUsage>,
    images: Option<&'a RawValue>,
    older: bool,
    newer: bool,
) -> SystemDataUsageResponse<'a> {
    let mut answer = SystemDataUsageResponse::default();
    if older {
        answer.layers_size = usage.map(|usage| usage.total);
        answer.images = images;
        answer.containers = types.containers.then_some([]);
        answer.volumes = types.volumes.then_some([]);
        answer.build_cache = types.caches.then_some([]);
    }
    if newer {
        answer.image_usage = usage.map(|usage| ImagesDiskUsage {
            items: images.filter(|_| !usage.images.rows.is_empty()),
            reclaimable: usage.reclaimable,
            total_count: usage.images.rows.len() as u64,
            total_size: usage.total,
        });
        answer.container_usage = types.containers.then(Nothing::default);
        answer.volume_usage = types.volumes.then(Nothing::default);
        answer.build_cache_usage = types.caches.then(Nothing::default);
    }
    answer
}

/// The rows as JSON, which may be needed twice.
fn images(rows: &[ListedImage], shape: &ListShape) -> Result<Box<RawValue>> {
    // Containers are counted here in every version.
    let shape = ListShape { containers: true, ..shape.clone() };
    let failed = |e| Error::internal("writing the answer failed", e);
    let mut text = Vec::from(*b"[");
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        let summary = row.summary();
        serde_json::to_writer(&mut text, &ImageSummary::new(&summary, &shape, Detail::Row, row.shared_size))
            .map_err(failed)?;
    }
    text.push(b']');
    serde_json::from_slice(&text).map_err(failed)
}

/// What is asked about.
#[derive(Debug, Default, PartialEq, Eq)]
struct Types {
    images: bool,
    containers: bool,
    volumes: bool,
    caches: bool,
}

impl Types {
    fn of(query: &Query) -> Result<Self> {
        if query.get("type").is_none() {
            return Ok(Self { images: true, containers: true, volumes: true, caches: true });
        }
        let mut types = Self::default();
        for name in query.all("type") {
            match name {
                "image" => types.images = true,
                "container" => types.containers = true,
                "volume" => types.volumes = true,
                "build-cache" => types.caches = true,
                other => return Err(Error::invalid(format!("unknown object type: {other}"))),
            }
        }
        Ok(types)
    }
}

/// Whether the images are to be listed; absent where the request does not say.
fn verbose(query: &Query) -> Result<Option<bool>> {
    match query.text("verbose") {
        "" => Ok(None),
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
        other => Err(Error::invalid(format!("invalid value for verbose: {other}"))),
    }
}

#[cfg(test)]
mod tests;

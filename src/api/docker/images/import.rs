//! `POST /images/create` with `fromSrc`.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;

use crate::api::docker::answer::{Answer, Failure, bytes};
use crate::api::docker::app::App;
use crate::api::docker::body_error::unreadable;
use crate::api::docker::dockerfile::runtime_config;
use crate::api::docker::lines::lines;
use crate::api::docker::query::Query;
use crate::api::docker::render::message::{self, ProgressDetail, TransferMessage};
use crate::api::docker::words;
use crate::api::error_table;
use crate::domain::{Error, Platform, Reference, Result, TagName};
use crate::engine::{ImportEvent, ImportRequest};

/// Makes an image of the root file system in the body, or where `source` leads to.
pub(super) async fn import(app: &App, query: &Query, source: &str, platform: Option<Platform>, body: Body) -> Answer {
    let name = name(query)?;
    let platform = platform.unwrap_or_else(Platform::host);
    let changes: Vec<String> = query.all("changes").map(str::to_owned).collect();
    let request = ImportRequest {
        name,
        message: query.text("message").to_owned(),
        config: runtime_config(&changes, &platform.os)?,
        platform: Some(platform),
    };
    let mut events = match source {
        "-" => {
            let archive = body.into_data_stream().map(|piece| piece.map_err(unreadable));
            app.engine.import(request, archive)
        }
        url => app.engine.import_url(request, url.to_owned()),
    };
    // A failure before anything is told is still an answer of its own.
    let first = match events.recv().await {
        Some(ImportEvent::Failed(error)) => return Err(Failure::remote(error)),
        first => first,
    };
    Ok(bytes(StatusCode::OK, lines(first, events, line)))
}

/// The image's name: absent where it is to have none.
fn name(query: &Query) -> Result<Option<TagName>> {
    let repository = match query.text("repo") {
        "" => return Ok(None),
        repository => Reference::parse(repository)?,
    };
    if repository.digest().is_some() {
        return Err(Error::invalid("cannot import digest reference"));
    }
    let name = match query.text("tag") {
        "" => repository.with_default_tag(),
        tag => repository.with_tag(tag)?,
    };
    TagName::new(name).map(Some)
}

/// The line that tells of an event.
fn line(event: ImportEvent) -> Bytes {
    match event {
        ImportEvent::From(url) => message::line(&TransferMessage::status(&format!("Downloading from {url}"), None)),
        ImportEvent::Progress { current, total } => message::line(&TransferMessage {
            progress_detail: Some(ProgressDetail { current: Some(current), total, hidecounts: None }),
            ..TransferMessage::status("Importing", None)
        }),
        ImportEvent::Done(digest) => message::line(&TransferMessage::status(&digest.to_string(), None)),
        ImportEvent::Failed(error) => {
            error_table::log(&error);
            message::line(&TransferMessage::failed(&words::text(&error)))
        }
    }
}

#[cfg(test)]
mod tests;

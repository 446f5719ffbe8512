//! `GET /events`.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

use crate::api::docker::answer::{Answer, ErrorResponse};
use crate::api::docker::app::App;
use crate::api::docker::filters::{self, Filters, parse_unix_timestamp};
use crate::api::docker::query::Query;
use crate::api::docker::render::event::EventMessage;
use crate::api::docker::versions::{EventShape, Form};
use crate::domain::event::Event;
use crate::domain::{Error, Result};
use crate::engine::EventQuery;

/// Monitor events
///
/// Streams the events of images until the client closes the connection. A client that falls behind by more than 256 events
/// is disconnected.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "SystemEvents",
    tag = "System",
    params(
        ("since" = Option<String>, Query, description = "Start with the events since this time, in seconds since the Unix epoch; the last 256 events are kept",
            example = "1767225600"),
        ("until" = Option<String>, Query, description = "Stop at this time, in seconds since the Unix epoch",
            example = "1767229200"),
        ("filters" = Option<String>, Query,
            description = "Filters, as a JSON object that maps names to lists of values: `event`, `image`, `label`, `scope`, `type`; filters by container, volume, network and the like match nothing",
            example = json!("{\"event\":[\"tag\",\"untag\"]}")),
    ),
    responses(
        (status = 200, description = "Events, one JSON object per line", content(
            (Vec<EventMessage<'static>> = "application/jsonl", example = json!([
                {
                    "Type": "image",
                    "Action": "tag",
                    "Actor": {
                        "ID": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
                        "Attributes": {"name": "registry.example/team/app:1.0"},
                    },
                    "scope": "local",
                    "time": 1795199601,
                    "timeNano": 1_795_199_601_284_380_767_i64,
                },
                {
                    "Type": "image",
                    "Action": "untag",
                    "Actor": {
                        "ID": "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7",
                        "Attributes": {"name": "registry.example/team/app:1.0"},
                    },
                    "scope": "local",
                    "time": 1795199602,
                    "timeNano": 1_795_199_602_284_380_767_i64,
                },
            ])),
            (Vec<EventMessage<'static>> = "application/x-ndjson"),
            (Vec<EventMessage<'static>> = "application/json-seq"),
        )),
        (status = 400, description = "A time or a filter is malformed, or `since` is after `until`",
            body = ErrorResponse<'static>,
            example = json!({"message": "`since` time (20) cannot be after `until` time (10)"})),
    ),
)]
pub async fn events(State(app): State<App>, Form(shape): Form, headers: HeaderMap, query: Query) -> Answer {
    let asked = asked(&query)?;
    let framing = Framing::of(&shape.events, &headers);
    let repeated = shape.events.repeated;
    let lines = app.engine.events(asked).map(move |event| Ok::<_, Infallible>(framing.line(&event, repeated)));
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(framing.content_type()));
    Ok(response)
}

fn asked(query: &Query) -> Result<EventQuery> {
    let moment = |name: &str| -> Result<Option<Timestamp>> {
        match query.text(name) {
            "" => Ok(None),
            text => {
                let moment = parse_unix_timestamp(text);
                moment.map(Some).map_err(|e| e.context(format_args!("invalid value for '{name}'")))
            }
        }
    };
    let (since, until) = (moment("since")?, moment("until")?);
    if let (Some(from), Some(to)) = (since, until)
        && to < from
    {
        return Err(Error::invalid(format!(
            "`since` time ({}) cannot be after `until` time ({})",
            query.text("since"),
            query.text("until")
        )));
    }
    Ok(EventQuery { since, until, filter: filters::events(&Filters::parse(query.text("filters"))?) })
}

/// How the objects of a stream are told apart, and what that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// Lines under the name that they had before they had one.
    Json,
    JsonLines,
    NdJson,
    /// RFC 7464: each object after a record separator.
    JsonSequence,
}

impl Framing {
    /// What the client likes best of what the version has.
    fn of(shape: &EventShape, headers: &HeaderMap) -> Self {
        if !shape.negotiated {
            return Self::Json;
        }
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let wishes = accepted.flat_map(|value| value.split(',')).map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            (name, quality)
        });
        let (mut best, mut highest) = (Self::JsonLines, 0.0);
        for (name, quality) in wishes {
            let offered = [Self::JsonLines, Self::NdJson, Self::JsonSequence];
            let named = offered.into_iter().find(|framing| framing.content_type() == name);
            if let Some(framing) = named.filter(|_| quality > highest) {
                (best, highest) = (framing, quality);
            }
        }
        best
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonLines => "application/jsonl",
            Self::NdJson => "application/x-ndjson",
            Self::JsonSequence => "application/json-seq",
        }
    }

    fn line(self, event: &Event, repeated: bool) -> Bytes {
        let mut line = Vec::with_capacity(512);
        if self == Self::JsonSequence {
            line.push(0x1e);
        }
        // Texts and numbers always serialise, and writing to memory does not fail.
        let _ = serde_json::to_writer(&mut line, &EventMessage::new(event, repeated));
        line.push(b'\n');
        line.into()
    }
}

#[cfg(test)]
mod tests;

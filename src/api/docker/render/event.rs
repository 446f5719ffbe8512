//! Events in the forms of a stream.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::summary::Labels;
use crate::domain::event::Event;

/// One thing that happened.
#[derive(Serialize, ToSchema)]
pub struct EventMessage<'a> {
    /// What it happened to: an image, always.
    #[serde(rename = "Type")]
    #[schema(example = "image")]
    kind: &'static str,
    /// What happened.
    #[serde(rename = "Action")]
    #[schema(example = "tag")]
    action: &'static str,
    /// To what it happened.
    #[serde(rename = "Actor")]
    actor: EventActor<'a>,
    /// Where it happened: on this machine, always.
    #[schema(example = "local")]
    scope: &'static str,
    /// When it happened, in seconds since the Unix epoch.
    #[schema(example = 1_795_199_601)]
    time: i64,
    /// The same in nanoseconds.
    #[serde(rename = "timeNano")]
    time_nano: i64,
    /// The same as `Action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<&'static str>,
    /// The same as the actor's `ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<&'a str>,
}

/// What an event happened to.
#[derive(Serialize, ToSchema)]
pub struct EventActor<'a> {
    /// The digest or the name of the image; empty where it was no single image.
    #[serde(rename = "ID")]
    id: &'a str,
    /// The name that is concerned under `name`, and labels of the image.
    #[serde(rename = "Attributes")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    attributes: Labels<'a>,
}

impl<'a> EventMessage<'a> {
    /// An event's form; `repeated` has what happened and to what told twice.
    pub fn new(event: &'a Event, repeated: bool) -> Self {
        let action = event.action.name();
        Self {
            kind: "image",
            action,
            actor: EventActor { id: &event.id, attributes: Labels(Some(&event.attributes)) },
            scope: "local",
            time: event.at.as_second(),
            time_nano: nanoseconds(event.at),
            status: repeated.then_some(action),
            id: repeated.then_some(&event.id),
        }
    }
}

fn nanoseconds(at: Timestamp) -> i64 {
    // They fit until 2262.
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

//! Events in the forms of a stream.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::summary::Labels;
use crate::domain::event::Event;

/// An event.
#[derive(Serialize, ToSchema)]
pub struct EventMessage<'a> {
    /// The type of the object: always `image`.
    #[serde(rename = "Type")]
    #[schema(example = "image")]
    kind: &'static str,
    /// What happened to the object.
    #[serde(rename = "Action")]
    #[schema(example = "tag")]
    action: &'static str,
    /// The object.
    #[serde(rename = "Actor")]
    actor: EventActor<'a>,
    /// The scope of the event: always `local`.
    #[schema(example = "local")]
    scope: &'static str,
    /// When it happened, in seconds since the Unix epoch.
    #[schema(example = 1_795_199_601)]
    time: i64,
    /// When it happened, in nanoseconds since the Unix epoch.
    #[serde(rename = "timeNano")]
    time_nano: i64,
    /// The same as `Action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, deprecated, example = "tag")]
    status: Option<&'static str>,
    /// The same as the actor's `ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        deprecated,
        example = "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"
    )]
    id: Option<&'a str>,
}

/// The object of an event.
#[derive(Serialize, ToSchema)]
pub struct EventActor<'a> {
    /// The digest or the name of the image; empty if the event concerns several images.
    #[serde(rename = "ID")]
    #[schema(example = "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7")]
    id: &'a str,
    /// The name of the image as `name`, and the labels of the image.
    #[serde(rename = "Attributes")]
    #[schema(value_type = std::collections::BTreeMap<String, String>,
        example = json!({"name": "registry.example/team/app:1.0"}))]
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

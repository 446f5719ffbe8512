//! The API versions that are served, one record each.
//!
//! Handlers and renderers know the newest form and a [`Shape`] of switches. A version's record says what the version
//! brought: request parameters, and how to take its changes back from the form of an answer and from the document. That
//! is done once for each older version, at start, so that an old client costs nothing more than a new one.
//!
//! A new version is one file, its record, and two lines here: its `mod`, and the first place in [`RECORDS`]. Members that
//! it no longer has are left out in `retired.rs`.

pub mod document;
mod record;
pub mod retired;
pub mod shape;
pub mod system_shape;
mod v1_25;
mod v1_32;
mod v1_35;
mod v1_39;
mod v1_42;
mod v1_43;
mod v1_44;
mod v1_45;
mod v1_46;
mod v1_47;
mod v1_48;
mod v1_49;
mod v1_50;
mod v1_51;
mod v1_52;
mod v1_53;
mod v1_54;
mod v1_55;
mod v1_56;

use std::sync::LazyLock;

use axum::extract::FromRequestParts;
use http::request::Parts;

pub use record::Record;
pub use shape::{ConfigForm, Detail, DetailShape, EventShape, ListShape, LoadShape, Shape};
pub use system_shape::SystemShape;

use super::answer::{Failure, refusal};
use crate::domain::Kind;

/// The newest minor version of API 1.x.
pub const NEWEST: u8 = RECORDS[0].minor;

/// The oldest minor version of API 1.x.
pub const OLDEST: u8 = RECORDS[RECORDS.len() - 1].minor;

/// The newest version as clients write it.
pub const NEWEST_TEXT: &str = match std::str::from_utf8(&[b'1', b'.', b'0' + NEWEST / 10, b'0' + NEWEST % 10]) {
    Ok(text) => text,
    Err(_) => panic!("digits are text"),
};

/// Every version, newest first.
pub static RECORDS: &[Record] = &[
    v1_56::RECORD,
    v1_55::RECORD,
    v1_54::RECORD,
    v1_53::RECORD,
    v1_52::RECORD,
    v1_51::RECORD,
    v1_50::RECORD,
    v1_49::RECORD,
    v1_48::RECORD,
    v1_47::RECORD,
    v1_46::RECORD,
    v1_45::RECORD,
    v1_44::RECORD,
    v1_43::RECORD,
    v1_42::RECORD,
    Record::same(41, "prunes are told as events; info shows versions of the system and of control groups"),
    Record::same(40, "ping can be asked with HEAD, and is not to be cached"),
    v1_39::RECORD,
    Record::same(38, "changes to swarm and secrets only"),
    Record::same(37, "changes to services only"),
    Record::same(36, "changes to exec only"),
    v1_35::RECORD,
    Record::same(34, "changes to networks and services only"),
    Record::same(33, "events can be filtered by four more kinds of objects"),
    v1_32::RECORD,
    Record::same(31, "inspect shows when an image was last tagged"),
    Record::same(
        30,
        "manifests can be looked up in a registry; info lists log drivers; events can be filtered by scope",
    ),
    Record::same(29, "changes to networks and containers only"),
    Record::same(28, "images can be pruned by label"),
    Record::same(27, "changes to the build only"),
    Record::same(26, "changes to plugins only"),
    v1_25::RECORD,
    Record::same(24, "the oldest version that is served"),
];

/// The forms of all versions, oldest first; numbered once at start.
static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let mut next = Shape::newest();
    let mut shapes: Vec<Shape> = RECORDS
        .iter()
        .map(|record| {
            let shape = next.clone();
            (record.undo)(&mut next);
            shape
        })
        .collect();
    shapes.reverse();
    number_forms(&mut shapes);
    shapes
});

/// Gives lists that look alike one number, so that they share what is kept of them.
fn number_forms(shapes: &mut [Shape]) {
    let mut known: Vec<(ListShape, Detail)> = Vec::new();
    for shape in shapes {
        for detail in Detail::ALL {
            let key = (shape.list.seen_with(detail), detail);
            let number = known.iter().position(|form| *form == key).unwrap_or_else(|| {
                known.push(key);
                known.len() - 1
            });
            shape.list_forms[detail as usize] = number as u32;
        }
    }
}

/// The form of a version's answers; that of the newest for a version that is not served.
pub fn shape(minor: u8) -> &'static Shape {
    let at = usize::from(minor.clamp(OLDEST, NEWEST) - OLDEST);
    &SHAPES[at]
}

/// The minor version that a text such as `1.47` names; absent where it is not served.
pub fn parse(text: &str) -> Option<u8> {
    let minor = text.strip_prefix("1.")?.parse().ok()?;
    (OLDEST..=NEWEST).contains(&minor).then_some(minor)
}

/// The parameters of an operation that a version does not have yet.
pub fn hidden(operation: &str, minor: u8) -> Vec<&'static str> {
    let newer = RECORDS.iter().filter(|record| record.minor > minor);
    newer.flat_map(|record| record.parameters).filter(|(of, _)| *of == operation).map(|(_, name)| *name).collect()
}

/// The form that the request's version asks for; an extractor for handlers.
#[derive(Clone, Copy, Debug)]
pub struct Form(pub &'static Shape);

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let form = parts.extensions.get().copied();
        form.ok_or_else(|| refusal(Kind::Internal, "the request passed no route"))
    }
}

#[cfg(test)]
mod tests;

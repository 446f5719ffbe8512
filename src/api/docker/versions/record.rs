//! What one version is.

use super::document::Document;
use super::shape::Shape;

/// What one version brought.
pub struct Record {
    pub minor: u8,
    /// What the version brought, in a line.
    pub note: &'static str,
    /// Request parameters that exist from this version on: the operation, as `METHOD /path`, and the parameter's name.
    /// Older requests have them ignored, and older documents do not show them.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Turns the form of this version's answers into that of the version before.
    pub undo: fn(&mut Shape),
    /// Turns this version's document into that of the version before, as far as it does not follow from the routes and the
    /// parameters.
    pub undo_document: fn(&mut Document),
}

impl Record {
    /// A version whose answers are those of the version before.
    pub(super) const fn same(minor: u8, note: &'static str) -> Self {
        Self { minor, note, parameters: &[], undo: |_| {}, undo_document: |_| {} }
    }
}

//! API 1.54. Lists can show where images come from.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 54,
    note: "lists can show where images come from",
    parameters: &[("GET /images/json", "identity")],
    // Lists show it to those who ask, and the parameter is newer.
    undo: |_| {},
    undo_document: |document| document.retire("ImageData", &["Identity"]),
};

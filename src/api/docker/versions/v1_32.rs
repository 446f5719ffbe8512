//! API 1.32.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 32,
    note: "images can be pulled for one platform",
    parameters: &[("POST /images/create", "platform")],
    undo: |_| {},
    undo_document: |_| {},
};

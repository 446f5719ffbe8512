//! API 1.46.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 46,
    note: "images can be pushed for one platform",
    parameters: &[("POST /images/{name}/push", "platform")],
    undo: |_| {},
    undo_document: |_| {},
};

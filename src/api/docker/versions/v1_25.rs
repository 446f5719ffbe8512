//! API 1.25. An image is listed by the filter `reference`, and the oldest version is told.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 25,
    note: "images can be listed by reference and pruned; disk usage is told; version names the oldest API",
    parameters: &[],
    undo: |shape| {
        shape.name_filter = true;
        shape.system.to_v1_24();
    },
    undo_document: |document| {
        document.restore_parameter("GET /images/json", "filter");
        document.retire("SystemVersion", &["MinAPIVersion"]);
    },
};

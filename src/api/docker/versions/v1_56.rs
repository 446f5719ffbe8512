//! API 1.56. Containers can be listed by annotation. No image endpoint changes.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 56,
    note: "containers can be listed by annotation; nothing changes for images",
    parameters: &[],
    // The filter is not refused to older clients: there is no container that it could choose wrongly.
    undo: |_| {},
    undo_document: |document| {
        document.describe(
            "GET /containers/json",
            "filters",
            "Filters, as a JSON object that maps names to lists of values",
        );
    },
};

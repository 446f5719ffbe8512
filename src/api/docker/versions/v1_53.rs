//! API 1.53. Inspect shows where an image comes from.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 53,
    note: "inspect shows where an image comes from; events are offered as application/jsonl",
    parameters: &[],
    undo: |shape| shape.detail.identity = false,
    undo_document: |document| document.retire("ImageInspect", &["Identity"]),
};

//! API 1.44. The size is told once.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 44,
    note: "the size is told once, a time of creation that is not known is left out; lists can be filtered by time",
    parameters: &[],
    undo: |shape| {
        shape.list.virtual_size = true;
        shape.detail.virtual_size = true;
    },
    undo_document: |document| {
        for schema in ["ImageSummary", "ImageInspect"] {
            document.restore(schema, &["VirtualSize"]);
            document.require(schema, &["VirtualSize"]);
        }
        document.require("ImageInspect", &["Created"]);
    },
};

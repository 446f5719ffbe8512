//! API 1.43. The size is told twice.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 43,
    note: "images without a name are listed with empty lists of names",
    parameters: &[],
    step: |shape| {
        shape.list.virtual_size = true;
        shape.detail.virtual_size = true;
    },
    document: |document| {
        for schema in ["ImageSummary", "ImageInspect"] {
            document.restore(schema, &["VirtualSize"]);
            document.require(schema, &["VirtualSize"]);
        }
        document.require("ImageInspect", &["Created"]);
    },
};

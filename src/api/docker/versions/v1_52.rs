//! API 1.52. Inspect does not show where an image comes from.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 52,
    note: "several platforms can be loaded and saved; inspect leaves out what is not set; disk usage is told by kind; events are streams of JSON lines",
    parameters: &[("GET /system/df", "verbose")],
    step: |shape| shape.detail.identity = false,
    document: |document| document.retire("ImageInspect", &["Identity"]),
};

//! API 1.45. Inspect no longer names the container that an image was committed from.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 45,
    note: "inspect no longer shows the container that an image was committed from; searches find no automated builds",
    parameters: &[],
    undo: |shape| shape.detail.container = true,
    undo_document: |document| {
        document.restore("ImageInspect", &["Container", "ContainerConfig"]);
        document.require("ImageInspect", &["Container", "ContainerConfig"]);
    },
};

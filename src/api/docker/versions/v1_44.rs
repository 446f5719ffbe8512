//! API 1.44. Inspect names the container that an image was committed from, though there is none.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 44,
    note: "the size is told once, a time of creation that is not known is left out; lists can be filtered by time",
    parameters: &[],
    step: |shape| shape.detail.container = true,
    document: |document| {
        document.restore("ImageInspect", &["Container", "ContainerConfig"]);
        document.require("ImageInspect", &["Container", "ContainerConfig"]);
    },
};

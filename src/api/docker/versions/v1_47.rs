//! API 1.47. The descriptor of an image is not shown.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 47,
    note: "lists can show the manifests of images",
    parameters: &[("GET /images/json", "manifests")],
    step: |shape| {
        shape.list.descriptor = false;
        shape.detail.descriptor = false;
    },
    document: |document| {
        document.retire("ImageSummary", &["Descriptor"]);
        document.retire("ImageInspect", &["Descriptor", "Manifests"]);
    },
};

//! API 1.48. Manifests and descriptors are shown by inspect, descriptors by lists.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 48,
    note: "inspect can list manifests; history, load and save take a platform; lists and inspect show descriptors",
    parameters: &[
        ("GET /images/{name}/json", "manifests"),
        ("GET /images/{name}/history", "platform"),
        ("POST /images/load", "platform"),
        ("GET /images/{name}/get", "platform"),
        ("GET /images/get", "platform"),
    ],
    undo: |shape| {
        shape.list.descriptor = false;
        shape.detail.descriptor = false;
    },
    undo_document: |document| {
        document.retire("ImageSummary", &["Descriptor"]);
        document.retire("ImageInspect", &["Descriptor", "Manifests"]);
    },
};

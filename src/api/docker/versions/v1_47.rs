//! API 1.47. Lists can show manifests.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 47,
    note: "lists can show the manifests of images",
    parameters: &[("GET /images/json", "manifests")],
    undo: |_| {},
    undo_document: |document| document.retire("ImageSummary", &["Manifests"]),
};

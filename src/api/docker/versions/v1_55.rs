//! API 1.55. Attestation manifests show their statements.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 55,
    note: "attestations of an image; manifests show their statements; blobs by digest",
    parameters: &[
        ("GET /images/{name}/attestations", "platform"),
        ("GET /images/{name}/attestations", "type"),
        ("GET /images/{name}/attestations", "statement"),
    ],
    undo: |shape| {
        shape.list.statements = false;
        shape.detail.statements = false;
    },
    undo_document: |document| {
        document.retire("AttestationData", &["Statements"]);
    },
};

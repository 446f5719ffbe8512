//! API 1.54. Attestation manifests do not show their statements.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 54,
    note: "lists can show where images come from",
    parameters: &[("GET /images/json", "identity")],
    step: |shape| {
        shape.list.statements = false;
        shape.detail.statements = false;
    },
    document: |document| {
        document.retire("AttestationData", &["Statements"]);
    },
};

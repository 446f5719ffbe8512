//! API 1.34. The version tells of no components.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 34,
    note: "changes to networks and services only",
    parameters: &[],
    step: |shape| shape.system.to_v1_34(),
    document: |document| document.retire("SystemVersion", &["Platform", "Components"]),
};

//! API 1.35. The version shows components.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 35,
    note: "version shows the platform and the engine's components",
    parameters: &[],
    undo: |shape| shape.system.to_v1_34(),
    undo_document: |document| document.retire("SystemVersion", &["Platform", "Components"]),
};

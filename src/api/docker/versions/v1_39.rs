//! API 1.39. Nothing stands for what is not known of the host.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 39,
    note: "info shows the product's licence and warnings, and nothing for what is not known of the host",
    parameters: &[],
    undo: |shape| shape.system.to_v1_38(),
    undo_document: |_| {},
};

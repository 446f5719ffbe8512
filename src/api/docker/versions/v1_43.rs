//! API 1.43. An image without a name has empty lists of names.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 43,
    note: "images without a name are listed with empty lists of names",
    parameters: &[],
    undo: |shape| shape.list.none_names = true,
    undo_document: |_| {},
};

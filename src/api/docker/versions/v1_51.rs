//! API 1.51. The containers of an image are counted in lists.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 51,
    note: "lists count the containers of an image",
    parameters: &[],
    undo: |shape| shape.list.containers = false,
    undo_document: |_| {},
};

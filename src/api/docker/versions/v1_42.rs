//! API 1.42.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 42,
    note: "lists can tell how much images share; disk usage can be told of single kinds; ping shows whether there is a swarm",
    parameters: &[("GET /images/json", "shared-size"), ("GET /system/df", "type")],
    undo: |_| {},
    undo_document: |_| {},
};

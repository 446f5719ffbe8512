//! API 1.53. Lists do not show where images come from.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 53,
    note: "inspect shows where an image comes from; events are offered as application/jsonl",
    parameters: &[],
    // Lists show it to those who ask, and the parameter is newer.
    step: |_| {},
    document: |document| document.retire("ImageData", &["Identity"]),
};

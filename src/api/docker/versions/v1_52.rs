//! API 1.52.

use super::Record;

pub(super) const RECORD: Record = Record {
    minor: 52,
    note: "several platforms can be loaded and saved; inspect leaves out what is not set; disk usage is told by kind; events are streams of JSON lines",
    parameters: &[("GET /system/df", "verbose")],
    step: |_| {},
    document: |_| {},
};

//! API 1.32. Images can be pulled for one platform.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 32,
    note: "images can be pulled for one platform",
    parameters: &[("POST /images/create", "platform")],
    step: |_| {},
    document: |_| {},
};

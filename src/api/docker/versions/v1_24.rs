//! API 1.24. Images are listed by name in a parameter of their own.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 24,
    note: "the oldest version that is served",
    parameters: &[],
    step: |shape| {
        shape.name_filter = true;
        shape.system.to_v1_24();
    },
    document: |document| {
        document.restore_parameter("GET /images/json", "filter");
        document.retire("SystemVersion", &["MinAPIVersion"]);
    },
};

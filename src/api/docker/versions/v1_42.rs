//! API 1.42. An image without names is listed as `<none>:<none>`.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 42,
    note: "lists can tell how much images share; disk usage can be told of single kinds; ping shows whether there is a swarm",
    parameters: &[("GET /images/json", "shared-size"), ("GET /system/df", "type")],
    step: |shape| shape.list.none_names = true,
    document: |_| {},
};

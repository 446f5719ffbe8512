//! API 1.50. The containers of an image are not counted in lists.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 50,
    note: "one platform can be removed; inspect shows the configuration of an image, no longer that of a container; info leaves out bridges",
    parameters: &[("DELETE /images/{name}", "platforms")],
    step: |shape| shape.list.containers = false,
    document: |_| {},
};

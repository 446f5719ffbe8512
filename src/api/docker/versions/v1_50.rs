//! API 1.50. The containers of an image are not counted in lists.

use super::Record;

pub(super) const RECORD: Record = Record {
    minor: 50,
    note: "inspect shows the configuration of an image, no longer that of a container",
    parameters: &[("DELETE /images/{name}", "platforms")],
    step: |shape| shape.list.containers = false,
    document: |_| {},
};

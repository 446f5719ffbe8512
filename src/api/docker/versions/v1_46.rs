//! API 1.46. Manifests and descriptors are not shown.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 46,
    note: "images can be pushed for one platform",
    parameters: &[("POST /images/{name}/push", "platform")],
    step: |_| {},
    document: |document| document.retire("ImageSummary", &["Manifests"]),
};

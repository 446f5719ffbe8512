//! API 1.48.

use super::record::Record;
use super::system_shape::NONDISTRIBUTABLE;

pub(super) const RECORD: Record = Record {
    minor: 48,
    note: "inspect can list manifests; history, load and save take a platform; lists and inspect show descriptors",
    parameters: &[
        ("GET /images/{name}/json", "manifests"),
        ("GET /images/{name}/history", "platform"),
        ("POST /images/load", "platform"),
        ("GET /images/{name}/get", "platform"),
        ("GET /images/get", "platform"),
    ],
    step: |shape| shape.system.to_v1_48(),
    document: |document| {
        document.restore("Commit", &["Expected"]);
        document.restore("RegistryServiceConfig", &NONDISTRIBUTABLE);
    },
};

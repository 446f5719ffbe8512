//! API 1.49. Info leaves out what is expected, and what is not distributed.

use super::record::Record;
use super::system_shape::NONDISTRIBUTABLE;

pub(super) const RECORD: Record = Record {
    minor: 49,
    note: "inspect can show one platform; info leaves out expected commits and artifacts not to be distributed",
    parameters: &[("GET /images/{name}/json", "platform")],
    undo: |shape| shape.system.to_v1_48(),
    undo_document: |document| {
        document.restore("Commit", &["Expected"]);
        document.restore("RegistryServiceConfig", &NONDISTRIBUTABLE);
    },
};

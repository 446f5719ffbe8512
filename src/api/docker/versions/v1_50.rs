//! API 1.50. Inspect shows the configuration of an image only.

use super::record::Record;
use super::shape::{CONTAINER_FLAGS, CONTAINER_TEXTS, ConfigForm};

pub(super) const RECORD: Record = Record {
    minor: 50,
    note: "one platform can be removed; inspect shows the configuration of an image, no longer that of a container; info leaves out bridges",
    parameters: &[("DELETE /images/{name}", "platforms")],
    undo: |shape| {
        shape.detail.config = ConfigForm::Container;
        shape.system.to_v1_49();
    },
    undo_document: |document| {
        document.restore("SystemInfo", &["BridgeNfIptables", "BridgeNfIp6tables"]);
        document.restore("ImageConfig", &CONTAINER_FLAGS);
        document.restore("ImageConfig", &CONTAINER_TEXTS);
    },
};

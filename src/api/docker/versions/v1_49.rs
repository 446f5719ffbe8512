//! API 1.49. Inspect shows the members of a container's configuration too.

use super::record::Record;
use super::shape::{CONTAINER_FLAGS, CONTAINER_TEXTS, ConfigForm};

pub(super) const RECORD: Record = Record {
    minor: 49,
    note: "inspect can show one platform; info leaves out expected commits and artifacts not to be distributed",
    parameters: &[("GET /images/{name}/json", "platform")],
    step: |shape| {
        shape.detail.config = ConfigForm::Container;
        shape.system.to_v1_49();
    },
    document: |document| {
        document.restore("SystemInfo", &["BridgeNfIptables", "BridgeNfIp6tables"]);
        document.restore("ImageConfig", &CONTAINER_FLAGS);
        document.restore("ImageConfig", &CONTAINER_TEXTS);
    },
};

//! API 1.55.
//!
//! The document holds what any version has to start with; here goes what only older versions have.

use super::record::Record;
use super::shape::{CONTAINER_FLAGS, CONTAINER_TEXTS};
use super::system_shape::NONDISTRIBUTABLE;

pub(super) const RECORD: Record = Record {
    minor: 55,
    note: "attestations of an image; manifests show their statements; blobs by digest",
    parameters: &[
        ("GET /images/{name}/attestations", "platform"),
        ("GET /images/{name}/attestations", "type"),
        ("GET /images/{name}/attestations", "statement"),
    ],
    step: |_| {},
    document: |document| {
        document.retire("ImageSummary", &["VirtualSize"]);
        document.retire("ImageInspect", &["VirtualSize", "Container", "ContainerConfig"]);
        document.retire("ImageInspect", &["Parent", "DockerVersion", "GraphDriver"]);
        document.retire("ImageConfig", &CONTAINER_FLAGS);
        document.retire("ImageConfig", &CONTAINER_TEXTS);
        document.retire("SystemInfo", &["BridgeNfIptables", "BridgeNfIp6tables"]);
        document.retire("EventMessage", &["status", "id"]);
        document.retire("Commit", &["Expected"]);
        document.retire("RegistryServiceConfig", &NONDISTRIBUTABLE);
        document.retire_parameter("GET /images/json", "filter");
    },
};

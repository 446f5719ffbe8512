//! What no current version has.

use super::document::Document;
use super::shape::{CONTAINER_FLAGS, CONTAINER_TEXTS};
use super::system_shape::NONDISTRIBUTABLE;

/// Leaves out of a document with everything what only older versions have; their records take it up again.
pub fn retire(document: &mut Document) {
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
}

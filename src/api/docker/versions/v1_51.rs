//! API 1.51. Inspect shows members that say nothing, and a load or save takes one platform.

use super::record::Record;
use super::shape::{ALWAYS, ConfigForm, EventShape};

pub(super) const RECORD: Record = Record {
    minor: 51,
    note: "lists count the containers of an image",
    parameters: &[],
    step: |shape| {
        shape.load.platforms = false;
        shape.system.to_v1_51();
        shape.events = EventShape { negotiated: false, repeated: true };
        shape.detail.empty_texts = true;
        shape.detail.config = ConfigForm::Image;
    },
    document: |document| {
        document.restore("ImageInspect", &["Parent", "DockerVersion", "GraphDriver"]);
        document.require("ImageInspect", &["Parent", "Comment", "DockerVersion", "Author", "GraphDriver"]);
        document.require("ImageConfig", &ALWAYS);
        document.restore("EventMessage", &["status", "id"]);
        document.retire("SystemDataUsageResponse", &["ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage"]);
        document.single("POST /images/load", "platform");
        document.single("GET /images/{name}/get", "platform");
        document.single("GET /images/get", "platform");
    },
};

//! API 1.52. Inspect leaves out what says nothing, and several platforms can be loaded and saved.

use super::record::Record;
use super::shape::{ALWAYS, ConfigForm, EventShape};

pub(super) const RECORD: Record = Record {
    minor: 52,
    note: "several platforms can be loaded and saved; inspect leaves out what is not set; disk usage is told by kind; events are streams of JSON lines",
    parameters: &[("GET /system/df", "verbose")],
    undo: |shape| {
        shape.load.platforms = false;
        shape.system.to_v1_51();
        shape.events = EventShape { negotiated: false, repeated: true };
        shape.detail.empty_texts = true;
        shape.detail.config = ConfigForm::Image;
    },
    undo_document: |document| {
        document.restore("ImageInspect", &["Parent", "DockerVersion", "GraphDriver"]);
        document.require("ImageInspect", &["Parent", "Comment", "DockerVersion", "Author", "GraphDriver"]);
        document.require("ImageConfig", &ALWAYS);
        document.restore("EventMessage", &["status", "id"]);
        document.retire("SystemDataUsageResponse", &["ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage"]);
        document.retire_media("GET /events", &["application/jsonl", "application/json-seq"]);
        document.single("POST /images/load", "platform");
        document.single("GET /images/{name}/get", "platform");
        document.single("GET /images/get", "platform");
    },
};

//! Where our documents differ from Docker's on purpose.

use loadline::api::docker::versions::NEWEST;

use super::Difference::{self, Extra, Missing, Null, Optional, Type};

/// A difference that is meant.
#[derive(Debug)]
pub struct Exception {
    operation: &'static str,
    /// A property of the table; one that ends in `*` stands for all that begin so.
    path: &'static str,
    difference: Difference,
    /// The first and the last minor version it holds for.
    versions: (u8, u8),
    /// Why; there is always one.
    #[expect(dead_code, reason = "for people, and for the list of idle exceptions")]
    reason: &'static str,
}

impl Exception {
    pub fn covers(&self, operation: &str, path: &str, difference: Difference, minor: u8) -> bool {
        self.operation == operation
            && self.difference == difference
            && (self.versions.0..=self.versions.1).contains(&minor)
            && self.path.strip_suffix('*').map_or(self.path == path, |start| path.starts_with(start))
    }
}

const fn meant(
    operation: &'static str,
    path: &'static str,
    difference: Difference,
    versions: (u8, u8),
    reason: &'static str,
) -> Exception {
    Exception { operation, path, difference, versions, reason }
}

const ALL: (u8, u8) = (25, NEWEST);
const RECORDED_NULL: &str = "null in the recording";
const NO_CONTAINERS: &str = "optional, and nothing for an engine without containers to tell";
const NOT_GATED: &str = "Docker Engine does not hide it from older versions: it is in the recording at 1.40";

const NOT_SET: &str = "null where nothing is set, as recorded up to 1.51";
const NEVER_SET: &str = "never set in images; not recorded";
const LATER: &str = "which build made an image and who signed it is not told yet";
const EVIDENCE: &str = "an extension: the statements' descriptors, so that their blobs can be fetched by digest";
const OLDER_FORM: &str = "the older form is told too where `verbose` is not set, as recorded";
const SHOWN_LATE: &str = "older than Docker's documents of it";
const GO_NAMES: &str = "Docker's older documents name what the answer calls otherwise, as the OCI specification does";
const LINE: &str = "a line of the stream, for which Docker documents no schema";

pub static EXCEPTIONS: &[Exception] = &[
    // Lists
    meant("ImageList", "[].Manifests[].AttestationData.Statements", Extra, (55, NEWEST), EVIDENCE),
    meant("ImageList", "[].Manifests[].ImageData.Containers", Null, (47, NEWEST), RECORDED_NULL),
    meant("ImageList", "[].Manifests[].ImageData.Identity.Build", Missing, (54, NEWEST), LATER),
    meant("ImageList", "[].Manifests[].ImageData.Identity.Signature", Missing, (54, NEWEST), LATER),
    meant(
        "ImageList",
        "[].Manifests[].Descriptor.*",
        Extra,
        (47, 47),
        "recorded at 1.47; Docker documents it a version late",
    ),
    // Inspect
    meant("ImageInspect", "Manifests[].AttestationData.Statements", Extra, (55, NEWEST), EVIDENCE),
    meant("ImageInspect", "Manifests[].ImageData.Containers", Null, (48, NEWEST), RECORDED_NULL),
    meant("ImageInspect", "Manifests[].ImageData.Identity.Build", Missing, (54, NEWEST), LATER),
    meant("ImageInspect", "Manifests[].ImageData.Identity.Signature", Missing, (54, NEWEST), LATER),
    meant("ImageInspect", "Identity.Build", Missing, (53, NEWEST), LATER),
    meant("ImageInspect", "Identity.Signature", Missing, (53, NEWEST), LATER),
    meant("ImageInspect", "Config", Null, ALL, "null where the configuration's blob is not here"),
    meant("ImageInspect", "Config.*", Null, ALL, NOT_SET),
    meant("ImageInspect", "Config.MacAddress", Missing, (25, 49), NEVER_SET),
    meant("ImageInspect", "Config.NetworkDisabled", Missing, (25, 49), NEVER_SET),
    meant("ImageInspect", "Config.StopTimeout", Missing, (25, 49), NEVER_SET),
    meant(
        "ImageInspect",
        "Config.Healthcheck.Start*",
        Extra,
        (25, 43),
        "shown as it stands in the image's configuration",
    ),
    meant(
        "ImageInspect",
        "RootFS.Type",
        Optional,
        (30, NEWEST),
        "left out for a platform that is not here, as recorded",
    ),
    meant("ImageInspect", "ContainerConfig", Null, (25, 44), RECORDED_NULL),
    meant("ImageInspect", "ContainerConfig.*", Null, (25, 44), "always null as a whole"),
    meant("ImageInspect", "ContainerConfig.*", Missing, (25, 44), "always null as a whole"),
    meant("ImageInspect", "ContainerConfig.*", Extra, (25, 44), "always null as a whole"),
    meant("ImageInspect", "GraphDriver", Missing, (52, NEWEST), "left out from 1.52 on, as recorded"),
    meant("ImageInspect", "GraphDriver.Data", Null, (25, 51), RECORDED_NULL),
    meant("ImageInspect", "Metadata", Extra, (25, 34), NOT_GATED),
    meant("ImageInspect", "OsVersion", Extra, (25, 29), NOT_GATED),
    meant("ImageInspect", "Variant", Extra, (25, 39), NOT_GATED),
    // History and load
    meant("ImageHistory", "[].Tags", Null, ALL, RECORDED_NULL),
    meant("ImageLoad", "stream", Extra, ALL, LINE),
    meant("ImageLoad", "error", Extra, ALL, LINE),
    meant("ImageLoad", "errorDetail", Extra, ALL, LINE),
    // Pull, import and push
    meant("ImageCreate", "?changes", Extra, (25, 39), SHOWN_LATE),
    meant("ImageCreate", "?message", Extra, (25, 39), SHOWN_LATE),
    meant("ImageCreate", "status", Extra, ALL, LINE),
    meant("ImageCreate", "id", Extra, ALL, LINE),
    meant("ImageCreate", "progressDetail", Extra, ALL, LINE),
    meant("ImageCreate", "aux", Extra, ALL, LINE),
    meant("ImageCreate", "error", Extra, ALL, LINE),
    meant("ImageCreate", "errorDetail", Extra, ALL, LINE),
    meant("ImagePush", "?referrers", Extra, ALL, "an extension: whether signatures and attestations go along"),
    meant("ImagePush", "status", Extra, ALL, LINE),
    meant("ImagePush", "id", Extra, ALL, LINE),
    meant("ImagePush", "progressDetail", Extra, ALL, LINE),
    meant("ImagePush", "aux", Extra, ALL, LINE),
    meant("ImagePush", "error", Extra, ALL, LINE),
    meant("ImagePush", "errorDetail", Extra, ALL, LINE),
    // Registries
    meant("DistributionInspect", "Descriptor.*", Missing, (30, 39), GO_NAMES),
    meant("DistributionInspect", "Descriptor.*", Extra, (30, 47), GO_NAMES),
    meant("DistributionInspect", "Platforms", Null, ALL, "null for manifests of OCI's type, as recorded"),
    meant("DistributionInspect", "Platforms[].*", Missing, (30, 39), GO_NAMES),
    meant("DistributionInspect", "Platforms[].*", Extra, (30, 39), GO_NAMES),
    // Prune, disk usage and events
    meant("ImagePrune", "ImagesDeleted", Null, ALL, RECORDED_NULL),
    meant("SystemDataUsage", "LayersSize", Extra, (52, NEWEST), OLDER_FORM),
    meant("SystemDataUsage", "Images", Extra, (52, NEWEST), OLDER_FORM),
    meant("SystemDataUsage", "Containers", Extra, (52, NEWEST), OLDER_FORM),
    meant("SystemDataUsage", "Volumes", Extra, (52, NEWEST), OLDER_FORM),
    meant("SystemDataUsage", "BuildCache", Extra, (52, NEWEST), OLDER_FORM),
    meant("SystemDataUsage", "BuildCache", Extra, (25, 39), NOT_GATED),
    meant("SystemDataUsage", "Containers", Type, (25, 39), "a slip in Docker's document: a list of lists"),
    meant("SystemDataUsage", "ImageUsage.ActiveCount", Missing, (52, NEWEST), "left out where 0, as recorded"),
    meant("SystemDataUsage", "ImageUsage.Items[].*", Extra, (52, NEWEST), "rows of the list of images, as recorded"),
    meant("SystemDataUsage", "Images[].Manifests[].ImageData.Containers", Null, (47, 51), RECORDED_NULL),
    meant("SystemDataUsage", "Images[].Manifests[].Descriptor.*", Extra, (47, 47), "as in the list of images"),
    meant("SystemEvents", "id", Extra, (25, 51), "recorded up to 1.51"),
    meant("SystemEvents", "status", Extra, (25, 51), "recorded up to 1.51"),
    meant("SystemEvents", "scope", Extra, (25, 39), NOT_GATED),
    // /version
    meant("SystemVersion", "Experimental", Missing, ALL, "left out where false, as recorded"),
    // /info
    meant("SystemInfo", "PidsLimit", Extra, (25, 39), NOT_GATED),
    meant("SystemInfo", "Warnings", Extra, (25, 39), NOT_GATED),
    meant("SystemInfo", "CgroupVersion", Extra, (25, 40), NOT_GATED),
    meant("SystemInfo", "OSVersion", Extra, (25, 40), NOT_GATED),
    meant("SystemInfo", "CDISpecDirs", Extra, (25, 43), NOT_GATED),
    meant("SystemInfo", "*", Extra, (25, 34), "documents before 1.35 show little of what the answer has"),
    meant("SystemInfo", "Plugins.Authorization", Null, ALL, RECORDED_NULL),
    meant("SystemInfo", "GenericResources", Null, ALL, RECORDED_NULL),
    meant("SystemInfo", "RegistryConfig.AllowNondistributableArtifacts*", Null, (31, 48), RECORDED_NULL),
    meant("SystemInfo", "Containerd", Missing, ALL, NO_CONTAINERS),
    meant("SystemInfo", "FirewallBackend", Missing, ALL, NO_CONTAINERS),
    meant("SystemInfo", "NRI", Missing, ALL, NO_CONTAINERS),
    meant("SystemInfo", "DiscoveredDevices", Missing, ALL, NO_CONTAINERS),
    meant("SystemInfo", "DefaultAddressPools", Missing, ALL, NO_CONTAINERS),
    meant("SystemInfo", "ProductLicense", Missing, ALL, "left out where there is none, as recorded"),
    meant("SystemInfo", "KernelMemory*", Missing, (40, 51), "left out where false, as recorded"),
    meant("SystemInfo", "Cluster*", Missing, (35, 41), "of the swarm before swarm mode; not recorded"),
    meant("SystemInfo", "SystemStatus", Missing, (25, 40), "of the swarm before swarm mode; not recorded"),
    meant("SystemInfo", "DiscoveryBackend", Missing, (25, 30), "of the swarm before swarm mode; not recorded"),
    meant("SystemInfo", "Init*", Missing, (25, 30), "of engines before API 1.24; not recorded"),
    meant("SystemInfo", "OomScoreAdj", Missing, (25, 30), "of engines before API 1.24; not recorded"),
    meant("SystemInfo", "Swarm.*", Missing, ALL, "optional, and only of a node in a swarm"),
    // What Loadline does not have
    meant("VolumeList", "Warnings", Null, ALL, RECORDED_NULL),
    meant("ContainerPrune", "ContainersDeleted", Null, ALL, RECORDED_NULL),
    meant("NetworkPrune", "NetworksDeleted", Null, ALL, RECORDED_NULL),
    meant(
        "NetworkPrune",
        "NetworksDeleted",
        Extra,
        (25, 29),
        "the document of 1.25 names it VolumesDeleted by mistake",
    ),
    meant(
        "NetworkPrune",
        "VolumesDeleted",
        Missing,
        (25, 25),
        "the document of 1.25 names it VolumesDeleted by mistake",
    ),
    meant("BuildPrune", "CachesDeleted", Null, ALL, RECORDED_NULL),
    meant("BuildPrune", "*", Extra, (31, 39), "Docker's documents show it late"),
    meant("BuildPrune", "?*", Missing, (40, NEWEST), "nothing is kept for builds, so limits on it are not read"),
];

//! What `GET /version` and `GET /info` tell in each API version.

/// Properties of `RegistryServiceConfig` that only older versions have.
pub const NONDISTRIBUTABLE: [&str; 2] =
    ["AllowNondistributableArtifactsCIDRs", "AllowNondistributableArtifactsHostnames"];

/// Which properties of the system's answers a version has.
///
/// Docker Engine does not hide newer properties of these answers from older clients, with the exceptions here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemShape {
    /// `/info` tells whether bridges pass through the packet filter.
    pub bridge_filters: bool,
    /// `/info` tells which commits of its parts the engine expects.
    pub expected_commits: bool,
    /// `/info` lists registries that take artifacts not to be distributed.
    pub nondistributable_artifacts: bool,
    /// `/system/df` tells what each kind of thing takes, and can leave out the older form.
    pub usage: bool,
    /// `/info` says `<unknown>` where a version or name of the host's system is not known.
    pub says_unknown: bool,
    /// `/version` names the platform and lists the engine's components.
    pub components: bool,
    /// `/version` tells the oldest API version.
    pub oldest_version: bool,
}

impl SystemShape {
    /// The shape of the newest version.
    pub const NEWEST: Self = Self {
        bridge_filters: false,
        expected_commits: false,
        nondistributable_artifacts: false,
        usage: true,
        says_unknown: false,
        components: true,
        oldest_version: true,
    };

    /// The step from 1.52 back to 1.51.
    pub fn to_v1_51(&mut self) {
        self.usage = false;
    }

    /// The step from 1.50 back to 1.49.
    pub fn to_v1_49(&mut self) {
        self.bridge_filters = true;
    }

    /// The step from 1.49 back to 1.48.
    pub fn to_v1_48(&mut self) {
        self.expected_commits = true;
        self.nondistributable_artifacts = true;
    }

    /// The step from 1.39 back to 1.38.
    pub fn to_v1_38(&mut self) {
        self.says_unknown = true;
    }

    /// The step from 1.35 back to 1.34.
    pub fn to_v1_34(&mut self) {
        self.components = false;
    }

    /// The step from 1.25 back to 1.24.
    pub fn to_v1_24(&mut self) {
        self.oldest_version = false;
    }
}

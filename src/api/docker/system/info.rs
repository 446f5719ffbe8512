//! `GET /info`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::host::Host;
use super::registries::RegistryServiceConfig;
use crate::api::docker::answer::{self, Answer};
use crate::api::docker::app::{App, Settings};
use crate::api::docker::versions::{Form, SystemShape};

/// The daemon, its host, and what it can do. What only an engine with containers has is off, zero or empty.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SystemInfo {
    /// Identifies the data root: a UUID made with it.
    #[serde(rename = "ID")]
    #[schema(example = "7df13b4f-4c1c-4bb8-a4d9-0f5c6b1b9d5f")]
    id: String,
    /// How many containers there are: none.
    #[schema(example = 0)]
    containers: u64,
    /// How many of them run.
    containers_running: u64,
    /// How many of them are paused.
    containers_paused: u64,
    /// How many of them are stopped.
    containers_stopped: u64,
    /// How many images there are.
    images: usize,
    /// By this, and by the next, clients see that the store keeps indexes as they are.
    #[schema(example = "overlayfs")]
    driver: &'static str,
    /// What there is to say of the driver: pairs of a name and a value.
    #[schema(example = json!([["driver-type", "io.containerd.snapshotter.v1"]]))]
    driver_status: [[&'static str; 2]; 1],
    /// Plugins by kind; there are none.
    plugins: PluginsInfo,
    /// Whether a container's memory can be limited: no, as all of these.
    memory_limit: bool,
    /// Whether its swap can be limited.
    swap_limit: bool,
    /// Whether the period of its CPU quota can be set.
    cpu_cfs_period: bool,
    /// Whether its CPU quota can be set.
    cpu_cfs_quota: bool,
    /// Whether its share of the CPUs can be set.
    #[serde(rename = "CPUShares")]
    cpu_shares: bool,
    /// Whether it can be bound to CPUs.
    #[serde(rename = "CPUSet")]
    cpu_set: bool,
    /// Whether the number of its processes can be limited.
    pids_limit: bool,
    /// Whether packets are forwarded for containers.
    #[serde(rename = "IPv4Forwarding")]
    ipv4_forwarding: bool,
    /// Whether bridges pass through the packet filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bridge_nf_iptables: Option<bool>,
    /// The same for IPv6.
    #[serde(rename = "BridgeNfIp6tables", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bridge_nf_ip6tables: Option<bool>,
    /// Whether the daemon logs at the level `debug`.
    debug: bool,
    /// -1: open files are not counted.
    #[serde(rename = "NFd")]
    nfd: i64,
    /// Whether a container can be kept from being killed when memory runs out.
    oom_kill_disable: bool,
    /// How many tasks the daemon runs at this moment.
    #[serde(rename = "NGoroutines")]
    ngoroutines: usize,
    /// What the host's clock shows, in RFC 3339.
    #[schema(example = "2026-01-01T00:00:00.000000000Z")]
    system_time: String,
    /// How containers log: `none`.
    logging_driver: &'static str,
    /// How control groups are managed: `none`.
    cgroup_driver: &'static str,
    /// The version of the host's control groups.
    #[schema(example = "2")]
    cgroup_version: &'static str,
    /// How many clients listen to events.
    #[serde(rename = "NEventsListener")]
    nevents_listener: u64,
    /// The version of the host's kernel.
    #[schema(example = "6.12.0")]
    kernel_version: &'static str,
    /// The host's distribution.
    #[schema(example = "Debian GNU/Linux 12 (bookworm)")]
    operating_system: &'static str,
    /// The version of the host's distribution.
    #[serde(rename = "OSVersion")]
    #[schema(example = "12")]
    os_version: &'static str,
    /// The host's operating system, as images call it.
    #[serde(rename = "OSType")]
    #[schema(example = "linux")]
    os_type: &'static str,
    /// The host's architecture, as its kernel calls it.
    #[schema(example = "x86_64")]
    architecture: &'static str,
    /// The registry of names that give none, in the form that old clients look up credentials by.
    #[schema(example = "https://index.docker.io/v1/")]
    index_server_address: &'static str,
    /// How registries are reached.
    registry_config: RegistryServiceConfig,
    /// How many CPUs the daemon may use.
    #[serde(rename = "NCPU")]
    ncpu: usize,
    /// The host's memory in bytes.
    mem_total: u64,
    /// `null`: no resources are offered to containers.
    #[schema(required = true, value_type = Option<Vec<Object>>)]
    generic_resources: Option<[(); 0]>,
    /// The directory that holds the images.
    #[schema(example = "/var/lib/loadline")]
    docker_root_dir: String,
    /// The proxy for pulls, without its credentials.
    http_proxy: &'static str,
    /// The proxy for pulls over TLS, without its credentials.
    https_proxy: &'static str,
    /// Hosts that are reached without a proxy.
    no_proxy: &'static str,
    /// The host's name.
    name: &'static str,
    /// What the operator noted of the daemon: nothing.
    labels: [String; 0],
    /// Whether experiments are on.
    experimental_build: bool,
    /// The version of the daemon.
    #[schema(example = "0.1.0")]
    server_version: &'static str,
    /// What could run containers: nothing.
    #[schema(value_type = BTreeMap<String, Object>)]
    runtimes: BTreeMap<String, ()>,
    /// What runs containers unless they say otherwise: empty.
    default_runtime: &'static str,
    /// The daemon's part in a swarm: none.
    swarm: SwarmInfo,
    /// Whether containers outlive the daemon.
    live_restore_enabled: bool,
    /// How containers are set apart on Windows: empty.
    isolation: &'static str,
    /// The program that is the first in a container: empty.
    init_binary: &'static str,
    /// The commit of containerd: empty.
    containerd_commit: Commit,
    /// The commit of runc: empty.
    runc_commit: Commit,
    /// The commit of the init program: empty.
    init_commit: Commit,
    /// What secures containers: nothing.
    security_options: [String; 0],
    /// Directories that describe devices: none.
    #[serde(rename = "CDISpecDirs")]
    cdi_spec_dirs: [String; 0],
    /// What a person should know of the daemon.
    warnings: [&'static str; 1],
}

/// Plugins by kind; there are none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PluginsInfo {
    /// Plugins that keep volumes.
    volume: [String; 0],
    /// Plugins that make networks.
    network: [String; 0],
    /// `null`: requests are not authorised by plugins.
    #[schema(required = true, value_type = Option<Vec<String>>)]
    authorization: Option<[String; 0]>,
    /// Plugins that take logs.
    log: [String; 0],
}

/// The daemon's part in a swarm: none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SwarmInfo {
    /// The node's ID: empty.
    #[serde(rename = "NodeID")]
    node_id: &'static str,
    /// The node's address: empty.
    node_addr: &'static str,
    /// The node's state.
    #[schema(example = "inactive")]
    local_node_state: &'static str,
    /// Whether the node is a manager.
    control_available: bool,
    /// Why the node could not take its part: empty.
    error: &'static str,
    /// The swarm's managers: `null`, for none.
    #[schema(required = true, value_type = Option<Vec<Object>>)]
    remote_managers: Option<[(); 0]>,
}

/// The commit of a part that only an engine with containers has.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Commit {
    /// The commit.
    #[serde(rename = "ID")]
    id: &'static str,
    /// The commit that the daemon expects.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expected: Option<&'static str>,
}

// docker's CLI prints a line of its own for every limit that is off, unless the daemon has something to say.
const WARNING: &str = "Loadline serves images: containers, networks, volumes and builds are not part of it";

/// What changes from one call to the next.
struct Moment {
    images: usize,
    listeners: usize,
    tasks: usize,
    now: jiff::Timestamp,
}

impl SystemInfo {
    fn new(id: &str, moment: &Moment, settings: &Settings, host: &'static Host, shape: &SystemShape) -> Self {
        let commit = Commit { id: "", expected: shape.expected_commits.then_some("") };
        let bridge_filters = shape.bridge_filters.then_some(false);
        let known = |text: &'static str| if text.is_empty() && shape.says_unknown { "<unknown>" } else { text };
        Self {
            id: id.to_owned(),
            containers: 0,
            containers_running: 0,
            containers_paused: 0,
            containers_stopped: 0,
            images: moment.images,
            driver: "overlayfs",
            driver_status: [["driver-type", "io.containerd.snapshotter.v1"]],
            plugins: PluginsInfo::default(),
            memory_limit: false,
            swap_limit: false,
            cpu_cfs_period: false,
            cpu_cfs_quota: false,
            cpu_shares: false,
            cpu_set: false,
            pids_limit: false,
            ipv4_forwarding: false,
            bridge_nf_iptables: bridge_filters,
            bridge_nf_ip6tables: bridge_filters,
            debug: settings.debug,
            nfd: -1,
            oom_kill_disable: false,
            ngoroutines: moment.tasks,
            system_time: format!("{:.9}", moment.now),
            logging_driver: "none",
            cgroup_driver: "none",
            cgroup_version: host.cgroup_version,
            nevents_listener: moment.listeners as u64,
            kernel_version: known(&host.kernel_version),
            operating_system: known(&host.operating_system),
            os_version: &host.os_version,
            os_type: "linux",
            architecture: &host.machine,
            index_server_address: "https://index.docker.io/v1/",
            registry_config: RegistryServiceConfig::new(settings, shape),
            ncpu: host.cpus,
            mem_total: host.memory,
            generic_resources: None,
            docker_root_dir: settings.data_root.display().to_string(),
            http_proxy: &host.http_proxy,
            https_proxy: &host.https_proxy,
            no_proxy: &host.no_proxy,
            name: &host.name,
            labels: [],
            experimental_build: false,
            server_version: env!("CARGO_PKG_VERSION"),
            runtimes: BTreeMap::new(),
            default_runtime: "",
            swarm: SwarmInfo {
                node_id: "",
                node_addr: "",
                local_node_state: "inactive",
                control_available: false,
                error: "",
                remote_managers: None,
            },
            live_restore_enabled: false,
            isolation: "",
            init_binary: "",
            containerd_commit: commit,
            runc_commit: commit,
            init_commit: commit,
            security_options: [],
            cdi_spec_dirs: [],
            warnings: [WARNING],
        }
    }
}

/// Show what the daemon is
///
/// Its settings, its host, and how many images it has. What only an engine with containers has is off, zero or empty.
#[utoipa::path(
    get,
    path = "/info",
    operation_id = "SystemInfo",
    tag = "System",
    responses(
        (status = 200, description = "What there is to tell", body = SystemInfo),
    )
)]
pub async fn info(State(app): State<App>, form: Form) -> Answer {
    let moment = Moment {
        images: app.engine.image_count(),
        listeners: app.engine.event_listeners(),
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        now: app.engine.now(),
    };
    let info = SystemInfo::new(app.engine.uuid(), &moment, &app.settings, Host::here(), &form.0.system);
    answer::json(StatusCode::OK, &info)
}

/// What the daemon of a made-up host would tell, for the document.
pub fn example() -> Value {
    static HOST: LazyLock<Host> = LazyLock::new(|| Host {
        name: "host".to_owned(),
        kernel_version: "6.12.0".to_owned(),
        operating_system: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        os_version: "12".to_owned(),
        machine: "x86_64".to_owned(),
        architecture: "amd64".to_owned(),
        cpus: 2,
        memory: 8 << 30,
        cgroup_version: "2",
        http_proxy: String::new(),
        https_proxy: String::new(),
        no_proxy: String::new(),
    });
    let settings = Settings { data_root: "/var/lib/loadline".into(), ..Settings::default() };
    let moment = Moment { images: 2, listeners: 0, tasks: 12, now: jiff::Timestamp::UNIX_EPOCH };
    let id = "0191f7a4-5a3f-7c41-9b1e-3f0d5b1c2a77";
    // Texts and numbers always serialise.
    serde_json::to_value(SystemInfo::new(id, &moment, &settings, &HOST, &SystemShape::NEWEST)).unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! `GET /info`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::host::{Host, shown_proxy};
use super::registries::RegistryServiceConfig;
use crate::api::docker::answer::{self, Answer};
use crate::api::docker::app::{App, Settings};
use crate::api::docker::versions::{Form, SystemShape};

/// The daemon, its host and its features. Everything about containers is false, zero or empty.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SystemInfo {
    /// The ID of the data root: a UUID that was created with it.
    #[serde(rename = "ID")]
    #[schema(example = "7df13b4f-4c1c-4bb8-a4d9-0f5c6b1b9d5f")]
    id: String,
    /// The number of containers: always 0.
    #[schema(example = 0)]
    containers: u64,
    /// The number of running containers: always 0.
    containers_running: u64,
    /// The number of paused containers: always 0.
    containers_paused: u64,
    /// The number of stopped containers: always 0.
    containers_stopped: u64,
    /// The number of images.
    images: usize,
    /// The storage driver. This and `DriverStatus` tell clients that the image store keeps indexes unchanged.
    #[schema(example = "overlayfs")]
    driver: &'static str,
    /// Details of the storage driver, as pairs of a name and a value.
    #[schema(example = json!([["driver-type", "io.containerd.snapshotter.v1"]]))]
    driver_status: [[&'static str; 2]; 1],
    /// Plugins by kind: always empty.
    plugins: PluginsInfo,
    /// Whether the memory of containers can be limited: always false.
    memory_limit: bool,
    /// Whether the swap of containers can be limited: always false.
    swap_limit: bool,
    /// Whether the CPU CFS period of containers can be set: always false.
    cpu_cfs_period: bool,
    /// Whether the CPU CFS quota of containers can be set: always false.
    cpu_cfs_quota: bool,
    /// Whether the CPU shares of containers can be set: always false.
    #[serde(rename = "CPUShares")]
    cpu_shares: bool,
    /// Whether containers can be pinned to CPUs: always false.
    #[serde(rename = "CPUSet")]
    cpu_set: bool,
    /// Whether the number of processes in containers can be limited: always false.
    pids_limit: bool,
    /// Whether IPv4 packets are forwarded for containers: always false.
    #[serde(rename = "IPv4Forwarding")]
    ipv4_forwarding: bool,
    /// Whether bridged traffic passes through iptables: always false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bridge_nf_iptables: Option<bool>,
    /// Whether bridged IPv6 traffic passes through ip6tables: always false.
    #[serde(rename = "BridgeNfIp6tables", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bridge_nf_ip6tables: Option<bool>,
    /// Whether debug logging is enabled.
    debug: bool,
    /// The number of open files: always -1, as they are not counted.
    #[serde(rename = "NFd")]
    nfd: i64,
    /// Whether the OOM killer can be disabled for containers: always false.
    oom_kill_disable: bool,
    /// The number of tasks that the daemon is running.
    #[serde(rename = "NGoroutines")]
    ngoroutines: usize,
    /// The current time of the host, in RFC 3339 format.
    #[schema(example = "2026-01-01T00:00:00.000000000Z")]
    system_time: String,
    /// The logging driver of containers: always `none`.
    #[schema(example = "none")]
    logging_driver: &'static str,
    /// The cgroup driver: always `none`.
    #[schema(example = "none")]
    cgroup_driver: &'static str,
    /// The cgroup version of the host.
    #[schema(example = "2")]
    cgroup_version: &'static str,
    /// The number of clients that follow events.
    #[serde(rename = "NEventsListener")]
    nevents_listener: u64,
    /// The version of the host's kernel.
    #[schema(example = "6.12.0")]
    kernel_version: &'static str,
    /// The Linux distribution of the host.
    #[schema(example = "Debian GNU/Linux 12 (bookworm)")]
    operating_system: &'static str,
    /// The version of the host's distribution.
    #[serde(rename = "OSVersion")]
    #[schema(example = "12")]
    os_version: &'static str,
    /// The operating system of the host, in Go's notation.
    #[serde(rename = "OSType")]
    #[schema(example = "linux")]
    os_type: &'static str,
    /// The architecture of the host, as the kernel names it.
    #[schema(example = "x86_64")]
    architecture: &'static str,
    /// The default registry, in the form under which old clients store its credentials.
    #[schema(example = "https://index.docker.io/v1/")]
    index_server_address: &'static str,
    /// The configuration of registries.
    registry_config: RegistryServiceConfig,
    /// The number of CPUs that the daemon can use.
    #[serde(rename = "NCPU")]
    ncpu: usize,
    /// The memory of the host in bytes.
    mem_total: u64,
    /// Resources for containers: always `null`.
    #[schema(required = true, value_type = Option<Vec<Object>>)]
    generic_resources: Option<[(); 0]>,
    /// The data root: the directory that holds the images.
    #[schema(example = "/var/lib/loadline")]
    docker_root_dir: String,
    /// The HTTP proxy, without its credentials; empty if there is none.
    #[schema(example = "http://proxy.example:3128")]
    http_proxy: String,
    /// The HTTPS proxy, without its credentials; empty if there is none.
    #[schema(example = "http://proxy.example:3128")]
    https_proxy: String,
    /// Hosts that are contacted without a proxy, separated by commas.
    #[schema(example = "localhost,.example")]
    no_proxy: String,
    /// The name of the host.
    #[schema(example = "build-1")]
    name: &'static str,
    /// Labels of the daemon: always empty.
    #[schema(example = json!([]))]
    labels: [String; 0],
    /// Whether experimental features are enabled: always false.
    experimental_build: bool,
    /// The version of the daemon.
    #[schema(example = "0.1.0")]
    server_version: &'static str,
    /// Container runtimes: always empty.
    #[schema(value_type = BTreeMap<String, Object>, example = json!({}))]
    runtimes: BTreeMap<String, ()>,
    /// The default container runtime: always empty.
    #[schema(example = "")]
    default_runtime: &'static str,
    /// The swarm state of the node: always inactive.
    swarm: SwarmInfo,
    /// Whether containers keep running while the daemon restarts: always false.
    live_restore_enabled: bool,
    /// The isolation of containers on Windows: always empty.
    #[schema(example = "")]
    isolation: &'static str,
    /// The init binary for containers: always empty.
    #[schema(example = "")]
    init_binary: &'static str,
    /// The commit of containerd: always empty.
    containerd_commit: Commit,
    /// The commit of runc: always empty.
    runc_commit: Commit,
    /// The commit of the init binary: always empty.
    init_commit: Commit,
    /// Security options for containers: always empty.
    #[schema(example = json!([]))]
    security_options: [String; 0],
    /// Directories of CDI specifications: always empty.
    #[serde(rename = "CDISpecDirs")]
    #[schema(example = json!([]))]
    cdi_spec_dirs: [String; 0],
    /// Warnings to show to the user.
    #[schema(example = json!(["Loadline serves images: containers, networks, volumes and builds are not part of it"]))]
    warnings: Vec<String>,
}

/// Plugins by kind: always empty.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PluginsInfo {
    /// Volume plugins: always empty.
    #[schema(example = json!([]))]
    volume: [String; 0],
    /// Network plugins: always empty.
    #[schema(example = json!([]))]
    network: [String; 0],
    /// Authorization plugins: always `null`.
    #[schema(required = true, value_type = Option<Vec<String>>, example = json!(null))]
    authorization: Option<[String; 0]>,
    /// Logging plugins: always empty.
    #[schema(example = json!([]))]
    log: [String; 0],
}

/// The swarm state of the node: always inactive.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SwarmInfo {
    /// The ID of the node: always empty.
    #[serde(rename = "NodeID")]
    #[schema(example = "")]
    node_id: &'static str,
    /// The address of the node: always empty.
    #[schema(example = "")]
    node_addr: &'static str,
    /// The state of the node: always `inactive`.
    #[schema(example = "inactive")]
    local_node_state: &'static str,
    /// Whether the node is a manager: always false.
    control_available: bool,
    /// The last error: always empty.
    #[schema(example = "")]
    error: &'static str,
    /// The managers of the swarm: always `null`.
    #[schema(required = true, value_type = Option<Vec<Object>>)]
    remote_managers: Option<[(); 0]>,
}

/// The commit of a component that Loadline does not have.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Commit {
    /// The commit: always empty.
    #[serde(rename = "ID")]
    #[schema(example = "")]
    id: &'static str,
    /// The expected commit: always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "")]
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
    warnings: Vec<String>,
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
            http_proxy: shown_proxy(settings.proxies.http.as_deref()),
            https_proxy: shown_proxy(settings.proxies.https.as_deref()),
            no_proxy: settings.proxies.none.clone().unwrap_or_default(),
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
            warnings: std::iter::once(WARNING.to_owned()).chain(moment.warnings.iter().cloned()).collect(),
        }
    }
}

/// Show system information
///
/// The settings of the daemon, its host and the number of its images. Everything about containers is false, zero or empty.
#[utoipa::path(
    get,
    path = "/info",
    operation_id = "SystemInfo",
    tag = "System",
    responses(
        (status = 200, description = "The system information", body = SystemInfo),
    )
)]
pub async fn info(State(app): State<App>, form: Form) -> Answer {
    let moment = Moment {
        images: app.engine.image_count(),
        listeners: app.engine.event_listeners(),
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        now: app.engine.now(),
        warnings: app.engine.warnings(),
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
    });
    let settings = Settings { data_root: "/var/lib/loadline".into(), ..Settings::default() };
    let moment = Moment { images: 2, listeners: 0, tasks: 12, now: jiff::Timestamp::UNIX_EPOCH, warnings: Vec::new() };
    let id = "0191f7a4-5a3f-7c41-9b1e-3f0d5b1c2a77";
    // Texts and numbers always serialise.
    serde_json::to_value(SystemInfo::new(id, &moment, &settings, &HOST, &SystemShape::NEWEST)).unwrap_or_default()
}

#[cfg(test)]
mod tests;

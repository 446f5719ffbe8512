//! `GET /info`.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::host::Host;
use super::registries::RegistryServiceConfig;
use crate::api::docker::answer::{self, Answer};
use crate::api::docker::render::message::ErrorResponse;
use crate::api::docker::versions::{Form, SystemShape};
use crate::api::docker::{App, Settings};

/// The daemon, its host, and what it can do. What only an engine with containers has is off, zero or empty.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SystemInfo {
    /// Identifies the data root: a UUID made with it.
    #[serde(rename = "ID")]
    #[schema(example = "7df13b4f-4c1c-4bb8-a4d9-0f5c6b1b9d5f")]
    id: String,
    containers: u64,
    containers_running: u64,
    containers_paused: u64,
    containers_stopped: u64,
    /// How many images there are.
    images: usize,
    /// By this, and by the next, clients see that the store keeps indexes as they are.
    #[schema(example = "overlayfs")]
    driver: &'static str,
    #[schema(example = json!([["driver-type", "io.containerd.snapshotter.v1"]]))]
    driver_status: [[&'static str; 2]; 1],
    plugins: PluginsInfo,
    memory_limit: bool,
    swap_limit: bool,
    cpu_cfs_period: bool,
    cpu_cfs_quota: bool,
    #[serde(rename = "CPUShares")]
    cpu_shares: bool,
    #[serde(rename = "CPUSet")]
    cpu_set: bool,
    pids_limit: bool,
    #[serde(rename = "IPv4Forwarding")]
    ipv4_forwarding: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bridge_nf_iptables: Option<bool>,
    #[serde(rename = "BridgeNfIp6tables", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bridge_nf_ip6tables: Option<bool>,
    /// Whether the daemon logs at the level `debug`.
    debug: bool,
    /// -1: open files are not counted.
    #[serde(rename = "NFd")]
    nfd: i64,
    oom_kill_disable: bool,
    /// How many tasks the daemon runs at this moment.
    #[serde(rename = "NGoroutines")]
    ngoroutines: usize,
    #[schema(example = "2026-01-01T00:00:00.000000000Z")]
    system_time: String,
    logging_driver: &'static str,
    cgroup_driver: &'static str,
    /// The version of the host's control groups.
    #[schema(example = "2")]
    cgroup_version: &'static str,
    #[serde(rename = "NEventsListener")]
    nevents_listener: u64,
    #[schema(example = "6.12.0")]
    kernel_version: &'static str,
    /// The host's distribution.
    #[schema(example = "Debian GNU/Linux 12 (bookworm)")]
    operating_system: &'static str,
    #[serde(rename = "OSVersion")]
    #[schema(example = "12")]
    os_version: &'static str,
    #[serde(rename = "OSType")]
    #[schema(example = "linux")]
    os_type: &'static str,
    /// The host's architecture, as its kernel calls it.
    #[schema(example = "x86_64")]
    architecture: &'static str,
    /// The registry of names that give none, in the form that old clients look up credentials by.
    #[schema(example = "https://index.docker.io/v1/")]
    index_server_address: &'static str,
    registry_config: RegistryServiceConfig,
    #[serde(rename = "NCPU")]
    ncpu: usize,
    /// The host's memory in bytes.
    mem_total: u64,
    /// `null`: no resources are offered to containers.
    #[schema(required = true, value_type = Option<Vec<Object>>)]
    generic_resources: Option<[(); 0]>,
    #[schema(example = "/var/lib/loadline")]
    docker_root_dir: String,
    /// The proxy for pulls, without its credentials.
    http_proxy: &'static str,
    https_proxy: &'static str,
    no_proxy: &'static str,
    /// The host's name.
    name: &'static str,
    labels: [String; 0],
    experimental_build: bool,
    #[schema(example = "0.1.0")]
    server_version: &'static str,
    #[schema(value_type = BTreeMap<String, Object>)]
    runtimes: BTreeMap<String, ()>,
    default_runtime: &'static str,
    swarm: SwarmInfo,
    live_restore_enabled: bool,
    isolation: &'static str,
    init_binary: &'static str,
    containerd_commit: Commit,
    runc_commit: Commit,
    init_commit: Commit,
    security_options: [String; 0],
    #[serde(rename = "CDISpecDirs")]
    cdi_spec_dirs: [String; 0],
    /// What a person should know of the daemon.
    warnings: [&'static str; 1],
}

/// Plugins by kind; there are none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PluginsInfo {
    volume: [String; 0],
    network: [String; 0],
    /// `null`: requests are not authorised by plugins.
    #[schema(required = true, value_type = Option<Vec<String>>)]
    authorization: Option<[String; 0]>,
    log: [String; 0],
}

/// The daemon's part in a swarm: none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SwarmInfo {
    #[serde(rename = "NodeID")]
    node_id: &'static str,
    node_addr: &'static str,
    #[schema(example = "inactive")]
    local_node_state: &'static str,
    control_available: bool,
    error: &'static str,
    #[schema(required = true, value_type = Option<Vec<Object>>)]
    remote_managers: Option<[(); 0]>,
}

/// The commit of a part that only an engine with containers has.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Commit {
    #[serde(rename = "ID")]
    id: &'static str,
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
        (status = 200, description = "What there is to tell", body = SystemInfo,
            example = json!({"ID": "0191f7a4-5a3f-7c41-9b1e-3f0d5b1c2a77", "Images": 2, "Driver": "overlayfs", "ServerVersion": "0.1.0"})),
        (status = 500, description = "A failure of the daemon", body = ErrorResponse<'static>),
    )
)]
pub(super) async fn info(State(app): State<App>, form: Form) -> Answer {
    let moment = Moment {
        images: app.engine.image_count(),
        listeners: app.engine.event_listeners(),
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        now: jiff::Timestamp::now(),
    };
    let info = SystemInfo::new(app.engine.uuid(), &moment, &app.settings, Host::here(), &form.0.system);
    answer::json(StatusCode::OK, &info)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::docker::versions::shape;

    fn at(shape: &SystemShape) -> Value {
        on(shape, Host::here())
    }

    fn on(shape: &SystemShape, host: &'static Host) -> Value {
        let settings = Settings {
            insecure_registries: vec!["localhost:5000".into(), "127.0.0.1:5000".into()],
            data_root: "/var/lib/loadline".into(),
            ..Settings::default()
        };
        let moment = Moment { images: 7, listeners: 0, tasks: 3, now: jiff::Timestamp::UNIX_EPOCH };
        serde_json::to_value(SystemInfo::new("id", &moment, &settings, host, shape)).unwrap()
    }

    /// Keys and types of everything below a value; arrays and maps that only engines with containers fill are leaves.
    fn outline(value: &Value, path: &str, into: &mut Vec<String>) {
        match value {
            Value::Object(map) if !path.starts_with("Runtimes") => {
                for (key, value) in map {
                    outline(value, &format!("{path}{key}/"), into);
                }
            }
            Value::Object(_) => into.push(format!("{path}object")),
            Value::Array(_) => into.push(format!("{path}array")),
            Value::String(_) => into.push(format!("{path}string")),
            Value::Number(_) => into.push(format!("{path}number")),
            Value::Bool(_) => into.push(format!("{path}bool")),
            Value::Null => into.push(format!("{path}null")),
        }
    }

    fn assert_outline(shape: &SystemShape, recorded: &str, missing: &[&str]) {
        let (mut ours, mut theirs) = (vec![], vec![]);
        outline(&at(shape), "", &mut ours);
        outline(&serde_json::from_str(recorded).unwrap(), "", &mut theirs);
        theirs.retain(|line| !missing.iter().any(|missing| line.starts_with(missing)));
        assert_eq!(ours, theirs);
    }

    #[test]
    fn the_newest_info_is_outlined_like_the_recorded_one() {
        // There is no firewall and no containerd to tell of; both may be absent.
        assert_outline(&SystemShape::NEWEST, include_str!("info_1_55.json"), &["FirewallBackend", "Containerd/"]);
    }

    #[test]
    fn older_infos_are_outlined_like_the_recorded_ones() {
        let mut shape = SystemShape::NEWEST;
        shape.to_v1_49();
        shape.to_v1_48();
        assert_outline(&shape, include_str!("info_1_44.json"), &[]);
    }

    #[test]
    fn what_is_not_known_is_called_so_in_old_versions() {
        let nowhere: &'static Host = Box::leak(Box::new(Host { operating_system: String::new(), ..Host::read() }));
        let system = |minor: u8| on(&shape(minor).system, nowhere)["OperatingSystem"].clone();
        assert_eq!(
            (system(55), system(39), system(38), system(24)),
            ("".into(), "".into(), "<unknown>".into(), "<unknown>".into())
        );
        assert_ne!(on(&shape(38).system, nowhere)["KernelVersion"], "<unknown>");
    }

    #[test]
    fn what_clients_sniff_is_there() {
        let info = at(&SystemShape::NEWEST);
        assert_eq!(info["Driver"], "overlayfs");
        assert_eq!(info["DriverStatus"], serde_json::json!([["driver-type", "io.containerd.snapshotter.v1"]]));
        assert_eq!((&info["Images"], &info["ID"], &info["OSType"]), (&7.into(), &"id".into(), &"linux".into()));
        assert_eq!(info["SystemTime"], "1970-01-01T00:00:00.000000000Z");
        assert_eq!(info["DockerRootDir"], "/var/lib/loadline");
        assert_eq!(info["Swarm"]["LocalNodeState"], "inactive");
        assert_eq!(info["Warnings"].as_array().unwrap().len(), 1);
    }
}

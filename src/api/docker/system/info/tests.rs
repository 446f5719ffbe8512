use super::*;
use crate::api::docker::versions::{NEWEST, shape};

fn at(shape: &SystemShape) -> Value {
    on(shape, Host::here())
}

fn on(shape: &SystemShape, host: &'static Host) -> Value {
    let settings = Settings {
        insecure_registries: vec!["localhost:5000".into(), "127.0.0.1:5000".into()],
        data_root: "/var/lib/loadline".into(),
        ..Settings::default()
    };
    let moment = Moment { images: 7, listeners: 0, tasks: 3, now: jiff::Timestamp::UNIX_EPOCH, warnings: Vec::new() };
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
    assert_outline(&SystemShape::NEWEST, include_str!("../info_1_55.json"), &["FirewallBackend", "Containerd/"]);
}

#[test]
fn older_infos_are_outlined_like_the_recorded_ones() {
    let mut shape = SystemShape::NEWEST;
    shape.to_v1_49();
    shape.to_v1_48();
    assert_outline(&shape, include_str!("../info_1_44.json"), &[]);
}

#[test]
fn what_is_not_known_is_called_so_in_old_versions() {
    let nowhere: &'static Host = Box::leak(Box::new(Host { operating_system: String::new(), ..Host::read() }));
    let system = |minor: u8| on(&shape(minor).system, nowhere)["OperatingSystem"].clone();
    assert_eq!(
        (system(NEWEST), system(39), system(38), system(24)),
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

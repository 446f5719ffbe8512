use super::*;
use crate::api::docker::versions::NEWEST_TEXT;

fn at(shape: &SystemShape) -> serde_json::Value {
    serde_json::to_value(SystemVersion::new(Host::here(), shape)).unwrap()
}

fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_newest_version_has_the_recorded_keys() {
    let answer = at(&SystemShape::NEWEST);
    // As recorded; in the details without the Go module and its version.
    assert_eq!(
        keys(&answer),
        [
            "ApiVersion",
            "Arch",
            "BuildTime",
            "Components",
            "GitCommit",
            "GoVersion",
            "KernelVersion",
            "MinAPIVersion",
            "Os",
            "Platform",
            "Version",
        ]
    );
    let engine = &answer["Components"][0];
    assert_eq!(engine["Name"], "Engine");
    assert_eq!(
        keys(&engine["Details"]),
        [
            "ApiVersion",
            "Arch",
            "BuildTime",
            "Experimental",
            "GitCommit",
            "GoVersion",
            "KernelVersion",
            "MinAPIVersion",
            "Os",
        ]
    );
    assert_eq!((&answer["ApiVersion"], &answer["MinAPIVersion"]), (&NEWEST_TEXT.into(), &"1.24".into()));
    assert_eq!(answer["Platform"], serde_json::json!({"Name": ""}));
}

#[test]
fn old_versions_know_no_components_and_the_oldest_no_minimum() {
    let mut shape = SystemShape::NEWEST;
    shape.to_v1_34();
    assert!(at(&shape).get("Components").is_none() && at(&shape).get("Platform").is_none());
    assert_eq!(at(&shape)["MinAPIVersion"], "1.24");
    shape.to_v1_24();
    assert!(at(&shape).get("MinAPIVersion").is_none());
}

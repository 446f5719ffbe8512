//! `GET /images/json`: rows, their order, filters, and the shapes of versions.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::http::Client;
use crate::support::images::{self, CONFIG, LAYER, Layout, MANIFEST, digest};
use crate::support::loading::{encode, is_whole, loaded, row, row_of};

fn tags(client: &Client, target: &str) -> Vec<String> {
    let rows = client.get(target).expect(200).json();
    rows.as_array().unwrap().iter().map(|row| row["RepoTags"][0].as_str().unwrap_or_default().to_owned()).collect()
}

fn filtered(client: &Client, filters: Value) -> Vec<String> {
    tags(client, &format!("/images/json?filters={}", encode(&filters.to_string())))
}

/// A daemon with three images of three days, the second of which has the label `odd`.
fn three() -> (Daemon, Vec<String>) {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let mut ids = Vec::new();
    for day in 1..=3 {
        let mut config = images::config("linux/amd64", &day.to_string());
        config["created"] = json!(format!("2026-01-0{day}T00:00:00Z"));
        if day == 2 {
            config["config"]["Labels"]["odd"] = json!("yes");
        }
        let image = layout.image_of(&config, &day.to_string());
        ids.push(digest(&image).to_owned());
        layout.named(&image, &format!("registry.test/day:{day}"));
    }
    loaded(&daemon.client(), layout.tar());
    (daemon, ids)
}

#[test]
fn newest_come_first_and_filters_choose() {
    let (daemon, ids) = three();
    let client = daemon.client();
    let day = |numbers: &[u8]| numbers.iter().map(|n| format!("registry.test/day:{n}")).collect::<Vec<_>>();
    assert_eq!(tags(&client, "/images/json"), day(&[3, 2, 1]));
    assert_eq!(tags(&client, "/images/json?all=1"), day(&[3, 2, 1]));
    for (filters, expected) in [
        (json!({"reference": ["registry.test/day:2"]}), &[2][..]),
        (json!({"reference": ["registry.test/*:*"]}), &[3, 2, 1]),
        (json!({"reference": {"*/day:1": true, "*/day:3": true}}), &[3, 1]),
        (json!({"reference": ["day"]}), &[]),
        (json!({"label": ["odd"]}), &[2]),
        (json!({"label": ["odd=yes"]}), &[2]),
        (json!({"label": ["odd=no"]}), &[]),
        (json!({"label!": ["odd"]}), &[3, 1]),
        (json!({"dangling": ["true"]}), &[]),
        (json!({"dangling": ["false"]}), &[3, 2, 1]),
        (json!({"before": ["registry.test/day:3"]}), &[2, 1]),
        (json!({"since": [&ids[0]]}), &[3, 2]),
        (json!({"before": ["registry.test/day:3"], "since": ["registry.test/day:1"]}), &[2]),
        // What counts is when a name came here.
        (json!({"until": ["2026-01-02T12:00:00Z"]}), &[]),
        (json!({"until": ["1h"]}), &[]),
        (json!({"until": ["2999-01-01T00:00:00Z"]}), &[3, 2, 1]),
        (json!({"reference": ["registry.test/day"]}), &[3, 2, 1]),
        (json!({}), &[3, 2, 1]),
    ] {
        assert_eq!(filtered(&client, filters.clone()), day(expected), "{filters}");
    }
    for (filters, status) in [
        (r#"{"colour":["red"]}"#, 400),
        ("{", 400),
        ("7", 400),
        (r#"{"dangling":["perhaps"]}"#, 400),
        (r#"{"until":["a while ago"]}"#, 400),
        (r#"{"reference":["["]}"#, 400),
        (r#"{"since":["registry.test/no:1"]}"#, 404),
        (r#"{"before":["registry.test/no:1"]}"#, 404),
    ] {
        let answer = client.get(&format!("/images/json?filters={}", encode(filters)));
        assert_eq!(answer.status, status, "{filters}: {}", answer.text());
        assert!(answer.json()["message"].is_string());
    }
}

#[test]
fn a_list_follows_every_change() {
    let (daemon, _) = three();
    let client = daemon.client();
    assert_eq!(tags(&client, "/images/json?manifests=1").len(), 3);
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "new");
    layout.named(&image, "registry.test/day:1");
    loaded(&client, layout.tar());
    let rows = client.get("/images/json?manifests=1").expect(200).json();
    assert_eq!(rows.as_array().unwrap().len(), 4);
    assert_eq!(row(&client, "registry.test/day:1")["Id"], digest(&image));
    // And is the same after a restart, however the daemon ended.
    let daemon = daemon.crash_and_restart();
    assert_eq!(daemon.client().get("/images/json?manifests=1").expect(200).json(), rows);
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(daemon.client().get("/images/json?manifests=1").expect(200).json(), rows);
}

#[test]
fn a_broken_image_costs_nobody_else_a_row() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::of_one("registry.test/good:1");
    let layer = layout.blob(LAYER, "layer");
    // A configuration that is no JSON, one that is an array, one that is not here, and one that is too large.
    let no_json = layout.blob(CONFIG, "not JSON");
    let array = layout.blob(CONFIG, "[1]");
    let absent = layout.blob(CONFIG, "{\"absent\": true}");
    let large = layout.blob(CONFIG, format!("{{\"pad\": \"{}\"}}", "x".repeat(9 << 20)));
    let other_type = layout.blob("application/vnd.other+json", "{}");
    for (name, config) in
        [("no-json", &no_json), ("array", &array), ("absent", &absent), ("large", &large), ("other", &other_type)]
    {
        let image = layout.manifest(MANIFEST, config, std::slice::from_ref(&layer));
        layout.named(&image, &format!("registry.test/{name}:1"));
        let good = layout.image("linux/arm64", name);
        let index = layout.index(&[image, good]);
        layout.named(&index, &format!("registry.test/index-{name}:1"));
    }
    let empty = layout.index(&[]);
    layout.named(&empty, "registry.test/empty:1");
    layout.remove(&absent);
    assert_eq!(loaded(&client, layout.tar()).len(), 12);
    assert_eq!(client.get("/images/json?manifests=1").expect(200).json().as_array().unwrap().len(), 12);
    assert_eq!(row(&client, "registry.test/good:1")["Manifests"][0]["Available"], true);
    assert_eq!(row(&client, "registry.test/absent:1")["Manifests"][0]["Available"], false);
    assert_eq!(row(&client, "registry.test/empty:1")["Manifests"], Value::Null);
    for name in ["no-json", "array", "absent", "large", "other"] {
        let shown = row(&client, &format!("registry.test/index-{name}:1"));
        assert_eq!(shown["Manifests"].as_array().unwrap().len(), 2, "{shown}");
        // One image's fault is told where that image is asked for, in words.
        let answer = client.get(&format!("/images/registry.test/{name}:1/json"));
        assert!(answer.json().is_object() && answer.status != 400, "{}: {}", answer.status, answer.text());
    }
    is_whole(&daemon);
    let daemon = daemon.crash_and_restart();
    assert_eq!(daemon.client().get("/images/json?manifests=1").expect(200).json().as_array().unwrap().len(), 12);
}

#[test]
fn versions_have_their_own_shapes() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::of_platforms("registry.test/shape:1", &["linux/amd64", "linux/arm64"]);
    let untagged = layout.image("linux/amd64", "untagged");
    layout.listed(&untagged);
    loaded(&client, layout.tar());
    for (version, member, there) in [
        ("1.24", "VirtualSize", true),
        ("1.43", "VirtualSize", true),
        ("1.44", "VirtualSize", false),
        ("1.46", "Manifests", false),
        ("1.47", "Manifests", true),
        ("1.47", "Descriptor", false),
        ("1.48", "Descriptor", true),
    ] {
        let row = row_of(&format!("/v{version}/images/json?manifests=1"), &client, "registry.test/shape:1");
        assert_eq!(row.get(member).is_some(), there, "{member} in {version}: {row}");
    }
    let names = |version: &str| {
        let rows = client.get(&format!("/v{version}/images/json")).expect(200).json();
        let row = rows.as_array().unwrap().iter().find(|row| row["Id"] == digest(&untagged)).unwrap().clone();
        (row["RepoTags"].clone(), row["RepoDigests"].clone())
    };
    assert_eq!(names("1.24"), (json!(["<none>:<none>"]), json!(["<none>@<none>"])));
    assert_eq!(names("1.43"), (json!([]), json!([])));
    for minor in 24..=55 {
        let rows = client.get(&format!("/v1.{minor}/images/json")).expect(200).json();
        for row in rows.as_array().unwrap() {
            for member in
                ["Containers", "Created", "Id", "Labels", "ParentId", "RepoDigests", "RepoTags", "SharedSize", "Size"]
            {
                assert!(row.get(member).is_some(), "{member} in 1.{minor}: {row}");
            }
        }
    }
    assert!(row_of("/images/json", &client, "registry.test/shape:1").get("Manifests").is_none());
    let refusal = client.get("/images/json?identity=1").expect(400).json();
    assert_eq!(refusal["message"], "conflicting options: identity requires manifests=1");
}

#[test]
fn shared_content_is_counted_where_asked() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let shared = layout.blob(LAYER, "x".repeat(1000));
    for number in 0..2 {
        let own = layout.blob(LAYER, format!("own {number}"));
        let config = layout.blob(CONFIG, images::config("linux/amd64", &number.to_string()).to_string());
        let image = layout.manifest(MANIFEST, &config, &[shared.clone(), own]);
        layout.named(&image, &format!("registry.test/share:{number}"));
    }
    loaded(&client, layout.tar());
    assert_eq!(row_of("/images/json", &client, "registry.test/share:0")["SharedSize"], -1);
    assert_eq!(row_of("/images/json?shared-size=1", &client, "registry.test/share:0")["SharedSize"], 1000);
}

#[test]
fn many_images_are_listed_whole() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    for number in 0..500 {
        let image = layout.image("linux/amd64", &number.to_string());
        let index = layout.index(&[image]);
        layout.named(&index, &format!("registry.test/many:{number}"));
    }
    loaded(&client, layout.tar());
    let first = client.get("/images/json?manifests=1").expect(200);
    assert_eq!(first.json().as_array().unwrap().len(), 500);
    assert_eq!(client.get("/images/json?manifests=1").expect(200).body, first.body);
    // A client that leaves in the middle of a long list is not waited for.
    for _ in 0..50 {
        let request = crate::support::http::Request::get("/images/json?manifests=1");
        drop(client.open(&request).unwrap());
    }
    assert_eq!(client.get("/images/json?manifests=1").expect(200).body, first.body);
}

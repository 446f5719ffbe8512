//! What clients ask of an engine: who it is, and what it has besides images, which is nothing.

use std::io::{Read, Write};
use std::time::Duration;

use loadline::api::docker::versions::{NEWEST, NEWEST_TEXT, OLDEST};
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::http::{Answer, Open, Request};
use crate::support::images::Layout;
use crate::support::loading::{encode, loaded};

fn send(daemon: &Daemon, method: &str, target: &str) -> Answer {
    daemon.client().send(&Request::new(method, target))
}

#[track_caller]
fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().expect("a message").to_owned()
}

#[test]
fn ping_tells_what_clients_negotiate_by() {
    let daemon = Daemon::start();
    for target in ["/_ping", "/v1.24/_ping", &format!("/v{NEWEST_TEXT}/_ping")] {
        let answer = send(&daemon, "GET", target).expect(200);
        assert_eq!(answer.text(), "OK");
        for (name, value) in [("api-version", NEWEST_TEXT), ("ostype", "linux"), ("docker-experimental", "false")] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-cache")));
        let head = send(&daemon, "HEAD", target).expect(200);
        assert_eq!(head.header("api-version"), Some(NEWEST_TEXT));
        assert!(head.body.is_empty());
    }
}

#[test]
fn version_and_info_in_every_version() {
    let daemon = Daemon::start();
    for minor in OLDEST..=NEWEST {
        let version = send(&daemon, "GET", &format!("/v1.{minor}/version")).expect(200).json();
        assert_eq!((&version["ApiVersion"], &version["Os"]), (&json!(NEWEST_TEXT), &json!("linux")));
        let info = send(&daemon, "GET", &format!("/v1.{minor}/info")).expect(200).json();
        assert_eq!((&info["Containers"], &info["Images"]), (&json!(0), &json!(0)));
        assert!(info["ID"].is_string() && info["Name"].is_string() && info["NCPU"].is_number());
    }
    let version = send(&daemon, "GET", "/version").expect(200).json();
    assert_eq!(version["MinAPIVersion"], "1.24");
    let info = send(&daemon, "GET", "/info").expect(200).json();
    assert_eq!(info["Driver"], "overlayfs");
    assert_eq!(info["DriverStatus"], json!([["driver-type", "io.containerd.snapshotter.v1"]]));
    assert_eq!(info["DockerRootDir"], daemon.data_root().to_str().unwrap());
    loaded(&daemon.client(), Layout::of_one("registry.test/info:1").tar());
    assert_eq!(send(&daemon, "GET", "/info").expect(200).json()["Images"], 1);
    // The same engine after a restart.
    let daemon = daemon.crash_and_restart();
    assert_eq!(send(&daemon, "GET", "/info").expect(200).json()["ID"], info["ID"]);
}

#[test]
fn versions_out_of_range_are_refused_in_dockers_words() {
    let daemon = Daemon::start();
    let next = NEWEST + 1;
    let too_new = send(&daemon, "GET", &format!("/v1.{next}/images/json")).expect(400);
    let text = format!("client version 1.{next} is too new. Maximum supported API version is {NEWEST_TEXT}");
    assert_eq!(message(&too_new), text);
    let too_old = message(&send(&daemon, "GET", "/v1.21/images/json").expect(400));
    assert!(too_old.starts_with("client version 1.21 is too old. Minimum supported API version is 1.24"), "{too_old}");
    for old in ["1.22", "1.23"] {
        send(&daemon, "GET", &format!("/v{old}/images/json")).expect(200);
    }
    for (nonsense, status) in [
        ("/v1/images/json", 400),
        ("/v1.x/images/json", 404),
        ("/v/images/json", 404),
        ("/1.40/images/json", 404),
        ("/v1.40", 404),
        ("/v2.0/_ping", 400),
    ] {
        let answer = send(&daemon, "GET", nonsense);
        assert_eq!(answer.status, status, "{nonsense}");
    }
}

#[test]
fn unknown_paths_and_methods_are_not_found() {
    let daemon = Daemon::start();
    for (method, target) in [
        ("GET", "/nothing"),
        ("GET", "/v1.40/nothing"),
        ("GET", "/"),
        ("POST", "/images/json"),
        ("PATCH", "/_ping"),
        ("GET", "/images/load"),
        ("DELETE", "/version"),
    ] {
        let answer = send(&daemon, method, target).expect(404);
        assert_eq!(answer.json(), json!({"message": "page not found"}), "{method} {target}");
    }
}

#[test]
fn lists_of_what_is_not_there_are_empty() {
    let daemon = Daemon::start();
    for prefix in ["", "/v1.24", "/v1.41", &format!("/v{NEWEST_TEXT}")] {
        for (target, body) in [
            ("/containers/json", json!([])),
            ("/containers/json?all=1&limit=5&size=1", json!([])),
            ("/volumes", json!({"Volumes": [], "Warnings": null})),
            ("/networks", json!([])),
            ("/plugins", json!([])),
        ] {
            assert_eq!(send(&daemon, "GET", &format!("{prefix}{target}")).expect(200).json(), body, "{target}");
        }
    }
    let refused = send(&daemon, "GET", &format!("/containers/json?filters={}", encode(r#"{"colour":["red"]}"#)));
    assert!(message(&refused.expect(400)).contains("colour"));
}

#[test]
fn prunes_of_what_is_not_there_remove_nothing() {
    let daemon = Daemon::start();
    for (target, first, member) in [
        ("/containers/prune", 25, "ContainersDeleted"),
        ("/volumes/prune", 25, "VolumesDeleted"),
        ("/networks/prune", 25, "NetworksDeleted"),
        ("/build/prune", 31, "CachesDeleted"),
    ] {
        let body = send(&daemon, "POST", target).expect(200).json();
        assert!(body[member].is_null() || body[member] == json!([]), "{body}");
        if let Some(reclaimed) = body.get("SpaceReclaimed") {
            assert_eq!(reclaimed, 0);
        }
        let older = send(&daemon, "POST", &format!("/v1.{}{target}", first - 1)).expect(400);
        assert!(message(&older).contains(&format!("1.{first}")), "{}", older.text());
    }
}

#[test]
fn one_of_what_is_not_there_is_missing() {
    let daemon = Daemon::start();
    let container = "No such container: nope";
    for (method, target, text) in [
        ("GET", "/containers/nope/json", container),
        ("GET", "/containers/nope/top", container),
        ("GET", "/containers/nope/logs?stdout=1", container),
        ("GET", "/containers/nope/changes", container),
        ("GET", "/containers/nope/export", container),
        ("GET", "/containers/nope/stats", container),
        ("POST", "/containers/nope/resize", container),
        ("POST", "/containers/nope/start", container),
        ("POST", "/containers/nope/stop", container),
        ("POST", "/containers/nope/restart", container),
        ("POST", "/containers/nope/kill", container),
        ("POST", "/containers/nope/update", container),
        ("POST", "/containers/nope/rename?name=x", container),
        ("POST", "/containers/nope/pause", container),
        ("POST", "/containers/nope/unpause", container),
        ("POST", "/containers/nope/attach", container),
        ("GET", "/containers/nope/attach/ws", container),
        ("POST", "/containers/nope/wait", container),
        ("DELETE", "/containers/nope", container),
        ("GET", "/containers/nope/archive?path=/", container),
        ("PUT", "/containers/nope/archive?path=/", container),
        ("POST", "/containers/nope/exec", container),
        ("GET", "/containers/nope/checkpoints", container),
        ("POST", "/containers/nope/checkpoints", container),
        ("DELETE", "/containers/nope/checkpoints/one", container),
        ("GET", "/containers/a/b/json", "No such container: a/b"),
        ("GET", "/containers/a%2Fb/json", "No such container: a/b"),
        ("POST", "/containers/a/b/start", "No such container: a/b"),
        ("DELETE", "/containers/a/b", "No such container: a/b"),
        ("DELETE", "/containers/a/b/checkpoints/one", "No such container: a/b"),
        ("GET", "/volumes/a/b", "get a/b: no such volume"),
        ("GET", "/networks/a/b", "network a/b not found"),
        ("GET", "/plugins/vieux/sshfs:latest/json", "plugin \"vieux/sshfs:latest\" not found"),
        ("POST", "/exec/nope/start", "No such exec instance: nope"),
        ("POST", "/exec/nope/resize", "No such exec instance: nope"),
        ("GET", "/exec/nope/json", "No such exec instance: nope"),
        ("GET", "/volumes/nope", "get nope: no such volume"),
        ("PUT", "/volumes/nope", "get nope: no such volume"),
        ("DELETE", "/volumes/nope", "get nope: no such volume"),
        ("GET", "/networks/nope", "network nope not found"),
        ("DELETE", "/networks/nope", "network nope not found"),
        ("POST", "/networks/nope/connect", "network nope not found"),
        ("POST", "/networks/nope/disconnect", "network nope not found"),
        ("GET", "/plugins/nope/json", "plugin \"nope\" not found"),
        ("DELETE", "/plugins/nope", "plugin \"nope\" not found"),
        ("POST", "/plugins/nope/enable", "plugin \"nope\" not found"),
        ("POST", "/plugins/nope/disable", "plugin \"nope\" not found"),
        ("POST", "/plugins/nope/upgrade", "plugin \"nope\" not found"),
        ("POST", "/plugins/nope/push", "plugin \"nope\" not found"),
        ("POST", "/plugins/nope/set", "plugin \"nope\" not found"),
    ] {
        for prefix in ["", "/v1.44"] {
            let answer = send(&daemon, method, &format!("{prefix}{target}")).expect(404);
            assert_eq!(message(&answer), text, "{method} {target}");
        }
    }
    send(&daemon, "HEAD", "/containers/nope/archive?path=/").expect(404);
}

#[test]
fn there_is_no_swarm() {
    let daemon = Daemon::start();
    for (method, target) in [
        ("GET", "/swarm"),
        ("POST", "/swarm/update"),
        ("GET", "/swarm/unlockkey"),
        ("POST", "/swarm/unlock"),
        ("GET", "/nodes"),
        ("GET", "/nodes/x"),
        ("DELETE", "/nodes/x"),
        ("POST", "/nodes/x/update"),
        ("GET", "/services"),
        ("POST", "/services/create"),
        ("GET", "/services/x"),
        ("DELETE", "/services/x"),
        ("POST", "/services/x/update"),
        ("GET", "/services/x/logs"),
        ("GET", "/tasks"),
        ("GET", "/tasks/x"),
        ("GET", "/tasks/x/logs"),
        ("GET", "/secrets"),
        ("POST", "/secrets/create"),
        ("GET", "/secrets/x"),
        ("DELETE", "/secrets/x"),
        ("POST", "/secrets/x/update"),
        ("GET", "/configs"),
        ("POST", "/configs/create"),
        ("GET", "/configs/x"),
        ("DELETE", "/configs/x"),
        ("POST", "/configs/x/update"),
    ] {
        let text = message(&send(&daemon, method, target).expect(503));
        assert!(text.starts_with("This node is not a swarm manager."), "{method} {target}: {text}");
    }
}

#[test]
fn what_loadline_does_not_do_is_said_so() {
    let daemon = Daemon::start();
    for (method, target) in [
        ("POST", "/containers/create"),
        ("POST", "/commit"),
        ("POST", "/build"),
        ("POST", "/build/cancel"),
        ("POST", "/session"),
        ("POST", "/grpc"),
        ("POST", "/networks/create"),
        ("POST", "/volumes/create"),
        ("GET", "/plugins/privileges"),
        ("POST", "/plugins/pull"),
        ("POST", "/plugins/create"),
        ("POST", "/swarm/init"),
        ("POST", "/swarm/join"),
        ("POST", "/swarm/leave"),
    ] {
        let text = message(&send(&daemon, method, target).expect(501));
        assert!(text.contains("Loadline"), "{method} {target}: {text}");
    }
    let created = daemon.client().post("/containers/create?name=x", "application/json", r#"{"Image":"a"}"#);
    assert!(matches!(created.expect(501).json(), Value::Object(body) if body.len() == 1));
}

#[test]
fn an_answer_waits_for_a_body_that_nobody_needs() {
    let daemon = Daemon::start();
    for target in ["/networks/create", "/containers/nope/start", "/containers/prune", "/nothing", "/swarm/update"] {
        let mut stream = daemon.client().connect().unwrap();
        let request = Request::post(target).header("content-type", "application/json").body(vec![b' '; 2000]);
        stream.write_all(request.head().as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        stream.write_all(&[b' '; 2000]).unwrap_or_else(|error| panic!("{target}: {error}"));
        Open::read(stream, "POST").unwrap();
    }
}

#[test]
fn hostile_requests_get_an_answer() {
    let daemon = Daemon::start();
    let client = daemon.client();
    for (target, status) in [
        (format!("/images/{}/json", "a/".repeat(2000)), 400),
        (format!("/images/json?filters={}", "x".repeat(8000)), 400),
        (format!("/images/json?filters={}", encode(&"[".repeat(2000))), 400),
        (format!("/images/json?{}", "a=b&".repeat(1000)), 200),
        ("/images/json?manifests=maybe".into(), 200),
        ("/images/json?%FF=%FE".into(), 200),
        ("/images/%00/json".into(), 400),
        ("//images//json".into(), 404),
        ("/images/../../etc/passwd/json".into(), 400),
    ] {
        let answer = client.get(&target);
        assert_eq!(answer.status, status, "{target:.80}");
    }
    // The daemon answers and closes before it has read all of it.
    let mut stream = client.connect().unwrap();
    let _ = stream.write_all(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(1 << 20)).as_bytes());
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(std::str::from_utf8(&answer), Ok("HTTP/1.1 431"));
    client.get("/_ping").expect(200);
}

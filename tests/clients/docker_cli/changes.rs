//! Names and images that come and go, and what is told of them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::Cli;
use crate::clients::{APP, fixture, start, target};
use crate::support::daemon::Daemon;
use crate::support::loading::{is_whole, row};

const OTHER: &str = "127.0.0.1:5000/team/app:1.0";

#[test]
fn gives_and_takes_names() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let id = target(&daemon);
    cli.says(&["tag", APP, "short"]);
    cli.says(&["image", "tag", &id, "docker.io/library/other:2"]);
    assert_eq!(cli.says(&["images", "-q", "--no-trunc", "short:latest"]).out.trim(), id);
    assert_eq!(cli.says(&["images", "other", "--format", "{{.Tag}}"]).out.trim(), "2");
    assert!(cli.refused(&["tag", "nope", "x"]).contains("No such image: nope"));

    assert_eq!(cli.says(&["rmi", "short", "other:2"]).out, "Untagged: short:latest\nUntagged: other:2\n");
    assert!(cli.refused(&["rmi", "short"]).contains("No such image: short"));
    // An ID that several repositories share is not removed unless it must be.
    assert!(cli.refused(&["rmi", &id]).contains("must be forced"));
    assert_eq!(cli.says(&["rmi", OTHER]).out, format!("Untagged: {OTHER}\n"));
    let said = cli.says(&["rmi", "--no-prune", APP]).out;
    assert!(said.contains(&format!("Untagged: {APP}")) && said.contains(&format!("Deleted: {id}")), "{said}");
    assert_eq!(cli.says(&["images", "-a", "-q"]).out, "");
    is_whole(&daemon);
}

#[test]
fn removes_one_platform() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    if !cli.has(&["rmi"], "--platform") {
        return;
    }
    cli.refused(&["rmi", "--platform", "linux/s390x", APP]);
    let said = cli.says(&["rmi", "--force", "--platform", "linux/arm64", APP]).out;
    assert!(said.starts_with("Deleted: sha256:"), "{said}");
    let image = row(&daemon.client(), APP);
    let here = image["Manifests"].as_array().unwrap().iter().filter(|manifest| manifest["Kind"] == "image");
    let here =
        here.map(|manifest| (manifest["Descriptor"]["platform"]["architecture"].as_str(), &manifest["Available"]));
    assert!(here.clone().count() == 3 && here.clone().all(|(name, here)| *here == (name != Some("arm64"))), "{image}");
    is_whole(&daemon);
}

#[test]
fn is_told_what_happened() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    cli.says(&["tag", APP, "told:1"]);
    cli.says(&["rmi", "told:1"]);
    // The client cuts a time that it reckons itself to whole seconds.
    let until = daemon.client().get("/info").expect(200).json()["SystemTime"].as_str().unwrap().to_owned();
    let between = ["--since", "1h", "--until", &until];
    let all = cli.says(&[&["events"][..], &between].concat()).out;
    let tags = cli.says(&[&["events", "--filter", "event=tag", "--format", "{{json .}}"][..], &between].concat()).out;
    let actions: Vec<&str> = all.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert!(actions.ends_with(&["tag", "untag"]) && actions.contains(&"load"), "{all}");
    let told: Vec<Value> = tags.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&Value> = told.iter().map(|event| &event["Actor"]["Attributes"]["name"]).collect();
    assert_eq!(names, ["told:1"]);
    assert_eq!(told[0]["Actor"]["ID"], target(&daemon));
    assert_eq!(cli.says(&[&["events", "--filter", "type=container"][..], &between].concat()).out, "");
}

#[test]
fn follows_what_happens() {
    let daemon = Daemon::start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let mut events = cli.command(&["events", "--format", "{{.Action}}"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    // It has no sign that it listens but an event.
    let archive = fixture();
    let start = std::time::Instant::now();
    let first = std::thread::scope(|scope| {
        let line = scope.spawn(|| lines.next().unwrap().unwrap());
        while !line.is_finished() && start.elapsed() < std::time::Duration::from_secs(20) {
            cli.says(&["load", "-q", "-i", archive.to_str().unwrap()]);
        }
        if !line.is_finished() {
            events.kill().unwrap();
        }
        line.join().unwrap()
    });
    assert_eq!(first, "load");
    // A daemon that ends, ends the stream.
    daemon.stop();
    events.wait().unwrap();
}

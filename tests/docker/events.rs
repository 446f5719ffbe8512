//! The stream of events: what is on it, and what becomes of those who listen.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::docker::images::{APP, APP_ID, archive, load, load_archive};
use crate::support::daemon::Daemon;
use crate::support::http::{Client, Open, Request};

fn listen(client: &Client, target: &str) -> Open {
    let open = client.open(&Request::get(target)).unwrap();
    assert_eq!(open.status, 200);
    open
}

fn listeners(client: &Client) -> u64 {
    client.get("/info").expect(200).json()["NEventsListener"].as_u64().unwrap()
}

#[track_caller]
fn wait_for_listeners(client: &Client, count: u64) {
    let start = Instant::now();
    while listeners(client) != count {
        assert!(start.elapsed() < Duration::from_secs(10), "{} listen", listeners(client));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn tag(client: &Client, image: &str, name: &str) {
    client.post(&format!("/images/{image}/tag?repo={name}"), "application/json", "").expect(201);
}

#[test]
fn changes_are_told_as_they_happen_in_each_versions_form() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let old = listen(&client, "/v1.51/events");
    let new = listen(&client, "/v1.52/events?filters=%7B%22event%22:%5B%22untag%22,%22delete%22%5D%7D");
    let content_type = |open: &Open| open.headers.iter().find(|(name, _)| name == "content-type").unwrap().1.clone();
    assert_eq!((content_type(&old).as_str(), content_type(&new).as_str()), ("application/json", "application/jsonl"));
    load(&client, "app-oci.tar");
    client.delete(&format!("/images/{APP_ID}?force=1")).expect(200);
    let lines = |open: Open, count: usize| -> Vec<Value> {
        let lines = BufReader::new(open.body).lines().take(count);
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    };
    let old = lines(old, 5);
    let actions: Vec<&str> = old.iter().map(|event| event["Action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["load", "load", "untag", "untag", "delete"]);
    assert_eq!((old[0]["status"].as_str(), old[0]["id"].as_str()), (Some("load"), Some(APP_ID)));
    assert_eq!(old[0]["Actor"]["Attributes"]["org.opencontainers.image.version"], "1.0.0");
    let new = lines(new, 3);
    assert_eq!(new[1]["Actor"], json!({"ID": APP_ID, "Attributes": {"name": APP}}));
    assert!(new.iter().all(|event| event.get("status").is_none() && event["scope"] == "local"));
    let nanoseconds: Vec<i64> = new.iter().map(|event| event["timeNano"].as_i64().unwrap()).collect();
    assert!(nanoseconds.is_sorted());
}

#[test]
fn a_client_that_hangs_up_frees_its_stream() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let streams: Vec<Open> = (0..50).map(|_| listen(&client, "/events")).collect();
    wait_for_listeners(&client, 50);
    drop(streams);
    wait_for_listeners(&client, 0);
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_holds_nobody_up() {
    let daemon = Daemon::start();
    let client = daemon.client();
    // Events repeat the labels, so that a few fill what lies between the daemon and the client.
    load_archive(&client, archive("big/label:1", &"x".repeat(16 << 10)));
    let slow = listen(&client, "/events");
    let sent = 700;
    for _ in 0..sent {
        tag(&client, "big/label:1", "big/label");
    }
    let told = BufReader::new(slow.body).lines().map_while(Result::ok).count();
    assert!(told < sent, "{told} of {sent} events were kept for a client that did not read");
    wait_for_listeners(&client, 0);
    assert_eq!(client.get("/events?since=1&until=2").expect(200).body, b"");
}

#[test]
fn streams_end_when_the_daemon_does() {
    let daemon = Daemon::start();
    let mut open = listen(&daemon.client(), "/events");
    let start = Instant::now();
    daemon.signal(Signal::TERM);
    let mut rest = Vec::new();
    open.body.read_to_end(&mut rest).unwrap();
    assert_eq!(daemon.wait().0.code(), Some(0));
    assert!(rest.is_empty() && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

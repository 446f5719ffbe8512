//! `kill -9` in the middle of a load: the next start finds whole images only, and everything that was acknowledged.

mod check;
mod stress;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::support::daemon::Daemon;
use crate::support::http::{Open, Request};
use crate::support::images::{LAYER, Layout, PROVENANCE, digest};
use crate::support::loading::{files, is_whole, loaded, row};

const BEFORE: &str = "registry.test/before:1";
const DURING: &str = "registry.test/during:1";

/// An image of three platforms with attestations, some large layers and many small blobs; `seed` makes its content
/// differ.
fn archive(seed: &str) -> Vec<u8> {
    let mut layout = Layout::default();
    let mut manifests = Vec::new();
    for platform in ["linux/amd64", "linux/arm64", "linux/s390x"] {
        let image = layout.image(platform, &format!("{seed} {platform}"));
        let manifest: serde_json::Value = serde_json::from_slice(layout.bytes(&image)).unwrap();
        let mut layers = vec![manifest["layers"][0].clone()];
        layers.push(layout.blob(LAYER, format!("{seed} {platform} ").repeat(20_000)));
        layers.extend((0..400).map(|n| layout.blob(LAYER, format!("{seed} {platform} {n}"))));
        let whole = layout.manifest(crate::support::images::MANIFEST, &manifest["config"], &layers);
        let whole = crate::support::images::with(&whole, "platform", image["platform"].clone());
        let statement = layout.statement(PROVENANCE, format!("{{\"about\":\"{}\"}}", digest(&whole)).as_bytes());
        let attestation = layout.attestation(&whole, &[statement]);
        manifests.extend([whole, attestation]);
    }
    let index = layout.index(&manifests);
    layout.named(&index, DURING);
    layout.tar()
}

/// What must hold after a crash in a load that replaced nothing.
#[track_caller]
fn survives(daemon: &Daemon, acknowledged: bool, what: &str) {
    is_whole(daemon);
    let client = daemon.client();
    let rows = client.get("/images/json?manifests=1").expect(200).json();
    assert_eq!(row(&client, BEFORE)["Manifests"][0]["Available"], true, "{what}");
    let images = rows.as_array().unwrap().len();
    assert!(images == 1 && !acknowledged || images == 2, "{what}: {images} images");
    if images == 2 {
        let manifests = row(&client, DURING)["Manifests"].clone();
        let all = manifests.as_array().unwrap();
        assert!(all.len() == 6 && all.iter().all(|manifest| manifest["Available"] == true), "{what}: half an image");
    } else {
        assert_eq!(files(&daemon.data_root()).len(), 3, "{what}: blobs that nothing leads to");
    }
}

/// Sends part of a load and gives the connection, which has to stay open.
fn begin(daemon: &Daemon, tar: &[u8], part: usize) -> std::os::unix::net::UnixStream {
    let mut stream = daemon.client().connect().unwrap();
    let head = Request::post("/images/load").body(tar).head();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&tar[..part]).unwrap();
    stream
}

fn start() -> Daemon {
    let daemon = Daemon::start_unpacked();
    loaded(&daemon.client(), Layout::of_one(BEFORE).tar());
    daemon
}

#[test]
fn while_the_archive_arrives() {
    let mut daemon = start();
    let tar = archive("arriving");
    for eighth in 0..8 {
        let part = tar.len() * eighth / 8 + 300;
        let stream = begin(&daemon, &tar, part);
        // The daemon has read most of what was sent when the last write was taken; some more for the rest.
        std::thread::sleep(Duration::from_millis(30));
        daemon = daemon.crash_and_restart();
        drop(stream);
        survives(&daemon, false, &format!("{eighth} eighths"));
    }
    assert_eq!(loaded(&daemon.client(), tar), [DURING]);
    survives(&daemon, true, "a load after all");
}

#[test]
fn while_the_load_commits() {
    let tar = archive("committing");
    // How long a load takes here, from its last byte to its answer.
    let daemon = start();
    let mut stream = begin(&daemon, &tar, tar.len());
    let sent = Instant::now();
    answer(&mut stream).expect("the load is acknowledged");
    let whole = sent.elapsed();
    drop(daemon);
    let mut acknowledged = 0;
    for step in 0..9 {
        let daemon = start();
        let stream = begin(&daemon, &tar, tar.len());
        std::thread::sleep(whole * step / 7);
        let daemon_place = daemon.kill();
        // What had reached the client before the end counts as acknowledged.
        let mut stream = stream;
        let told = answer(&mut stream).is_some();
        acknowledged += u32::from(told);
        let daemon = Daemon::start_in(daemon_place);
        survives(&daemon, told, &format!("after {step} sevenths of {whole:?}"));
        assert_eq!(loaded(&daemon.client(), tar.clone()), [DURING]);
        survives(&daemon, true, "a load after all");
    }
    assert!(acknowledged < 9, "no crash came before the end of a load");
}

/// Reads the answer of a load; `None` where the daemon ended first.
fn answer(stream: &mut std::os::unix::net::UnixStream) -> Option<String> {
    let mut open = Open::read(stream.try_clone().unwrap(), "POST").ok()?;
    let mut text = String::new();
    let _ = open.body.read_to_string(&mut text);
    text.contains(&format!("Loaded image: {DURING}")).then_some(text)
}

#[test]
fn while_a_name_moves() {
    let tar = [archive("first"), archive("second")];
    let mut daemon = start();
    loaded(&daemon.client(), tar[0].clone());
    let ids: Vec<String> = tar
        .iter()
        .map(|tar| {
            loaded(&daemon.client(), tar.clone());
            row(&daemon.client(), DURING)["Id"].as_str().unwrap().to_owned()
        })
        .collect();
    for step in 0..6usize {
        let next = step % 2;
        let stream = begin(&daemon, &tar[next], tar[next].len());
        std::thread::sleep(Duration::from_millis(15) * step as u32);
        daemon = daemon.crash_and_restart();
        drop(stream);
        is_whole(&daemon);
        let row = row(&daemon.client(), DURING);
        assert!(ids.iter().any(|id| row["Id"] == **id), "{}", row["Id"]);
        for manifest in row["Manifests"].as_array().unwrap() {
            assert_eq!(manifest["Available"], true);
        }
        // The one that lost its name is still there, under its digest.
        assert_eq!(daemon.client().get("/images/json").expect(200).json().as_array().unwrap().len(), 3);
    }
}

#[test]
fn again_and_again() {
    let mut daemon = start();
    let held = files(&daemon.data_root());
    for _ in 0..5 {
        daemon = daemon.crash_and_restart();
        assert_eq!(files(&daemon.data_root()), held);
    }
    // Files that no record knows, as a crash between two steps leaves them.
    std::fs::write(daemon.data_root().join("ingest/7"), b"half a blob").unwrap();
    let stray = loadline::domain::Digest::of(b"stray");
    std::fs::write(daemon.data_root().join("blobs/sha256").join(stray.hex()), b"stray").unwrap();
    let name = held.iter().find(|file| file.starts_with("blobs/")).unwrap().clone();
    daemon = daemon.crash_and_restart();
    assert_eq!(files(&daemon.data_root()), held);
    // A file that was cut short is no longer said to be here.
    let place = daemon.kill();
    let file = std::fs::File::options().write(true).open(place.data_root().join(&name)).unwrap();
    file.set_len(1).unwrap();
    let daemon = Daemon::start_in(place);
    is_whole_but_incomplete(&daemon);
    loaded(&daemon.client(), Layout::of_one(BEFORE).tar());
    assert_eq!(files(&daemon.data_root()), held);
    assert_eq!(row(&daemon.client(), BEFORE)["Manifests"][0]["Available"], true);
    is_whole(&daemon);
}

/// The image is listed and says that it is incomplete, or is gone with its manifest.
fn is_whole_but_incomplete(daemon: &Daemon) {
    let rows = daemon.client().get("/images/json?manifests=1").expect(200).json();
    for row in rows.as_array().unwrap() {
        for manifest in row["Manifests"].as_array().unwrap() {
            assert_eq!(manifest["Available"], false, "{row}");
        }
    }
}

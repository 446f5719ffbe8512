//! Many pulls side by side, while what is not needed is collected without a pause.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use loadline::domain::Digest;
use serde_json::{Value, json};

use super::pull::{blobs, eventually, ingests, last, layer, pull};
use crate::support::daemon::Daemon;
use crate::support::http::Request;
use crate::support::images::{CONFIG, LAYER, Layout, MANIFEST, config};
use crate::support::loading::{encode, is_whole, loaded};
use crate::support::registry::Registry;

const PULLS: usize = 20;

/// Which of the shared layers an image is made of.
fn parts(image: usize) -> [usize; 3] {
    [image % 8, (image + 1) % 8, (image * 3 + 5) % 8]
}

/// An image that is loaded and removed again and again: it has layers that are being pulled, and one of its own.
fn passing(shared: &[Vec<u8>], round: usize) -> Vec<u8> {
    let mut layout = Layout::default();
    let mut layers: Vec<Value> = parts(round).map(|part| layout.blob(LAYER, shared[part].clone())).into();
    layers.push(layout.blob(LAYER, format!("{round}")));
    let config = layout.blob(CONFIG, config("linux/amd64", &format!("{round}")).to_string());
    let image = layout.manifest(MANIFEST, &config, &layers);
    layout.named(&image, "registry.test/passing:1");
    layout.tar()
}

#[test]
fn nothing_is_lost_to_a_collection_and_nothing_is_fetched_twice() {
    let daemon = Daemon::start_with(&["--max-concurrent-downloads", "6"]);
    let registry = Registry::start();
    let shared: Vec<Vec<u8>> = (0..8).map(|seed| layer(300_000, seed)).collect();
    let own: Vec<Vec<u8>> = (0..PULLS).map(|image| layer(20_000, 100 + image as u8)).collect();
    let images: Vec<String> = (0..PULLS)
        .map(|image| {
            let mut layers: Vec<Vec<u8>> = parts(image).map(|part| shared[part].clone()).into();
            layers.push(own[image].clone());
            registry.put_image(&format!("team/app{}", image % 4), Some(&image.to_string()), &layers);
            format!("{}/team/app{}:{image}", registry.host(), image % 4)
        })
        .collect();
    // Slow enough for many rounds of everything.
    registry.faults().trickle = Some((32 << 10, Duration::from_millis(30)));

    let (left, rounds) = (AtomicUsize::new(PULLS), [const { AtomicUsize::new(0) }; 3]);
    let failed = AtomicBool::new(false);
    let again = || left.load(Ordering::Relaxed) > 0 && !failed.load(Ordering::Relaxed);
    let ended = |done: std::thread::Result<()>| {
        failed.fetch_or(done.is_err(), Ordering::Relaxed);
        left.fetch_sub(1, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        for image in &images {
            let (client, ended) = (daemon.client(), &ended);
            scope.spawn(move || {
                ended(std::panic::catch_unwind(|| {
                    let said = pull(&client, &format!("fromImage={image}"));
                    assert!(last(&said).starts_with("Status: Downloaded newer image"), "{said:?}");
                    // What a pull has acknowledged is there, whatever is collected.
                    client.get(&format!("/images/{image}/json")).expect(200);
                }));
            });
        }
        scope.spawn(|| {
            while again() {
                let client = daemon.client();
                let pruned = client.send(&Request::post("/images/prune")).expect(200).json();
                assert!(pruned["SpaceReclaimed"].is_u64());
                rounds[0].fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let client = daemon.client();
            while again() {
                let round = rounds[1].fetch_add(1, Ordering::Relaxed);
                loaded(&client, passing(&shared, round));
                client.delete("/images/registry.test/passing:1?force=1").expect(200);
            }
        });
        scope.spawn(|| {
            let client = daemon.client();
            while again() {
                let rows = client.get("/images/json").expect(200).json();
                for row in rows.as_array().unwrap().iter().filter(|row| row["RepoTags"][0] != "registry.test/passing:1")
                {
                    let id = row["Id"].as_str().unwrap();
                    // It may have been removed meanwhile.
                    let tag = Request::post(&format!("/images/{id}/tag?repo=registry.test/more&tag=1"));
                    if client.send(&tag).status == 201 {
                        client.delete("/images/registry.test/more:1").expect(200);
                    }
                }
                rounds[2].fetch_add(1, Ordering::Relaxed);
            }
        });
    });
    assert!(!failed.into_inner(), "a pull failed");
    let rounds = rounds.map(AtomicUsize::into_inner);
    assert!(rounds.iter().all(|rounds| *rounds >= 3), "too few rounds to mean anything: {rounds:?}");

    for (number, layer) in shared.iter().chain(&own).enumerate() {
        let fetched = registry.count("GET", &format!("/blobs/{}", Digest::of(layer)));
        // What a load brought need not be fetched at all.
        assert!(fetched <= 1 && (fetched == 1 || number < shared.len()), "layer {number} is fetched {fetched} times");
    }
    let check = |daemon: &Daemon| {
        is_whole(daemon);
        let rows = daemon.client().get("/images/json?manifests=1").expect(200).json();
        let whole = rows.as_array().unwrap().iter().filter(|row| row["Manifests"][0]["Available"] == true);
        assert_eq!(whole.count(), PULLS);
        assert!(images.iter().all(|image| daemon.client().get(&format!("/images/{image}/json")).status == 200));
    };
    check(&daemon);
    let daemon = daemon.crash_and_restart();
    check(&daemon);
    registry.forget();
    *registry.faults() = Default::default();
    for image in &images {
        let said = pull(&daemon.client(), &format!("fromImage={image}"));
        assert_eq!(last(&said), format!("Status: Image is up to date for {image}"));
    }
    assert_eq!(registry.count("GET", "/blobs/"), 0);
    let filters = encode(&json!({"dangling": ["false"]}).to_string());
    daemon.client().send(&Request::post(&format!("/images/prune?filters={filters}"))).expect(200);
    eventually("something is left", || (blobs(&daemon), ingests(&daemon)) == (0, 0));
}

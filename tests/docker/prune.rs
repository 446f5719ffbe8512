//! Prune and disk usage over REST, and prunes among other work.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::docker::images::{APP, LEGACY, archive, load, load_archive};
use crate::support::daemon::Daemon;
use crate::support::http::Client;
use crate::support::loading::files;

const ALL: &str = "/images/prune?filters=%7B%22dangling%22:%5B%22false%22%5D%7D";

fn prune(client: &Client, target: &str) -> Value {
    client.post(target, "application/json", "").expect(200).json()
}

fn bytes_on_disk(daemon: &Daemon) -> u64 {
    let files = files(&daemon.data_root());
    files.iter().map(|file| std::fs::metadata(daemon.data_root().join(file)).unwrap().len()).sum()
}

#[test]
fn what_is_reclaimed_is_what_was_there() {
    let daemon = Daemon::start_unpacked();
    let client = daemon.client();
    load(&client, "app-oci.tar");
    load(&client, "legacy-docker-archive.tar");
    assert_eq!(prune(&client, "/images/prune"), json!({"ImagesDeleted": null, "SpaceReclaimed": 0}));
    let usage = client.get("/system/df?type=image&verbose=0").expect(200).json();
    let on_disk = bytes_on_disk(&daemon);
    assert_eq!(usage, json!({"ImageUsage": {"Reclaimable": on_disk, "TotalCount": 2, "TotalSize": on_disk}}));
    let pruned = prune(&client, ALL);
    assert_eq!(pruned["SpaceReclaimed"], on_disk);
    assert_eq!(bytes_on_disk(&daemon), 0);
    assert_eq!(client.get("/images/json").json(), json!([]));
    let older = json!({"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []});
    assert_eq!(client.get("/v1.51/system/df").expect(200).json(), older);
    let nothing = json!({"ImageUsage": {}, "ContainerUsage": {}, "VolumeUsage": {}, "BuildCacheUsage": {}});
    assert_eq!(client.get("/system/df?verbose=1").expect(200).json(), nothing);
    client.get("/v1.24/system/df").expect(400);
    client.post("/v1.24/images/prune", "application/json", "").expect(400);
    client.post("/images/prune?filters=%7B%22reference%22:%5B%22a%22%5D%7D", "application/json", "").expect(400);
}

#[test]
fn shared_content_is_told_and_kept() {
    let daemon = Daemon::start();
    let client = daemon.client();
    load(&client, "legacy-docker-archive.tar");
    // The same layer as in the other, under another configuration.
    load_archive(&client, archive("one:1", "a"));
    let mut other = archive("one:1", "b");
    let name = b"\"one:1\"";
    let at = other.windows(name.len()).position(|window| window == name).unwrap();
    other[at + 1..at + 4].copy_from_slice(b"two");
    load_archive(&client, other);
    let usage = client.get("/v1.51/system/df?type=image").expect(200).json();
    let shared = |name: &str| -> u64 {
        let images = usage["Images"].as_array().unwrap();
        let image = images.iter().find(|image| image["RepoTags"].as_array().unwrap().contains(&json!(name)));
        image.unwrap()["SharedSize"].as_u64().unwrap()
    };
    assert_eq!((shared("one:1"), shared("two:1"), shared(LEGACY)), (5, 5, 0));
    client.delete("/images/one:1").expect(200);
    client.get("/images/two:1/json").expect(200);
    let pruned =
        prune(&client, "/images/prune?filters=%7B%22dangling%22:%5B%22false%22%5D,%22label%22:%5B%22note=b%22%5D%7D");
    assert_eq!(pruned["ImagesDeleted"].as_array().unwrap().len(), 2);
    client.get(&format!("/images/{LEGACY}/json")).expect(200);
}

#[test]
fn prunes_take_nothing_from_loads_that_run() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let prunes = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                prune(&client, ALL);
                count += 1;
            }
            count
        });
        let loads: Vec<_> = ["app-oci.tar", "legacy-docker-archive.tar", "app-oci.tar"]
            .into_iter()
            .map(|fixture| scope.spawn(|| (0..10).for_each(|_| load(&daemon.client(), fixture))))
            .collect();
        let loads: Vec<_> = loads.into_iter().map(|load| load.join()).collect();
        over.store(true, Ordering::Relaxed);
        assert!(prunes.join().unwrap() > 0);
        assert!(loads.iter().all(Result::is_ok));
    });
    load(&client, "app-oci.tar");
    let image = client.get(&format!("/images/{APP}/json?manifests=1")).expect(200).json();
    assert!(image["Manifests"].as_array().unwrap().iter().all(|manifest| manifest["Available"] == true));
    prune(&client, ALL);
    assert_eq!(bytes_on_disk(&daemon), 0);
}

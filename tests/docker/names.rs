//! Names and their images over REST: tagging, removing, and what that leaves.

use crate::docker::images::{APP, APP_ID, LEGACY, load};
use crate::support::daemon::Daemon;
use crate::support::http::{Answer, Client};

const ARM: &str = "%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm%22%2C%22variant%22%3A%22v7%22%7D";

fn tag(client: &Client, image: &str, query: &str) -> Answer {
    client.post(&format!("/images/{image}/tag?{query}"), "application/json", "")
}

fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().unwrap().to_owned()
}

fn blob_files(daemon: &Daemon) -> usize {
    std::fs::read_dir(daemon.data_root().join("blobs/sha256")).unwrap().count()
}

#[test]
fn a_new_name_is_there_at_once_and_after_a_crash() {
    let daemon = Daemon::start();
    load(&daemon.client(), "app-oci.tar");
    let answer = tag(&daemon.client(), APP, "repo=copy/app&tag=2").expect(201);
    assert!(answer.body.is_empty());
    let daemon = daemon.crash_and_restart();
    let image = daemon.client().get("/images/copy/app:2/json").expect(200).json();
    assert_eq!(image["Id"], APP_ID);
    assert_eq!(image["RepoTags"].as_array().unwrap().len(), 3);
}

#[test]
fn a_name_that_cannot_be_is_refused() {
    let daemon = Daemon::start();
    let client = daemon.client();
    load(&client, "app-oci.tar");
    for (query, text) in [
        ("repo=copy/app&tag=-x", "invalid tag format"),
        ("repo=BAD&tag=x", "invalid reference format: repository name (library/BAD) must be lowercase"),
        ("repo=sha256&tag=x", "refusing to create an ambiguous tag using digest algorithm as name"),
        ("tag=x", "the parameter repo is missing: the repository of the new name"),
    ] {
        assert_eq!(message(&tag(&client, APP, query).expect(400)), text);
    }
    assert_eq!(message(&tag(&client, "nope", "repo=a/b").expect(404)), "No such image: nope:latest");
}

#[test]
fn conflicts_and_what_is_removed_are_told_in_dockers_words() {
    let daemon = Daemon::start_unpacked();
    let client = daemon.client();
    load(&client, "app-oci.tar");
    load(&client, "legacy-docker-archive.tar");
    let conflict = client.delete(&format!("/images/{APP_ID}")).expect(409);
    assert_eq!(
        message(&conflict),
        "conflict: unable to delete 52a3f31150ff (must be forced) - image is referenced in multiple repositories"
    );
    let untagged = client.delete(&format!("/images/{LEGACY}?noprune=1")).expect(200).json();
    assert_eq!(untagged, serde_json::json!([{"Untagged": LEGACY}]));
    let removed = client.delete(&format!("/images/{}?force=1", &APP_ID[7..19])).expect(200).json();
    let expected =
        serde_json::json!([{"Untagged": "127.0.0.1:5000/team/app:1.0"}, {"Untagged": APP}, {"Deleted": APP_ID}]);
    assert_eq!(removed, expected);
    assert_eq!(message(&client.delete(&format!("/images/{APP}")).expect(404)), format!("No such image: {APP}"));
    assert_eq!(message(&client.delete("/images/%20").expect(400)), "image name cannot be blank");
    // The manifest, the configuration and the three layers of the other image.
    assert_eq!(blob_files(&daemon), 5);
    assert_eq!(blob_files(&daemon.crash_and_restart()), 5);
}

#[test]
fn a_platform_goes_by_force_and_comes_back_by_a_load() {
    let daemon = Daemon::start();
    let client = daemon.client();
    load(&client, "app-oci.tar");
    let available = || -> Vec<bool> {
        let image = client.get(&format!("/images/{APP}/json?manifests=1")).expect(200).json();
        image["Manifests"].as_array().unwrap().iter().map(|one| one["Available"].as_bool().unwrap()).collect()
    };
    let refused = client.delete(&format!("/images/{APP}?platforms={ARM}")).expect(400);
    assert!(message(&refused).starts_with("Content will be removed from all images"));
    let removed = client.delete(&format!("/images/{APP}?force=1&platforms={ARM}")).expect(200).json();
    assert_eq!(removed.as_array().unwrap().len(), 1);
    assert_eq!(available(), [true, true, false, true, true, true]);
    let attested = client.get(&format!("/images/{APP}/attestations?platform={ARM}")).expect(200).json();
    assert_eq!(attested.as_array().unwrap().len(), 2);
    client.delete(&format!("/images/{APP}?force=1&platforms={ARM}")).expect(404);
    client.delete(&format!("/images/{APP}?force=1&platforms=linux/arm")).expect(400);
    load(&client, "app-oci.tar");
    assert_eq!(available(), [true; 6]);
}

#[test]
fn names_may_end_like_operations() {
    let daemon = Daemon::start();
    let client = daemon.client();
    load(&client, "app-oci.tar");
    for name in ["a/json", "json", "prune", "a/tag", "a/history"] {
        tag(&client, APP, &format!("repo={name}")).expect(201);
        let removed = client.delete(&format!("/images/{name}")).expect(200).json();
        assert_eq!(removed, serde_json::json!([{"Untagged": format!("{name}:latest")}]));
    }
}

#[test]
fn a_blob_that_is_read_outlives_its_image() {
    use std::io::Read;
    let daemon = Daemon::start();
    let client = daemon.client();
    load(&client, "app-oci.tar");
    let image = client.get(&format!("/images/{APP}/json?manifests=1")).expect(200).json();
    let digest = image["Manifests"][0]["ID"].as_str().unwrap().to_owned();
    let mut open = client.open(&crate::support::http::Request::get(&format!("/content/{digest}"))).expect("an answer");
    client.delete(&format!("/images/{APP_ID}?force=1")).expect(200);
    let mut bytes = Vec::new();
    open.body.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 856);
    client.get(&format!("/images/{APP}/json")).expect(404);
}

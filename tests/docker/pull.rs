//! `POST /images/create`: pulls from a registry that does what the test tells it.

use std::io::Read;
use std::time::{Duration, Instant};

use loadline::domain::{Descriptor, Digest, MediaType};
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::http::{Client, Request};
use crate::support::loading::files;
use crate::support::registry::Registry;

const PATIENCE: Duration = Duration::from_secs(20);

/// A pull's answer, line by line.
pub(super) fn pull(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.send(&Request::post(&format!("/images/create?{query}"))).expect(200);
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Why a pull was refused before it began.
fn refused(client: &Client, query: &str, status: u16) -> String {
    let answer = client.send(&Request::post(&format!("/images/create?{query}"))).expect(status);
    answer.json()["message"].as_str().unwrap().to_owned()
}

/// The last status of every blob, by its short ID.
fn settled(lines: &[Value]) -> std::collections::BTreeMap<String, String> {
    let blobs = lines.iter().filter(|line| line.get("progressDetail").is_some());
    blobs.map(|line| (line["id"].as_str().unwrap().into(), line["status"].as_str().unwrap().into())).collect()
}

/// The last line's status or error.
pub(super) fn last(lines: &[Value]) -> &str {
    let line = lines.last().unwrap();
    line["status"].as_str().or(line["error"].as_str()).unwrap()
}

pub(super) fn layer(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3] ^ seed).collect()
}

/// How many ingests the daemon has under way.
pub(super) fn ingests(daemon: &Daemon) -> usize {
    std::fs::read_dir(daemon.data_root().join("ingest")).unwrap().count()
}

pub(super) fn blobs(daemon: &Daemon) -> usize {
    files(&daemon.data_root()).iter().filter(|file| !file.starts_with("ingest/")).count()
}

#[track_caller]
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An index of two platforms with an attestation each.
struct Attested {
    index: Descriptor,
    platforms: Vec<Descriptor>,
    attestations: Vec<Descriptor>,
}

fn put_attested(registry: &Registry, repository: &str, tag: &str) -> Attested {
    let mut all = Attested {
        index: Descriptor::new(MediaType::OCI_INDEX, Digest::of(b""), 0),
        platforms: Vec::new(),
        attestations: Vec::new(),
    };
    let mut manifests = Vec::new();
    let mut marked = Vec::new();
    for (seed, architecture) in [(1, "amd64"), (2, "arm64")] {
        let platform = registry.put_image(repository, None, &[layer(10_000, seed), layer(20_000, seed)]);
        let mut entry = json!(platform.json());
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        manifests.push(entry);
        let statement = json!({"_type": "https://in-toto.io/Statement/v1", "subject": [], "about": architecture});
        let statement = registry.put_blob(repository, &MediaType::IN_TOTO, statement.to_string());
        let mut listed = json!(statement.json());
        listed["annotations"] = json!({"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"});
        let config = registry.put_blob(repository, &MediaType::OCI_CONFIG, "{}");
        let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(),
            "config": config.json(), "layers": [listed]});
        let attestation = registry.put_manifest(repository, None, &MediaType::OCI_MANIFEST, &body);
        let mut entry = json!(attestation.json());
        entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": platform.digest.to_string()});
        marked.push(entry);
        all.platforms.push(platform);
        all.attestations.push(attestation);
    }
    manifests.extend(marked);
    let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": manifests});
    all.index = registry.put_manifest(repository, Some(tag), &MediaType::OCI_INDEX, &body);
    all
}

fn is_here(client: &Client, digest: &Digest) -> bool {
    client.send(&Request::new("HEAD", &format!("/content/{digest}"))).status == 200
}

#[test]
fn an_image_is_fetched_once() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let layers = [layer(2_000_000, 1), layer(100, 2), layer(100, 2)];
    let image = registry.put_image("team/app", Some("1.0"), &layers);
    let name = format!("{}/team/app:1.0", registry.host());
    let client = daemon.client();
    let query = format!("fromImage={}/team/app&tag=1.0", registry.host());

    let lines = pull(&client, &query);
    assert_eq!(lines[0], json!({"status": "Pulling from team/app", "id": "1.0"}));
    let waiting = lines.iter().filter(|line| line["status"] == "Pulling fs layer").count();
    assert_eq!(waiting, 2, "a layer that stands twice is fetched once");
    assert!(settled(&lines).values().all(|status| status == "Pull complete"), "{lines:?}");
    assert_eq!(lines[lines.len() - 2], json!({"status": format!("Digest: {}", image.digest)}));
    assert_eq!(last(&lines), format!("Status: Downloaded newer image for {name}"));
    let shown = client.get(&format!("/images/{name}/json")).expect(200).json();
    assert_eq!(shown["Id"], image.digest.to_string());
    assert_eq!(shown["Identity"]["Pull"], json!([{"Repository": format!("{}/team/app", registry.host())}]));

    registry.forget();
    let lines = pull(&client, &query);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(last(&lines), format!("Status: Image is up to date for {name}"));
    // It is asked for signatures by tags, of which it has none.
    assert_eq!((registry.count("GET", "/blobs/"), registry.count("GET", "/manifests/sha256:")), (0, 0));
    assert_eq!(ingests(&daemon), 0);
}

#[test]
fn what_was_pulled_outlives_a_crash() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let image = registry.put_image("team/app", Some("1.0"), &[layer(300_000, 1)]);
    pull(&daemon.client(), &format!("fromImage={}/team/app:1.0", registry.host()));
    let daemon = Daemon::start_in(daemon.kill());
    let shown = daemon.client().get(&format!("/images/{}/json", image.digest)).expect(200).json();
    assert_eq!(shown["Identity"]["Pull"][0]["Repository"], format!("{}/team/app", registry.host()));
    let rows = daemon.client().get("/v1.54/images/json?manifests=1&identity=1").expect(200).json();
    let identity = &rows[0]["Manifests"][0]["ImageData"]["Identity"];
    assert_eq!(identity["Pull"][0]["Repository"], format!("{}/team/app", registry.host()));
    let rows = daemon.client().get("/v1.54/images/json?manifests=1").expect(200).json();
    assert!(rows[0]["Manifests"][0]["ImageData"].get("Identity").is_none());
    let old = daemon.client().get(&format!("/v1.52/images/{}/json", image.digest)).expect(200).json();
    assert!(old.get("Identity").is_none());
}

#[test]
fn a_platform_comes_with_its_attestations_alone() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let image = put_attested(&registry, "team/app", "1");
    let client = daemon.client();
    let query = format!("fromImage={}/team/app&tag=1&platform=linux/amd64", registry.host());
    let lines = pull(&client, &query);
    let statuses: Vec<String> = settled(&lines).into_values().collect();
    assert_eq!(statuses.iter().filter(|status| *status == "Pull complete").count(), 2);
    assert_eq!(statuses.iter().filter(|status| *status == "Download complete").count(), 1, "the statement");
    assert!(is_here(&client, &image.index.digest) && is_here(&client, &image.attestations[0].digest));
    assert!(!is_here(&client, &image.platforms[1].digest) && !is_here(&client, &image.attestations[1].digest));
    let path = format!("/images/{}/team/app:1/attestations?platform=", registry.host());
    let found = client.get(&format!("{path}%7B%22os%22:%22linux%22,%22architecture%22:%22amd64%22%7D")).expect(200);
    assert_eq!(found.json().as_array().unwrap().len(), 1);

    let lines = pull(&client, &format!("fromImage={}/team/app&tag=1&platform=linux/arm64", registry.host()));
    assert_eq!(last(&lines), format!("Status: Image is up to date for {}/team/app:1", registry.host()));
    assert!(is_here(&client, &image.platforms[1].digest) && is_here(&client, &image.platforms[0].digest));
    let refusal = refused(&client, &format!("fromImage={}/team/app&tag=1&platform=linux/s390x", registry.host()), 404);
    assert!(refusal.starts_with("no matching manifest for linux/s390x in the manifest list entries"), "{refusal}");
}

#[test]
fn attestations_of_all_platforms_come_where_the_daemon_is_told_so() {
    let (daemon, registry) = (Daemon::start_with(&["--pull-attestations", "all"]), Registry::start());
    let image = put_attested(&registry, "team/app", "1");
    let client = daemon.client();
    pull(&client, &format!("fromImage={}/team/app&tag=1&platform=linux/amd64", registry.host()));
    assert!(image.attestations.iter().all(|attestation| is_here(&client, &attestation.digest)));
    assert!(!is_here(&client, &image.platforms[1].digest));
    let path = format!("/images/{}/team/app:1/attestations?statement=1&platform=", registry.host());
    let found = client.get(&format!("{path}%7B%22os%22:%22linux%22,%22architecture%22:%22arm64%22%7D")).expect(200);
    assert_eq!(found.json()[0]["Statement"]["about"], "arm64");
}

#[test]
fn evidence_beside_an_image_is_kept_with_it_and_goes_with_it() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let image = put_attested(&registry, "team/app", "1");
    let referrer = |kind: &str, subject: &Descriptor, blob: &str| {
        let blob = registry.put_blob("team/app", &MediaType::new("application/octet-stream"), blob.to_owned());
        let config = registry.put_blob("team/app", &MediaType::OCI_EMPTY, "{}");
        let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(), "artifactType": kind,
            "config": config.json(), "layers": [blob.json()], "subject": subject.json()});
        (registry.put_manifest("team/app", None, &MediaType::OCI_MANIFEST, &body), blob)
    };
    const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let kept: Vec<_> = [&image.index, &image.platforms[0], &image.attestations[0]]
        .iter()
        .enumerate()
        .map(|(at, subject)| referrer(BUNDLE, subject, &format!("signature {at}")))
        .collect();
    let left = referrer("application/vnd.cncf.helm.config.v1+json", &image.index, "a chart");
    let other = referrer(BUNDLE, &image.platforms[1], "about another platform");
    let client = daemon.client();
    let query = format!("fromImage={}/team/app&tag=1&platform=linux/amd64", registry.host());
    pull(&client, &query);
    for (manifest, blob) in &kept {
        assert!(is_here(&client, &manifest.digest) && is_here(&client, &blob.digest));
    }
    for (manifest, blob) in [&left, &other] {
        assert!(!is_here(&client, &manifest.digest) && !is_here(&client, &blob.digest));
    }

    // What is signed later comes with the next pull.
    let (later, _) = referrer("application/vnd.cncf.notary.signature", &image.index, "later");
    registry.forget();
    pull(&client, &query);
    assert!(is_here(&client, &later.digest));
    assert_eq!(registry.count("GET", "/blobs/"), 1, "only what is new is fetched");

    client.delete(&format!("/images/{}/team/app:1", registry.host())).expect(200);
    assert!(kept.iter().all(|(manifest, _)| !is_here(&client, &manifest.digest)));
    assert_eq!(blobs(&daemon), 0);
}

#[test]
fn a_registry_without_referrers_serves_images_all_the_same() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    registry.put_image("team/app", Some("1"), &[layer(10, 1)]);
    registry.faults().no_referrers = true;
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app:1", registry.host()));
    assert!(last(&lines).starts_with("Status: Downloaded newer image"));
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_ended() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let content = layer(1_000_000, 1);
    let image = registry.put_image("team/app", Some("1"), std::slice::from_ref(&content));
    registry.faults().truncate_blobs = Some(300_000);
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app:1", registry.host()));
    assert!(last(&lines).starts_with("Status: Downloaded newer image"), "{lines:?}");
    let path = format!("/blobs/{}", Digest::of(&content));
    let ranges: Vec<String> = registry
        .seen()
        .iter()
        .filter(|seen| seen.target.ends_with(&path))
        .filter_map(|seen| Some(seen.headers.get("range")?.to_str().unwrap().to_owned()))
        .collect();
    assert!(ranges.len() >= 3 && ranges[0].starts_with("bytes=300000-"), "{ranges:?}");
    assert!(is_here(&daemon.client(), &image.digest));
}

#[test]
fn a_download_that_takes_its_time_is_told_of() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let content = layer(1_000_000, 1);
    registry.put_image("team/app", Some("1"), std::slice::from_ref(&content));
    registry.faults().trickle = Some((150_000, Duration::from_millis(120)));
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app:1", registry.host()));
    let told = lines.iter().filter(|line| line["status"] == "Downloading").map(|line| {
        let (progress, id) = (&line["progressDetail"], line["id"].as_str().unwrap());
        assert_eq!((progress["total"].as_u64(), id), (Some(1_000_000), &Digest::of(&content).hex()[..12]));
        progress["current"].as_u64().unwrap()
    });
    let told: Vec<u64> = told.collect();
    assert!(told.is_sorted() && told.first().is_some_and(|first| (1..1_000_000).contains(first)), "{told:?}");
    assert!(last(&lines).starts_with("Status: Downloaded newer image"), "{lines:?}");
}

#[test]
fn a_download_that_never_gets_on_fails_and_leaves_nothing() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    registry.put_image("team/app", Some("1"), &[layer(1_000_000, 1)]);
    *registry.faults() =
        crate::support::registry::Faults { truncate_blobs: Some(300_000), no_range: true, ..Default::default() };
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app:1", registry.host()));
    assert!(lines.last().unwrap().get("errorDetail").is_some(), "{lines:?}");
    eventually("something is left", || (blobs(&daemon), ingests(&daemon)) == (0, 0));
    // Once the registry is well again, so is the pull.
    *registry.faults() = Default::default();
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app:1", registry.host()));
    assert!(last(&lines).starts_with("Status: Downloaded newer image"), "{lines:?}");
}

#[test]
fn content_of_another_digest_is_not_stored() {
    let (daemon, registry, elsewhere) = (Daemon::start(), Registry::start(), Registry::start());
    for registry in [&registry, &elsewhere] {
        registry.put_image("team/app", Some("1"), &[layer(1_000_000, 1), layer(10, 2)]);
    }
    elsewhere.faults().wrong_bytes = true;
    registry.faults().redirect_blobs = Some(elsewhere.url());
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app:1", registry.host()));
    assert!(last(&lines).contains("does not match its digest"), "{lines:?}");
    eventually("something is left", || (blobs(&daemon), ingests(&daemon)) == (0, 0));
    assert_eq!(daemon.client().get("/images/json").json(), json!([]));
}

#[test]
fn an_image_whose_tag_moves_stays_without_a_name() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let client = daemon.client();
    let first = registry.put_image("team/app", Some("1"), &[layer(10, 1)]);
    let query = format!("fromImage={}/team/app:1", registry.host());
    pull(&client, &query);
    let second = registry.put_image("team/app", Some("1"), &[layer(10, 2)]);
    let lines = pull(&client, &query);
    assert!(last(&lines).starts_with("Status: Downloaded newer image"));
    let dangling = client.get("/images/json?filters=%7B%22dangling%22:[%22true%22]%7D").expect(200).json();
    assert_eq!((dangling.as_array().unwrap().len(), &dangling[0]["Id"]), (1, &json!(first.digest.to_string())));
    let named = client.get(&format!("/images/{}/team/app:1/json", registry.host())).expect(200).json();
    assert_eq!(named["Id"], second.digest.to_string());
}

#[test]
fn pulls_at_the_same_time_share_the_work() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let shared: Vec<Vec<u8>> = (0..6).map(|seed| layer(400_000, seed)).collect();
    for image in 0..20_u8 {
        let mut layers = shared.clone();
        layers.push(layer(1000, 100 + image % 4));
        registry.put_image(&format!("team/app{}", image % 4), Some(&format!("{image}")), &layers);
    }
    std::thread::scope(|scope| {
        for image in 0..20_u8 {
            let (client, host) = (daemon.client(), registry.host());
            scope.spawn(move || {
                let lines = pull(&client, &format!("fromImage={host}/team/app{}&tag={image}", image % 4));
                assert!(last(&lines).starts_with("Status: "), "{lines:?}");
            });
        }
    });
    for layer in &shared {
        assert_eq!(registry.count("GET", &format!("/blobs/{}", Digest::of(layer))), 1);
    }
    assert_eq!(ingests(&daemon), 0);
    let images = daemon.client().get("/images/json").json();
    assert_eq!(images.as_array().unwrap().len(), 4);
}

#[test]
fn a_client_that_hangs_up_ends_its_pull() {
    let (daemon, registry) = (Daemon::start_unpacked(), Registry::start());
    registry.put_image("team/app", Some("1"), &[layer(1_000_000, 1), layer(900_000, 2)]);
    registry.faults().stall_blobs = Some(700_000);
    let query = format!("/images/create?fromImage={}/team/app:1", registry.host());
    let mut open = daemon.client().open(&Request::post(&query)).unwrap();
    let mut first = [0; 20];
    open.body.read_exact(&mut first).unwrap();
    eventually("nothing is fetched", || ingests(&daemon) == 3);
    drop(open);
    eventually("the pull goes on", || ingests(&daemon) == 0);
    assert_eq!(blobs(&daemon), 0);
    registry.faults().stall_blobs = None;
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app:1", registry.host()));
    assert!(last(&lines).starts_with("Status: Downloaded newer image"), "{lines:?}");
}

#[test]
fn who_waits_for_a_download_takes_it_over_from_who_hangs_up() {
    let (daemon, registry) = (Daemon::start_unpacked(), Registry::start());
    let content = layer(3_000_000, 1);
    registry.put_image("team/app", Some("1"), std::slice::from_ref(&content));
    registry.faults().stall_blobs = Some(700_000);
    let query = format!("/images/create?fromImage={}/team/app:1", registry.host());
    let first = daemon.client().open(&Request::post(&query)).unwrap();
    // The configuration, which is all here, and the layer.
    eventually("nothing is fetched", || ingests(&daemon) == 2);
    let second = daemon.client().open(&Request::post(&query)).unwrap();
    drop(first);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(ingests(&daemon), 2, "the download goes on for the second");
    drop(second);
    eventually("the pull goes on", || ingests(&daemon) == 0);
}

#[test]
fn every_tag_is_pulled_where_none_is_named() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    for (tag, seed) in [("1", 1), ("2", 2), ("latest", 2)] {
        registry.put_image("team/app", Some(tag), &[layer(10, seed)]);
    }
    let lines = pull(&daemon.client(), &format!("fromImage={}/team/app", registry.host()));
    let from: Vec<&Value> =
        lines.iter().filter(|line| line["status"] == "Pulling from team/app").map(|line| &line["id"]).collect();
    assert_eq!(from, ["1", "2", "latest"]);
    assert_eq!(daemon.client().get("/images/json").json().as_array().unwrap().len(), 2);
}

#[test]
fn an_image_is_pulled_by_its_digest() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let image = registry.put_image("team/app", Some("1"), &[layer(10, 1)]);
    let client = daemon.client();
    let name = format!("{}/team/app@{}", registry.host(), image.digest);
    let lines = pull(&client, &format!("fromImage={}/team/app&tag={}", registry.host(), image.digest));
    assert_eq!(lines[0], json!({"status": "Pulling from team/app", "id": name}));
    assert_eq!(last(&lines), format!("Status: Downloaded newer image for {name}"));
    let shown = client.get(&format!("/images/{name}/json")).expect(200).json();
    assert_eq!(shown["RepoDigests"], json!([name]));
    let lines = pull(&client, &format!("fromImage={}/team/app:1", registry.host()));
    assert_eq!(last(&lines), format!("Status: Downloaded newer image for {}/team/app:1", registry.host()));
    assert_eq!(registry.count("GET", "/blobs/"), 2, "configuration and layer, once");
}

#[test]
fn what_cannot_be_pulled_is_refused_in_dockers_words() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    registry.put_image("team/app", Some("1"), &[layer(10, 1)]);
    let (client, host) = (daemon.client(), registry.host());
    for (query, status, text) in [
        (
            format!("fromImage={host}/team/app&tag=nope"),
            404,
            format!("failed to resolve reference \"{host}/team/app:nope\": {host}/team/app:nope: not found"),
        ),
        (format!("fromImage={host}/team/app&tag=no%20tag"), 400, "invalid tag format".into()),
        ("fromImage=scratch".into(), 403, "'scratch' is a reserved name".into()),
        (
            "fromImage=BAD&tag=x".into(),
            400,
            "invalid reference format: repository name (library/BAD) must be lowercase".into(),
        ),
        (String::new(), 400, "no image: set fromImage or fromSrc".into()),
    ] {
        assert_eq!(refused(&client, &query, status), text, "{query}");
    }
    assert!(refused(&client, "fromImage=127.0.0.1:1/a/b&tag=x", 500).contains("127.0.0.1:1"));
    assert_eq!((blobs(&daemon), ingests(&daemon)), (0, 0));
}

#[test]
fn a_private_registry_opens_to_who_has_the_password() {
    use base64::Engine as _;
    let (daemon, registry) = (Daemon::start(), Registry::start());
    registry.put_image("team/app", Some("1"), &[layer(10, 1)]);
    registry.faults().token_user = Some(("ann".into(), "secret".into()));
    let (client, host) = (daemon.client(), registry.host());
    let query = format!("/images/create?fromImage={host}/team/app:1");
    client.send(&Request::post(&query)).expect(404);
    let header = |password: &str| {
        let json = json!({"username": "ann", "password": password, "serveraddress": host}).to_string();
        base64::engine::general_purpose::URL_SAFE.encode(json)
    };
    client.send(&Request::post(&query).header("X-Registry-Auth", &header("wrong"))).expect(404);
    client.send(&Request::post(&query).header("X-Registry-Auth", &header("secret"))).expect(200);
    let login = |password: &str| {
        let body = json!({"username": "ann", "password": password, "serveraddress": host}).to_string();
        client.post("/auth", "application/json", body)
    };
    assert_eq!(login("secret").expect(200).json()["Status"], "Login Succeeded");
    login("wrong").expect(401);
    client.post("/auth", "application/json", "{").expect(400);
    assert!(!daemon.log().contains("secret"));
}

#[test]
fn an_image_is_looked_up_where_it_is() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let image = put_attested(&registry, "team/app", "1");
    let client = daemon.client();
    let found = client.get(&format!("/distribution/{}/team/app:1/json", registry.host())).expect(200).json();
    assert_eq!(found["Descriptor"], json!(image.index.json()));
    assert_eq!(found["Platforms"].as_array().unwrap().len(), 4);
    let missing = client.get(&format!("/distribution/{}/team/app:2/json", registry.host())).expect(404).json();
    assert_eq!(missing["message"], "manifest unknown: manifest unknown");
    assert_eq!(blobs(&daemon), 0);
}

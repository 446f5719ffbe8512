//! `POST /images/{name}/push`: pushes to a registry that does what the test tells it.

use loadline::domain::{Digest, MediaType};
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::http::{Client, Request};
use crate::support::loading::{lines, load};
use crate::support::registry::Registry;
use crate::support::repository;
use crate::support::tar::Tar;

const INDEX: &str = "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7";
const AMD64: &str = "sha256:5856fc54da631d758059b384540ebac0ef666b859d2b8fe183f39436d0dd3967";
const ARM64: &str = "sha256:dc9b2476e49e051451e0dc18f3ca7b2a1e199058283fe1e333fbec1b6cccb5b3";
const LINUX_ARM64: &str = "platform=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm64%22%7D";

/// A daemon with the fixture, tagged for a registry.
fn tagged(registry: &Registry, name: &str) -> (Daemon, Client) {
    let daemon = Daemon::start();
    let client = daemon.client();
    load(&client, std::fs::read(repository("tests/fixtures/app-oci.tar")).unwrap());
    tag(&client, "registry.example/team/app:1.0", registry, name);
    (daemon, client)
}

fn tag(client: &Client, image: &str, registry: &Registry, name: &str) {
    let (repository, tag) = name.split_once(':').unwrap();
    let target = format!("/images/{image}/tag?repo={}/{repository}&tag={tag}", registry.host());
    client.send(&Request::post(&target)).expect(201);
}

fn push(client: &Client, registry: &Registry, name: &str, query: &str) -> Vec<Value> {
    let target = format!("/images/{}/{name}/push?{query}", registry.host());
    lines(&client.send(&Request::post(&target)).expect(200))
}

fn pull(client: &Client, registry: &Registry, name: &str) -> Vec<Value> {
    let target = format!("/images/create?fromImage={}/{name}", registry.host());
    lines(&client.send(&Request::post(&target)).expect(200))
}

/// The last line's status or error.
fn last(lines: &[Value]) -> &str {
    let line = lines.last().unwrap();
    line["status"].as_str().or(line["error"].as_str()).unwrap()
}

/// The last status of every blob.
fn settled(lines: &[Value]) -> Vec<String> {
    let blobs = lines.iter().filter(|line| line["id"].is_string());
    let last: std::collections::BTreeMap<&str, &str> =
        blobs.map(|line| (line["id"].as_str().unwrap(), line["status"].as_str().unwrap())).collect();
    last.into_values().map(str::to_owned).collect()
}

fn notes(lines: &[Value]) -> Vec<&Value> {
    lines.iter().map(|line| &line["aux"]).filter(|note| !note.is_null()).collect()
}

#[test]
fn a_whole_index_is_pushed_and_comes_back_the_same() {
    let registry = Registry::start();
    let (_daemon, client) = tagged(&registry, "pushed/app:2");
    let said = push(&client, &registry, "pushed/app", "tag=2");
    let host = registry.host();
    assert_eq!(said[0], json!({"status": format!("The push refers to repository [{host}/pushed/app]")}));
    assert_eq!(last(&said), format!("2: digest: {INDEX} size: 2385"), "{said:?}");
    assert!(settled(&said).iter().all(|status| status == "Pushed"), "{said:?}");
    assert!(notes(&said).is_empty());
    let (media_type, bytes) = registry.manifest("pushed/app", "2").unwrap();
    assert_eq!((media_type.as_str(), Digest::of(&bytes).to_string().as_str()), (MediaType::OCI_INDEX.as_str(), INDEX));
    // Nothing that the index names is missing, down to the statements.
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    for child in document["manifests"].as_array().unwrap() {
        let (_, bytes) = registry.manifest("pushed/app", child["digest"].as_str().unwrap()).unwrap();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        for blob in std::iter::once(&manifest["config"]).chain(manifest["layers"].as_array().unwrap()) {
            assert!(registry.blob("pushed/app", &blob["digest"].as_str().unwrap().parse().unwrap()).is_some());
        }
    }
    // The name comes after everything else.
    let last_write = registry.seen().into_iter().rfind(|seen| seen.method != "GET" && seen.method != "HEAD").unwrap();
    assert_eq!((last_write.method.as_str(), last_write.target.as_str()), ("PUT", "/v2/pushed/app/manifests/2"));

    let other = Daemon::start();
    pull(&other.client(), &registry, "pushed/app:2");
    let pulled = other.client().get(&format!("/images/{host}/pushed/app:2/json")).expect(200).json();
    assert_eq!(pulled["Id"], INDEX);
    let attested = other.client().get(&format!("/images/{host}/pushed/app:2/attestations")).expect(200).json();
    assert!(!attested.as_array().unwrap().is_empty());

    registry.forget();
    let again = push(&client, &registry, "pushed/app:2", "");
    assert!(settled(&again).iter().all(|status| status == "Layer already exists"), "{again:?}");
    assert_eq!(last(&again), last(&said));
    assert_eq!(registry.count("POST", ""), 0);
    assert_eq!(registry.count("PUT", "/manifests/2"), 0);
}

#[test]
fn a_pulled_platform_is_pushed_in_place_of_the_index_by_mounting() {
    let registry = Registry::start();
    let (_daemon, client) = tagged(&registry, "team/app:1.0");
    push(&client, &registry, "team/app", "tag=1.0");
    let other = Daemon::start();
    let client = other.client();
    pull(&client, &registry, "team/app:1.0");
    tag(&client, &format!("{}/team/app:1.0", registry.host()), &registry, "pushed/app:2");
    registry.forget();
    let said = push(&client, &registry, "pushed/app", "");
    assert!(settled(&said).iter().all(|status| status == "Mounted from team/app"), "{said:?}");
    let [note] = notes(&said)[..] else { panic!("{said:?}") };
    assert_eq!(note["manifestPushedInsteadOfIndex"], true);
    assert_eq!(note["originalIndex"]["digest"], INDEX);
    assert_eq!(note["selectedManifest"]["digest"], AMD64);
    assert_eq!(note["selectedManifest"]["platform"], json!({"architecture": "amd64", "os": "linux"}));
    assert_eq!(last(&said), format!("2: digest: {AMD64} size: 856"));
    assert_eq!(registry.count("PUT", "/blobs/uploads/"), 0);
    assert_eq!(Digest::of(&registry.manifest("pushed/app", "2").unwrap().1).to_string(), AMD64);

    let missing = push(&client, &registry, "pushed/app", &format!("tag=2&{LINUX_ARM64}"));
    assert_eq!(
        last(&missing),
        format!(
            "image with reference {}/pushed/app:2 was found but does not provide the specified platform (linux/arm64)",
            registry.host()
        )
    );
}

#[test]
fn one_platform_is_pushed_where_it_is_asked_for() {
    let registry = Registry::start();
    let (_daemon, client) = tagged(&registry, "a:1");
    let said = push(&client, &registry, "a", &format!("tag=1&{LINUX_ARM64}"));
    assert_eq!(last(&said), format!("1: digest: {ARM64} size: 856"));
    assert!(notes(&said).is_empty());
    assert!(registry.manifest("a", AMD64).is_none());
    // What was pushed to one repository need not be sent to another.
    tag(&client, "registry.example/team/app:1.0", &registry, "b:1");
    let said = push(&client, &registry, "b", &format!("tag=1&{LINUX_ARM64}"));
    assert!(settled(&said).iter().all(|status| status == "Mounted from a"), "{said:?}");
}

#[test]
fn what_cannot_be_pushed_says_why() {
    let registry = Registry::start();
    let (daemon, client) = tagged(&registry, "a:1");
    let host = registry.host();
    assert_eq!(last(&push(&client, &registry, "a", "tag=nope")), format!("tag does not exist: {host}/a:nope"));
    let none = push(&client, &registry, "nope", "");
    assert_eq!(last(&none), format!("An image does not exist locally with the tag: {host}/nope"));
    assert_eq!(none.len(), 2);
    client.send(&Request::post("/images/BAD/push?tag=x")).expect(400);
    client.send(&Request::post(&format!("/images/{host}/a/push?tag=-x"))).expect(400);
    client.send(&Request::post(&format!("/images/{host}/a/push?tag=1&platform=x"))).expect(400);

    registry.faults().always_401 = true;
    assert!(last(&push(&client, &registry, "a", "tag=1")).contains("denied"));
    registry.faults().always_401 = false;
    registry.faults().unavailable = 1000;
    assert!(last(&push(&client, &registry, "a", "tag=1")).contains("503"));
    registry.faults().unavailable = 0;
    assert!(registry.manifest("a", "1").is_none());
    // A failure leaves nothing that would hold up the next push.
    registry.faults().unavailable = 2;
    assert_eq!(last(&push(&client, &registry, "a", "tag=1")), format!("1: digest: {INDEX} size: 2385"));
    drop(daemon);
}

#[test]
fn a_credential_opens_the_registry_and_a_push_is_an_event() {
    let registry = Registry::start();
    registry.faults().token_user = Some(("u".into(), "p".into()));
    let (_daemon, client) = tagged(&registry, "a:1");
    let target = format!("/images/{}/a/push?tag=1", registry.host());
    let auth = "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAifQ==";
    let said = lines(&client.send(&Request::post(&target).header("X-Registry-Auth", auth)).expect(200));
    assert_eq!(last(&said), format!("1: digest: {INDEX} size: 2385"), "{said:?}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let events =
        client.get(&format!("/events?since=0&until={now}&filters=%7B%22event%22%3A%5B%22push%22%5D%7D")).expect(200);
    let events = lines(&events);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["Actor"]["ID"], format!("{}/a:1", registry.host()));
}

#[test]
fn referrers_go_along_only_where_that_is_asked_for() {
    let (from, to) = (Registry::start(), Registry::start());
    let image = from.put_image("a", Some("1"), &[vec![1; 1000]]);
    let signature = from.put_blob("a", &MediaType::IN_TOTO, "{}");
    let mut listed = json!(signature.json());
    listed["annotations"] = json!({"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"});
    let config = from.put_blob("a", &MediaType::OCI_EMPTY, "{}");
    let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(),
        "artifactType": "application/vnd.in-toto+json", "config": config.json(), "layers": [listed],
        "subject": image.json()});
    let referrer = from.put_manifest("a", None, &MediaType::OCI_MANIFEST, &body);
    let daemon = Daemon::start();
    let client = daemon.client();
    pull(&client, &from, "a:1");
    tag(&client, &format!("{}/a:1", from.host()), &to, "b:1");
    push(&client, &to, "b", "tag=1");
    assert!(to.manifest("b", "1").is_some() && to.manifest("b", &referrer.digest.to_string()).is_none());
    push(&client, &to, "b", "tag=1&referrers=1");
    assert!(to.manifest("b", &referrer.digest.to_string()).is_some());
    let tag_of_subject = image.digest.to_string().replacen(':', "-", 1);
    assert!(to.manifest("b", &tag_of_subject).is_none());
    // Without the API, the list is kept under a tag.
    to.faults().no_referrers = true;
    push(&client, &to, "b", "tag=1&referrers=1");
    let (_, index) = to.manifest("b", &tag_of_subject).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"][0]["digest"], referrer.digest.to_string());
    assert_eq!(index["manifests"][0]["artifactType"], "application/vnd.in-toto+json");
}

#[test]
fn attestations_with_a_subject_go_after_it() {
    let (from, to) = (Registry::start(), Registry::start());
    let config = from.put_blob("a", &MediaType::OCI_EMPTY, "{}");
    let image = from.put_image("a", None, &[vec![1; 100]]);
    let mut own = json!(image.json());
    own["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let mut manifests = Vec::new();
    for mark in 0..8 {
        let statement = from.put_blob("a", &MediaType::IN_TOTO, format!("{{\"mark\":{mark}}}"));
        // As BuildKit writes it from 0.32 on.
        let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(), "config": config.json(),
            "artifactType": "application/vnd.docker.attestation.manifest.v1+json", "layers": [statement.json()],
            "subject": image.json()});
        let mut entry = json!(from.put_manifest("a", None, &MediaType::OCI_MANIFEST, &body).json());
        entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image.digest.to_string()});
        entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        manifests.push(entry);
    }
    manifests.push(own);
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": manifests});
    from.put_manifest("a", Some("1"), &MediaType::OCI_INDEX, &index);
    let daemon = Daemon::start();
    let client = daemon.client();
    pull(&client, &from, "a:1");
    tag(&client, &format!("{}/a:1", from.host()), &to, "b:1");
    to.faults().insists_on_subject = true;
    let pushed = push(&client, &to, "b", "tag=1");
    assert!(last(&pushed).starts_with("1: digest:"), "{pushed:?}");
    // A refusal is told in the registry's own words.
    to.faults().refuse =
        vec![("PUT", 404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no subject"}]}"#.into())];
    tag(&client, &format!("{}/a:1", from.host()), &to, "c:1");
    let refused = push(&client, &to, "c", "tag=1");
    assert!(last(&refused).contains("manifest unknown: no subject"), "{refused:?}");
}

#[test]
fn content_that_is_missing_is_told() {
    let registry = Registry::start();
    let daemon = Daemon::start();
    let client = daemon.client();
    let config = br#"{"os":"linux","architecture":"amd64"}"#;
    let config_digest = Digest::of(config);
    let absent = Digest::of(b"absent");
    let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(),
        "config": {"mediaType": MediaType::OCI_CONFIG.as_str(), "digest": config_digest.to_string(), "size": config.len()},
        "layers": [{"mediaType": MediaType::OCI_LAYER.as_str(), "digest": absent.to_string(), "size": 6}]});
    let manifest = manifest.to_string();
    let digest = Digest::of(manifest.as_bytes());
    let name = format!("{}/a:1", registry.host());
    let index = json!({"schemaVersion": 2, "manifests": [{"mediaType": MediaType::OCI_MANIFEST.as_str(),
        "digest": digest.to_string(), "size": manifest.len(), "annotations": {"io.containerd.image.name": name}}]});
    let archive = Tar::default()
        .file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", index.to_string().as_bytes())
        .file(&format!("blobs/sha256/{}", digest.hex()), manifest.as_bytes())
        .file(&format!("blobs/sha256/{}", config_digest.hex()), config)
        .end();
    load(&client, archive);
    let said = push(&client, &registry, "a", "tag=1");
    let [note] = notes(&said)[..] else { panic!("{said:?}") };
    assert_eq!(note["contentMissing"], true);
    assert_eq!(note["desc"]["digest"], digest.to_string());
    assert!(last(&said).contains(&absent.to_string()), "{said:?}");
    assert!(registry.manifest("a", "1").is_none());
    // What the registry has need not be here.
    registry.put_blob("a", &MediaType::OCI_LAYER, "absent");
    let said = push(&client, &registry, "a", "tag=1");
    assert_eq!(last(&said), format!("1: digest: {digest} size: {}", manifest.len()), "{said:?}");
}

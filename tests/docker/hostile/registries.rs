//! Pulls from registries that lie about what they have.

use base64::Engine as _;
use loadline::domain::{Descriptor, Digest, MediaType};
use serde_json::{Value, json};

use crate::docker::load::peak_memory;
use crate::docker::pull::{blobs, eventually, ingests, last, layer, pull};
use crate::support::daemon::Daemon;
use crate::support::http::Request;
use crate::support::loading::is_whole;
use crate::support::registry::Registry;

/// A daemon that is given nothing but what it has to refuse.
struct Victim {
    daemon: Daemon,
    registry: Registry,
}

impl Victim {
    fn start() -> Self {
        Self { daemon: Daemon::start(), registry: Registry::start() }
    }

    /// Pulls `app:1`, which must fail with a text that says this and leave nothing.
    #[track_caller]
    fn refuses(&self, what: &str, says: &str) {
        self.refuses_of("", what, says);
    }

    #[track_caller]
    fn refuses_of(&self, platform: &str, what: &str, says: &str) {
        assert!(!says.is_empty(), "{what}: any text would do");
        let path = format!("/images/create?fromImage={}/app:1{platform}", self.registry.host());
        let answer = self.daemon.client().send(&Request::post(&path));
        let text = answer.text().lines().last().unwrap().to_owned();
        assert!(text.contains("error") || answer.status >= 400, "{what} is pulled: {text}");
        assert!(text.contains(says), "{what}: {text:?} does not say {says:?}");
        assert!(text.len() < 1000, "{what}: a text of {} bytes", text.len());
        eventually("something is left", || (blobs(&self.daemon), ingests(&self.daemon)) == (0, 0));
        assert_eq!(self.daemon.client().get("/images/json").json(), json!([]), "{what}");
    }

    /// Tags an index of these manifests.
    fn put_index(&self, manifests: &[Value]) -> Descriptor {
        let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": manifests});
        self.registry.put_manifest("app", Some("1"), &MediaType::OCI_INDEX, &body)
    }

    fn put_manifest(&self, config: Value, layers: &[Value]) -> Descriptor {
        let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(), "config": config,
            "layers": layers});
        self.registry.put_manifest("app", Some("1"), &MediaType::OCI_MANIFEST, &body)
    }

    fn config(&self) -> Value {
        let config = json!({"os": "linux", "architecture": "amd64"}).to_string();
        json!(self.registry.put_blob("app", &MediaType::OCI_CONFIG, config).json())
    }

    fn layer(&self) -> Value {
        json!(self.registry.put_blob("app", &MediaType::OCI_LAYER, layer(100_000, 1)).json())
    }

    /// The daemon is as good as before, and never had much memory.
    #[track_caller]
    fn stays_unharmed(self) {
        let peak = peak_memory(&self.daemon);
        assert!(peak < 256 << 20, "{} MiB at the peak", peak >> 20);
        *self.registry.faults() = Default::default();
        self.registry.put_image("good", Some("1"), &[layer(1000, 1)]);
        let said = pull(&self.daemon.client(), &format!("fromImage={}/good:1", self.registry.host()));
        assert!(last(&said).starts_with("Status: Downloaded newer image"), "{said:?}");
        is_whole(&self.daemon);
    }
}

fn with(mut object: Value, key: &str, value: impl Into<Value>) -> Value {
    object[key] = value.into();
    object
}

#[test]
fn sizes_that_are_not_those_of_the_content() {
    let victim = Victim::start();
    let (config, good) = (victim.config(), victim.layer());
    for no_lengths in [false, true] {
        victim.registry.faults().no_lengths = no_lengths;
        for size in [0, 1, 99_999, 100_001, u64::from(u32::MAX), i64::MAX as u64] {
            victim.put_manifest(config.clone(), &[with(good.clone(), "size", size)]);
            let says = match (size, no_lengths) {
                // Nothing is asked for: what is there already is not the content.
                (0, _) => "does not match its digest",
                (_, false) => "the registry sends 100000 bytes of",
                (1 | 99_999, true) => "the registry sends more than its",
                (_, true) => "bytes early",
            };
            victim.refuses(&format!("a layer of {size} bytes, {no_lengths}"), says);
        }
        victim.put_manifest(with(config.clone(), "size", 7), &[]);
        let says =
            if no_lengths { "the registry sends more than its 7 bytes" } else { "the registry sends 37 bytes of 7" };
        victim.refuses("a configuration of 7 bytes", says);
    }
    victim.registry.faults().no_lengths = false;
    let manifest = json!(victim.put_manifest(config, &[good]).json());
    let platform = with(manifest, "platform", json!({"os": "linux", "architecture": "amd64"}));
    victim.put_index(&[with(platform, "size", 3)]);
    victim.refuses("a manifest of 3 bytes", "its descriptor says 3");
    victim.stays_unharmed();
}

#[test]
fn digests_that_are_none_or_of_something_else() {
    let victim = Victim::start();
    let (config, good) = (victim.config(), victim.layer());
    for (digest, says) in [
        ("sha256:../../../../etc/passwd", "invalid digest format"),
        ("../x", "invalid digest format"),
        ("", "invalid digest format"),
        ("sha256:", "invalid digest length"),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", "unsupported digest algorithm"),
        ("sha384:00", "unsupported digest algorithm"),
    ] {
        victim.put_manifest(config.clone(), &[with(good.clone(), "digest", digest)]);
        victim.refuses(digest, says);
    }
    let other = Digest::of(b"other");
    victim.registry.put_blob_as("app", &other, layer(100_000, 1));
    victim.put_manifest(config.clone(), &[with(good.clone(), "digest", other.to_string())]);
    victim.refuses("a layer under another's digest", "does not match its digest");
    // What is there as a blob only is no image, and its place is not even asked.
    let manifest = victim.put_manifest(config, &[good]);
    let (_, bytes) = victim.registry.manifest("app", "1").unwrap();
    victim.registry.put_blob("blobs", &MediaType::OCI_MANIFEST, bytes);
    let path = format!("/images/create?fromImage={}/blobs@{}", victim.registry.host(), manifest.digest);
    victim.daemon.client().send(&Request::post(&path)).expect(404);
    assert_eq!(victim.registry.count("GET", "/v2/blobs/blobs/"), 0);
    victim.stays_unharmed();
}

#[test]
fn documents_that_can_be_read_in_two_ways() {
    let victim = Victim::start();
    let (config, good) = (victim.config(), victim.layer());
    let both = json!({"schemaVersion": 2, "config": config, "layers": [good], "manifests": []});
    for media_type in [MediaType::OCI_MANIFEST, MediaType::OCI_INDEX] {
        victim.registry.put_manifest("app", Some("1"), &media_type, &both);
        victim.refuses("a manifest that is an index", "manifest");
    }
    // An index that says of a manifest that it is an index, and the other way round.
    let manifest = json!(victim.put_manifest(config.clone(), std::slice::from_ref(&good)).json());
    let platform = |entry: Value| with(entry, "platform", json!({"os": "linux", "architecture": "amd64"}));
    victim.put_index(&[platform(with(manifest.clone(), "mediaType", MediaType::OCI_INDEX.as_str()))]);
    victim.refuses("a manifest under the type of an index", "its descriptor says application/vnd.oci.image.index");
    let inner = json!(victim.put_index(&[platform(manifest)]).json());
    victim.put_index(&[platform(with(inner, "mediaType", MediaType::OCI_MANIFEST.as_str()))]);
    victim.refuses("an index under the type of a manifest", "its descriptor says application/vnd.oci.image.manifest");
    victim.stays_unharmed();
}

#[test]
fn content_that_is_here_under_another_type() {
    let victim = Victim::start();
    let client = victim.daemon.client();
    let name = |tag: &str| format!("fromImage={}/app:{tag}", victim.registry.host());
    victim.put_manifest(victim.config(), &[victim.layer()]);
    pull(&client, &name("1"));
    let held = blobs(&victim.daemon);
    // The registry says now that the same bytes are an index: to HEAD, which has no bytes to check.
    let (_, bytes) = victim.registry.manifest("app", "1").unwrap();
    victim.registry.put_raw_manifest("app", Some("2"), &MediaType::OCI_INDEX, bytes);
    let answer = client.send(&Request::post(&format!("/images/create?{}", name("2"))));
    assert!(answer.text().contains("message"), "{}", answer.text());
    assert_eq!(blobs(&victim.daemon), held);
    let rows = client.get("/images/json?manifests=1").expect(200).json();
    assert_eq!(rows[0]["RepoTags"], json!([format!("{}/app:1", victim.registry.host())]));
    assert_eq!(rows[0]["Descriptor"]["mediaType"], MediaType::OCI_MANIFEST.as_str());
}

#[test]
fn json_without_end_or_bottom() {
    let victim = Victim::start();
    let (config, good) = (victim.config(), victim.layer());
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (what, says, body) in [
        ("depth", "invalid manifest", format!(r#"{{"schemaVersion":2,"annotations":{}}}"#, deep(1_000_000))),
        (
            "length",
            "is larger than",
            format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"x":"{}"}}"#, "x".repeat(5 << 20)),
        ),
    ] {
        victim.registry.put_raw_manifest("app", Some("1"), &MediaType::OCI_MANIFEST, body);
        victim.refuses(what, says);
    }
    victim.registry.faults().endless_manifests = true;
    victim.refuses("a manifest without end", "larger than");
    *victim.registry.faults() = Default::default();
    victim.registry.faults().endless_errors = true;
    victim.refuses("an error without end", "400");
    *victim.registry.faults() = Default::default();
    // An image whose configuration cannot be read is one all the same.
    for config in [
        format!(r#"{{"os":"linux","x":{}}}"#, deep(1_000_000)),
        format!(r#"{{"os":"linux","x":"{}"}}"#, "x".repeat(9 << 20)),
    ] {
        let config = json!(victim.registry.put_blob("app", &MediaType::OCI_CONFIG, config).json());
        victim.put_manifest(config, std::slice::from_ref(&good));
        let (client, name) = (victim.daemon.client(), format!("{}/app:1", victim.registry.host()));
        pull(&client, &format!("fromImage={name}&platform=linux/amd64"));
        client.delete(&format!("/images/{name}")).expect(200);
    }
    victim.registry.faults().no_lengths = true;
    victim.registry.faults().endless_blobs = true;
    victim.put_manifest(config.clone(), &[good]);
    victim.refuses("a blob without end", "more than");
    // What is not read has no depth.
    let body = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"x":{}}}"#, deep(1_000_000));
    *victim.registry.faults() = Default::default();
    victim.registry.put_raw_manifest("app", Some("1"), &MediaType::OCI_MANIFEST, body);
    pull(&victim.daemon.client(), &format!("fromImage={}/app:1", victim.registry.host()));
    victim.daemon.client().delete(&format!("/images/{}/app:1", victim.registry.host())).expect(200);
    victim.stays_unharmed();
}

#[test]
fn indexes_that_lead_nowhere() {
    let victim = Victim::start();
    let mut deep = json!(victim.put_manifest(victim.config(), &[]).json());
    for _ in 0..20 {
        deep = json!(victim.put_index(&[deep]).json());
    }
    victim.refuses("twenty levels", "nested");
    // Every level names the one below a thousand times.
    let elsewhere = with(deep, "platform", json!({"os": "plan9", "architecture": "mips"}));
    let mut wide = json!(victim.put_index(&[elsewhere]).json());
    for _ in 0..6 {
        wide = json!(victim.put_index(&vec![wide; 1000]).json());
    }
    let start = std::time::Instant::now();
    victim.refuses("a thousand ways to nothing", "no matching manifest");
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
    victim.stays_unharmed();
}

#[test]
fn an_attestation_that_is_named_again_and_again_is_read_once() {
    let victim = Victim::start();
    let image = victim.put_manifest(victim.config(), &[victim.layer()]);
    let padding = "x".repeat(3 << 20);
    let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(), "config": victim.config(),
        "layers": [], "annotations": {"padding": padding}});
    let attestation = victim.registry.put_manifest("app", None, &MediaType::OCI_MANIFEST, &body);
    let marked = with(
        json!(attestation.json()),
        "annotations",
        json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image.digest.to_string()}),
    );
    let platform = with(json!(image.json()), "platform", json!({"os": "linux", "architecture": "amd64"}));
    let mut manifests = vec![marked; 10_000];
    manifests.push(platform);
    victim.put_index(&manifests);
    let start = std::time::Instant::now();
    let path = format!("fromImage={}/app:1&platform=linux/amd64", victim.registry.host());
    let said = pull(&victim.daemon.client(), &path);
    assert!(last(&said).starts_with("Status: Downloaded newer image"), "{said:?}");
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(peak_memory(&victim.daemon) < 256 << 20);
}

#[test]
fn a_password_goes_to_no_other_place() {
    let (victim, stranger) = (Victim::start(), Registry::start());
    victim.registry.faults().token_user = Some(("ann".into(), "secret".into()));
    let header = base64::engine::general_purpose::URL_SAFE
        .encode(json!({"username": "ann", "password": "secret", "serveraddress": victim.registry.host()}).to_string());
    let pull = || {
        let path = format!("/images/create?fromImage={}/app:1", victim.registry.host());
        let answer = victim.daemon.client().send(&Request::post(&path).header("X-Registry-Auth", &header));
        answer.text().lines().last().unwrap().to_owned()
    };
    // Layers whose URL leads elsewhere, and blobs that are redirected there, are fetched without it.
    let digest = stranger.put_blob("x", &MediaType::OCI_LAYER, "layer").digest;
    let foreign = json!({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": digest.to_string(), "size": 5, "urls": [format!("{}/cdn/{digest}", stranger.url())]});
    victim.put_manifest(victim.config(), &[foreign]);
    assert!(pull().contains("Downloaded newer image"));
    assert!(!stranger.seen().is_empty() && !stranger.was_told_a_secret(), "{:?}", stranger.seen());
    let blob = victim.registry.put_blob("app", &MediaType::OCI_LAYER, "layer");
    victim.put_manifest(victim.config(), &[json!(blob.json())]);
    let config = json!({"os": "linux", "architecture": "amd64"}).to_string();
    stranger.put_blob("x", &MediaType::OCI_CONFIG, config);
    victim.registry.faults().redirect_blobs = Some(stranger.url());
    assert!(pull().contains("Downloaded newer image"));
    assert!(!stranger.seen().is_empty() && !stranger.was_told_a_secret(), "{:?}", stranger.seen());
    assert!(!victim.daemon.log().contains("secret"));
}

//! Reading from registries as they are.

use std::time::{Duration, Instant};

use loadline::domain::{Digest, Kind, MediaType};
use loadline::registry::{Access, Credential, Registries, Settings};
use serde_json::json;

use super::{fails, pulling, quick, read, registries};
use crate::support::registry::Registry;

#[tokio::test]
async fn a_tag_and_a_digest_resolve_and_their_content_is_read() {
    let registry = Registry::start();
    let layer = vec![7u8; 300_000];
    let image = registry.put_image("team/app", Some("1.0"), std::slice::from_ref(&layer));
    let repository = pulling(&registry.name("team/app"));
    let resolved = repository.resolve(&registry.name("team/app:1.0")).await.unwrap();
    assert_eq!((resolved.descriptor, resolved.bytes), (image.clone(), None));
    let by_digest = registry.name("team/app").with_digest(image.digest.clone());
    assert_eq!(repository.resolve(&by_digest).await.unwrap().descriptor, image);
    let (media_type, bytes) = repository.manifest(&image.digest, Some(&image.media_type)).await.unwrap();
    assert_eq!((media_type, Digest::of(&bytes)), (MediaType::OCI_MANIFEST, image.digest));
    let blob = registry.put_blob("team/app", &MediaType::OCI_LAYER, layer.clone());
    assert_eq!(read(&repository, &blob, 0).await.unwrap(), (0, layer.clone()));
    assert_eq!(read(&repository, &blob, 299_990).await.unwrap(), (299_990, layer[299_990..].to_vec()));
    // TLS is tried first on the loopback, and once.
    let agent = &registry.seen()[0].headers["user-agent"];
    assert!(agent.to_str().unwrap().starts_with("loadline/"));
}

#[tokio::test]
async fn what_is_missing_is_not_found_in_dockers_words() {
    let registry = Registry::start();
    registry.put_image("team/app", Some("1.0"), &[]);
    let repository = pulling(&registry.name("team/app"));
    let name = registry.name("team/app:nope");
    fails(
        repository.resolve(&name).await,
        Kind::NotFound,
        &format!("failed to resolve reference \"{name}\": {name}: not found"),
    );
    let digest = Digest::of(b"nothing");
    fails(repository.manifest(&digest, None).await, Kind::NotFound, &format!("manifest {digest} not found"));
    let blob = loadline::domain::Descriptor::new(MediaType::OCI_LAYER, digest, 7);
    fails(repository.blob(&blob, 0).await.map(|_| ()), Kind::NotFound, "not found");
}

#[tokio::test]
async fn registries_without_head_digest_length_or_type_are_understood() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let repository = pulling(&registry.name("a"));
    let name = registry.name("a:1");
    registry.faults().no_head = true;
    let resolved = repository.resolve(&name).await.unwrap();
    assert_eq!(resolved.descriptor, image);
    assert_eq!(Digest::of(&resolved.bytes.unwrap()), image.digest);
    registry.faults().no_head = false;
    registry.faults().digest_header = Some(String::new());
    assert_eq!(repository.resolve(&name).await.unwrap().descriptor, image);
    registry.faults().no_lengths = true;
    assert_eq!(repository.resolve(&name).await.unwrap().descriptor, image);
    for wrong in ["application/json", "text/plain; charset=utf-8", "application/octet-stream"] {
        registry.faults().content_type = Some(wrong.to_owned());
        assert_eq!(repository.resolve(&name).await.unwrap().descriptor, image, "{wrong}");
    }
    let parameter = format!("{}; charset=utf-8", MediaType::OCI_MANIFEST.as_str().to_uppercase());
    registry.faults().content_type = Some(parameter);
    assert_eq!(repository.resolve(&name).await.unwrap().descriptor, image);
}

#[tokio::test]
async fn a_manifest_in_gzip_is_checked_as_what_it_was() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    registry.faults().gzip_manifests = true;
    let repository = pulling(&registry.name("a"));
    let (_, bytes) = repository.manifest(&image.digest, None).await.unwrap();
    assert_eq!(Digest::of(&bytes), image.digest);
    assert_eq!(repository.resolve(&registry.name("a:1")).await.unwrap().descriptor.digest, image.digest);
}

#[tokio::test]
async fn blobs_come_through_redirects_with_ranges_or_without() {
    let (registry, storage) = (Registry::start(), Registry::start());
    let blob = registry.put_blob("a", &MediaType::OCI_LAYER, "0123456789");
    storage.put_blob("x", &MediaType::OCI_LAYER, "0123456789");
    registry.faults().redirect_blobs = Some(storage.url());
    let repository = pulling(&registry.name("a"));
    assert_eq!(read(&repository, &blob, 4).await.unwrap(), (4, b"456789".to_vec()));
    storage.faults().no_range = true;
    assert_eq!(read(&repository, &blob, 4).await.unwrap(), (0, b"0123456789".to_vec()));
    registry.faults().redirect_blobs = None;
    registry.faults().no_lengths = true;
    assert_eq!(read(&repository, &blob, 0).await.unwrap(), (0, b"0123456789".to_vec()));
}

#[tokio::test]
async fn an_interrupted_blob_says_so_and_goes_on_from_there() {
    let registry = Registry::start();
    let content: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    let blob = registry.put_blob("a", &MediaType::OCI_LAYER, content.clone());
    let repository = pulling(&registry.name("a"));
    registry.faults().truncate_blobs = Some(60_000);
    fails(read(&repository, &blob, 0).await, Kind::Unavailable, "");
    registry.faults().truncate_blobs = None;
    assert_eq!(read(&repository, &blob, 60_000).await.unwrap().1, content[60_000..]);
}

#[tokio::test]
async fn too_many_requests_and_bursts_of_failures_pass() {
    let registry = Registry::start();
    registry.put_image("a", Some("1"), &[]);
    let repository = pulling(&registry.name("a"));
    let name = registry.name("a:1");
    repository.resolve(&name).await.unwrap();
    registry.faults().unavailable = 2;
    repository.resolve(&name).await.unwrap();
    registry.faults().too_many = Some((1, Some("1".to_owned())));
    let start = Instant::now();
    repository.resolve(&name).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "it did not wait as long as it was told to");
    // Longer than anyone waits: the answer is passed on at once.
    registry.faults().too_many = Some((1, Some("3600".to_owned())));
    let start = Instant::now();
    fails(repository.resolve(&name).await, Kind::TooManyRequests, "toomanyrequests");
    registry.faults().too_many = Some((9, Some("3600".to_owned())));
    fails(repository.resolve(&name).await, Kind::TooManyRequests, "toomanyrequests: slow down");
    registry.faults().too_many = None;
    assert!(start.elapsed() < Duration::from_secs(1));
    registry.faults().unavailable = 100;
    fails(repository.resolve(&name).await, Kind::Unavailable, "503");
}

#[tokio::test]
async fn what_the_registry_says_is_told_whether_head_or_get_is_refused() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let (repository, name) = (pulling(&registry.name("a")), registry.name("a:1"));
    let body = |code: &str| json!({"errors": [{"code": code, "message": "because of that"}]}).to_string();
    for (status, kind, said) in [
        (401, Kind::Unauthenticated, "why: because of that"),
        (403, Kind::PermissionDenied, "why: because of that"),
        (429, Kind::TooManyRequests, "why: because of that"),
        (400, Kind::Unavailable, "why: because of that"),
        (500, Kind::Unavailable, "why: because of that"),
    ] {
        registry.faults().refuse = vec![("HEAD", status, body("WHY")), ("GET", status, body("WHY"))];
        fails(repository.resolve(&name).await, kind, said);
        registry.faults().refuse = vec![("GET", status, body("WHY"))];
        fails(repository.manifest(&image.digest, None).await, kind, said);
        // By HEAD alone.
        registry.faults().refuse = vec![("HEAD", status, body("WHY"))];
        match repository.resolve(&name).await {
            Ok(resolved) => assert_eq!(resolved.descriptor.digest, image.digest),
            Err(error) => assert_eq!((error.kind(), status), (Kind::TooManyRequests, 429)),
        }
    }
}

#[tokio::test]
async fn blobs_in_an_encoding_are_decoded() {
    let registry = Registry::start();
    let plain = b"layer".repeat(10_000);
    let blob = registry.put_blob("a", &MediaType::OCI_LAYER, plain.clone());
    let repository = pulling(&registry.name("a"));
    for encoding in ["gzip", "x-gzip", "GZIP"] {
        registry.faults().encode_blobs = Some(encoding);
        for offset in [0, 7] {
            assert!(read(&repository, &blob, offset).await.unwrap() == (0, plain.clone()), "{encoding}");
        }
    }
    // It is not what it says.
    registry.faults().encode_blobs = Some("zstd");
    assert!(read(&repository, &blob, 0).await.is_err());
}

#[tokio::test]
async fn tags_come_in_pages() {
    let registry = Registry::start();
    let image = registry.put_image("team/app", Some("1"), &[]);
    let (_, bytes) = registry.manifest("team/app", "1").unwrap();
    for tag in ["2", "3", "4", "5"] {
        registry.put_raw_manifest("team/app", Some(tag), &image.media_type, bytes.clone());
    }
    registry.faults().page = Some(2);
    assert_eq!(pulling(&registry.name("team/app")).tags().await.unwrap(), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn referrers_come_from_the_api_or_from_the_tag() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let repository = pulling(&registry.name("a"));
    assert!(repository.referrers(&image.digest).await.unwrap().is_empty());
    let config = registry.put_blob("a", &MediaType::OCI_EMPTY, "{}");
    let mut expected = Vec::new();
    for name in ["x", "y", "z"] {
        let referrer = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(), "config": config.json(),
            "artifactType": format!("application/{name}"), "layers": [], "subject": image.json()});
        expected.push(registry.put_manifest("a", None, &MediaType::OCI_MANIFEST, &referrer));
    }
    expected.sort_by_key(|descriptor| descriptor.digest.to_string());
    for page in [None, Some(1)] {
        registry.faults().page = page;
        let found = repository.referrers(&image.digest).await.unwrap();
        let digests: Vec<&Digest> = found.iter().map(|found| &found.digest).collect();
        assert_eq!(digests, expected.iter().map(|expected| &expected.digest).collect::<Vec<_>>());
        assert!(found[0].artifact_type().unwrap().starts_with("application/"));
    }
    registry.faults().no_referrers = true;
    assert!(repository.referrers(&image.digest).await.unwrap().is_empty());
    let list: Vec<_> = expected.iter().map(|referrer| json!(referrer.json())).collect();
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": list});
    let tag = image.digest.to_string().replace(':', "-");
    registry.put_manifest("a", Some(&tag), &MediaType::OCI_INDEX, &index);
    assert_eq!(repository.referrers(&image.digest).await.unwrap(), expected);
    let long: Digest = format!("sha512:{}", "0123456789abcdef".repeat(8)).parse().unwrap();
    assert!(repository.referrers(&long).await.unwrap().is_empty());
    let cut = format!("sha512-{}", "0123456789abcdef".repeat(4));
    assert_eq!(registry.count("GET", &format!("/manifests/{cut}")), 1);
    registry.put_manifest("a", Some(&cut), &MediaType::OCI_INDEX, &index);
    assert_eq!(repository.referrers(&long).await.unwrap(), expected);
}

#[tokio::test]
async fn mirrors_serve_docker_hub_and_are_not_trusted_more() {
    let (good, bad) = (Registry::start(), Registry::start());
    let image = good.put_image("library/app", Some("latest"), &[]);
    bad.put_image("library/app", Some("latest"), &[b"other".to_vec()]);
    bad.faults().wrong_bytes = true;
    bad.faults().no_head = true;
    let settings = Settings { mirrors: vec![bad.url(), good.url()], ..quick() };
    let registries = Registries::new(settings).unwrap();
    let name = "app".parse().unwrap();
    let repository = registries.repository(&name, Access::Pull, super::basic("u", "p")).unwrap();
    assert_eq!(repository.resolve(&name).await.unwrap().descriptor, image);
    repository.manifest(&image.digest, Some(&image.media_type)).await.unwrap();
    assert!(bad.count("GET", "/manifests/") > 0);
    assert!(!bad.was_told_a_secret() && !good.was_told_a_secret());
}

#[tokio::test]
async fn nothing_that_listens_is_unavailable_soon() {
    let name = "127.0.0.1:1/a/b:x".parse().unwrap();
    let repository = registries().repository(&name, Access::Pull, Credential::anonymous()).unwrap();
    fails(repository.resolve(&name).await, Kind::Unavailable, "onnection refused");
}

#[tokio::test]
async fn futures_may_move_between_threads() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[b"layer".to_vec()]);
    let repository = pulling(&registry.name("a"));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (repository, digest) = (repository.clone(), image.digest.clone());
            tokio::spawn(async move { repository.manifest(&digest, None).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

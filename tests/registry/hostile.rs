//! Registries that lie, drown or stall the daemon.

use std::time::{Duration, Instant};

use loadline::domain::{Digest, Kind, MediaType, Reference};
use loadline::registry::{Access, Credential, Registries, Settings, Timeouts};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{basic, fails, pulling, quick, read, registries};
use crate::support::registry::{Faults, Registry};

#[tokio::test]
async fn bytes_that_are_not_of_their_digest_are_refused() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let repository = pulling(&registry.name("a"));
    let name = registry.name("a:1");
    registry.faults().wrong_bytes = true;
    fails(repository.manifest(&image.digest, None).await, Kind::DataLoss, "have the digest");
    registry.faults().no_head = true;
    fails(repository.resolve(&name).await, Kind::DataLoss, "have the digest");
    // The header is no way round the digest that was asked for.
    registry.faults().no_head = false;
    let other = Digest::of(b"other");
    registry.faults().digest_header = Some(other.to_string());
    let by_digest = registry.name("a").with_digest(image.digest.clone());
    fails(repository.resolve(&by_digest).await, Kind::DataLoss, "answers with");
    fails(repository.manifest(&image.digest, None).await, Kind::DataLoss, "have the digest");
}

#[tokio::test]
async fn a_digest_that_is_none_is_never_used() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let repository = pulling(&registry.name("a"));
    let name = registry.name("a:1");
    for header in ["sha256:../../../etc/passwd", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", "SHA256:AB", "x"] {
        registry.faults().digest_header = Some(header.to_owned());
        let resolved = repository.resolve(&name).await.unwrap();
        assert_eq!(resolved.descriptor.digest, image.digest, "{header}");
    }
    registry.faults().digest_header = None;
    // In a body, it spoils the document.
    for digest in ["sha256:../../../etc/passwd", "sha384:00", ""] {
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(),
            "manifests": [{"mediaType": MediaType::OCI_MANIFEST.as_str(), "digest": digest, "size": 2}]});
        let index = registry.put_manifest("a", None, &MediaType::OCI_INDEX, &index);
        fails(repository.manifest(&index.digest, None).await, Kind::InvalidArgument, "");
    }
}

#[tokio::test]
async fn a_manifest_is_not_an_index_as_well() {
    let registry = Registry::start();
    let config = registry.put_blob("a", &MediaType::OCI_CONFIG, "{}");
    let manifest = json!({"schemaVersion": 2, "config": config.json(), "layers": []});
    let both = json!({"schemaVersion": 2, "config": config.json(), "layers": [], "manifests": []});
    let lying =
        json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "config": config.json(), "layers": []});
    let repository = pulling(&registry.name("a"));
    for (body, served_as) in [
        (&both, MediaType::OCI_MANIFEST),
        (&both, MediaType::OCI_INDEX),
        (&manifest, MediaType::OCI_INDEX),
        (&lying, MediaType::OCI_MANIFEST),
        (&lying, MediaType::OCI_INDEX),
    ] {
        let put = registry.put_manifest("a", Some("1"), &served_as, body);
        fails(repository.manifest(&put.digest, None).await, Kind::InvalidArgument, "");
    }
    // One document under two types: what led here says an index, the registry says a manifest.
    let put = registry.put_manifest("a", Some("1"), &MediaType::OCI_MANIFEST, &manifest);
    repository.manifest(&put.digest, Some(&MediaType::OCI_MANIFEST)).await.unwrap();
    let as_index = repository.manifest(&put.digest, Some(&MediaType::OCI_INDEX)).await;
    fails(as_index, Kind::InvalidArgument, "its descriptor says");
    // Docker's type and OCI's are of one kind.
    repository.manifest(&put.digest, Some(&MediaType::DOCKER_MANIFEST)).await.unwrap();
}

#[tokio::test]
async fn the_first_schema_is_refused_by_name() {
    let registry = Registry::start();
    let old = json!({"schemaVersion": 1, "name": "a", "tag": "1", "fsLayers": []});
    let media_type = MediaType::new("application/vnd.docker.distribution.manifest.v1+prettyjws");
    registry.put_manifest("a", Some("1"), &media_type, &old);
    let repository = pulling(&registry.name("a"));
    fails(repository.resolve(&registry.name("a:1")).await, Kind::InvalidArgument, "schema 1");
    registry.faults().content_type = Some("application/json".to_owned());
    fails(repository.resolve(&registry.name("a:1")).await, Kind::InvalidArgument, "schema 1");
}

#[tokio::test]
async fn nothing_is_read_without_bound() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let blob = registry.put_blob("a", &MediaType::OCI_LAYER, "0123456789");
    let repository = pulling(&registry.name("a"));
    registry.faults().endless_manifests = true;
    fails(repository.manifest(&image.digest, None).await, Kind::ResourceExhausted, "larger than 4194304 bytes");
    registry.faults().endless_manifests = false;
    registry.faults().endless_blobs = true;
    fails(read(&repository, &blob, 0).await, Kind::DataLoss, "more than its 10 bytes");
    registry.faults().endless_blobs = false;
    registry.faults().endless_errors = true;
    fails(repository.manifest(&image.digest, None).await, Kind::Unavailable, "400");
    fails(repository.tags().await, Kind::Unavailable, "400");
    registry.faults().endless_errors = false;
    registry.faults().token_anonymous = true;
    registry.faults().endless_tokens = true;
    fails(repository.manifest(&image.digest, None).await, Kind::ResourceExhausted, "larger than 1048576 bytes");
}

#[tokio::test]
async fn a_manifest_that_grows_out_of_its_gzip_is_refused() {
    let registry = Registry::start();
    let bomb = format!("{}{{}}", " ".repeat(5 << 20));
    let put = registry.put_raw_manifest("a", Some("1"), &MediaType::OCI_MANIFEST, bomb);
    registry.faults().gzip_manifests = true;
    let read = pulling(&registry.name("a")).manifest(&put.digest, None).await;
    fails(read, Kind::ResourceExhausted, "larger than");
}

#[tokio::test]
async fn lists_without_end_do_end() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let repository = pulling(&registry.name("a"));
    registry.faults().next_page = Some("/v2/a/tags/list?last=0".to_owned());
    // The same page again is the last.
    assert_eq!(repository.tags().await.unwrap(), ["1"]);
    // Whoever it is said to be at, it is the registry that is asked.
    let evil = Registry::start();
    registry.faults().next_page = Some(format!("{}/v2/a/tags/list", evil.url()));
    assert_eq!(repository.tags().await.unwrap(), ["1"]);
    registry.faults().next_page = Some(format!("{}/v2/a/referrers/{}", evil.url(), image.digest));
    assert!(repository.referrers(&image.digest).await.unwrap().is_empty());
    assert!(evil.seen().is_empty());
    registry.faults().next_page = Some("ftp://127.0.0.1/v2/a/tags/list".to_owned());
    fails(repository.tags().await, Kind::PermissionDenied, "neither http nor https");
}

#[tokio::test]
async fn tags_that_are_none_are_left_out() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("good"), &[]);
    let (_, bytes) = registry.manifest("a", "good").unwrap();
    for tag in ["../x", "a b", "", &"x".repeat(200)] {
        registry.put_raw_manifest("a", Some(tag), &image.media_type, bytes.clone());
    }
    assert_eq!(pulling(&registry.name("a")).tags().await.unwrap(), ["good"]);
}

#[tokio::test]
async fn a_stalled_blob_fails_by_progress_and_not_by_total_time() {
    let registry = Registry::start();
    let blob = registry.put_blob("a", &MediaType::OCI_LAYER, vec![1u8; 100_000]);
    let repository = pulling(&registry.name("a"));
    registry.faults().stall_blobs = Some(50_000);
    let start = Instant::now();
    fails(read(&repository, &blob, 0).await, Kind::Unavailable, "nothing arrived");
    assert!(start.elapsed() < Duration::from_secs(2));
    // A reader that takes longer than the limit between two chunks is not at fault.
    registry.faults().stall_blobs = None;
    let mut stream = repository.blob(&blob, 0).await.unwrap().stream;
    let mut length = 0;
    tokio::time::sleep(Duration::from_millis(600)).await;
    while let Some(chunk) = futures_util::StreamExt::next(&mut stream).await {
        length += chunk.unwrap().len();
    }
    assert_eq!(length, 100_000);
}

#[tokio::test]
async fn a_connection_that_trickles_is_as_good_as_stalled() {
    let registry = Registry::start();
    let image = registry.put_image("a", Some("1"), &[]);
    let blob = registry.put_blob("a", &MediaType::OCI_LAYER, vec![1u8; 20_000]);
    let name = registry.name("a:1");
    let repository = pulling(&name);
    let start = Instant::now();
    registry.faults().trickle = Some((10, Duration::from_millis(20)));
    fails(read(&repository, &blob, 0).await, Kind::Unavailable, "bytes arrived in 0.3 s");
    fails(repository.manifest(&image.digest, None).await, Kind::Unavailable, "bytes arrived in 0.3 s");
    registry.faults().no_head = true;
    fails(repository.resolve(&name).await, Kind::Unavailable, "bytes arrived in 0.3 s");
    registry.faults().token_anonymous = true;
    registry.faults().trickle = Some((1, Duration::from_millis(50)));
    fails(repository.manifest(&image.digest, None).await, Kind::Unavailable, "/token: no more than");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // Slow, and long in all, but it gets on.
    *registry.faults() = Faults { trickle: Some((1000, Duration::from_millis(50))), ..Faults::default() };
    let start = Instant::now();
    assert_eq!(read(&repository, &blob, 0).await.unwrap().1.len(), 20_000);
    assert!(start.elapsed() > Duration::from_millis(600));
}

#[tokio::test]
async fn headers_that_trickle_are_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name: Reference = format!("{}/a:1", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                // To TLS that is nothing; to plain HTTP the beginning of an answer.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
    });
    let settings =
        Settings { timeouts: Timeouts { answer: Duration::from_millis(300), ..quick().timeouts }, ..quick() };
    let repository =
        |access| Registries::new(settings.clone()).unwrap().repository(&name, access, Credential::anonymous()).unwrap();
    let start = Instant::now();
    fails(repository(Access::Pull).resolve(&name).await, Kind::Unavailable, "");
    fails(repository(Access::Push).exists(&Digest::of(b"x")).await, Kind::Unavailable, "");
    let took = start.elapsed();
    assert!((Duration::from_millis(600)..Duration::from_secs(15)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn lengths_and_ranges_that_do_not_fit_are_refused() {
    let registry = Registry::start();
    let mut blob = registry.put_blob("a", &MediaType::OCI_LAYER, "0123456789");
    let repository = pulling(&registry.name("a"));
    registry.faults().wrong_range = true;
    fails(read(&repository, &blob, 4).await, Kind::Unavailable, "another range");
    registry.faults().wrong_range = false;
    blob.size = 12;
    fails(read(&repository, &blob, 0).await, Kind::DataLoss, "10 bytes of 12");
    registry.faults().no_lengths = true;
    fails(read(&repository, &blob, 0).await, Kind::Unavailable, "2 bytes early");
    blob.size = 8;
    fails(read(&repository, &blob, 0).await, Kind::DataLoss, "more than its 8 bytes");
}

#[tokio::test]
async fn a_registry_that_never_is_satisfied_is_not_asked_forever() {
    let registry = Registry::start();
    let name = registry.name("a:1");
    registry.faults().always_401 = true;
    for credential in [Credential::anonymous(), basic("u", "p")] {
        registry.forget();
        let repository = registries().repository(&name, Access::Pull, credential).unwrap();
        let text = format!("pull access denied for {}/a, repository does not exist", registry.host());
        fails(repository.resolve(&name).await, Kind::Unauthenticated, &text);
        assert!(registry.seen().len() <= 8, "{:?}", registry.seen().len());
    }
}

#[tokio::test]
async fn redirects_in_circles_end() {
    let registry = Registry::start();
    let blob = registry.put_blob("a", &MediaType::OCI_LAYER, "0123456789");
    registry.faults().redirect_blobs = Some(format!("{}/v2/a/blobs/{}?", registry.url(), blob.digest));
    fails(read(&pulling(&registry.name("a")), &blob, 0).await, Kind::Unavailable, "redirects more than");
}

#[tokio::test]
async fn tokens_that_are_no_tokens_do_no_harm() {
    let registry = Registry::start();
    let name = registry.name("a:1");
    registry.put_image("a", Some("1"), &[]);
    registry.faults().token_anonymous = true;
    for body in
        ["", "[]", "null", "{}", r#"{"token":""}"#, r#"{"token":"a\r\nHost: b"}"#, r#"{"token":"\u0001"}"#, "[[[["]
    {
        registry.faults().token_body = Some(body.to_owned());
        let error = pulling(&name).resolve(&name).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Unavailable | Kind::Unauthenticated), "{body:?}: {error:?}");
    }
}

//! Writing to registries.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use loadline::domain::error::Error;
use loadline::domain::{Descriptor, Digest, Kind, MediaType, Reference};
use loadline::registry::{Access, BlobStream, Credential, Mounted, Registries, Repository, Settings, Timeouts};

use super::{basic, fails, quick, registries};
use crate::support::registry::Registry;

fn pushing(name: &Reference, credential: Credential) -> Repository {
    registries().repository(name, Access::Push, credential).unwrap()
}

fn blob(bytes: &[u8]) -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER, Digest::of(bytes), bytes.len() as u64)
}

/// Opens bytes at an offset, in pieces.
fn opening(bytes: Vec<u8>) -> impl Fn(u64) -> BlobStream + Send + Sync {
    move |offset| {
        let pieces: Vec<_> =
            bytes[offset as usize..].chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        futures_util::stream::iter(pieces).boxed()
    }
}

#[tokio::test]
async fn a_blob_is_sent_at_once_or_in_chunks() {
    let registry = Registry::start();
    let repository = pushing(&registry.name("a"), Credential::anonymous());
    let content: Vec<u8> = (0..40_000_000u32).map(|n| n as u8).collect();
    for (monolithic, method) in [(true, "PUT"), (false, "PATCH")] {
        registry.faults().no_monolithic = !monolithic;
        let mut content = content.clone();
        content[0] = monolithic.into();
        let descriptor = blob(&content);
        assert!(!repository.exists(&descriptor.digest).await.unwrap());
        repository.upload(&descriptor, None, opening(content.clone())).await.unwrap();
        assert!(repository.exists(&descriptor.digest).await.unwrap());
        assert_eq!(registry.blob("a", &descriptor.digest).unwrap(), content);
        assert!(registry.count(method, "/blobs/uploads/") > 0);
    }
    let nothing = blob(b"");
    repository.upload(&nothing, None, opening(Vec::new())).await.unwrap();
    assert!(registry.blob("a", &nothing.digest).is_some());
}

#[tokio::test]
async fn writing_needs_the_right_scope_and_survives_failures() {
    let registry = Registry::start();
    registry.faults().token_user = Some(("u".into(), "p".into()));
    let name = registry.name("a");
    let repository = pushing(&name, basic("u", "p"));
    let content = vec![3u8; 50_000];
    let descriptor = blob(&content);
    assert!(!repository.exists(&descriptor.digest).await.unwrap());
    registry.faults().unavailable = 2;
    repository.upload(&descriptor, None, opening(content)).await.unwrap();
    // Through `oci-client` now, for there is a token.
    assert!(repository.exists(&descriptor.digest).await.unwrap());
    assert!(!repository.exists(&Digest::of(b"other")).await.unwrap());
    assert!(registry.seen().iter().any(|seen| seen.target.contains("scope=repository%3Aa%3Apull%2Cpush")));
    let other = pushing(&name, Credential::anonymous());
    let refused = other.upload(&descriptor, None, opening(vec![3u8; 50_000])).await;
    fails(refused, Kind::Unauthenticated, "");
}

#[tokio::test]
async fn a_blob_is_mounted_or_the_upload_that_was_opened_is_used() {
    let registry = Registry::start();
    let layer = registry.put_blob("from", &MediaType::OCI_LAYER, "layer");
    let repository = pushing(&registry.name("to"), Credential::anonymous());
    let from = registry.name("from");
    assert!(matches!(repository.mount(&layer.digest, &from).await.unwrap(), Mounted::Yes));
    assert!(registry.blob("to", &layer.digest).is_some());
    registry.faults().no_mount = true;
    let Mounted::No(Some(session)) = repository.mount(&Digest::of(b"x"), &from).await.unwrap() else {
        panic!("no upload was opened");
    };
    registry.forget();
    repository.upload(&blob(b"x"), Some(session), opening(b"x".to_vec())).await.unwrap();
    assert_eq!(registry.count("POST", "/blobs/uploads/"), 0);
    let elsewhere = "reg.example/from".parse().unwrap();
    assert!(matches!(repository.mount(&layer.digest, &elsewhere).await.unwrap(), Mounted::No(None)));
}

#[tokio::test]
async fn an_upload_elsewhere_carries_no_credential() {
    let (registry, stranger) = (Registry::start(), Registry::start());
    registry.faults().token_user = Some(("u".into(), "p".into()));
    registry.faults().upload_elsewhere = Some(stranger.url());
    let repository = pushing(&registry.name("a"), basic("u", "p"));
    repository.upload(&blob(b"content"), None, opening(b"content".to_vec())).await.unwrap();
    assert_eq!(stranger.count("PUT", "/elsewhere/"), 1);
    assert!(!stranger.was_told_a_secret());
    registry.faults().upload_elsewhere = Some("http://storage.example".to_owned());
    let refused = repository.upload(&blob(b"content"), None, opening(b"content".to_vec())).await;
    fails(refused, Kind::PermissionDenied, "not encrypted");
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    let registry = Registry::start();
    let timeouts = Timeouts { answer: Duration::from_millis(300), ..quick().timeouts };
    let registries = Registries::new(Settings { timeouts, ..quick() }).unwrap();
    let repository = registries.repository(&registry.name("a"), Access::Push, Credential::anonymous()).unwrap();
    registry.faults().stall_uploads = true;
    let content = vec![7u8; 20_000_000];
    let start = Instant::now();
    let stalled = repository.upload(&blob(&content), None, opening(content.clone())).await;
    fails(stalled, Kind::Unavailable, "/v2/a/blobs/uploads/");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    // Although the registry never takes the rest, its connections do not stay open.
    while connections_full(registry.address.port()) > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(start.elapsed() < Duration::from_secs(30), "connections stay open");
    }
}

/// How many connections to a port hold bytes that the other side does not take.
fn connections_full(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[2].ends_with(&format!(":{port:04X}")) && !row[4].starts_with("00000000")).count()
}

#[tokio::test]
async fn what_the_source_fails_with_is_what_the_upload_fails_with() {
    let registry = Registry::start();
    let repository = pushing(&registry.name("a"), Credential::anonymous());
    let broken = |_| {
        let pieces = [Ok(Bytes::from_static(b"con")), Err(Error::new(Kind::DataLoss, "the blob is damaged"))];
        futures_util::stream::iter(pieces).boxed()
    };
    fails(repository.upload(&blob(b"content"), None, broken).await, Kind::DataLoss, "damaged");
    // Bytes that are not the blob's are refused by the registry.
    let refused = repository.upload(&blob(b"content"), None, opening(b"CONTENT".to_vec())).await;
    fails(refused, Kind::InvalidArgument, "digest invalid");
}

#[tokio::test]
async fn a_manifest_is_stored_under_a_tag_and_checked() {
    let registry = Registry::start();
    let image = registry.put_image("a", None, &[]);
    let (_, bytes) = registry.manifest("a", &image.digest.to_string()).unwrap();
    let repository = pushing(&registry.name("b"), Credential::anonymous());
    for reference in ["1.0", &image.digest.to_string()] {
        let stored = repository.put_manifest(reference, &image.media_type, bytes.clone()).await.unwrap();
        assert_eq!(stored, image.digest);
        assert_eq!(registry.manifest("b", reference).unwrap(), (image.media_type.to_string(), bytes.clone()));
    }
    let other = Digest::of(b"other").to_string();
    for reference in ["../x", "a b", "", &other, "sha256:zz"] {
        let refused = repository.put_manifest(reference, &image.media_type, bytes.clone()).await;
        fails(refused, Kind::InvalidArgument, "");
    }
    registry.faults().digest_header = Some(other);
    let stored = repository.put_manifest("1.0", &image.media_type, bytes).await;
    fails(stored, Kind::DataLoss, "in place of");
}

//! Blobs come in, and are read.

use std::sync::Arc;

use super::fixture::Fixture;
use super::steps::{is_here, place, read_blob, request, stage};
use crate::domain::digest::Algorithm;
use crate::domain::{Digest, Kind, Result};
use crate::store::{BlobStore, Ingest, IngestRequest, MIN_PARTIAL};

pub(super) async fn a_blob_is_seen_once_it_is_placed(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let digest = Digest::of(b"first blob");
    let staged = stage(&*blobs, b"first blob").await?;
    assert_eq!((&staged.digest, staged.size), (&digest, 10));
    assert!(!is_here(&*blobs, &digest).await?);
    let before = staged.open().await?;
    let mut bytes = [0; 4];
    assert_eq!((before.size(), before.read_at(&mut bytes, 6).await?, &bytes), (10, 4, b"blob"));
    blobs.place(vec![staged]).await?;
    assert!(is_here(&*blobs, &digest).await?);
    assert_eq!(read_blob(&*blobs, &digest).await?, b"first blob");
    // What is at hand is right; there may be nothing at hand.
    let mut ready = [0; 4];
    let read = blobs.open_ready(&digest).map_or(0, |blob| blob.read_ready(&mut ready, 6));
    assert_eq!(ready[..read], b"blob"[..read]);
    Ok(())
}

pub(super) async fn a_blob_is_placed_again(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let digest = place(&*blobs, b"again").await?;
    place(&*blobs, b"again").await?;
    assert_eq!(read_blob(&*blobs, &digest).await?, b"again");
    // Twice in one call, and dropped without being placed.
    blobs.place(vec![stage(&*blobs, b"again").await?, stage(&*blobs, b"again").await?]).await?;
    drop(stage(&*blobs, b"again").await?);
    assert_eq!(read_blob(&*blobs, &digest).await?, b"again");
    blobs.place(Vec::new()).await
}

pub(super) async fn a_wrong_digest_is_refused(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let mut ingest = blobs.ingest(request(&Digest::of(b"right"))).await?;
    ingest.write(b"wrong").await?;
    let refused = ingest.finish().await;
    assert_eq!(refused.err().map(|error| error.kind()), Some(Kind::InvalidArgument));
    assert!(!is_here(&*blobs, &Digest::of(b"wrong")).await? && !is_here(&*blobs, &Digest::of(b"right")).await?);
    assert!(blobs.ingests().is_empty());
    Ok(())
}

pub(super) async fn both_algorithms_are_served(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let long = Digest::compute(Algorithm::Sha512, b"content");
    for expected in [Some(long.clone()), None] {
        let mut ingest = blobs.ingest(IngestRequest { expected, ..IngestRequest::default() }).await?;
        ingest.write(b"content").await?;
        blobs.place(vec![ingest.finish().await?]).await?;
    }
    assert_eq!(read_blob(&*blobs, &long).await?, b"content");
    assert_eq!(read_blob(&*blobs, &Digest::of(b"content")).await?, b"content", "SHA-256 where nothing is expected");
    Ok(())
}

pub(super) async fn an_empty_blob_is_one(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let digest = place(&*blobs, b"").await?;
    assert_eq!(read_blob(&*blobs, &digest).await?, b"");
    Ok(())
}

pub(super) async fn many_blobs_are_placed_at_once(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let contents: Vec<String> = (0..100).map(|number| format!("blob number {number}")).collect();
    let mut staged = Vec::new();
    for content in &contents {
        staged.push(stage(&*blobs, content.as_bytes()).await?);
    }
    blobs.place(staged).await?;
    for content in &contents {
        assert_eq!(read_blob(&*blobs, &Digest::of(content.as_bytes())).await?, content.as_bytes());
    }
    Ok(())
}

pub(super) async fn ingests_are_listed_while_they_are_written(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    assert!(blobs.ingests().is_empty());
    let expected = Some(Digest::of(b"123456789"));
    let asked =
        IngestRequest { reference: "layer one".to_owned(), total: 9, expected: expected.clone(), resume: false };
    let mut ingest = blobs.ingest(asked.clone()).await?;
    ingest.write(b"12345").await?;
    let listed = blobs.ingests();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].reference.as_str(), listed[0].offset, listed[0].total), ("layer one", 5, 9));
    assert!(listed[0].expected == expected && listed[0].started_at <= listed[0].updated_at);
    let second = blobs.ingest(asked).await?;
    assert_eq!(blobs.ingests().len(), 2, "the reference need not be unique");
    drop(ingest);
    second.set_aside();
    assert!(blobs.ingests().is_empty(), "what was given up is not listed");
    let staged = stage(&*blobs, b"x").await?;
    assert!(blobs.ingests().is_empty(), "nor is what is complete");
    blobs.place(vec![staged]).await
}

/// Content that is worth to be kept in parts.
fn large() -> Vec<u8> {
    (0..3 * MIN_PARTIAL).map(|number| (number % 251) as u8).collect()
}

async fn resume(blobs: &dyn BlobStore, digest: &Digest, total: u64) -> Result<Box<dyn Ingest>> {
    blobs.ingest(IngestRequest { total, resume: true, ..request(digest) }).await
}

/// Begins a blob that nothing is kept of, and gives it up.
async fn begin(blobs: &dyn BlobStore, digest: &Digest, total: u64, bytes: &[u8]) -> Result<()> {
    let mut ingest = resume(blobs, digest, total).await?;
    assert_eq!(ingest.offset(), 0);
    ingest.write(bytes).await?;
    ingest.set_aside();
    assert!(blobs.ingests().is_empty());
    Ok(())
}

pub(super) async fn what_was_set_aside_is_resumed(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let content = large();
    let (digest, total) = (Digest::of(&content), content.len() as u64);
    let (first, rest) = content.split_at(content.len() / 2);
    begin(&*blobs, &digest, total, &first[..100]).await?; // too little to be kept
    begin(&*blobs, &digest, total, first).await?;
    let mut ingest = resume(&*blobs, &digest, total).await?;
    assert_eq!((ingest.offset(), blobs.ingests()[0].offset), (first.len() as u64, first.len() as u64));
    assert_eq!(resume(&*blobs, &digest, total).await?.offset(), 0, "one ingest goes on with it at a time");
    ingest.write(rest).await?;
    // As a whole it is kept as well, until it is wanted.
    ingest.finish().await?.set_aside();
    let ingest = resume(&*blobs, &digest, total).await?;
    assert_eq!(ingest.offset(), total);
    let staged = ingest.finish().await?;
    begin(&*blobs, &digest, total, first).await?; // somebody else gives up on the same blob
    blobs.place(vec![staged]).await?;
    assert_eq!(read_blob(&*blobs, &digest).await?, content);
    begin(&*blobs, &digest, total, first).await?; // nothing was kept of a blob that is placed
    assert_eq!(resume(&*blobs, &digest, 10).await?.offset(), 0, "what was kept is larger than the blob");
    Ok(())
}

pub(super) async fn partials_are_discarded(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let content = large();
    let (digest, total) = (Digest::of(&content), content.len() as u64);
    let (first, rest) = content.split_at(content.len() / 2);
    begin(&*blobs, &digest, total, &rest[1..]).await?;
    let mut wrong = resume(&*blobs, &digest, total).await?;
    wrong.write(rest).await?;
    assert!(wrong.finish().await.is_err(), "what was kept counts for the digest");
    begin(&*blobs, &digest, total, first).await?;
    let fresh = blobs.ingest(IngestRequest { total, ..request(&digest) }).await?;
    assert_eq!(fresh.offset(), 0, "who does not ask for it begins anew");
    drop(fresh);
    assert_eq!(blobs.discard_partials().await, first.len() as u64);
    assert_eq!(blobs.discard_partials().await, 0);
    begin(&*blobs, &digest, total, first).await?;
    let ingest = resume(&*blobs, &digest, total).await?;
    assert_eq!((ingest.offset(), blobs.discard_partials().await), (first.len() as u64, 0), "it is in use");
    Ok(())
}

//! What is durable is there when stores are opened again, whether they were closed or not.
//!
//! The order is always the same: a blob is placed, then recorded. So where a record is there, its blob is.

use std::sync::Arc;

use super::fixture::Fixture;
use super::steps::{Replica, ask, commit, is_here, naming, place, read_blob, remove, stage};
use crate::domain::{Digest, Result};
use crate::store::{BlobRecord, Changes, Commit, CommitOutcome, OperationId, Stores};

/// Places and records a blob.
async fn keep(stores: &Stores, bytes: &[u8]) -> Result<Digest> {
    let digest = place(&*stores.blobs, bytes).await?;
    let record = BlobRecord { size: bytes.len() as u64, created_at: 3 };
    commit(&*stores.metadata, Changes { blobs: vec![(digest.clone(), record)], ..Changes::default() }).await?;
    Ok(digest)
}

/// Fails unless each recorded blob is there.
async fn is_whole(stores: &Stores) -> Result<Replica> {
    let records = Replica::of(&*stores.metadata).await?;
    for (digest, record) in &records.blobs {
        let bytes = read_blob(&*stores.blobs, digest).await?;
        assert_eq!((Digest::of(&bytes), bytes.len() as u64), (digest.clone(), record.size));
    }
    Ok(records)
}

pub(super) async fn what_was_recorded_is_there_after_a_crash(fixture: Arc<dyn Fixture>) -> Result<()> {
    let mut stores = fixture.open().await?;
    let identity = stores.metadata.identity().to_owned();
    for round in 0..4 {
        for number in 0..5 {
            keep(&stores, format!("{round} {number}").as_bytes()).await?;
        }
        // Dropped from the records, and the blob is still there when the process ends.
        let gone = keep(&stores, b"gone").await?;
        stores.blobs.condemn(std::slice::from_ref(&gone)).await?;
        commit(&*stores.metadata, Changes { removed: vec![gone.clone()], ..Changes::default() }).await?;
        let expected =
            Replica { revision: commit(&*stores.metadata, naming("n", b"x")).await?, ..is_whole(&stores).await? };
        drop(stores);
        stores = fixture.open().await?;
        let found = is_whole(&stores).await?;
        assert!(found == expected && !found.blobs.contains_key(&gone));
        assert_eq!(found.blobs.len(), 5 * (round + 1));
        assert_eq!(stores.metadata.identity(), identity);
        assert!(*stores.metadata.watch().borrow() <= expected.revision);
    }
    Ok(())
}

pub(super) async fn what_was_only_staged_is_gone_after_a_crash(fixture: Arc<dyn Fixture>) -> Result<()> {
    let stores = fixture.open().await?;
    let kept = keep(&stores, b"kept").await?;
    let staged = stage(&*stores.blobs, b"staged").await?;
    let placed = place(&*stores.blobs, b"placed").await?;
    let mut ingest = stores.blobs.ingest(Default::default()).await?;
    ingest.write(b"half").await?;
    let before = Replica::of(&*stores.metadata).await?;
    drop((staged, ingest, stores));
    let stores = fixture.open().await?;
    assert!(stores.blobs.ingests().is_empty());
    assert!(!is_here(&*stores.blobs, &Digest::of(b"staged")).await?);
    assert!(!is_here(&*stores.blobs, &Digest::of(b"half")).await?);
    // What was placed and not recorded may be there or not; no record tells of it.
    assert_eq!(is_whole(&stores).await?, before);
    remove(&*stores.blobs, std::slice::from_ref(&placed)).await?;
    assert!(!is_here(&*stores.blobs, &placed).await? && is_here(&*stores.blobs, &kept).await?);
    keep(&stores, b"staged").await?;
    is_whole(&stores).await.map(drop)
}

pub(super) async fn what_was_closed_is_opened_again(fixture: Arc<dyn Fixture>) -> Result<()> {
    let stores = fixture.open().await?;
    let gone = keep(&stores, b"gone").await?;
    keep(&stores, b"kept").await?;
    commit(&*stores.metadata, Changes { removed: vec![gone.clone()], ..Changes::default() }).await?;
    stores.blobs.condemn(std::slice::from_ref(&gone)).await?;
    stores.blobs.close().await?;
    stores.metadata.close().await?;
    let before = Replica::of(&*stores.metadata).await?;
    drop(stores);
    let stores = fixture.open().await?;
    assert!(!stores.metadata.was_interrupted());
    assert_eq!(is_whole(&stores).await?, before);
    // A revision stands for one state, over all openings: what was decided on an older one is refused.
    let changes = Arc::new(naming("late", b"x"));
    let late = Commit { id: OperationId::random(), expected: before.revision, changes };
    assert_eq!(ask(&*stores.metadata, late.clone()).await?, CommitOutcome::Committed(before.revision.next()));
    let other = Commit { id: OperationId::random(), ..late };
    assert_eq!(ask(&*stores.metadata, other).await?, CommitOutcome::Conflict(before.revision.next()));
    Ok(())
}

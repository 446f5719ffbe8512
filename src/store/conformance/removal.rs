//! Blobs go, and come back.

use std::sync::Arc;

use super::fixture::Fixture;
use super::steps::{is_here, place, read_blob, remove, stage};
use crate::domain::{Digest, Result};

pub(super) async fn only_what_is_condemned_is_removed(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let (stays, goes) = (place(&*blobs, b"stays").await?, place(&*blobs, b"goes").await?);
    let (both, absent) = ([stays.clone(), goes.clone()], [Digest::of(b"was never here")]);
    blobs.remove(&both).await;
    assert!(is_here(&*blobs, &stays).await? && is_here(&*blobs, &goes).await?, "nothing was announced");
    blobs.condemn(&both).await?;
    assert!(is_here(&*blobs, &goes).await?, "announcing removes nothing");
    blobs.pardon(&both[..1]).await;
    blobs.remove(&both).await;
    assert!(is_here(&*blobs, &stays).await? && !is_here(&*blobs, &goes).await?);
    blobs.condemn(&both[..1]).await?;
    blobs.remove(&both[1..]).await;
    assert!(is_here(&*blobs, &stays).await?, "another was to be removed");
    blobs.pardon(&both).await;
    // What is not here is no failure.
    remove(&*blobs, &absent).await?;
    remove(&*blobs, &both).await?;
    remove(&*blobs, &both).await?;
    assert!(!is_here(&*blobs, &stays).await?);
    Ok(())
}

pub(super) async fn what_is_removed_may_come_back(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let (first, second) = (place(&*blobs, b"comes back").await?, place(&*blobs, b"stays away").await?);
    let removed = [first.clone(), second.clone()];
    for _ in 0..3 {
        blobs.condemn(&removed).await?;
        place(&*blobs, b"comes back").await?;
        blobs.remove(&removed).await;
        assert!(!is_here(&*blobs, &second).await?);
        assert_eq!(read_blob(&*blobs, &first).await?, b"comes back", "what was there before was to be removed");
        // What was announced holds for one removal.
        blobs.remove(&removed).await;
        assert_eq!(read_blob(&*blobs, &first).await?, b"comes back");
        place(&*blobs, b"stays away").await?;
    }
    // Staged before the announcement and placed after it, as a whole.
    let staged = stage(&*blobs, b"comes back").await?;
    blobs.condemn(&removed).await?;
    blobs.place(vec![staged]).await?;
    blobs.remove(&removed).await;
    assert_eq!(read_blob(&*blobs, &first).await?, b"comes back");
    remove(&*blobs, &removed).await?;
    assert!(!is_here(&*blobs, &first).await?);
    place(&*blobs, b"comes back").await?;
    assert_eq!(read_blob(&*blobs, &first).await?, b"comes back");
    Ok(())
}

pub(super) async fn an_open_blob_outlives_its_removal(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let digest = place(&*blobs, b"index").await?;
    let open = blobs.open(&digest).await?;
    remove(&*blobs, std::slice::from_ref(&digest)).await?;
    assert!(!is_here(&*blobs, &digest).await?);
    let mut bytes = [0; 5];
    assert_eq!((open.size(), open.read_at(&mut bytes, 0).await?, &bytes), (5, 5, b"index"));
    place(&*blobs, b"index").await?;
    assert_eq!((open.read_at(&mut bytes, 1).await?, &bytes[..4]), (4, b"ndex".as_slice()));
    Ok(())
}

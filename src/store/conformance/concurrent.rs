//! Several use one store at the same time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::task::JoinSet;

use super::fixture::Fixture;
use super::steps::{Replica, ask, commit, name, naming, newest, place, read_blob, stage};
use crate::domain::{Digest, Error, Result};
use crate::store::{Commit, CommitOutcome, OperationId, Revision};

/// How many do the same.
const MANY: u32 = 8;

/// How often each does it.
const ROUNDS: u32 = 20;

/// Waits for tasks that were started.
async fn all<T: 'static>(mut tasks: JoinSet<Result<T>>) -> Result<Vec<T>> {
    let mut done = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(result) => done.push(result?),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => return Err(Error::internal("a task was stopped", error)),
        }
    }
    Ok(done)
}

pub(super) async fn one_commit_wins_each_revision(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let first = newest(&*metadata).await?;
    let mut tasks = JoinSet::new();
    for task in 0..MANY {
        let metadata = metadata.clone();
        tasks.spawn(async move {
            let (mut won, mut expected) = (Vec::new(), first);
            while won.len() < ROUNDS as usize {
                let changes = naming(&format!("{task} {}", won.len()), &expected.0.to_le_bytes());
                let operation = Commit { id: OperationId::random(), expected, changes: Arc::new(changes) };
                expected = match ask(&*metadata, operation).await? {
                    CommitOutcome::Committed(revision) => {
                        assert_eq!(revision, expected.next());
                        won.push(revision);
                        revision
                    }
                    CommitOutcome::Conflict(newer) => {
                        assert!(newer > expected);
                        newer
                    }
                };
            }
            Ok(won)
        });
    }
    let won: Vec<Revision> = all(tasks).await?.concat();
    let total = MANY * ROUNDS;
    let revisions: HashSet<Revision> = won.iter().copied().collect();
    assert_eq!((won.len(), revisions.len()), (total as usize, total as usize), "two won one revision");
    let replica = Replica::of(&*metadata).await?;
    assert_eq!(replica.revision, Revision(first.0 + u64::from(total)));
    // Each name was decided on the revision that it was committed on.
    let decided: HashSet<Digest> = replica.names.values().map(|record| record.target.digest.clone()).collect();
    let expected = won.iter().map(|revision| name(&(revision.0 - 1).to_le_bytes()).target.digest);
    assert_eq!(decided, expected.collect());
    Ok(())
}

pub(super) async fn a_watch_comes_to_the_newest_revision(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let last = Revision(newest(&*metadata).await?.0 + u64::from(MANY * ROUNDS));
    let mut watchers = JoinSet::new();
    for _ in 0..2 {
        let (mut watch, metadata) = (metadata.watch(), metadata.clone());
        watchers.spawn(async move {
            let (mut seen, mut replica) = (*watch.borrow_and_update(), Replica::default());
            while seen < last {
                let changed = watch.changed().await;
                changed.map_err(|gone| Error::internal("the watch ended", gone))?;
                let newer = *watch.borrow_and_update();
                assert!(newer >= seen && newer <= last, "{newer:?} after {seen:?}");
                seen = newer;
                // What is told of can be read.
                replica.follow(&*metadata).await?;
                assert!(replica.revision >= seen, "{:?} is told of, and {:?} is read", seen, replica.revision);
            }
            Ok(replica)
        });
    }
    let mut writers = JoinSet::new();
    for writer in 0..MANY {
        let metadata = metadata.clone();
        writers.spawn(async move {
            for round in 0..ROUNDS {
                commit(&*metadata, naming(&writer.to_string(), &round.to_le_bytes())).await?;
            }
            Ok(())
        });
    }
    all(writers).await?;
    let followed = tokio::time::timeout(Duration::from_secs(20), all(watchers)).await;
    let followed =
        followed.map_err(|late| Error::internal("the watch did not come to the newest revision", late))??;
    let expected = Replica::of(&*metadata).await?;
    assert!(expected.revision == last && followed.iter().all(|replica| *replica == expected));
    assert_eq!(*metadata.watch().borrow(), last, "whoever begins to watch now");
    Ok(())
}

pub(super) async fn ingests_run_side_by_side(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let content = |task: u32| -> Vec<u8> { (0..200_000u32).map(|n| (n.wrapping_mul(task + 3) % 253) as u8).collect() };
    let mut tasks = JoinSet::new();
    for task in 0..MANY {
        let blobs = blobs.clone();
        // Two write the same.
        tasks.spawn(async move { place(&*blobs, &content(task / 2)).await });
    }
    for digest in all(tasks).await? {
        assert_eq!(Digest::of(&read_blob(&*blobs, &digest).await?), digest);
    }
    assert!(blobs.ingests().is_empty());
    Ok(())
}

pub(super) async fn a_blob_is_placed_by_many(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let digest = Digest::of(b"wanted by all");
    for _ in 0..ROUNDS {
        try_join_all((0..MANY).map(|_| place(&*blobs, b"wanted by all"))).await?;
        assert_eq!(read_blob(&*blobs, &digest).await?, b"wanted by all");
        let removed = [digest.clone()];
        blobs.condemn(&removed).await?;
        join_all((0..MANY).map(|_| blobs.remove(&removed))).await;
        assert!(blobs.open(&digest).await.is_err());
    }
    Ok(())
}

pub(super) async fn a_removal_spares_what_was_placed_after_it_was_announced(fixture: Arc<dyn Fixture>) -> Result<()> {
    let blobs = fixture.open().await?.blobs;
    let digest = place(&*blobs, b"comes back").await?;
    for round in 0..ROUNDS * 5 {
        let staged = stage(&*blobs, b"comes back").await?;
        blobs.condemn(std::slice::from_ref(&digest)).await?;
        let (removing, removed) = (blobs.clone(), digest.clone());
        let removal = tokio::spawn(async move { removing.remove(&[removed]).await });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        blobs.place(vec![staged]).await?;
        // It is durable now, whether the removal has run or not.
        assert_eq!(read_blob(&*blobs, &digest).await?, b"comes back", "round {round}");
        removal.await.map_err(|stopped| Error::internal("the removal was stopped", stopped))?;
        assert_eq!(read_blob(&*blobs, &digest).await?, b"comes back", "round {round}, after the removal");
    }
    Ok(())
}

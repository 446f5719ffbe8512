//! Leases hold content, and end.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::Fixture;
use crate::domain::{Digest, Kind, Result};
use crate::store::{HeldLease, LeaseId, LeaseStore};

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(600);

/// Short, and still longer than a busy machine takes between two calls.
const SHORT: Duration = Duration::from_millis(600);

fn digests() -> [Digest; 3] {
    let mut digests = [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes));
    digests.sort();
    digests
}

fn kind<T>(result: Result<T>) -> Option<Kind> {
    result.err().map(|error| error.kind())
}

async fn content(leases: &dyn LeaseStore, id: &LeaseId) -> Result<Option<Vec<Digest>>> {
    let all = leases.list().await?;
    Ok(all.into_iter().find(|lease| lease.id == *id).map(|lease| lease.content))
}

pub(super) async fn a_lease_holds_what_it_was_told(fixture: Arc<dyn Fixture>) -> Result<()> {
    let leases = fixture.open().await?.leases;
    let ([a, b, c], id) = (digests(), LeaseId("one".to_owned()));
    leases.create(id.clone(), LONG).await?;
    assert_eq!(content(&*leases, &id).await?, Some(Vec::new()));
    leases.update(&id, &[c.clone(), a.clone(), c.clone()], &[]).await?;
    leases.update(&id, from_ref(&b), from_ref(&c)).await?;
    leases.update(&id, &[], &[Digest::of(b"not held")]).await?;
    // What is let go and added by one call is held.
    leases.update(&id, from_ref(&a), from_ref(&a)).await?;
    assert_eq!(content(&*leases, &id).await?, Some(vec![a.clone(), b.clone()]));
    let other = LeaseId("another".to_owned());
    leases.create(other.clone(), LONG).await?;
    leases.update(&other, from_ref(&a), &[]).await?;
    let listed = leases.list().await?;
    let held = |id: &LeaseId, content: &[Digest]| HeldLease { id: id.clone(), content: content.to_vec() };
    assert_eq!(listed, [held(&other, from_ref(&a)), held(&id, &[a.clone(), b.clone()])]);
    leases.delete(&id).await?;
    leases.delete(&id).await?;
    assert_eq!(leases.list().await?, [held(&other, &[a])]);
    leases.delete(&other).await
}

pub(super) async fn there_is_one_lease_of_an_id(fixture: Arc<dyn Fixture>) -> Result<()> {
    let leases = fixture.open().await?.leases;
    let ([a, ..], id) = (digests(), LeaseId::random());
    assert_eq!(kind(leases.update(&id, &[], &[]).await), Some(Kind::NotFound));
    assert_eq!(kind(leases.renew(&id).await), Some(Kind::NotFound));
    leases.create(id.clone(), LONG).await?;
    leases.update(&id, from_ref(&a), &[]).await?;
    assert_eq!(kind(leases.create(id.clone(), LONG).await), Some(Kind::Conflict));
    assert_eq!(content(&*leases, &id).await?, Some(vec![a]), "it is what it was");
    leases.delete(&id).await?;
    assert_eq!(kind(leases.renew(&id).await), Some(Kind::NotFound));
    leases.create(id.clone(), LONG).await?;
    assert_eq!(content(&*leases, &id).await?, Some(Vec::new()), "it begins anew");
    Ok(())
}

pub(super) async fn a_lease_ends_by_itself(fixture: Arc<dyn Fixture>) -> Result<()> {
    let leases = fixture.open().await?.leases;
    let ([a, ..], id, longer) = (digests(), LeaseId::random(), LeaseId::random());
    leases.create(id.clone(), SHORT).await?;
    leases.create(longer.clone(), LONG).await?;
    leases.update(&id, from_ref(&a), &[]).await?;
    tokio::time::sleep(SHORT + SHORT / 4).await;
    assert_eq!(content(&*leases, &id).await?, None);
    assert!(content(&*leases, &longer).await?.is_some());
    assert_eq!(kind(leases.update(&id, &[], &[]).await), Some(Kind::NotFound));
    assert_eq!(kind(leases.renew(&id).await), Some(Kind::NotFound));
    leases.create(id.clone(), LONG).await?;
    assert_eq!(content(&*leases, &id).await?, Some(Vec::new()), "what it held before is not held any more");
    Ok(())
}

pub(super) async fn a_lease_is_renewed(fixture: Arc<dyn Fixture>) -> Result<()> {
    let leases = fixture.open().await?.leases;
    let ([a, ..], id) = (digests(), LeaseId::random());
    leases.create(id.clone(), SHORT).await?;
    leases.update(&id, from_ref(&a), &[]).await?;
    for _ in 0..4 {
        tokio::time::sleep(SHORT / 3).await;
        leases.renew(&id).await?;
    }
    assert_eq!(content(&*leases, &id).await?, Some(vec![a]));
    tokio::time::sleep(SHORT + SHORT / 4).await;
    assert_eq!(content(&*leases, &id).await?, None, "the last renewal was for its time to live");
    Ok(())
}

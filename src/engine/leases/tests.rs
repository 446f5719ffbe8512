use futures_util::future::BoxFuture;

use super::*;
use crate::domain::Error;
use crate::store::{HeldLease, MemoryStore};

fn leases() -> Leases {
    Leases::new(MemoryStore::open().leases)
}

fn digests() -> [Digest; 3] {
    [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes))
}

async fn is_released(leases: &Leases) -> bool {
    tokio::time::timeout(Duration::from_millis(1), leases.released()).await.is_ok()
}

#[test]
fn a_blob_is_held_until_its_last_lease_ends() {
    let (leases, [blob, ..]) = (leases(), digests());
    let (one, two) = (leases.acquire(), leases.acquire());
    assert!(one.hold(&blob) && one.hold(&blob) && two.hold(&blob));
    drop(one);
    assert!(leases.holds(&blob));
    drop(two);
    assert!(leases.held().is_empty());
}

#[tokio::test]
async fn what_was_left_for_a_lease_is_looked_at_when_it_ends() {
    let (leases, [held, under, free]) = (leases(), digests());
    let lease = leases.acquire();
    lease.hold_in_advance(&held);
    leases.postpone(vec![held.clone(), under], &HashSet::new());
    leases.acquire().hold_in_advance(&free);
    assert!(!is_released(&leases).await);
    drop(lease);
    assert!(is_released(&leases).await);
    assert_eq!((leases.take_postponed().len(), leases.take_postponed().len()), (2, 0));
    // Where the lease ended before this was noted, there is no later end to wait for.
    leases.postpone(vec![held], &HashSet::new());
    assert!(is_released(&leases).await);
}

#[test]
fn who_comes_too_late_learns_it() {
    let (leases, [held, free, other]) = (leases(), digests());
    let lease = leases.acquire();
    assert!(lease.hold(&held));
    assert_eq!(leases.condemn(vec![held.clone(), free.clone()]), std::slice::from_ref(&free));
    assert_eq!(leases.condemn_free(vec![held.clone(), other.clone()]), std::slice::from_ref(&other));
    assert!(!leases.acquire().hold(&free) && !leases.acquire().hold(&other));
    leases.pardon();
    assert!(leases.acquire().hold(&free));
    assert_eq!(leases.take_postponed(), [held]);
}

#[tokio::test(start_paused = true)]
async fn other_engines_know_what_is_held() {
    let stores = MemoryStore::open();
    let (mine, other) = (Leases::new(stores.leases.clone()), Leases::new(stores.leases.clone()));
    let [first, second, _] = digests();
    let (one, two) = (mine.acquire(), mine.acquire());
    one.hold_in_advance(&first);
    two.hold_in_advance(&second);
    assert!(other.held_elsewhere().await.unwrap().is_empty(), "nothing was told yet");
    mine.flush().await.unwrap();
    assert_eq!(other.held_elsewhere().await.unwrap(), [first.clone(), second.clone()].into());
    assert!(mine.held_elsewhere().await.unwrap().is_empty(), "its own are no obstacle");
    drop(one);
    mine.flush().await.unwrap();
    assert_eq!(other.held_elsewhere().await.unwrap(), [second.clone()].into());
    // A lease that has expired is made anew with everything that is held.
    tokio::time::advance(TTL * 2).await;
    assert!(other.held_elsewhere().await.unwrap().is_empty());
    two.hold_in_advance(&first);
    mine.flush().await.unwrap();
    assert_eq!(other.held_elsewhere().await.unwrap(), [first, second].into());
    mine.end().await.unwrap();
    assert!(other.held_elsewhere().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_lives_as_long_as_its_engine() {
    let stores = MemoryStore::open();
    let (mine, other) = (Leases::new(stores.leases.clone()), Leases::new(stores.leases.clone()));
    mine.start_renewal();
    let lease = mine.acquire();
    lease.hold_in_advance(&digests()[0]);
    mine.flush().await.unwrap();
    tokio::time::sleep(TTL * 5).await;
    assert_eq!(other.held_elsewhere().await.unwrap().len(), 1);
    let second = mine.acquire();
    second.hold_in_advance(&digests()[1]);
    mine.flush().await.unwrap();
    drop(second);
    tokio::time::sleep(LINGER * 2).await;
    assert_eq!(other.held_elsewhere().await.unwrap().len(), 1, "others soon know what was let go");
    drop((lease, mine));
    tokio::time::sleep(TTL * 2).await;
    assert!(other.held_elsewhere().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_another_engine_holds_is_looked_at_later() {
    let (leases, [held, under, _]) = (leases(), digests());
    let look = |wait| tokio::time::timeout(wait, leases.released());
    assert!(look(LOOK_AGAIN * 10).await.is_err(), "nothing was postponed");
    leases.postpone(vec![held.clone(), under], &[held].into());
    assert!(look(LOOK_AGAIN / 2).await.is_err());
    assert!(look(LOOK_AGAIN * 2).await.is_ok());
}

/// A store whose next update fails.
struct Failing(Arc<dyn LeaseStore>, std::sync::atomic::AtomicBool);

impl LeaseStore for Failing {
    fn is_shared(&self) -> bool {
        true
    }

    fn create(&self, id: LeaseId, ttl: Duration) -> BoxFuture<'_, Result<()>> {
        self.0.create(id, ttl)
    }

    fn update<'a>(&'a self, id: &'a LeaseId, add: &'a [Digest], drop: &'a [Digest]) -> BoxFuture<'a, Result<()>> {
        match self.1.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => Box::pin(async { Err(Error::new(Kind::Unavailable, "not now")) }),
            false => self.0.update(id, add, drop),
        }
    }

    fn renew<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>> {
        self.0.renew(id)
    }

    fn delete<'a>(&'a self, id: &'a LeaseId) -> BoxFuture<'a, Result<()>> {
        self.0.delete(id)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<HeldLease>>> {
        self.0.list()
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_told_is_told_later() {
    let store = Arc::new(Failing(MemoryStore::open().leases, false.into()));
    let (mine, other) = (Leases::new(store.clone()), Leases::new(store.clone()));
    let fail = || store.1.store(true, std::sync::atomic::Ordering::Relaxed);
    let [first, second, _] = digests();
    let lease = mine.acquire();
    lease.hold_in_advance(&first);
    fail();
    assert!(mine.flush().await.is_err());
    mine.flush().await.unwrap();
    assert_eq!(other.held_elsewhere().await.unwrap(), [first.clone()].into());
    // The lease has expired; the one in its place is made and not filled at first.
    tokio::time::advance(TTL * 2).await;
    lease.hold_in_advance(&second);
    mine.renew().await.unwrap();
    fail();
    assert!(mine.flush().await.is_err());
    mine.flush().await.unwrap();
    assert_eq!(other.held_elsewhere().await.unwrap(), [first, second].into());
}

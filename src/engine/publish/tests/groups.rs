//! Changes that wait are committed together, and only where none depends on another.

use std::pin::Pin;
use std::task::Poll;

use tokio::sync::{Semaphore, mpsc, watch};

use super::*;
use crate::domain::Kind;
use crate::engine::RemoveOptions;
use crate::store::{Commit, CommitOutcome, MetadataStore, Records, Revision};

/// Records whose commits wait until the test lets them go on, and fail where they set a name that there is no room for.
struct SlowRecords {
    inner: Arc<dyn MetadataStore>,
    /// One permit for each commit.
    may_commit: Semaphore,
    /// The names that each commit was to set, in the order of the commits.
    commits: Mutex<Vec<Vec<String>>>,
    begun: mpsc::UnboundedSender<()>,
}

/// Commits that set a name with this text fail.
const NO_ROOM: &str = "no-room";

impl MetadataStore for SlowRecords {
    fn identity(&self) -> &str {
        self.inner.identity()
    }

    fn read(&self, since: Option<Revision>) -> BoxFuture<'_, Result<Records>> {
        self.inner.read(since)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome>> {
        Box::pin(async move {
            let names: Vec<String> = commit.changes.names.iter().map(|(name, _)| name.clone()).collect();
            let has_room = !names.iter().any(|name| name.contains(NO_ROOM));
            self.commits.lock().push(names);
            let _ = self.begun.send(());
            self.may_commit.acquire().await.unwrap().forget();
            match has_room {
                true => self.inner.commit(commit).await,
                false => Err(Error::new(Kind::ResourceExhausted, "no room")),
            }
        })
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.inner.watch()
    }
}

/// An engine with images that have one name each, `image/0:1` and so on, whose next commits wait.
struct Slow {
    engine: Engine,
    records: Arc<SlowRecords>,
    begun: mpsc::UnboundedReceiver<()>,
}

type Waiting = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

impl Slow {
    async fn start() -> Self {
        let mut stores = MemoryStore::open();
        let (sender, begun) = mpsc::unbounded_channel();
        let records = Arc::new(SlowRecords {
            inner: stores.metadata,
            may_commit: Semaphore::new(1),
            commits: Mutex::default(),
            begun: sender,
        });
        stores.metadata = records.clone();
        let engine = Engine::with_stores(settings(vec![Arc::new(AdmitAll)]), stores).await.unwrap();
        let images: Vec<String> = (0..10).map(|number| format!("image/{number}:1")).collect();
        let names: Vec<[&str; 1]> = images.iter().map(|name| [name.as_str()]).collect();
        let contents: Vec<String> = (0..10).map(|number| format!("content-{number}")).collect();
        let archive: Vec<(&[&str], &str)> =
            names.iter().zip(&contents).map(|(names, content)| (names.as_slice(), content.as_str())).collect();
        load(&engine, docker_archive(&archive)).await.unwrap();
        records.commits.lock().clear();
        let mut slow = Self { engine, records, begun };
        slow.begins().await;
        slow
    }

    /// Waits until a commit has begun.
    async fn begins(&mut self) {
        self.begun.recv().await.unwrap();
    }

    /// Lets this commit and all further ones go on.
    fn go_on(&self) {
        self.records.may_commit.add_permits(1000);
    }

    /// A tag that the writer knows of when this returns, if it has nothing else to do.
    async fn tag(&self, image: &str, name: &str) -> Waiting {
        let (engine, image, name) = (self.engine.clone(), image.to_owned(), name.to_owned());
        handed_in(Box::pin(async move { tag(&engine, &image, &name).await })).await
    }

    /// The same for a removal.
    async fn remove(&self, image: &str) -> Waiting {
        let (engine, image) = (self.engine.clone(), image.to_owned());
        let remove = async move { engine.remove(&called(&image), RemoveOptions::default()).await.map(drop) };
        handed_in(Box::pin(remove)).await
    }

    /// How many names each commit was to set.
    fn sizes(&self) -> Vec<usize> {
        self.records.commits.lock().iter().map(Vec::len).collect()
    }
}

/// Polls a change once. All that comes before the writer's answer is ready in a store in memory.
async fn handed_in(mut change: Waiting) -> Waiting {
    let polled = std::future::poll_fn(|context| Poll::Ready(change.as_mut().poll(context))).await;
    assert!(polled.is_pending(), "a change was made before its commit");
    change
}

#[tokio::test]
async fn changes_that_wait_for_a_commit_are_committed_together() {
    let mut slow = Slow::start().await;
    let first = slow.tag("image/0:1", "new/0:1").await;
    slow.begins().await;
    let mut waiting = Vec::new();
    for number in 1..10 {
        waiting.push(slow.tag(&format!("image/{number}:1"), &format!("new/{number}:1")).await);
    }
    slow.go_on();
    first.await.unwrap();
    for change in waiting {
        change.await.unwrap();
    }
    assert_eq!(slow.sizes(), [1, 9]);
    for number in 0..10 {
        let (old, new) = (format!("image/{number}:1"), format!("new/{number}:1"));
        assert_eq!(target(&slow.engine, &new), target(&slow.engine, &old));
    }
}

#[tokio::test]
async fn changes_of_one_name_are_decided_on_one_after_the_other() {
    let mut slow = Slow::start().await;
    let ids: Vec<String> = (0..5).map(|number| target(&slow.engine, &format!("image/{number}:1"))).collect();
    slow.records.may_commit.add_permits(1);
    tag(&slow.engine, "image/4:1", "moving:1").await.unwrap();
    slow.begins().await;
    let first = slow.tag("image/0:1", "new/0:1").await;
    slow.begins().await;
    let waiting = [
        slow.tag("image/1:1", "moving:1").await,
        slow.tag("image/2:1", "moving:1").await,
        slow.tag("image/3:1", "other:1").await,
        slow.tag("moving:1", "copy:1").await,
    ];
    slow.go_on();
    first.await.unwrap();
    for change in waiting {
        change.await.unwrap();
    }
    assert_eq!(target(&slow.engine, "moving:1"), ids[2]);
    assert_eq!(target(&slow.engine, "other:1"), ids[3]);
    // When it was asked for, the name had not moved yet.
    assert_eq!(target(&slow.engine, "copy:1"), ids[2]);
}

#[tokio::test]
async fn a_change_to_what_is_already_there_is_not_decided_on_stale_state() {
    let mut slow = Slow::start().await;
    let (x, y) = (target(&slow.engine, "image/1:1"), target(&slow.engine, "image/2:1"));
    slow.records.may_commit.add_permits(1);
    tag(&slow.engine, "image/1:1", "moving:1").await.unwrap();
    slow.begins().await;
    let first = slow.tag("image/0:1", "new/0:1").await;
    slow.begins().await;
    // As it is now, the second of these changes nothing. It comes after the first.
    let moved = slow.tag("image/2:1", "moving:1").await;
    let back = slow.tag("image/1:1", "moving:1").await;
    slow.go_on();
    first.await.unwrap();
    moved.await.unwrap();
    back.await.unwrap();
    let tags: Vec<String> = told(&slow.engine)
        .await
        .into_iter()
        .filter(|event| event.attributes.get("name") == Some("moving:1"))
        .map(|event| event.id.clone())
        .collect();
    assert_eq!(tags, [x.clone(), y, x.clone()]);
    assert_eq!(target(&slow.engine, "moving:1"), x);
}

#[tokio::test]
async fn a_removal_stands_alone() {
    let mut slow = Slow::start().await;
    let first = slow.tag("image/0:1", "new/0:1").await;
    slow.begins().await;
    let before = slow.tag("image/1:1", "new/1:1").await;
    let removal = slow.remove("image/1:1").await;
    let after = slow.tag("image/2:1", "new/2:1").await;
    slow.go_on();
    for change in [first, before, removal, after] {
        change.await.unwrap();
    }
    assert_eq!(slow.sizes(), [1, 1, 1, 1]);
    assert!(target(&slow.engine, "image/1:1").is_empty() && !target(&slow.engine, "new/1:1").is_empty());
}

#[tokio::test]
async fn a_change_that_fails_fails_alone() {
    let mut slow = Slow::start().await;
    let first = slow.tag("image/0:1", "new/0:1").await;
    slow.begins().await;
    let good = [slow.tag("image/1:1", "new/1:1").await, slow.tag("image/3:1", "new/3:1").await];
    let bad = slow.tag("image/2:1", "no-room/2:1").await;
    let late = slow.tag("image/4:1", "new/4:1").await;
    slow.go_on();
    first.await.unwrap();
    for change in good {
        change.await.unwrap();
    }
    assert_eq!(bad.await.unwrap_err().kind(), Kind::ResourceExhausted);
    late.await.unwrap();
    // All four at once, then each by itself.
    assert_eq!(slow.sizes(), [1, 4, 1, 1, 1, 1]);
    assert!(target(&slow.engine, "no-room/2:1").is_empty());
    let tags: Vec<_> = told(&slow.engine).await.into_iter().filter(|event| event.action == Action::Tag).collect();
    let names: Vec<_> = tags.iter().filter_map(|event| event.attributes.get("name")).collect();
    assert_eq!(names, ["new/0:1", "new/1:1", "new/3:1", "new/4:1"]);
}

#[tokio::test]
async fn a_change_that_cannot_be_decided_on_fails_alone() {
    let mut slow = Slow::start().await;
    let first = slow.tag("image/0:1", "new/0:1").await;
    slow.begins().await;
    let removal = slow.remove("image/1:1").await;
    // Its image is here when it is asked for, and gone when it is its turn.
    let bad = slow.tag("image/1:1", "new/1:1").await;
    let good = slow.tag("image/2:1", "new/2:1").await;
    slow.go_on();
    first.await.unwrap();
    removal.await.unwrap();
    assert_eq!(bad.await.unwrap_err().kind(), Kind::NotFound);
    good.await.unwrap();
    assert!(target(&slow.engine, "new/1:1").is_empty() && !target(&slow.engine, "new/2:1").is_empty());
}

#[tokio::test]
async fn a_group_is_decided_on_again_where_another_engine_was_faster() {
    let mut slow = Slow::start().await;
    let stores = crate::store::Stores { metadata: slow.records.inner.clone(), ..slow.engine.0.stores.clone() };
    let other = Engine::with_stores(settings(vec![Arc::new(AdmitAll)]), stores).await.unwrap();
    let first = slow.tag("image/0:1", "new/0:1").await;
    slow.begins().await;
    let waiting = [slow.tag("image/1:1", "new/1:1").await, slow.tag("image/2:1", "new/2:1").await];
    // Moves what one of those is about.
    tag(&other, "image/3:1", "image/2:1").await.unwrap();
    slow.go_on();
    first.await.unwrap();
    for change in waiting {
        change.await.unwrap();
    }
    let moved = target(&slow.engine, "image/3:1");
    assert_eq!(target(&slow.engine, "new/2:1"), moved);
    assert_eq!(target(&slow.engine, "new/1:1"), target(&slow.engine, "image/1:1"));
}

//! Records are changed by commits, and read.

use std::sync::Arc;

use futures_util::{TryStreamExt, poll};

use super::fixture::Fixture;
use super::steps::{Replica, ask, begin_read, commit, name, naming, newest, read_records};
use crate::domain::manifest::{ConfigSummary, Document, Index};
use crate::domain::{Descriptor, Digest, MediaType, Result, StringMap};
use crate::store::{
    BlobRecord, Changes, Commit, CommitOutcome, Entry, NameRecord, OperationId, ReadScope, Revision, Verdict,
};

fn everything(text: &str) -> Changes {
    let digest = Digest::of(text.as_bytes());
    let index = Index {
        manifests: [Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"manifest"), 1)].into(),
        subject: Some(Box::new(Descriptor::new(MediaType::new("application/vnd.example"), Digest::of(b"subject"), 2))),
        annotations: [("key", "value")].into_iter().collect(),
        artifact_type: None,
    };
    let config = ConfigSummary {
        platform: Default::default(),
        created: Some(5),
        labels: StringMap::default(),
        user: Some("app".into()),
    };
    let verdict = Verdict { rule: "signed".to_owned(), reason: "by its maker".to_owned(), decided_at: -3 };
    let named = NameRecord {
        labels: [("team", "a"), ("stage", "")].into_iter().collect(),
        verdict: Some(Box::new(verdict)),
        ..name(text.as_bytes())
    };
    Changes {
        blobs: vec![(digest.clone(), BlobRecord { size: 5, created_at: 42 })],
        documents: vec![(digest.clone(), Arc::new(Document::Index(index)))],
        configs: vec![(digest.clone(), Arc::new(config))],
        names: vec![(text.to_owned(), Some(named)), (format!("{text} too"), Some(name(b"elsewhere")))],
        sources: vec![(digest, vec!["registry.example:5000/a".to_owned(), "registry.example/b".to_owned()])],
        removed: Vec::new(),
    }
}

fn removal(text: &str) -> Changes {
    let names = vec![(text.to_owned(), None), (format!("{text} too"), None)];
    Changes { names, removed: vec![Digest::of(text.as_bytes())], ..Changes::default() }
}

pub(super) async fn a_new_store_holds_nothing(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let all = Replica::of(&*metadata).await?;
    assert_eq!(all, Replica { revision: all.revision, ..Replica::default() });
    assert_eq!(all.revision, newest(&*metadata).await?);
    assert!(!metadata.identity().is_empty() && !metadata.was_interrupted());
    Ok(())
}

pub(super) async fn every_kind_of_record_is_kept(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let changes = everything("image");
    let revision = commit(&*metadata, changes.clone()).await?;
    let Changes { blobs, documents, configs, names, sources, .. } = changes;
    let expected = Replica {
        revision,
        blobs: blobs.into_iter().collect(),
        documents: documents.into_iter().collect(),
        configs: configs.into_iter().collect(),
        names: names.into_iter().filter_map(|(name, record)| Some((name, record?))).collect(),
        sources: sources.into_iter().collect(),
    };
    assert_eq!(Replica::of(&*metadata).await?, expected);
    let revision = commit(&*metadata, removal("image")).await?;
    assert_eq!(Replica::of(&*metadata).await?, Replica { revision, ..Replica::default() });
    Ok(())
}

pub(super) async fn changes_are_made_in_order(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let set = |text: &str, bytes: &[u8]| (text.to_owned(), Some(name(bytes)));
    let (kept, gone) = (Digest::of(b"kept"), Digest::of(b"gone"));
    let record = |size| BlobRecord { size, created_at: 7 };
    let changes = Changes {
        blobs: vec![(kept.clone(), record(1)), (gone.clone(), record(2)), (kept.clone(), record(3))],
        names: vec![set("a", b"1"), ("a".to_owned(), None), set("a", b"2"), set("b", b"3"), ("b".to_owned(), None)],
        sources: vec![(kept.clone(), vec!["first".to_owned()]), (kept.clone(), vec!["second".to_owned()])],
        removed: vec![gone, Digest::of(b"was never here")],
        ..Changes::default()
    };
    commit(&*metadata, changes).await?;
    // A blob that is recorded keeps its record.
    commit(&*metadata, Changes { blobs: vec![(kept.clone(), record(9))], ..Changes::default() }).await?;
    let all = Replica::of(&*metadata).await?;
    assert_eq!(all.blobs, [(kept.clone(), record(1))].into());
    assert_eq!(all.names, [("a".to_owned(), name(b"2"))].into());
    assert_eq!(all.sources, [(kept.clone(), vec!["second".to_owned()])].into());
    // Gone and back, it is another.
    commit(&*metadata, Changes { removed: vec![kept.clone()], ..Changes::default() }).await?;
    commit(&*metadata, Changes { blobs: vec![(kept.clone(), record(9))], ..Changes::default() }).await?;
    let all = Replica::of(&*metadata).await?;
    assert_eq!((all.blobs, all.sources.len()), ([(kept, record(9))].into(), 0));
    Ok(())
}

pub(super) async fn a_commit_on_another_revision_is_a_conflict(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let first = newest(&*metadata).await?;
    let second = commit(&*metadata, naming("a", b"1")).await?;
    for expected in [first, second.next(), Revision(second.0 + 1000)] {
        let late = Commit { id: OperationId::random(), expected, changes: Arc::new(naming("a", b"2")) };
        assert_eq!(ask(&*metadata, late.clone()).await?, CommitOutcome::Conflict(second));
        assert_eq!(ask(&*metadata, late).await?, CommitOutcome::Conflict(second));
    }
    let all = Replica::of(&*metadata).await?;
    assert_eq!((all.revision, all.names), (second, [("a".to_owned(), name(b"1"))].into()));
    // The same operation may expect the right one then.
    let id = OperationId::random();
    let late = |expected| Commit { id, expected, changes: Arc::new(naming("a", b"2")) };
    assert_eq!(ask(&*metadata, late(first)).await?, CommitOutcome::Conflict(second));
    assert_eq!(ask(&*metadata, late(second)).await?, CommitOutcome::Committed(second.next()));
    Ok(())
}

pub(super) async fn an_operation_is_carried_out_once(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let expected = newest(&*metadata).await?;
    let id = OperationId::random();
    let operation = Commit { id, expected, changes: Arc::new(naming("a", b"1")) };
    let done = CommitOutcome::Committed(expected.next());
    assert_eq!(ask(&*metadata, operation.clone()).await?, done);
    assert_eq!(ask(&*metadata, operation.clone()).await?, done);
    // Others go on; what they did is not undone.
    for number in 0..1000 {
        commit(&*metadata, naming("a", &u32::to_le_bytes(number))).await?;
    }
    assert_eq!(ask(&*metadata, operation).await?, done);
    let all = Replica::of(&*metadata).await?;
    assert_eq!((all.revision, &all.names["a"]), (Revision(expected.0 + 1001), &name(&u32::to_le_bytes(999))));
    Ok(())
}

pub(super) async fn an_answer_that_was_lost_can_be_asked_for(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let mut expected = newest(&*metadata).await?;
    for number in 0..20u32 {
        let changes = Arc::new(naming(&number.to_string(), b"1"));
        let operation = Commit { id: OperationId::random(), expected, changes };
        // It is begun, and nobody hears of its end.
        {
            let mut lost = metadata.commit(operation.clone());
            let _ = poll!(&mut lost);
        }
        let (one, two) = tokio::join!(ask(&*metadata, operation.clone()), ask(&*metadata, operation.clone()));
        let done = CommitOutcome::Committed(expected.next());
        assert_eq!((one?, two?, ask(&*metadata, operation).await?), (done, done, done));
        expected = expected.next();
    }
    let all = Replica::of(&*metadata).await?;
    assert_eq!((all.revision, all.names.len()), (expected, 20));
    Ok(())
}

pub(super) async fn what_changed_is_read_since_a_revision(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let mut replica = Replica::of(&*metadata).await?;
    let first = replica.revision;
    for changes in [everything("one"), everything("two"), removal("one"), naming("two", b"other"), everything("one")] {
        commit(&*metadata, changes).await?;
        replica.follow(&*metadata).await?;
        assert_eq!(replica, Replica::of(&*metadata).await?);
    }
    let mut late = Replica { revision: first, ..Replica::default() };
    late.follow(&*metadata).await?;
    assert_eq!(late, replica);
    // Nothing has changed since.
    let read = read_records(&*metadata, Some(replica.revision)).await?;
    assert_eq!((read.revision, read.entries), (replica.revision, Vec::<Entry>::new()));
    assert_eq!(read.scope, ReadScope::Since(replica.revision));
    Ok(())
}

pub(super) async fn everything_is_read_where_the_past_is_unknown(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let mut far_behind = Replica::of(&*metadata).await?;
    commit(&*metadata, everything("image")).await?;
    let mut behind = Replica::of(&*metadata).await?;
    // More than any store should remember the keys of; each name is removed by the next commit.
    let names = |round: usize| (0..3000).map(move |number| format!("{round}: {number}"));
    for round in 0..6 {
        let gone = names(round).map(|text| (text, None));
        let set = names(round + 1).map(|text| (text, Some(name(b"x"))));
        commit(&*metadata, Changes { names: gone.chain(set).collect(), ..Changes::default() }).await?;
    }
    let all = Replica::of(&*metadata).await?;
    assert_eq!((all.names.len(), all.blobs.len()), (3002, 1));
    behind.follow(&*metadata).await?;
    far_behind.follow(&*metadata).await?;
    assert!(behind == all && far_behind == all);
    // Of another life of the store.
    let read = read_records(&*metadata, Some(Revision(all.revision.0 + 1_000_000))).await?;
    assert_eq!((read.scope, read.revision), (ReadScope::All, all.revision));
    Ok(())
}

pub(super) async fn many_records_are_read_in_batches(fixture: Arc<dyn Fixture>) -> Result<()> {
    let metadata = fixture.open().await?.metadata;
    let blobs = (0..5000u32).map(|number| (Digest::of(&number.to_le_bytes()), BlobRecord { size: 4, created_at: 1 }));
    let names = (0..5000).map(|number| (format!("name {number}"), Some(name(b"x"))));
    commit(&*metadata, Changes { blobs: blobs.collect(), names: names.collect(), ..Changes::default() }).await?;
    let expected = Replica::of(&*metadata).await?;
    assert_eq!((expected.blobs.len(), expected.names.len()), (5000, 5000));
    // Whoever stops in the middle is in nobody's way; nor is a commit in the way of whoever reads.
    let mut read = begin_read(&*metadata, None).await?;
    assert!(read.batches.try_next().await?.is_some_and(|batch| !batch.is_empty() && batch.len() < 10_000));
    commit(&*metadata, naming("one more", b"y")).await?;
    let mut seen = 0;
    while let Some(batch) = read.batches.try_next().await? {
        assert!(!batch.is_empty() || seen > 0);
        seen += batch.len();
    }
    assert!(seen > 0);
    drop(begin_read(&*metadata, None).await?);
    assert_eq!(Replica::of(&*metadata).await?.names.len(), 5001);
    Ok(())
}

use super::*;
use crate::engine::tests::engine;

fn labels(expire: &str) -> StringMap {
    [(EXPIRE, expire)].into_iter().collect()
}

fn kind<T>(result: Result<T>) -> Option<Kind> {
    result.err().map(|error| error.kind())
}

fn content(bytes: &[u8]) -> LeaseResource {
    LeaseResource::new("content", Digest::of(bytes).to_string()).unwrap()
}

#[tokio::test]
async fn a_lease_names_what_it_is_given_until_it_is_deleted() {
    let engine = engine().await;
    let lease = engine.create_lease(Some("one".to_owned()), StringMap::default()).unwrap();
    assert_eq!(kind(engine.create_lease(Some("one".to_owned()), StringMap::default())), Some(Kind::AlreadyExists));
    let other = engine.create_lease(None, labels("2999-01-01T00:00:00+02:00")).unwrap();
    assert!(engine.leases().contains(&lease) && engine.leases().contains(&other));

    let image = LeaseResource::new("images", "a:1").unwrap();
    for resource in [content(b"a"), image.clone(), content(b"a")] {
        engine.add_to_lease("one", resource).await.unwrap();
    }
    assert_eq!(engine.lease_resources("one").unwrap(), [content(b"a"), image.clone()]);
    assert_eq!(engine.0.leases.held(), [Digest::of(b"a")]);
    engine.remove_from_lease("one", &image).unwrap();
    engine.remove_from_lease("one", &image).unwrap();
    engine.remove_from_lease("one", &content(b"a")).unwrap();
    assert!(engine.lease_resources("one").unwrap().is_empty() && engine.0.leases.held().is_empty());

    engine.add_to_lease("one", content(b"b")).await.unwrap();
    let end = engine.lease_end("one").unwrap();
    engine.delete_lease("one", false).await.unwrap();
    end.wait().await;
    assert!(engine.0.leases.held().is_empty());
    assert_eq!(kind(engine.delete_lease("one", true).await), Some(Kind::NotFound));
    assert_eq!(kind(engine.add_to_lease("one", content(b"a")).await), Some(Kind::NotFound));
    assert_eq!(kind(engine.lease_resources("one")), Some(Kind::NotFound));
    assert_eq!(kind(engine.lease_end("one")), Some(Kind::NotFound));
    engine.delete_lease(&other.id, false).await.unwrap();
    assert_eq!(engine.0.client_leases.0.state.lock().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_at_its_time() {
    let engine = engine().await;
    let later = |seconds: i64| (engine.now() + jiff::SignedDuration::from_secs(seconds)).to_string();
    engine.create_lease(Some("long".to_owned()), labels(&later(3600))).unwrap();
    engine.create_lease(Some("short".to_owned()), labels(&later(60))).unwrap();
    engine.create_lease(Some("over".to_owned()), labels("2001-01-01T00:00:00Z")).unwrap();
    engine.add_to_lease("short", content(b"a")).await.unwrap();
    let end = engine.lease_end("short").unwrap();
    assert_eq!(engine.leases().len(), 2);
    // Nobody asks meanwhile.
    end.wait().await;
    assert!(engine.0.leases.held().is_empty());
    assert_eq!(engine.leases().len(), 1);
    assert_eq!(kind(engine.delete_lease("short", false).await), Some(Kind::NotFound));
}

#[tokio::test]
async fn what_is_too_much_or_makes_no_sense_is_refused() {
    let engine = engine().await;
    for (id, labels) in [
        ("x".repeat(MAX_ID + 1), StringMap::default()),
        ("a".to_owned(), labels("tomorrow")),
        ("a".to_owned(), [("key", "v".repeat(MAX_LABEL))].into_iter().collect()),
    ] {
        let error = engine.create_lease(Some(id), labels).unwrap_err();
        assert!(error.kind() == Kind::InvalidArgument && error.public().len() < 256, "{error}");
    }
    for (kind, id, expected) in [
        ("content", "latest".to_owned(), Kind::InvalidArgument),
        ("content/x", Digest::of(b"a").to_string(), Kind::InvalidArgument),
        ("snapshots", "a".to_owned(), Kind::InvalidArgument),
        ("snapshots/a/b", "a".to_owned(), Kind::InvalidArgument),
        ("images", "a".repeat(MAX_ID + 1), Kind::InvalidArgument),
        ("sandboxes", "a".to_owned(), Kind::NotImplemented),
        ("", String::new(), Kind::NotImplemented),
    ] {
        assert_eq!(LeaseResource::new(kind, id).unwrap_err().kind(), expected, "{kind}");
    }
    for number in 0..MAX_LEASES {
        engine.create_lease(Some(number.to_string()), StringMap::default()).unwrap();
    }
    assert_eq!(kind(engine.create_lease(None, StringMap::default())), Some(Kind::ResourceExhausted));
    let mut number = 0;
    let refused = loop {
        let resource = LeaseResource::new("images", format!("{number:01000}")).unwrap();
        match engine.add_to_lease("0", resource).await {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), Kind::ResourceExhausted);
    engine.delete_lease("0", false).await.unwrap();
    engine.create_lease(None, StringMap::default()).unwrap();
}

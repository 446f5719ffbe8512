//! Events come in the order in which the state changed.

use std::collections::BTreeMap;

use super::*;
use crate::domain::Kind;
use crate::engine::RemoveOptions;

/// How often everything is done at once.
const ROUNDS: usize = 60;

/// Names that are given, moved and taken.
const NAMES: [&str; 3] = ["moving/a:1", "moving/b:1", "moving/c:1"];

/// Images that have a further name, so that they stay.
const IMAGES: [&str; 3] = ["kept/x:1", "kept/y:1", "kept/z:1"];

/// An engine that has them.
async fn prepared() -> Engine {
    let engine = engine(vec![Arc::new(AdmitAll)]).await;
    let images: Vec<(&[&str], &str)> = vec![(&IMAGES[..1], "x"), (&IMAGES[1..2], "y"), (&IMAGES[2..], "z")];
    load(&engine, docker_archive(&images)).await.unwrap();
    engine
}

/// Follows events: what each name points at after them.
fn follow(names: &mut BTreeMap<String, String>, event: &Event) {
    let name = event.attributes.get("name").unwrap().to_owned();
    match event.action {
        Action::Tag => drop(names.insert(name, event.id.clone())),
        // A name is taken from the image that it pointed at just before.
        Action::Untag => assert_eq!(names.remove(&name).as_ref(), Some(&event.id), "{event:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_tell_of_changes_in_the_order_in_which_they_are_made() {
    let engine = prepared().await;
    let mut names = BTreeMap::new();
    for round in 0..ROUNDS {
        let listening = engine.events(EventQuery::default());
        let work = (0..6).map(|worker| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for step in 0..6 {
                    let name = NAMES[(worker + step) % NAMES.len()];
                    if (worker + step + round) % 4 == 0 {
                        // Another may have taken it before.
                        let removed = engine.remove(&called(name), RemoveOptions::default()).await;
                        assert!(removed.is_ok() || removed.is_err_and(|error| error.kind() == Kind::NotFound));
                    } else {
                        tag(&engine, IMAGES[(worker * 5 + step + round) % IMAGES.len()], name).await.unwrap();
                    }
                }
            })
        });
        for worker in work.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        tag(&engine, IMAGES[0], "the/end:1").await.unwrap();
        let until_the_end = listening.take_while(|event| {
            let is_end = event.attributes.get("name") == Some("the/end:1");
            std::future::ready(!is_end)
        });
        for event in until_the_end.collect::<Vec<_>>().await {
            follow(&mut names, &event);
        }
        for name in NAMES {
            assert_eq!(names.get(name).cloned().unwrap_or_default(), target(&engine, name), "{name} in round {round}");
        }
    }
}

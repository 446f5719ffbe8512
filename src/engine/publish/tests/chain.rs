//! Several admissions, and what is decided on.

use std::sync::OnceLock;

use super::*;
use crate::domain::{Detail, Kind};

fn allow(rule: &str) -> Verdict {
    Verdict::Allow { rule: rule.to_owned(), reason: format!("{rule} says so") }
}

fn deny(rule: &str) -> Verdict {
    Verdict::Deny(Denial { rule: rule.to_owned(), reason: format!("{rule} says so") })
}

#[tokio::test]
async fn the_first_denial_wins_and_all_are_asked_before_it() {
    let first = Asked::answering(|candidate| match named(candidate).contains("first") {
        true => Ok(deny("first")),
        false => Ok(allow("first")),
    });
    let second = Asked::answering(|candidate| match named(candidate).contains("denied") {
        true => Ok(deny("second")),
        false => Ok(Verdict::NoRule),
    });
    let engine = engine(vec![first.clone(), second.clone()]).await;
    load(&engine, docker_archive(&[(&["fine/app:1"], "fine")])).await.unwrap();
    assert_eq!((first.names(), second.names()), (vec!["fine/app:1".to_owned()], vec!["fine/app:1".to_owned()]));
    let rule_of = async |name: &str| {
        let error = tag(&engine, "fine/app:1", name).await.unwrap_err();
        let Detail::Denied { rule, .. } = error.detail() else { panic!("{error:?}") };
        rule.clone()
    };
    assert_eq!(rule_of("first/denied:1").await, "first");
    // Whoever comes after a denial has nothing to decide.
    assert_eq!((first.names().len(), second.names().len()), (2, 1));
    assert_eq!(rule_of("denied/app:1").await, "second");
    assert_eq!((first.names().len(), second.names().len()), (3, 2));
}

#[tokio::test]
async fn an_admission_that_fails_admits_nothing() {
    let fails = Asked::answering(|_| Err(Error::new(Kind::Unavailable, "the trust root could not be fetched")));
    let engine = engine(vec![Arc::new(AdmitAll), fails]).await;
    let error = load(&engine, docker_archive(&[(&["fine/app:1"], "fine")])).await.unwrap_err();
    assert_eq!((error.kind(), error.public()), (Kind::Unavailable, "the trust root could not be fetched"));
    assert!(all_names(&engine).is_empty() && engine.blobs().is_empty() && engine.ingests().is_empty());
    assert!(engine.0.leases.held().is_empty());
    // Nobody has denied it.
    assert!(told(&engine).await.is_empty());
}

#[tokio::test]
async fn what_let_an_image_in_is_kept_beside_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let open = async |admissions| {
        let settings = Settings { admissions, ..Settings::new(directory.path()) };
        Engine::open(settings).await.unwrap()
    };
    let signed = Asked::answering(|candidate| match named(candidate).contains("signed") {
        true => Ok(allow("signatures")),
        false => Ok(Verdict::NoRule),
    });
    let engine = open(vec![Arc::new(AdmitAll), signed]).await;
    load(&engine, docker_archive(&[(&["signed/app:1", "other/app:1"], "app")])).await.unwrap();
    tag(&engine, "other/app:1", "signed/app:2").await.unwrap();
    let kept = |engine: &Engine, name: &str| {
        let state = engine.0.catalog.state();
        let record = state.name(&new_name(name).reference().to_string()).unwrap();
        (record.verdict.clone(), record.updated_at)
    };
    let check = |engine: &Engine| {
        for name in ["signed/app:1", "signed/app:2"] {
            let (verdict, set_at) = kept(engine, name);
            let verdict = verdict.unwrap();
            assert_eq!((verdict.rule.as_str(), verdict.reason.as_str()), ("signatures", "signatures says so"));
            assert_eq!(verdict.decided_at, set_at);
        }
        assert_eq!(kept(engine, "other/app:1").0, None);
    };
    check(&engine);
    engine.close().await.unwrap();
    drop(engine);
    // The writer's thread lets go of the data root when it has seen that nobody is left.
    let start = std::time::Instant::now();
    let reopened = loop {
        match Engine::open(Settings::new(directory.path())).await {
            Ok(engine) => break engine,
            Err(error) if error.kind() == Kind::Conflict && start.elapsed().as_secs() < 10 => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    };
    check(&reopened);
    // A name keeps why it was let in when its image becomes dangling.
    load(&reopened, docker_archive(&[(&["signed/app:1"], "newer")])).await.unwrap();
    assert_eq!(kept(&reopened, "signed/app:1").0, None);
}

/// Moves a name while it decides on a tag, once.
struct Moving {
    engine: OnceLock<Engine>,
    asked: Mutex<Vec<String>>,
}

impl Admission for Moving {
    fn decide<'a>(&'a self, candidate: &'a Candidate) -> BoxFuture<'a, Result<Verdict>> {
        Box::pin(async move {
            if named(candidate) == "copy/app:1" {
                let is_first = {
                    let mut asked = self.asked.lock();
                    asked.push(candidate.target.digest.to_string());
                    asked.len() == 1
                };
                if is_first {
                    tag(self.engine.get().unwrap(), "second/app:1", "moving/app:1").await?;
                }
            }
            Ok(Verdict::NoRule)
        })
    }
}

#[tokio::test]
async fn a_tag_whose_image_moves_while_it_is_decided_on_is_decided_on_again() {
    let moving = Arc::new(Moving { engine: OnceLock::new(), asked: Mutex::default() });
    let engine = engine(vec![moving.clone()]).await;
    let archive = docker_archive(&[(&["first/app:1", "moving/app:1"], "first"), (&["second/app:1"], "second")]);
    load(&engine, archive).await.unwrap();
    assert!(moving.engine.set(engine.clone()).is_ok());
    tag(&engine, "moving/app:1", "copy/app:1").await.unwrap();
    let (first, second) = (target(&engine, "first/app:1"), target(&engine, "second/app:1"));
    assert_eq!(*moving.asked.lock(), [first, second.clone()]);
    assert_eq!(target(&engine, "copy/app:1"), second);
    // Told once, of what it came to.
    let copies = told(&engine).await.into_iter().filter(|event| event.attributes.get("name") == Some("copy/app:1"));
    assert_eq!(copies.map(|event| event.id.clone()).collect::<Vec<_>>(), [second]);
}

//! Pulls are decided on before layers are fetched.

use std::sync::OnceLock;

use loadline::domain::{Descriptor, Detail, Digest, Error, Kind, MediaType, Reference};
use loadline::engine::{AdmitAll, Credential, Evidence, Origin, PullEvent, PullRequest};
use serde_json::json;

use super::*;
use crate::support::images::docker_archive;
use crate::support::registry::Registry;

/// Pulls an image; the failure, if it fails.
async fn pull(engine: &Engine, reference: Reference) -> Result<(), Error> {
    let mut events = engine.pull(PullRequest { reference, platform: None, credential: Credential::anonymous() });
    while let Some(event) = events.recv().await {
        if let PullEvent::Failed(error) = event {
            return Err(error);
        }
    }
    Ok(())
}

/// The layers of the images in these tests.
fn layers() -> Vec<Vec<u8>> {
    vec![b"a first layer".to_vec(), b"a second layer".to_vec()]
}

/// How many requests for layers the registry has seen.
fn layers_asked_for(registry: &Registry) -> usize {
    layers().iter().map(|layer| registry.count("GET", &format!("/blobs/{}", Digest::of(layer)))).sum()
}

/// Puts evidence about a manifest into the registry.
fn put_evidence(registry: &Registry, repository: &str, subject: &Descriptor) -> Descriptor {
    let empty = registry.put_blob(repository, &MediaType::new("application/vnd.oci.empty.v1+json"), "{}");
    let statement = registry.put_blob(repository, &MediaType::new("application/vnd.in-toto+json"), "a statement");
    let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(),
        "artifactType": "application/vnd.in-toto+json", "config": empty.json(), "layers": [statement.json()],
        "subject": subject.json()});
    registry.put_manifest(repository, None, &MediaType::OCI_MANIFEST, &manifest)
}

/// An admission that notes how many layers were asked for when it decides.
fn watching(registry: &Arc<Registry>, needs_evidence: bool) -> (Arc<Asked>, Arc<Mutex<Vec<usize>>>) {
    let (registry, layers) = (registry.clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = layers.clone();
    let asked = Asked::new(needs_evidence, move |candidate| {
        noted.lock().push(layers_asked_for(&registry));
        by_name(candidate)
    });
    (asked, layers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_pull_fetches_no_layer_and_leaves_nothing_behind() {
    for needs_evidence in [false, true] {
        let registry = Registry::start();
        let image = registry.put_image("denied/app", Some("1"), &layers());
        put_evidence(&registry, "denied/app", &image);
        let by_digest = format!("denied/app@{}", image.digest);
        for name in ["denied/app:1", &by_digest] {
            let asked = Asked::new(needs_evidence, by_name);
            let (engine, stores) = engine(asked.clone()).await;
            load(&engine, docker_archive(&["kept/app:1"], &["kept"])).await;
            let (before, kept) = (engine.blobs().len(), target(&engine, "kept/app:1").await);
            let name = registry.name(name);
            let error = pull(&engine, name.clone()).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Denied, "{error:?}");
            let Detail::Denied { image: denied, rule, reason } = error.detail() else { panic!("{error:?}") };
            let detail = (denied.as_str(), rule.as_str(), reason.as_str());
            assert_eq!(detail, (name.familiar().as_str(), "names", "nobody wants it"));
            assert_eq!(layers_asked_for(&registry), 0);
            tells_of_one_denial(&engine, &image.digest.to_string(), &name.familiar()).await;
            assert_eq!((target(&engine, &name.familiar()).await, engine.image_count()), (None, 1));
            assert_eq!(target(&engine, "kept/app:1").await, kept);
            comes_to_hold(&engine, &stores, before).await;
            let asked = asked.candidates();
            let candidate = asked.last().unwrap();
            assert_eq!((candidate.name.reference(), &candidate.target.digest), (Some(&name), &image.digest));
            assert_eq!(candidate.origin, Origin::Registry(name.repository()));
            assert_eq!(candidate.documents[0].0, image.digest);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_denied_pull_shares_with_an_image_stays() {
    let registry = Registry::start();
    registry.put_image("fine/app", Some("1"), &layers());
    registry.put_image("denied/app", Some("1"), &layers());
    let (engine, stores) = engine(Asked::new(true, by_name)).await;
    pull(&engine, registry.name("fine/app:1")).await.unwrap();
    let before = engine.blobs().len();
    pull(&engine, registry.name("denied/app:1")).await.unwrap_err();
    comes_to_hold(&engine, &stores, before).await;
    for blob in engine.blobs() {
        assert!(engine.blob(&blob.digest).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_that_needs_evidence_is_shown_all_of_it_before_any_layer_is_fetched() {
    let registry = Arc::new(Registry::start());
    let image = registry.put_image("team/app", Some("1"), &layers());
    let evidence = put_evidence(&registry, "team/app", &image);
    let (asked, layers_then) = watching(&registry, true);
    let (engine, _) = engine(asked.clone()).await;
    pull(&engine, registry.name("team/app:1")).await.unwrap();
    assert_eq!(asked.candidates()[0].evidence, Evidence::Complete(vec![evidence.digest.clone()]));
    assert_eq!((layers_then.lock().as_slice(), layers_asked_for(&registry)), ([0].as_slice(), 2));
    assert!(engine.blobs().iter().any(|blob| blob.digest == evidence.digest));
    // A tag of it is shown the same.
    let image = loadline::domain::ImageName::parse(&registry.name("team/app:1").familiar()).unwrap();
    engine.tag(&image, &new_name("copy/app:1")).await.unwrap();
    assert_eq!(asked.candidates()[1].evidence, Evidence::Complete(vec![evidence.digest]));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_unknown_where_the_registry_does_not_tell_it() {
    let registry = Arc::new(Registry::start());
    let image = registry.put_image("team/app", Some("1"), &layers());
    put_evidence(&registry, "team/app", &image);
    registry.faults().closed_referrers = true;
    let (asked, layers_then) = watching(&registry, true);
    let (engine, _) = engine(asked.clone()).await;
    pull(&engine, registry.name("team/app:1")).await.unwrap();
    let Evidence::Unknown(reason) = asked.candidates()[0].evidence.clone() else { panic!("{:?}", asked.candidates()) };
    assert!(reason.contains(&image.digest.to_string()), "{reason}");
    assert_eq!(layers_then.lock().as_slice(), [0]);
    // Without evidence it is as complete.
    registry.faults().closed_referrers = false;
    registry.put_image("team/plain", Some("1"), &[b"plain".to_vec()]);
    pull(&engine, registry.name("team/plain:1")).await.unwrap();
    assert_eq!(asked.candidates()[1].evidence, Evidence::Complete(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_wait_for_evidence_only_where_an_admission_needs_it() {
    for needs_evidence in [false, true] {
        let registry = Registry::start();
        registry.put_image("team/app", Some("1"), &layers());
        registry.faults().stall_referrers = true;
        let admission: Arc<dyn Admission> = if needs_evidence { Asked::new(true, by_name) } else { Arc::new(AdmitAll) };
        let (engine, _) = engine(admission).await;
        let request =
            PullRequest { reference: registry.name("team/app:1"), platform: None, credential: Credential::anonymous() };
        let events = engine.pull(request);
        eventually("nobody asks for evidence", || async { registry.count("GET", "/referrers/") > 0 }).await;
        match needs_evidence {
            false => eventually("no layer is fetched", || async { layers_asked_for(&registry) == 2 }).await,
            true => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                assert_eq!(layers_asked_for(&registry), 0);
            }
        }
        drop(events);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_does_not_wait_for_layers() {
    let registry = Registry::start();
    registry.put_image("team/app", Some("1"), &layers());
    registry.faults().stall_blobs = Some(1);
    let (engine, _) = engine(Arc::new(AdmitAll)).await;
    let request =
        PullRequest { reference: registry.name("team/app:1"), platform: None, credential: Credential::anonymous() };
    let events = engine.pull(request);
    eventually("no layer is fetched", || async { layers_asked_for(&registry) > 0 }).await;
    eventually("evidence waits for layers", || async { registry.count("GET", "/referrers/") > 0 }).await;
    drop(events);
}

/// Moves a name while it decides on the second pull of it.
struct Moving {
    engine: OnceLock<Engine>,
    pulls: Mutex<usize>,
}

impl Admission for Moving {
    fn decide<'a>(&'a self, candidate: &'a Candidate) -> BoxFuture<'a, Result<Verdict>> {
        Box::pin(async move {
            let Some(name) = candidate.name.reference().filter(|_| matches!(candidate.origin, Origin::Registry(_)))
            else {
                return Ok(Verdict::NoRule);
            };
            let pulls = {
                let mut pulls = self.pulls.lock();
                *pulls += 1;
                *pulls
            };
            if pulls == 2 {
                let other = loadline::domain::ImageName::parse("kept/app:1").unwrap();
                self.engine.get().unwrap().tag(&other, &TagName::new(name.clone()).unwrap()).await?;
            }
            Ok(Verdict::NoRule)
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_finds_nothing_new_sets_its_name_where_that_has_moved_meanwhile() {
    let registry = Registry::start();
    let image = registry.put_image("team/app", Some("1"), &layers());
    let moving = Arc::new(Moving { engine: OnceLock::new(), pulls: Mutex::new(0) });
    let (engine, _) = engine(moving.clone()).await;
    assert!(moving.engine.set(engine.clone()).is_ok());
    load(&engine, docker_archive(&["kept/app:1"], &["kept"])).await;
    let name = registry.name("team/app:1");
    pull(&engine, name.clone()).await.unwrap();
    pull(&engine, name.clone()).await.unwrap();
    assert_eq!(target(&engine, &name.familiar()).await, Some(image.digest.to_string()));
    let actions: Vec<Action> = told(&engine).await.iter().map(|event| event.action).collect();
    assert_eq!(actions, [Action::Load, Action::Pull, Action::Tag, Action::Pull]);
    // A third one changes nothing, and is told all the same.
    pull(&engine, name).await.unwrap();
    assert_eq!(told(&engine).await.last().unwrap().action, Action::Pull);
}

//! Records of names as containerd's clients manage them.

use std::collections::BTreeMap;

use futures_util::FutureExt;

use super::*;
use crate::domain::event::RecordChange;
use crate::domain::{Descriptor, MediaType, NameKey, StringMap};
use crate::engine::publish::Denial;

const LEGACY: &str = "docker.io/legacy/three-layers:1";

fn key(name: &str) -> NameKey {
    NameKey::new(name).unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> StringMap {
    pairs.iter().copied().collect()
}

/// What a name points at.
fn target(engine: &Engine, name: &str) -> Descriptor {
    engine.record(name).unwrap().target().clone()
}

fn new(name: &str, target: Descriptor) -> NewRecord {
    NewRecord { name: key(name), target, labels: StringMap::default(), at: None }
}

async fn create(engine: &Engine, name: &str, target: Descriptor) -> Result<ImageRecord> {
    engine.create_record(new(name, target)).await
}

async fn update(engine: &Engine, name: &str, edits: Vec<RecordEdit>) -> Result<ImageRecord> {
    engine.update_record(&key(name), RecordUpdate { edits, at: None }).await
}

fn refusal<T>(result: Result<T>) -> (Kind, String) {
    let error = result.err().unwrap();
    (error.kind(), error.public().to_owned())
}

fn texts(records: &[ImageRecord]) -> Vec<(&str, String)> {
    records.iter().map(|record| (record.name().as_str(), record.target().digest.to_string())).collect()
}

#[tokio::test]
async fn records_are_listed_by_name_and_are_dockers_too() {
    let engine = loaded().await;
    let app = target(&engine, APP);
    let record = create(&engine, "docker.io/library/made:1", app.clone()).await.unwrap();
    assert_eq!((record.target(), record.created_at()), (&app, record.updated_at()));
    create(&engine, "a:2", app).await.unwrap();
    let names: Vec<&str> =
        ["127.0.0.1:5000/team/app:1.0", "a:2", LEGACY, "docker.io/legacy/three-layers:latest"].into();
    let records = engine.records();
    assert_eq!(records.iter().map(|record| record.name().as_str()).collect::<Vec<_>>()[..4], names);
    assert!(Arc::ptr_eq(&records, &engine.records()), "an unchanged list is not made again");
    assert_eq!(engine.inspect(&called("made:1"), None).await.unwrap().digest.to_string(), APP_ID);
    assert_eq!(refusal(engine.record("made:1")), (Kind::NotFound, "image \"made:1\": not found".to_owned()));
}

#[tokio::test]
async fn a_record_is_made_once_and_of_what_is_here() {
    let engine = loaded().await;
    let app = target(&engine, APP);
    let exists = (Kind::AlreadyExists, format!("image \"{APP}\": already exists"));
    assert_eq!(refusal(create(&engine, APP, app.clone()).await), exists);
    let elsewhere = Descriptor { digest: Digest::of(b"elsewhere"), ..app.clone() };
    assert_eq!(refusal(create(&engine, "new", elsewhere.clone()).await).0, Kind::NotFound);
    assert_eq!(refusal(update(&engine, APP, vec![RecordEdit::Target(elsewhere)]).await).0, Kind::NotFound);
    let config = {
        let tree = engine.inspect(&called(APP), None).await.unwrap().manifests;
        tree[0].manifest().unwrap().config.clone()
    };
    for wrong in [
        Descriptor { size: app.size + 1, ..app.clone() },
        Descriptor { media_type: MediaType::OCI_MANIFEST, ..app.clone() },
        Descriptor { media_type: MediaType::new("text/plain"), ..app.clone() },
        config,
    ] {
        assert_eq!(refusal(create(&engine, "new", wrong).await).0, Kind::InvalidArgument);
    }
    // A digest stands for its image, and only without another name.
    for name in [Digest::of(b"other").to_string(), APP_ID.to_owned()] {
        assert_eq!(refusal(create(&engine, &name, app.clone()).await).0, Kind::InvalidArgument, "{name}");
    }
    assert_eq!(engine.records().len(), 4);
}

#[tokio::test]
async fn labels_and_annotations_are_bounded() {
    let engine = loaded().await;
    let app = target(&engine, APP);
    let long = "x".repeat(4097);
    // A label without a value is none.
    let made =
        engine.create_record(NewRecord { labels: labels(&[(&long, ""), ("a", "b")]), ..new("n", app.clone()) }).await;
    assert_eq!(made.unwrap().labels(), &labels(&[("a", "b")]));
    let most = RecordEdit::Label { key: "k".to_owned(), value: long[..4095].to_owned() };
    assert_eq!(update(&engine, "n", vec![most]).await.unwrap().labels().iter().count(), 2);
    let (kind, text) = refusal(update(&engine, "n", vec![RecordEdit::Labels(labels(&[(&long, "v")]))]).await);
    assert_eq!(kind, Kind::InvalidArgument);
    assert!(text.contains("(4098 bytes) greater than maximum size (4096 bytes)") && text.len() < 250, "{text}");
    let many: StringMap = (0..66).map(|n| (n.to_string(), "x".repeat(4000))).collect();
    assert_eq!(refusal(update(&engine, "n", vec![RecordEdit::Labels(many)]).await).0, Kind::InvalidArgument);
    let annotations: StringMap = [("a", "x".repeat(300 << 10))].into_iter().collect();
    assert_eq!(
        refusal(update(&engine, "n", vec![RecordEdit::Annotations(annotations)]).await).0,
        Kind::InvalidArgument
    );
}

#[tokio::test]
async fn an_update_changes_what_it_says_and_keeps_the_rest() {
    let engine = loaded().await;
    let (app, legacy) = (target(&engine, APP), target(&engine, LEGACY));
    let made = engine
        .create_record(NewRecord { labels: labels(&[("a", "1"), ("b", "2")]), ..new("n", app.clone()) })
        .await
        .unwrap();
    let label = |key: &str, value: &str| RecordEdit::Label { key: key.to_owned(), value: value.to_owned() };
    let updated = update(&engine, "n", vec![label("b", ""), label("c", "3")]).await.unwrap();
    assert_eq!((updated.labels(), updated.target()), (&labels(&[("a", "1"), ("c", "3")]), &app));
    assert_eq!(updated.created_at(), made.created_at());
    assert!(updated.updated_at() >= made.updated_at());
    let at = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let edits = vec![RecordEdit::Target(legacy.clone()), RecordEdit::Annotation { key: "k".into(), value: "v".into() }];
    let moved = engine.update_record(&key("n"), RecordUpdate { edits, at: Some(at) }).await.unwrap();
    assert_eq!(moved.target().digest, legacy.digest);
    assert_eq!(moved.target().annotations.get("k"), Some("v"));
    assert_eq!((moved.labels(), moved.created_at()), (updated.labels(), made.created_at()));
    assert_eq!(moved.updated_at(), at);
    let edits = vec![RecordEdit::Annotations(StringMap::default()), RecordEdit::Labels(labels(&[("z", "1")]))];
    let bare = update(&engine, "n", edits).await.unwrap();
    assert_eq!((bare.target().annotations.is_empty(), bare.labels()), (true, &labels(&[("z", "1")])));
    assert_eq!(refusal(update(&engine, "nope", Vec::new()).await).0, Kind::NotFound);
    // Docker's clients move a name without its labels.
    create(&engine, "docker.io/library/n:1", app).await.unwrap();
    update(&engine, "docker.io/library/n:1", vec![label("a", "1")]).await.unwrap();
    engine.tag(&called(LEGACY_ID), &new_name("n:1")).await.unwrap();
    assert_eq!(engine.record("docker.io/library/n:1").unwrap().labels(), &labels(&[("a", "1")]));
}

#[tokio::test]
async fn a_record_goes_alone_and_the_image_with_its_last_one() {
    let engine = loaded().await;
    let app = target(&engine, APP);
    create(&engine, "n", app.clone()).await.unwrap();
    let moved = engine.delete_record(&key("n"), Some(&Digest::of(b"other"))).await;
    let text = format!("image \"n\" has target {APP_ID}, not {}: not found", Digest::of(b"other"));
    assert_eq!(refusal(moved), (Kind::NotFound, text));
    for name in ["127.0.0.1:5000/team/app:1.0", APP] {
        engine.delete_record(&key(name), Some(&app.digest)).await.unwrap();
    }
    assert_eq!((engine.image_count(), engine.blob_info(&app.digest).is_some()), (2, true));
    engine.delete_record(&key("n"), None).await.unwrap();
    assert_eq!((engine.image_count(), engine.blob_info(&app.digest).is_some()), (1, false));
    assert_eq!(refusal(engine.delete_record(&key("n"), None).await).0, Kind::NotFound);
    // One that has no name goes by its digest.
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    for name in [LEGACY, "docker.io/legacy/three-layers:latest"] {
        update(&engine, name, vec![RecordEdit::Target(app.clone())]).await.unwrap();
    }
    assert_eq!(dangling_ids(&engine), [LEGACY_ID]);
    engine.delete_record(&key(LEGACY_ID), None).await.unwrap();
    assert_eq!(engine.image_count(), 1);
}

/// Denies one name.
struct Denying;

impl Admission for Denying {
    fn decide<'a>(&'a self, candidate: &'a Candidate) -> futures_util::future::BoxFuture<'a, Result<Verdict>> {
        let judged = candidate.judged_name().map(|name| name.to_string());
        let is_denied = judged.as_deref() == Some("docker.io/library/denied:latest");
        let denial = Denial { rule: "names".to_owned(), reason: "nobody wants it".to_owned() };
        Box::pin(async move { Ok(if is_denied { Verdict::Deny(denial) } else { Verdict::NoRule }) })
    }
}

#[tokio::test]
async fn rules_decide_on_every_name_by_what_docker_reads() {
    let settings = Settings { admissions: vec![Arc::new(Denying)], ..Settings::new("/nowhere") };
    let engine = Engine::with_stores(settings, MemoryStore::open()).await.unwrap();
    load(&engine, LoadOptions::default(), fixture("app-oci.tar")).await.unwrap();
    let app = target(&engine, APP);
    for name in ["denied", "denied:latest", "docker.io/library/denied:latest", "index.docker.io/denied"] {
        assert_eq!(refusal(create(&engine, name, app.clone()).await).0, Kind::Denied, "{name}");
    }
    create(&engine, "Not A Name", app.clone()).await.unwrap();
    // Labels need no decision, what a name points at does.
    update(&engine, "Not A Name", vec![RecordEdit::Labels(labels(&[("a", "b")]))]).await.unwrap();
    assert_eq!(engine.records().len(), 3);
}

#[tokio::test]
async fn content_that_nothing_has_read_is_read_when_it_gets_a_name() {
    let (source, engine) = (loaded().await, engine().await);
    let held = engine.0.leases.acquire();
    for info in source.blobs() {
        held.hold_in_advance(&info.digest);
        let blob = source.blob(&info.digest).await.unwrap();
        let bytes: Vec<Bytes> = blob.stream(0, u64::MAX, 1 << 20).try_collect().await.unwrap();
        let mut ingest = engine.0.stores.blobs.ingest(crate::store::IngestRequest::default()).await.unwrap();
        ingest.write(&bytes.concat()).await.unwrap();
        engine.0.publisher.record(vec![ingest.finish().await.unwrap()]).await.unwrap();
    }
    create(&engine, "again:1", target(&source, APP)).await.unwrap();
    drop(held);
    engine.prune(&PruneFilter::default()).await.unwrap();
    let image = engine.inspect(&called(APP_ID), None).await.unwrap();
    assert!(image.manifests.len() == 6 && image.manifests.iter().all(|manifest| manifest.available));
    assert!(image.config.is_some());
}

/// What events have made of records.
async fn follow(
    events: &mut (impl futures_util::Stream<Item = RecordEvent> + Unpin),
    seen: &mut BTreeMap<String, ImageRecord>,
) {
    while let Some(Some(event)) = events.next().now_or_never() {
        let known = seen.remove(event.name.as_str());
        assert_eq!(known.is_some(), event.change != RecordChange::Created, "{event:?}");
        assert_eq!(event.record.is_none(), event.change == RecordChange::Deleted, "{event:?}");
        seen.extend(event.record.map(|record| (event.name.to_string(), record)));
    }
}

/// Records as they should be: what each name points at, with its labels.
#[derive(Default)]
struct Model(BTreeMap<String, (Descriptor, StringMap)>);

impl Model {
    fn is_here(&self, target: &Descriptor) -> bool {
        self.0.values().any(|(known, _)| known.digest == target.digest)
    }

    fn set(&mut self, name: &str, target: &Descriptor, labels: StringMap) {
        let old = self.0.insert(name.to_owned(), (target.clone(), labels));
        if let Some((old, _)) = old.filter(|(old, _)| !self.is_here(old)) {
            self.0.insert(old.digest.to_string(), (old, StringMap::default()));
        }
        if name != target.digest.to_string() {
            self.0.remove(&target.digest.to_string());
        }
    }

    fn labels(&self, name: &str) -> StringMap {
        self.0.get(name).map(|(_, labels)| labels.clone()).unwrap_or_default()
    }
}

/// Docker's clients and containerd's change records in any order; what comes out is what the model says, events included.
#[tokio::test]
async fn any_changes_come_out_as_in_the_model() {
    let engine = loaded().await;
    let targets = [target(&engine, APP), target(&engine, LEGACY)]
        .map(|target| Descriptor { annotations: StringMap::default(), ..target });
    let archives = [
        ("app-oci.tar", ["127.0.0.1:5000/team/app:1.0", APP]),
        ("legacy-docker-archive.tar", [LEGACY, "docker.io/legacy/three-layers:latest"]),
    ];
    let mut model = Model::default();
    for (target, (_, names)) in targets.iter().zip(&archives) {
        names.iter().for_each(|name| model.set(name, target, StringMap::default()));
    }
    let mut events = Box::pin(engine.record_events());
    let mut seen: BTreeMap<String, ImageRecord> =
        engine.records().iter().map(|record| (record.name().to_string(), record.clone())).collect();
    let names = ["a:2", "docker.io/library/a:2", APP, LEGACY, "Not A Name", APP_ID, LEGACY_ID];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut done = [0; 6];
    for step in 0..400 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = |shift: u32, limit: usize| (state >> shift) as usize % limit;
        let (name, which, op) = (names[random(20, names.len())], random(30, 2), random(40, 6));
        let target = &targets[which];
        let (known, here, own) = (model.0.contains_key(name), model.is_here(target), target.digest.to_string() == name);
        let is_digest = name.starts_with("sha256:");
        let given = labels(&[("step", &step.to_string())]);
        let result = match op {
            0 => {
                let may = !known && here && !is_digest;
                let made = engine.create_record(NewRecord { labels: given.clone(), ..new(name, target.clone()) }).await;
                if may {
                    model.set(name, target, given);
                }
                made.map(drop).map_err(|error| (may, error))
            }
            1 => {
                let may = known && here && (!is_digest || own);
                if may {
                    model.set(name, target, model.labels(name));
                }
                update(&engine, name, vec![RecordEdit::Target(target.clone())])
                    .await
                    .map(drop)
                    .map_err(|error| (may, error))
            }
            2 => {
                if let Some((_, labels)) = model.0.get_mut(name) {
                    labels.clone_from(&given);
                }
                update(&engine, name, vec![RecordEdit::Labels(given)]).await.map(drop).map_err(|error| (known, error))
            }
            3 => {
                model.0.remove(name);
                engine.delete_record(&key(name), None).await.map_err(|error| (known, error))
            }
            4 => {
                if here {
                    model.set("docker.io/library/a:2", target, model.labels("docker.io/library/a:2"));
                }
                engine.tag(&target.digest.clone().into(), &new_name("a:2")).await.map_err(|error| (here, error))
            }
            _ => {
                let (archive, names) = &archives[which];
                names.iter().for_each(|name| model.set(name, target, model.labels(name)));
                load(&engine, LoadOptions::default(), fixture(archive)).await.map(drop).map_err(|error| (true, error))
            }
        };
        match result {
            Ok(()) => done[op] += 1,
            Err((may, error)) => assert!(!may, "step {step}: {op} of {name}: {error}"),
        }
        let expected: Vec<(&str, String, StringMap)> = model
            .0
            .iter()
            .map(|(name, (target, labels))| (name.as_str(), target.digest.to_string(), labels.clone()))
            .collect();
        let records = engine.records();
        let found: Vec<(&str, String, StringMap)> = texts(&records)
            .into_iter()
            .zip(records.iter())
            .map(|((name, digest), record)| (name, digest, record.labels().clone()))
            .collect();
        assert_eq!(found, expected, "step {step}: {op} of {name}");
        follow(&mut events, &mut seen).await;
        assert!(seen.values().eq(records.iter()), "step {step}: {op} of {name}: events tell something else");
    }
    assert!(done.iter().all(|count| *count > 10), "{done:?}");
}

#[tokio::test]
async fn dockers_events_tell_of_names_as_well() {
    let engine = loaded().await;
    let app = target(&engine, APP);
    let since = engine.now();
    create(&engine, "a:2", app).await.unwrap();
    update(&engine, "a:2", vec![RecordEdit::Labels(labels(&[("a", "b")]))]).await.unwrap();
    update(&engine, "a:2", vec![RecordEdit::Target(target(&engine, LEGACY))]).await.unwrap();
    engine.delete_record(&key("a:2"), None).await.unwrap();
    engine.delete_record(&key(LEGACY), None).await.unwrap();
    engine.delete_record(&key("docker.io/legacy/three-layers:latest"), None).await.unwrap();
    let past = EventQuery { since: Some(since), until: Some(engine.now()), ..EventQuery::default() };
    let told: Vec<String> = engine
        .events(past)
        .map(|event| format!("{} {}", event.action.name(), event.attributes.get("name").unwrap_or_default()))
        .collect()
        .await;
    let delete = format!("delete {LEGACY_ID}");
    let untag = ["untag legacy/three-layers:1", "untag legacy/three-layers:latest"];
    assert_eq!(told, ["tag a:2", "tag a:2", "untag a:2", untag[0], untag[1], &delete]);
}

#[tokio::test]
async fn a_listener_to_records_that_falls_behind_is_cut_off() {
    let engine = loaded().await;
    let (slow, ended) = (engine.record_events(), engine.record_events());
    for number in 0..300 {
        update(&engine, APP, vec![RecordEdit::Labels(labels(&[("n", &number.to_string())]))]).await.unwrap();
    }
    assert_eq!(slow.collect::<Vec<_>>().await.len(), 0);
    drop(ended);
    let ended = engine.record_events();
    engine.end_streams();
    assert_eq!(ended.count().await, 0);
}

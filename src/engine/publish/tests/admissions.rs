//! Each way in that needs no registry: an admission is asked, and what it denies leaves nothing behind.

use bytes::Bytes;
use futures_util::stream;

use super::*;
use crate::domain::{Detail, Digest, Kind};
use crate::engine::{ImportEvent, ImportRequest};

const DENIED: &str = "denied/app:1";

/// What there is to be left behind.
#[derive(Debug, PartialEq)]
struct Left {
    names: Vec<(String, String)>,
    blobs: Vec<Digest>,
    ingests: usize,
    held: Vec<Digest>,
}

fn left(engine: &Engine) -> Left {
    let mut blobs: Vec<Digest> = engine.blobs().into_iter().map(|blob| blob.digest).collect();
    blobs.sort();
    let held = engine.0.leases.held();
    Left { names: all_names(engine), blobs, ingests: engine.ingests().len(), held }
}

/// Checks what clients and listeners are told of a denial.
async fn is_denied(engine: &Engine, error: &Error, name: &str) -> Arc<Event> {
    assert_eq!(error.kind(), Kind::Denied, "{error:?}");
    let Detail::Denied { image, rule, reason } = error.detail() else { panic!("{error:?}") };
    assert_eq!((image.as_str(), rule.as_str(), reason.as_str()), (name, "names", "denied is not wanted"));
    let event = denial(engine).await;
    let told = ["name", "rule", "reason"].map(|key| event.attributes.get(key).unwrap_or_default().to_owned());
    assert_eq!(told, [name, "names", "denied is not wanted"]);
    event
}

async fn import(engine: &Engine, name: Option<&str>, archive: &[u8]) -> Result<Digest> {
    let request = ImportRequest { name: name.map(new_name), ..ImportRequest::default() };
    let mut events = engine.import(request, stream::iter([Ok(Bytes::copy_from_slice(archive))]));
    match events.recv().await {
        Some(ImportEvent::Done(digest)) => Ok(digest),
        Some(ImportEvent::Failed(error)) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// A root file system of one file.
fn root(content: &str) -> Vec<u8> {
    archive_of(&[("file".to_owned(), content.to_owned())])
}

/// An engine with one image, and an admission that denies some names.
async fn with_an_image() -> (Engine, Arc<Asked>, Left) {
    let asked = Asked::denying("denied");
    let engine = engine(vec![asked.clone()]).await;
    load(&engine, docker_archive(&[(&["kept/app:1"], "kept")])).await.unwrap();
    asked.asked.lock().clear();
    let before = left(&engine);
    (engine, asked, before)
}

#[tokio::test]
async fn one_denied_name_keeps_a_whole_docker_archive_out() {
    let (engine, asked, before) = with_an_image().await;
    let archive = docker_archive(&[(&["fine/app:1", "fine/app:2"], "fine"), (&["fine/app:3", DENIED], "other")]);
    let error = load(&engine, archive).await.unwrap_err();
    assert_eq!(asked.names(), ["fine/app:1", "fine/app:2", "fine/app:3", DENIED]);
    assert!(asked.asked.lock().iter().all(|candidate| candidate.origin == Origin::Archive));
    let event = is_denied(&engine, &error, DENIED).await;
    assert_eq!(event.id.clone(), asked.asked.lock()[3].target.digest.to_string());
    assert_eq!(left(&engine), before);
}

#[tokio::test]
async fn one_denied_name_keeps_a_whole_layout_out() {
    let asked = Asked::answering(|candidate| match named(candidate).starts_with("127.0.0.1") {
        true => Ok(Verdict::Deny(Denial { rule: "names".to_owned(), reason: "denied is not wanted".to_owned() })),
        false => Ok(Verdict::NoRule),
    });
    let engine = engine(vec![asked.clone()]).await;
    let before = left(&engine);
    let error = load(&engine, tests::fixture("app-oci.tar")).await.unwrap_err();
    is_denied(&engine, &error, "127.0.0.1:5000/team/app:1.0").await;
    assert_eq!(left(&engine), before);
    let names = asked.names();
    assert!(names.contains(&tests::APP.to_owned()) || names.len() == 1, "{names:?}");
    // All that the archive holds was there to be looked at: the index and the six manifests under it.
    let asked = asked.asked.lock();
    assert_eq!((asked[0].target.digest.to_string().as_str(), asked[0].documents.len()), (tests::APP_ID, 7));
}

#[tokio::test]
async fn an_image_without_a_name_is_asked_about_by_its_digest() {
    let asked = Asked::answering(|_| {
        Ok(Verdict::Deny(Denial { rule: "names".to_owned(), reason: "denied is not wanted".to_owned() }))
    });
    let engine = engine(vec![asked.clone()]).await;
    let before = left(&engine);
    let error = load(&engine, docker_archive(&[(&[], "unnamed")])).await.unwrap_err();
    let digest = asked.names().remove(0);
    assert!(asked.asked.lock()[0].name.is_unnamed());
    assert_eq!(is_denied(&engine, &error, &digest).await.id, digest);
    let error = import(&engine, None, &root("unnamed")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert_eq!(left(&engine), before);
}

#[tokio::test]
async fn what_a_denied_archive_shares_with_an_image_stays() {
    let (engine, _, before) = with_an_image().await;
    let error = load(&engine, docker_archive(&[(&[DENIED], "kept"), (&["fine/app:1"], "new")])).await.unwrap_err();
    is_denied(&engine, &error, DENIED).await;
    assert_eq!(left(&engine), before);
    for blob in before.blobs {
        assert!(engine.blob(&blob).await.is_ok(), "{blob}");
    }
}

#[tokio::test]
async fn an_import_is_denied() {
    let (engine, asked, before) = with_an_image().await;
    let error = import(&engine, Some(DENIED), &root("imported")).await.unwrap_err();
    let event = is_denied(&engine, &error, DENIED).await;
    {
        let asked = asked.asked.lock();
        let [candidate] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!(event.id, candidate.target.digest.to_string());
        assert_eq!((&candidate.origin, &candidate.evidence), (&Origin::RootFilesystem, &Evidence::Complete(vec![])));
        assert_eq!(candidate.documents[0].0, candidate.target.digest);
    }
    assert_eq!(left(&engine), before);
    import(&engine, Some("fine/app:1"), &root("imported")).await.unwrap();
}

#[tokio::test]
async fn a_tag_is_denied() {
    let (engine, asked, before) = with_an_image().await;
    let error = tag(&engine, "kept/app:1", DENIED).await.unwrap_err();
    let event = is_denied(&engine, &error, DENIED).await;
    assert_eq!(
        (event.id.clone(), asked.asked.lock()[0].origin.clone()),
        (target(&engine, "kept/app:1"), Origin::Local)
    );
    assert_eq!(left(&engine), before);
    // A name that is taken from elsewhere stays where it was.
    tag(&engine, "kept/app:1", "fine/app:1").await.unwrap();
    assert_eq!(asked.names(), [DENIED, "fine/app:1"]);
}

#[tokio::test]
async fn the_evidence_about_every_part_of_an_image_is_known() {
    let asked = Asked::looking_at_evidence();
    let engine = engine(vec![asked.clone()]).await;
    let (archive, evidence) = attested();
    load(&engine, archive.clone()).await.unwrap();
    // With the archive that brings it, where it is here, and both.
    tag(&engine, "attested/app:1", "copy/app:1").await.unwrap();
    load(&engine, archive).await.unwrap();
    load(&engine, docker_archive(&[(&["other/app:1"], "other")])).await.unwrap();
    let asked: Vec<Evidence> = asked.asked.lock().iter().map(|candidate| candidate.evidence.clone()).collect();
    let about = Evidence::Complete(evidence);
    assert_eq!(asked, [about.clone(), about.clone(), about, Evidence::Complete(vec![])]);
}

#[tokio::test]
async fn evidence_that_nobody_asks_for_is_not_looked_for() {
    let asked = Asked::denying("denied");
    let engine = engine(vec![asked.clone()]).await;
    load(&engine, attested().0).await.unwrap();
    tag(&engine, "attested/app:1", "copy/app:1").await.unwrap();
    let asked = asked.asked.lock();
    assert!(asked.iter().all(|candidate| matches!(candidate.evidence, Evidence::Unknown(_))), "{asked:?}");
}

/// An archive of an index and a manifest, with evidence about either and evidence about evidence; and the digests of the
/// documents that are evidence, sorted.
fn attested() -> (Vec<u8>, Vec<Digest>) {
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let mut files = vec![("oci-layout".to_owned(), json!({"imageLayoutVersion": "1.0.0"}).to_string())];
    let mut blob = |kind: &str, content: &Value| {
        let text = content.to_string();
        let digest = Digest::of(text.as_bytes());
        let descriptor = json!({"mediaType": kind, "digest": digest.to_string(), "size": text.len()});
        files.push((format!("blobs/sha256/{}", digest.hex()), text));
        descriptor
    };
    let config = json!({"os": "linux", "architecture": "amd64", "config": {}});
    let config = blob("application/vnd.oci.image.config.v1+json", &config);
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []});
    let manifest = blob(MANIFEST, &manifest);
    let mut index = blob(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [&manifest]}));
    let mut about = |subject: &Value| {
        let empty = blob("application/vnd.oci.empty.v1+json", &json!({}));
        let statement = blob("application/vnd.in-toto+json", &json!({"about": subject["digest"]}));
        let referrer = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [statement],
            "artifactType": "application/vnd.in-toto+json", "subject": subject});
        blob(MANIFEST, &referrer)
    };
    let mut evidence = vec![about(&index), about(&manifest)];
    evidence.push(about(&evidence[0]));
    index["annotations"] = json!({"io.containerd.image.name": "docker.io/attested/app:1"});
    let listed: Vec<&Value> = evidence.iter().chain([&index]).collect();
    let listing = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed});
    files.push(("index.json".to_owned(), listing.to_string()));
    let digest = |found: &Value| found["digest"].as_str().unwrap().parse().unwrap();
    let mut digests: Vec<Digest> = evidence.iter().map(digest).collect();
    digests.sort();
    (archive_of(&files), digests)
}

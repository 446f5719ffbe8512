//! The recorded answers of a Docker Engine, made again from what its newest answers say.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::detail::ImageInspect;
use super::history::ImageHistoryResponseItem;
use super::summary::ImageSummary;
use crate::api::docker::versions::{Detail, shape};
use crate::domain::image::{self, HistoryItem, ManifestKind, ManifestSummary};
use crate::domain::manifest::{ConfigSummary, Document, HistoryStep, ImageConfig, Manifest};
use crate::domain::{Descriptor, Digest, MediaType, Platform, Reference, StringMap};

const VERSIONS: [u8; 14] = [40, 41, 42, 43, 44, 46, 47, 48, 50, 51, 52, 53, 54, 55];

fn recordings() -> BTreeMap<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/engine.json");
    let steps: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    steps.into_iter().map(|step| (step["id"].as_str().unwrap().to_owned(), step["answer"]["json"].clone())).collect()
}

fn names(tags: &Value) -> Vec<Reference> {
    serde_json::from_value(tags.clone()).unwrap()
}

fn digest(value: &Value) -> Digest {
    value.as_str().unwrap().parse().unwrap()
}

fn attestation<const N: usize>(layers: [Descriptor; N]) -> Arc<Document> {
    Arc::new(Document::Manifest(Manifest {
        config: Descriptor::new(MediaType::OCI_CONFIG, Digest::of(b"{}"), 2),
        layers: layers.into(),
        subject: None,
        annotations: Default::default(),
        artifact_type: None,
    }))
}

fn manifests(row: &Value) -> Vec<ManifestSummary> {
    let manifest = |of: &Value| {
        let kind = match of["Kind"].as_str().unwrap() {
            "image" => ManifestKind::Image,
            "attestation" => ManifestKind::Attestation(digest(&of["AttestationData"]["For"])),
            _ => ManifestKind::Unknown,
        };
        let platform = |_: &_| Platform::from_json_value(&of["ImageData"]["Platform"]).unwrap();
        let config =
            |platform| Arc::new(ConfigSummary { platform, created: None, labels: Default::default(), user: None });
        ManifestSummary {
            descriptor: Descriptor::from_json(&of["Descriptor"]).unwrap().into(),
            document: (kind != ManifestKind::Image).then(|| attestation([])),
            available: of["Available"].as_bool().unwrap(),
            content_size: of["Size"]["Content"].as_u64().unwrap(),
            config: Some(&kind).filter(|kind| **kind == ManifestKind::Image).map(platform).map(config),
            kind,
        }
    };
    row["Manifests"].as_array().into_iter().flatten().map(manifest).collect()
}

/// What a row of a list is a view of.
struct Kept {
    target: Descriptor,
    labels: StringMap,
    manifests: Vec<ManifestSummary>,
    names: Vec<Reference>,
    row: Value,
}

impl Kept {
    fn of(row: &Value) -> Self {
        let labels = row["Labels"].as_object().unwrap().iter();
        Self {
            target: Descriptor::from_json(&row["Descriptor"]).unwrap(),
            labels: labels.map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect(),
            manifests: manifests(row),
            names: names(&row["RepoTags"]),
            row: row.clone(),
        }
    }

    fn summary(&self) -> image::ImageSummary<'_> {
        image::ImageSummary {
            target: &self.target,
            created: self.row["Created"].as_i64().unwrap(),
            labels: Some(&self.labels),
            names: &self.names,
            opaque_names: &[],
            size: self.row["Size"].as_u64().unwrap(),
            manifests: &self.manifests,
            sources: &[],
        }
    }
}

/// The configuration with a digest, out of the fixtures.
fn config(fixture: &str, name: &str) -> ImageConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let mut entry = entries.into_iter().find(|entry| entry.path().unwrap().ends_with(name)).unwrap();
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).unwrap();
    ImageConfig::decode(&bytes).unwrap()
}

fn detail(answer: &Value, fixture: &str, name: &str) -> image::ImageDetail {
    image::ImageDetail {
        target: Descriptor::from_json(&answer["Descriptor"]).unwrap(),
        digest: answer["RepoDigests"][0].as_str().unwrap().split_once('@').unwrap().1.parse().unwrap(),
        names: names(&answer["RepoTags"]),
        opaque_names: Vec::new(),
        config: Some(config(fixture, name)),
        size: answer["Size"].as_u64().unwrap(),
        last_tag_time: answer["Metadata"]["LastTagTime"].as_str().unwrap().parse().unwrap(),
        manifests: manifests(answer),
        sources: vec![],
    }
}

/// Without what differs on purpose: statements are ours, and sizes of unpacked layers theirs.
fn comparable(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("Statements");
                members.remove("Unpacked");
                members.remove("Total");
                members.values_mut().for_each(walk);
            }
            Value::Array(members) => members.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[test]
fn lists_are_as_recorded_in_every_version() {
    let recordings = recordings();
    let newest = recordings["list-manifests-1.55"].as_array().unwrap();
    for minor in VERSIONS {
        for (id, asked) in
            [(format!("list-1.{minor}"), Detail::Row), (format!("list-manifests-1.{minor}"), Detail::Manifests)]
        {
            let shown = if minor >= 47 { asked } else { Detail::Row };
            let rows: Vec<Value> = newest
                .iter()
                .map(|row| {
                    let kept = Kept::of(row);
                    serde_json::to_value(ImageSummary::new(&kept.summary(), &shape(minor).list, shown, None)).unwrap()
                })
                .collect();
            assert_eq!(comparable(json!(rows)), comparable(recordings[&id].clone()), "{id}");
        }
    }
}

#[test]
fn inspect_is_as_recorded_in_every_version() {
    let recordings = recordings();
    let app = "16e8a202019a95f9b608b844b8e912343180c52ef84e86adbc72d292e5accb2e";
    let legacy = "5ace31629c83ab2a0dbc168521538074c377c9ac35901fd166b3c3f533bd93a1.json";
    for (id, fixture, name) in
        [("inspect", "app-oci.tar", app), ("inspect-legacy", "legacy-docker-archive.tar", legacy)]
    {
        for minor in VERSIONS {
            let image = detail(&recordings[&format!("{id}-1.55")], fixture, name);
            let shown = serde_json::to_value(ImageInspect::new(&image, &shape(minor).detail, false)).unwrap();
            assert_eq!(shown, recordings[&format!("{id}-1.{minor}")], "{id}-1.{minor}");
        }
    }
    let image = detail(&recordings["inspect-manifests"], "app-oci.tar", app);
    for (id, minor) in [("inspect-manifests", 55), ("inspect-manifests-1.48", 48)] {
        let shown = serde_json::to_value(ImageInspect::new(&image, &shape(minor).detail, true)).unwrap();
        assert_eq!(comparable(shown), comparable(recordings[id].clone()), "{id}");
    }
}

fn plain(kind: ManifestKind) -> ManifestSummary {
    let descriptor = Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"m"), 1);
    let (descriptor, document, config) = (descriptor.into(), None, None);
    ManifestSummary { descriptor, document, kind, config, available: false, content_size: 0 }
}

fn unnamed<'a>(target: &'a Descriptor, manifests: &'a [ManifestSummary]) -> image::ImageSummary<'a> {
    let (names, opaque_names, sources) = (&[], &[], &[]);
    image::ImageSummary { target, created: 0, labels: None, names, opaque_names, size: 0, manifests, sources }
}

fn index() -> Descriptor {
    Descriptor::new(MediaType::OCI_INDEX, Digest::of(b"i"), 1)
}

#[test]
fn statements_are_shown_from_1_55_on_unless_their_manifest_is_not_here() {
    const PREDICATE_TYPE: (&str, &str) = ("in-toto.io/predicate-type", "https://slsa.dev/provenance/v1");
    let mut statement = Descriptor::new(MediaType::IN_TOTO, Digest::of(b"s"), 7);
    statement.annotations = [PREDICATE_TYPE].into_iter().collect();
    let shown = |document| ManifestSummary { document, ..plain(ManifestKind::Attestation(Digest::of(b"subject"))) };
    let manifests = [shown(Some(attestation([statement]))), shown(Some(attestation([]))), shown(None)];
    let target = index();
    let image = unnamed(&target, &manifests);
    let data = |minor| {
        let row =
            serde_json::to_value(ImageSummary::new(&image, &shape(minor).list, Detail::Manifests, Some(5))).unwrap();
        assert_eq!(row["SharedSize"], 5);
        row["Manifests"].as_array().unwrap().iter().map(|one| one["AttestationData"].clone()).collect::<Vec<_>>()
    };
    let subject = Digest::of(b"subject").to_string();
    let described = json!({
        "Descriptor": {"mediaType": "application/vnd.in-toto+json", "digest": Digest::of(b"s").to_string(), "size": 7,
            "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}},
        "PredicateType": "https://slsa.dev/provenance/v1",
    });
    assert_eq!(
        data(55),
        [
            json!({"For": subject, "Statements": [described]}),
            json!({"For": subject, "Statements": []}),
            json!({"For": subject})
        ]
    );
    assert_eq!(data(54), vec![json!({"For": subject}); 3]);
}

#[test]
fn an_image_without_names_had_a_word_for_it() {
    let (target, manifests) = (index(), [plain(ManifestKind::Unknown)]);
    let image = unnamed(&target, &manifests);
    let row = |minor| serde_json::to_value(ImageSummary::new(&image, &shape(minor).list, Detail::Row, None)).unwrap();
    assert_eq!((&row(42)["RepoTags"], &row(42)["RepoDigests"]), (&json!(["<none>:<none>"]), &json!(["<none>@<none>"])));
    assert_eq!((&row(43)["RepoTags"], &row(43)["RepoDigests"]), (&json!([]), &json!([])));
}

#[test]
fn an_image_without_a_configuration_still_has_an_answer() {
    let image = image::ImageDetail {
        target: Descriptor::new(MediaType::OCI_INDEX, Digest::of(b"i"), 1),
        digest: Digest::of(b"i"),
        names: vec![],
        opaque_names: Vec::new(),
        config: None,
        size: 0,
        last_tag_time: jiff::Timestamp::UNIX_EPOCH,
        manifests: vec![],
        sources: vec![],
    };
    let show = |minor| serde_json::to_value(ImageInspect::new(&image, &shape(minor).detail, true)).unwrap();
    let newest = show(55);
    assert_eq!((&newest["Config"], &newest["Os"], newest.get("Created")), (&Value::Null, &json!(""), None));
    assert!(newest.get("Manifests").is_none());
    assert_eq!(show(43)["Created"], "0001-01-01T00:00:00Z");
}

#[test]
fn times_keep_their_offset_and_lose_idle_digits() {
    for (written, shown) in [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.120000000Z", "2026-01-01T00:00:00.12Z"),
        ("2026-01-01T00:00:00.000+02:00", "2026-01-01T00:00:00+02:00"),
    ] {
        let config = ImageConfig::decode(json!({"created": written}).to_string().as_bytes()).unwrap();
        let image = image::ImageDetail {
            target: Descriptor::new(MediaType::OCI_INDEX, Digest::of(b"i"), 1),
            digest: Digest::of(b"i"),
            names: vec![],
            opaque_names: Vec::new(),
            config: Some(config),
            size: 0,
            last_tag_time: jiff::Timestamp::UNIX_EPOCH,
            manifests: vec![],
            sources: vec![],
        };
        let answer = serde_json::to_value(ImageInspect::new(&image, &shape(55).detail, false)).unwrap();
        assert_eq!(answer["Created"], shown, "{written}");
    }
}

#[test]
fn older_steps_have_no_image() {
    let step = HistoryStep { created_by: "RUN x".into(), ..Default::default() };
    let newest = HistoryItem { step: step.clone(), id: Some(Digest::of(b"i")), size: 3, names: names(&json!(["a:1"])) };
    let older = HistoryItem { step, id: None, size: 0, names: vec![] };
    let show = |item| serde_json::to_value(ImageHistoryResponseItem::from(item)).unwrap();
    assert_eq!(
        show(&newest),
        json!({"Id": Digest::of(b"i").to_string(), "Created": 0, "CreatedBy": "RUN x", "Tags": ["a:1"], "Size": 3, "Comment": ""})
    );
    assert_eq!((&show(&older)["Id"], &show(&older)["Tags"]), (&json!("<missing>"), &Value::Null));
}

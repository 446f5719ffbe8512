use serde_json::json;

use super::super::newer_version;
use super::*;

fn descriptor() -> Descriptor {
    let value = json!({
        "mediaType": "application/vnd.example.other+json",
        "digest": Digest::of(b"x").to_string(),
        "size": 856,
        "urls": ["https://elsewhere.example/x"],
        "annotations": {"b": "2", "a": "1"},
        "data": "e30=",
        "platform": {"architecture": "arm", "os": "linux", "variant": "v7", "os.features": ["a"], "os.version": "1"},
        "artifactType": "application/vnd.example+json",
    });
    Descriptor::from_json(&value).unwrap()
}

fn manifest() -> Document {
    Document::Manifest(Manifest {
        config: Descriptor::new(MediaType::OCI_CONFIG, Digest::of(b"config"), 7),
        layers: [descriptor(), Descriptor::new(MediaType::DOCKER_LAYER, Digest::of(b"layer"), 1 << 40)].into(),
        subject: Some(Box::new(descriptor())),
        annotations: [("k", "v")].into_iter().collect(),
        artifact_type: Some("application/vnd.example".into()),
    })
}

fn name() -> NameRecord {
    NameRecord {
        labels: [("l", "1")].into_iter().collect(),
        verdict: Some(Box::new(Verdict { rule: "r".into(), reason: "because".into(), decided_at: 3 })),
        ..NameRecord::new(descriptor(), -5)
    }
}

fn check<R: Record + PartialEq + std::fmt::Debug>(record: R) {
    let bytes = record.encode().unwrap();
    assert_eq!(R::decode(&bytes).unwrap(), record);
    // Cut short, longer, or of a version to come: an error that says so, and never a panic.
    for len in 0..bytes.len() {
        assert_eq!(R::decode(&bytes[..len]).unwrap_err().kind(), Kind::DataLoss);
    }
    assert!(R::decode(&[bytes.as_slice(), &[0]].concat()).unwrap_err().chain().contains("after its end"));
    assert_eq!((bytes[0], newer_version::<R>(&bytes)), (R::VERSION, None));
    assert_eq!(
        (newer_version::<R>(&[99]), newer_version::<R>(&[200]), newer_version::<R>(&[])),
        (Some(99), None, None)
    );
    let newer = [&[99], &bytes[1..]].concat();
    assert!(R::decode(&newer).unwrap_err().chain().contains("version 99"));
}

#[test]
fn every_record_is_read_as_it_was_written() {
    check(BlobRecord { size: u64::MAX, created_at: i64::MIN });
    check(name());
    check(manifest());
    check(Document::Index(Index {
        manifests: [descriptor()].into(),
        subject: None,
        annotations: StringMap::default(),
        artifact_type: None,
    }));
    let platform = Platform::parse_specifier("linux/arm/v7").unwrap();
    let labels = [("a", "b"), ("c", "d")].into_iter().collect();
    check(ConfigSummary { platform, created: Some(-1), labels, user: Some("1000:1000".into()) });
    check(vec!["registry.example:5000/a".to_owned(), String::new()]);
}

#[test]
fn a_name_of_the_first_version_has_neither_labels_nor_a_verdict() {
    let target = Descriptor::new(MediaType::OCI_INDEX, Digest::of(b"index"), 300);
    // Type 1 and no text, 32 bytes of digest, 300, no annotations, no platform, nothing rare; then two times.
    let mut bytes = vec![V1, 1, 0, 32];
    bytes.extend(target.digest.bytes());
    bytes.extend([0xac, 0x02, 0, 0, 0, 10, 12]);
    let expected = NameRecord { updated_at: 6, evidence: EvidenceState::Unrecorded, ..NameRecord::new(target, 5) };
    assert_eq!(NameRecord::decode(&bytes).unwrap(), expected);
}

#[test]
fn a_configuration_of_the_first_version_does_not_say_its_user() {
    let mut bytes = vec![V1];
    let platform = Platform::parse_specifier("linux/amd64").unwrap();
    let (created, labels) = (Some(5), StringMap::default());
    bytes.extend(postcard::to_stdvec(&(AsStored(&platform), created, AsStored(&labels))).unwrap());
    let expected = ConfigSummary { platform, created, labels, user: None };
    assert_eq!(<ConfigSummary as Record>::decode(&bytes).unwrap(), expected);
}

#[test]
fn a_name_of_the_second_version_does_not_say_whether_its_evidence_is_all() {
    let target = Descriptor::new(MediaType::OCI_INDEX, Digest::of(b"index"), 300);
    let mut bytes = vec![V2, 1, 0, 32];
    bytes.extend(target.digest.bytes());
    // The same, then one label and no verdict.
    bytes.extend([0xac, 0x02, 0, 0, 0, 10, 12, 1, 1, b'l', 1, b'v', 0]);
    let labels = [("l", "v")].into_iter().collect();
    let expected =
        NameRecord { updated_at: 6, labels, evidence: EvidenceState::Unrecorded, ..NameRecord::new(target, 5) };
    assert_eq!(NameRecord::decode(&bytes).unwrap(), expected);
    let missing = NameRecord { evidence: EvidenceState::Missing("why".into()), ..expected };
    assert_eq!(NameRecord::decode(&missing.encode().unwrap()).unwrap(), missing);
}

#[test]
fn each_media_type_keeps_its_number() {
    let text = |kind: &MediaType| postcard::to_stdvec(&AsStored(kind)).unwrap();
    for (number, kind) in &MEDIA_TYPES {
        assert_eq!(text(kind), [*number as u8, 0]);
        assert!(MEDIA_TYPES.iter().filter(|(other, _)| other == number).count() == 1);
    }
    assert_eq!(text(&MediaType::new("a/b")), [0, 3, b'a', b'/', b'b']);
    assert!(postcard::from_bytes::<AsStored<MediaType>>(&[200, 1, 0]).is_err());
}

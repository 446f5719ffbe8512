use super::*;
use crate::domain::error::Kind;

const DIGEST: &str = "sha256:1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";

fn key(text: &str) -> NameKey {
    let key = NameKey::new(text).unwrap();
    assert_eq!((key.as_str(), key.to_string().as_str()), (text, text), "the text is kept byte for byte");
    assert_eq!(key, NameKey::from_record(text));
    key
}

#[test]
fn a_canonical_reference_is_dockers_name() {
    for (text, familiar) in [
        ("docker.io/library/app:1.0", "app:1.0".to_owned()),
        ("docker.io/team/app:1.0", "team/app:1.0".to_owned()),
        ("registry.example:5000/app:1.0", "registry.example:5000/app:1.0".to_owned()),
        (&format!("docker.io/library/app@{DIGEST}"), format!("app@{DIGEST}")),
        (&format!("docker.io/library/app:1@{DIGEST}"), format!("app:1@{DIGEST}")),
    ] {
        let key = key(text);
        let reference: Reference = text.parse().unwrap();
        assert_eq!(key.kind(), &NameKind::Docker(reference.clone()));
        assert_eq!((key.reference(), key.judged().as_deref()), (Some(&reference), Some(&reference)));
        assert_eq!(key.shown(), familiar);
        assert_eq!(NameKey::from(&reference), key);
    }
}

#[test]
fn any_other_text_is_a_name_that_docker_does_not_know() {
    let at_digest = format!("import-2026-11-27@{DIGEST}");
    // The name, and what rules judge it by.
    for (text, judged) in [
        ("a:2", Some("docker.io/library/a:2")),
        ("app", Some("docker.io/library/app:latest")),
        ("docker.io/library/app", Some("docker.io/library/app:latest")),
        ("index.docker.io/library/app:1", Some("docker.io/library/app:1")),
        ("docker.io/app:1", Some("docker.io/library/app:1")),
        (&at_digest, Some(&format!("docker.io/library/{at_digest}"))),
        ("Not A Name", None),
        ("docker.io/library/app:1 ", None),
        ("DOCKER.IO/library/App:1", None),
        ("\u{0}\n\u{202e}", None),
        (&DIGEST[7..], None),
    ] {
        let key = key(text);
        assert!(key.is_opaque() && !key.is_unnamed() && key.reference().is_none(), "{text:?}");
        assert_eq!(key.judged().map(|judged| judged.to_string()).as_deref(), judged, "{text:?}");
    }
    assert_eq!(key(&"é".repeat(257)).shown(), format!("{}…", "é".repeat(256)));
    assert_eq!(key("a\n\u{1b}[1mb ü").shown(), "a\\n\\u{1b}[1mb ü");
}

#[test]
fn an_image_without_a_name_is_kept_under_its_digest() {
    let key = key(DIGEST);
    let digest: Digest = DIGEST.parse().unwrap();
    assert_eq!(key.kind(), &NameKind::Unnamed(digest.clone()));
    assert!(key.is_unnamed() && !key.is_opaque() && key.judged().is_none());
    assert_eq!((NameKey::from(digest), key.shown().as_str()), (key, DIGEST));
}

#[test]
fn a_name_has_some_bytes_and_not_too_many() {
    for text in [String::new(), "a".repeat(MAX_NAME + 1)] {
        assert_eq!(NameKey::new(&text).unwrap_err().kind(), Kind::InvalidArgument);
    }
    assert!(key(&"a".repeat(MAX_NAME)).is_opaque());
}

/// Whatever the text, reading it again gives the same key, and two keys are the same and in order as their texts are.
#[test]
fn keys_are_their_texts() {
    let parts =
        ["docker.io/", "library/", "app", "A", ":1", "@", DIGEST, "/", ":", "localhost:5000/", " ", "é", ".", "-"];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut texts = Vec::new();
    for _ in 0..2000 {
        let mut text = String::new();
        for _ in 0..=(state >> 60) % 6 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += parts[(state >> 33) as usize % parts.len()];
        }
        texts.push(text);
    }
    texts.sort();
    texts.dedup();
    let keys: Vec<NameKey> = texts.iter().map(|text| key(text)).collect();
    assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
    for key in &keys {
        let kinds = [key.reference().is_some(), key.is_opaque(), key.is_unnamed()];
        assert_eq!(kinds.iter().filter(|is_so| **is_so).count(), 1, "{key:?}");
        if let Some(reference) = key.reference() {
            assert_eq!(&NameKey::from(reference), key);
        }
        if let Some(judged) = key.judged() {
            assert!(NameKey::from(judged.into_owned()).reference().is_some(), "{key:?}");
        }
    }
    assert!(keys.iter().any(|key| key.reference().is_some()) && keys.iter().any(NameKey::is_opaque));
}

//! For each step of verification, what breaks that step alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{CosignFixture, KeylessFixture, LegacyLayer, roots, verify_one};
use crate::domain::Digest;
use crate::domain::verification::{MAX_BUNDLE, Material, MaterialContent};
use crate::verify::TrustRoots;

/// Changes the last but third byte of a value in base64: its form stays valid.
fn flip(bundle: &mut Value, pointer: &str) {
    let value = bundle.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    let mut bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    *value = json!(STANDARD.encode(bytes));
}

/// A step, and how it is broken in a bundle, given another bundle by the same signer.
type Step = (&'static str, fn(&mut Value, &Value));

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

const STEPS: [Step; 17] = [
    ("signature over the statement", |bundle, _| flip(bundle, "/dsseEnvelope/signatures/0/sig")),
    ("statement", |bundle, other| bundle["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"].clone()),
    ("payload type", |bundle, _| bundle["dsseEnvelope"]["payloadType"] = json!("text/plain")),
    ("certificate", |bundle, _| flip(bundle, "/verificationMaterial/certificate/rawBytes")),
    ("certificate of another signature", |bundle, other| {
        bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"].clone();
    }),
    ("inclusion promise", |bundle, _| flip(bundle, &format!("{ENTRY}/inclusionPromise/signedEntryTimestamp"))),
    ("inclusion proof", |bundle, _| flip(bundle, &format!("{ENTRY}/inclusionProof/rootHash"))),
    ("no inclusion proof", |bundle, _| {
        bundle.pointer_mut(ENTRY).unwrap().as_object_mut().unwrap().remove("inclusionProof");
    }),
    ("checkpoint", |bundle, _| {
        let envelope = bundle.pointer_mut(&format!("{ENTRY}/inclusionProof/checkpoint/envelope")).unwrap();
        *envelope = json!(envelope.as_str().unwrap().replace("Timestamp: ", "Timestamp: 1"));
    }),
    ("time of the entry", |bundle, _| {
        let time = bundle.pointer_mut(&format!("{ENTRY}/integratedTime")).unwrap();
        *time = json!((time.as_str().unwrap().parse::<i64>().unwrap() + 1).to_string());
    }),
    ("body of the entry", |bundle, _| flip(bundle, &format!("{ENTRY}/canonicalizedBody"))),
    ("entry of another signature", |bundle, other| {
        *bundle.pointer_mut(ENTRY).unwrap() = other.pointer(ENTRY).unwrap().clone();
    }),
    ("entry of an unknown log", |bundle, _| flip(bundle, &format!("{ENTRY}/logId/keyId"))),
    ("timestamp", |bundle, _| {
        flip(bundle, "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp");
    }),
    ("a key beside the certificate", |bundle, _| {
        bundle["verificationMaterial"]["publicKey"] = json!({ "hint": "x", "rawBytes": "AAAA" });
    }),
    ("two kinds of signature", |bundle, _| bundle["messageSignature"] = json!({ "signature": "AAAA" })),
    ("version", |bundle, _| bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.9+json")),
];

#[test]
fn each_step_alone_refuses_a_keyless_bundle() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    let other = &fixture.bundles["provenance"];
    let good = &fixture.bundles["signature-and-timestamp"];
    let verifies = |bundle: &Value| {
        let material = fixture.material(MaterialContent::Bundle(bundle.to_string().as_bytes().into()));
        verify_one(&material, &roots, &[])[0].result.is_ok()
    };
    assert!(verifies(good));
    for (step, spoil) in STEPS {
        let mut bundle = good.clone();
        spoil(&mut bundle, other);
        assert_ne!(bundle, *good, "{step}");
        assert!(!verifies(&bundle), "{step}");
    }
}

#[test]
fn what_a_root_does_not_hold_vouches_for_nothing() {
    let fixture = KeylessFixture::read();
    for (list, bundle) in [
        ("tlogs", "signature"),
        ("ctlogs", "signature"),
        ("certificateAuthorities", "signature"),
        ("timestampAuthorities", "signature-by-timestamp-only"),
    ] {
        let mut root = fixture.root.clone();
        root[list] = json!([]);
        let finding = &verify_one(&fixture.bundle(bundle), &roots(&[&root]), &[])[0];
        assert!(finding.result.is_err(), "{list}: {finding:?}");
    }
}

#[test]
fn authorities_and_logs_count_only_while_they_are_valid() {
    let fixture = KeylessFixture::read();
    let windows = [
        ("signature", "/tlogs/0/publicKey"),
        ("signature", "/ctlogs/0/publicKey"),
        ("signature", "/certificateAuthorities/0"),
        ("signature-by-timestamp-only", "/timestampAuthorities/0"),
    ];
    for (bundle, holder) in windows {
        for window in [
            json!({ "start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z" }),
            json!({ "start": "2120-01-01T00:00:00Z" }),
        ] {
            let mut root = fixture.root.clone();
            root.pointer_mut(holder).unwrap()["validFor"] = window.clone();
            let finding = &verify_one(&fixture.bundle(bundle), &roots(&[&root]), &[])[0];
            assert!(finding.result.is_err(), "{holder} {window}");
        }
    }
}

#[test]
fn each_step_alone_refuses_an_older_keyless_signature() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    let verifies = |layer: &LegacyLayer| {
        let content = MaterialContent::SimpleSigning {
            payload: layer.payload.as_bytes().into(),
            annotations: super::annotations(&layer.annotations),
        };
        verify_one(&fixture.material(content), &roots, &[])[0].result.is_ok()
    };
    let good = &fixture.legacy["signature"];
    assert!(verifies(good));
    let with = |key: &str, change: &dyn Fn(&str) -> String| {
        let mut layer = good.clone();
        let value = layer.annotations.get_mut(key).unwrap();
        *value = change(value);
        layer
    };
    let without = |key: &str| {
        let mut layer = good.clone();
        layer.annotations.remove(key);
        layer
    };
    let bundle = "dev.sigstore.cosign/bundle";
    let certificate = "dev.sigstore.cosign/certificate";
    let other = &fixture.legacy["attestation"].annotations;
    for (what, layer) in [
        ("no signature", without("dev.cosignproject.cosign/signature")),
        ("no certificate", without(certificate)),
        ("no entry", without(bundle)),
        ("certificate of another", with(certificate, &|_| other[certificate].clone())),
        ("entry of another", with(bundle, &|_| other[bundle].clone())),
        ("two certificates", with(certificate, &|pem| pem.repeat(2))),
        ("time of the entry", with(bundle, &|text| text.replace("\"integratedTime\":1", "\"integratedTime\":2"))),
        ("index of the entry", with(bundle, &|text| text.replace("\"logIndex\":", "\"logIndex\":1"))),
        ("a key twice", with(bundle, &|text| text.replacen('{', "{\"Payload\":{},", 1))),
        ("payload", LegacyLayer { payload: good.payload.replace("example.com", "example.org"), ..good.clone() }),
    ] {
        assert!(!verifies(&layer), "{what}");
    }
}

#[test]
fn simple_signing_is_read_in_one_way_only() {
    let digest = Digest::of(b"image");
    let payload = |critical: &str| format!(r#"{{"critical":{{{critical}}},"optional":null}}"#);
    let identity = r#""identity":{"docker-reference":""}"#;
    let image = format!(r#""image":{{"docker-manifest-digest":"{digest}"}}"#);
    let kind = r#""type":"cosign container image signature""#;
    let check = |critical: &[&str]| {
        super::super::simple_signing::check_payload(payload(&critical.join(",")).as_bytes(), &digest)
    };
    assert!(check(&[identity, &image, kind]).is_ok());
    let other = format!(r#""image":{{"docker-manifest-digest":"{}"}}"#, Digest::of(b"another"));
    let twice =
        format!(r#""image":{{"docker-manifest-digest":"{}","docker-manifest-digest":"{digest}"}}"#, Digest::of(b"a"));
    for (critical, words) in [
        (vec![identity, &other, kind], "not over"),
        (vec![identity, &image, &other, kind], "twice"),
        (vec![identity, &twice, kind], "twice"),
        (vec![identity, &image], "no signature over a container image"),
        (vec![identity, &image, r#""type":"atomic container signature""#], "no signature over a container image"),
        (vec![&image, kind], "names no image"),
        (vec![identity, kind], "not over"),
        (vec![identity, &image, kind, r#""more":1"#], "unknown critical field"),
    ] {
        let reason = check(&critical).unwrap_err();
        assert!(reason.contains(words), "{critical:?}: {reason}");
    }
}

#[test]
fn a_key_is_never_taken_from_what_is_verified() {
    let fixture = CosignFixture::read();
    let layer = fixture.signed.iter().find(|layer| layer.key == "p256" && layer.signer.contains("3.1")).unwrap();
    let mut bundle: Value = serde_json::from_str(&layer.content).unwrap();
    bundle["verificationMaterial"]["publicKey"] = json!({ "hint": fixture.keys["p256"], "rawBytes": "AAAA" });
    let with_key =
        Material { content: MaterialContent::Bundle(bundle.to_string().as_bytes().into()), ..layer.material() };
    for keys in [vec![], vec![fixture.key("p384")]] {
        assert!(verify_one(&with_key, &TrustRoots::default(), &keys)[0].result.is_err());
    }
}

#[test]
fn what_is_too_large_or_no_signature_of_ours_is_named() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    let large = vec![b' '; usize::try_from(MAX_BUNDLE).unwrap() + 1];
    let good = &fixture.bundles["signature-and-timestamp"];
    let repeated = |pointer: &str, times: usize| {
        let mut bundle = good.clone();
        let list = bundle.pointer_mut(pointer).unwrap().as_array_mut().unwrap();
        *list = vec![list[0].clone(); times];
        MaterialContent::Bundle(bundle.to_string().as_bytes().into())
    };
    let timestamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    for (content, words) in [
        (MaterialContent::Bundle(large.as_slice().into()), "at most"),
        (MaterialContent::Bundle((*b"\xff").into()), "UTF-8"),
        (MaterialContent::Bundle((*b"{}").into()), "exactly one signature"),
        (repeated("/verificationMaterial/tlogEntries", 17), "entries of logs"),
        (repeated(timestamps, 17), "timestamps"),
        (repeated("/dsseEnvelope/signatures", 17), "17"),
        (repeated("/dsseEnvelope/signatures", 2), "one signature"),
        (MaterialContent::Notation, "notation"),
        (MaterialContent::Unreadable("its layer is missing".to_owned()), "its layer is missing"),
    ] {
        let finding = &verify_one(&fixture.material(content), &roots, &[])[0];
        let reason = finding.result.as_ref().unwrap_err();
        assert!(reason.contains(words), "{reason}");
    }
}

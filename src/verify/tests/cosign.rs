//! What cosign 2.5 and 3.1 wrote with keys, without a log.

use super::{CosignFixture, verify_one};
use crate::domain::Digest;
use crate::domain::verification::{Claim, MaterialContent, SignatureKind, Signer};
use crate::verify::TrustRoots;

#[test]
fn what_cosign_signed_verifies_with_its_key_and_says_what_it_says() {
    let fixture = CosignFixture::read();
    let mut seen = Vec::new();
    for layer in &fixture.signed {
        let key = fixture.key(&layer.key);
        let findings = verify_one(&layer.material(), &TrustRoots::default(), std::slice::from_ref(&key));
        let what = format!("{} with {}", layer.signer, layer.key);
        let [finding] = findings.as_slice() else { panic!("{what}: {findings:?}") };
        let signature = finding.result.as_ref().unwrap_or_else(|reason| panic!("{what}: {reason}"));
        assert_eq!(signature.signer, Signer::Key(key.fingerprint()));
        assert_eq!((&finding.subject, &finding.source), (&layer.subject, &layer.source));
        assert!(!signature.logged && signature.times.is_empty());
        let claim = match &signature.claim {
            Claim::Signature => "signature",
            Claim::Attestation(statement) => {
                assert_eq!(statement.predicate_type, "https://slsa.dev/provenance/v1");
                assert_eq!(statement.builder_id.as_deref(), Some("https://example.com/builder"));
                assert_eq!(statement.source_repository.as_deref(), Some("https://example.com/source"));
                "attestation"
            }
        };
        seen.push((layer.signer.as_str(), layer.key.as_str(), finding.kind, claim));
    }
    for key in ["p256", "p384", "ed", "rsa"] {
        assert!(seen.contains(&("cosign 2.5.0", key, SignatureKind::SimpleSigning, "signature")));
        assert!(seen.contains(&("cosign 2.5.0", key, SignatureKind::Envelope, "attestation")));
    }
    for key in ["p256", "p384", "p521", "ed", "rsa"] {
        assert!(seen.contains(&("cosign 3.1.1", key, SignatureKind::Bundle, "signature")));
        assert!(seen.contains(&("cosign 3.1.1", key, SignatureKind::Bundle, "attestation")));
    }
}

#[test]
fn nothing_verifies_with_another_key_or_over_another_image() {
    let fixture = CosignFixture::read();
    let roots = TrustRoots::default();
    for layer in &fixture.signed {
        let others: Vec<_> =
            fixture.keys.keys().filter(|name| **name != layer.key).map(|name| fixture.key(name)).collect();
        let key = fixture.key(&layer.key);
        let mut elsewhere = layer.material();
        elsewhere.subject = Digest::of(b"another image");
        let keyed = [
            verify_one(&layer.material(), &roots, &others),
            verify_one(&layer.material(), &roots, &[]),
            verify_one(&elsewhere, &roots, std::slice::from_ref(&key)),
        ];
        for findings in keyed {
            assert!(findings.iter().all(|finding| finding.result.is_err()), "{findings:?}");
        }
        // Among several keys, the one that signed is found.
        let all: Vec<_> = others.into_iter().chain([key.clone()]).collect();
        let findings = verify_one(&layer.material(), &roots, &all);
        assert_eq!(findings[0].result.as_ref().unwrap().signer, Signer::Key(key.fingerprint()));
    }
}

#[test]
fn prehashed_ed25519_counts_in_bundles_only() {
    let fixture = CosignFixture::read();
    let key = fixture.key("ed");
    let bundle = fixture.signed.iter().find(|layer| layer.key == "ed" && layer.signer.contains("3.1")).unwrap();
    let content: serde_json::Value = serde_json::from_str(&bundle.content).unwrap();
    let mut moved = bundle.material();
    moved.content = MaterialContent::Envelope {
        envelope: content["dsseEnvelope"].to_string().as_bytes().into(),
        annotations: Default::default(),
    };
    assert!(verify_one(&bundle.material(), &TrustRoots::default(), std::slice::from_ref(&key))[0].result.is_ok());
    assert!(verify_one(&moved, &TrustRoots::default(), &[key])[0].result.is_err());
}

//! Signatures by holders of certificates, of a private instance.

use serde_json::json;

use super::{KeylessFixture, now, roots, verify_one};
use crate::domain::verification::{
    AttestationRequirement, Claim, Identities, Identity, Requirement, Signer, Subject, Tlog, VerifiedSignature,
};
use crate::verify::{Artifact, EARLIEST_CLOCK, Trust, TrustRoot, verify, verify_bundle};

const SUBJECT: &str = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main";
const ISSUER: &str = "https://issuer.example";

fn is_by_the_workflow(signature: &VerifiedSignature) -> bool {
    let subject = Subject::Exact(SUBJECT.to_owned());
    Identity::Keyless { issuer: ISSUER.to_owned(), subject }.is(&signature.signer)
}

#[test]
fn every_form_verifies_and_names_its_signer() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    for (material, is_attestation, is_logged) in [
        (fixture.bundle("signature"), false, true),
        (fixture.bundle("signature-and-timestamp"), false, true),
        (fixture.bundle("signature-by-timestamp-only"), false, false),
        (fixture.bundle("provenance"), true, true),
        (fixture.bundle("message"), false, true),
        (fixture.legacy("signature"), false, true),
        (fixture.legacy("attestation"), true, true),
    ] {
        let findings = verify_one(&material, &roots, &[]);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        let signature = finding.result.as_ref().unwrap_or_else(|reason| panic!("{:?}: {reason}", finding.kind));
        assert!(is_by_the_workflow(signature), "{signature:?}");
        assert_eq!(matches!(signature.claim, Claim::Attestation(_)), is_attestation);
        assert_eq!(signature.logged, is_logged);
        assert!(!signature.times.is_empty());
        let Signer::Certificate(identity) = &signature.signer else { panic!("{signature:?}") };
        assert!(identity.certificate_issuer.contains("sigstore.mock"), "{identity:?}");
    }
}

#[test]
fn bytes_of_an_artifact_verify_like_its_digest() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    let bundle = fixture.bundles["message"].to_string();
    let verified = |artifact: &Artifact<'_>| {
        verify_bundle(bundle.as_bytes(), artifact, &Trust { roots: &roots, keys: &[], now: now() })
    };
    assert!(verified(&Artifact::of_bytes(fixture.manifest.as_bytes())).is_ok());
    assert!(verified(&Artifact::of_digest(fixture.digest.clone())).is_ok());
    assert!(verified(&Artifact::of_bytes(b"other")).is_err());
}

#[test]
fn each_instance_vouches_for_its_own_signatures_only() {
    let fixture = KeylessFixture::read();
    let (own, other) = (fixture.bundle("signature"), fixture.bundle("signature-of-another-instance"));
    let verifies =
        |material, roots: &[&serde_json::Value]| verify_one(material, &super::roots(roots), &[])[0].result.is_ok();
    assert!(verifies(&own, &[&fixture.root]) && !verifies(&own, &[&fixture.other_root]));
    assert!(verifies(&other, &[&fixture.other_root]) && !verifies(&other, &[&fixture.root]));
    for both in [[&fixture.root, &fixture.other_root], [&fixture.other_root, &fixture.root]] {
        assert!(verifies(&own, &both) && verifies(&other, &both));
    }
    // The authorities of one and the logs of the other are no instance.
    for list in ["tlogs", "ctlogs", "certificateAuthorities"] {
        let mut mixed = fixture.root.clone();
        mixed[list] = fixture.other_root[list].clone();
        assert!(!verifies(&own, &[&mixed]), "{list}");
    }
    assert!(!verifies(&own, &[]));
}

#[test]
fn a_rule_is_satisfied_by_whom_it_names_only() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    let materials = [fixture.bundle("signature"), fixture.bundle("provenance")];
    let findings = verify(&materials, &Trust { roots: &roots, keys: &[], now: now() });
    let identity = |subject: &str| Identity::Keyless { issuer: ISSUER.to_owned(), subject: subject_of(subject) };
    let wants = |subject: &str, attestations: &[&str]| Requirement {
        identities: Identities::Any(vec![identity(subject)]),
        tlog: Tlog::Required,
        attestations: attestations.iter().map(|kind| provenance(kind)).collect(),
    };
    let is_satisfied = |requirement: Requirement| requirement.judge(&fixture.digest, &findings).decision.is_ok();
    assert!(is_satisfied(wants("^https://github\\.com/example/", &[])));
    assert!(!is_satisfied(wants("^https://github\\.com/evil/", &[])));
    assert!(is_satisfied(wants("example", &["https://slsa.dev/provenance/v1"])));
    assert!(!is_satisfied(wants("example", &["https://slsa.dev/provenance/v0.2"])));
}

fn subject_of(regex: &str) -> Subject {
    Subject::Regex(regex.parse().unwrap())
}

fn provenance(kind: &str) -> AttestationRequirement {
    AttestationRequirement {
        predicate_type: kind.to_owned(),
        builder_id: Some("https://example.com/builder".to_owned()),
        // As the certificate names it, whatever the statement says.
        source_repository: Some("https://github.com/example/app".to_owned()),
    }
}

#[test]
fn a_clock_that_is_wrong_verifies_nothing() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    let material = fixture.bundle("signature");
    let at = |now| verify(std::slice::from_ref(&material), &Trust { roots: &roots, keys: &[], now });
    let signed = at(now())[0].result.as_ref().unwrap().times[0];
    assert!(at(signed)[0].result.is_ok());
    assert!(at(signed - 1)[0].result.as_ref().unwrap_err().contains("in the future"));
    assert!(at(EARLIEST_CLOCK - 1)[0].result.as_ref().unwrap_err().contains("clock is wrong"));
}

#[test]
fn a_root_is_read_as_far_as_it_can_be_used() {
    let fixture = KeylessFixture::read();
    let mut root = fixture.root.clone();
    let log = root["tlogs"][0].clone();
    let mut broken = log.clone();
    broken["publicKey"]["rawBytes"] = json!("AAAA");
    let mut for_ever = fixture.other_root["tlogs"][0].clone();
    for_ever["publicKey"]["validFor"]["end"] = json!("9999-12-31T23:59:59Z");
    root["tlogs"] = json!([broken, log, log, for_ever]);
    root["timestampAuthorities"] = json!(null);
    let read = TrustRoot::from_json("test", &root.to_string()).unwrap();
    assert_eq!(read.dropped().len(), 1, "{:?}", read.dropped());
    let roots = [read].into_iter().collect();
    assert!(verify_one(&fixture.bundle("signature"), &roots, &[])[0].result.is_ok());
    for (text, words) in [
        ("", "no JSON"),
        ("[]", "no trusted_root.json"),
        (r#"{"mediaType":"text/plain"}"#, "no trusted_root.json"),
        ("{}", "empty"),
        (r#"{"tlogs":[{}]}"#, "nothing of it can be used"),
        (&format!(r#"{{"tlogs":[{}]}}"#, vec!["{}"; 1000].join(",")), "1000 entries"),
    ] {
        let error = TrustRoot::from_json("test", text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn roots_that_are_built_in_are_whole() {
    for root in [TrustRoot::public_good().unwrap(), TrustRoot::staging().unwrap()] {
        assert_eq!(root.dropped(), <&[String]>::default(), "{}", root.name());
    }
}

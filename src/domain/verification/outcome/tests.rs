use super::*;
use crate::domain::verification::{CertificateIdentity, SignedStatement, Signer, Subject};

const ISSUER: &str = "https://issuer.example";

fn image() -> Digest {
    Digest::of(b"image")
}

fn signer(subject: &str) -> Signer {
    let identity = CertificateIdentity { issuer: ISSUER.to_owned(), subject: subject.to_owned(), ..Default::default() };
    Signer::Certificate(Box::new(identity))
}

fn keyless(subject: &str) -> Identity {
    Identity::Keyless { issuer: ISSUER.to_owned(), subject: Subject::Exact(subject.to_owned()) }
}

fn attestation(predicate: &str) -> Claim {
    Claim::Attestation(Box::new(SignedStatement {
        predicate_type: predicate.to_owned(),
        builder_id: Some("builder".to_owned()),
        source_repository: None,
    }))
}

fn finding(kind: SignatureKind, subject: &str, claim: Claim) -> Finding {
    let signature = VerifiedSignature { signer: signer(subject), claim, logged: true, times: vec![1] };
    Finding { subject: image(), source: Digest::of(b"source"), kind, result: Ok(signature) }
}

fn wants(identities: Identities, attestations: &[&str]) -> Requirement {
    let attestations = attestations.iter().map(|kind| AttestationRequirement {
        predicate_type: (*kind).to_owned(),
        builder_id: None,
        source_repository: None,
    });
    Requirement { identities, tlog: Tlog::Required, attestations: attestations.collect() }
}

fn any(subjects: &[&str]) -> Identities {
    Identities::Any(subjects.iter().map(|subject| keyless(subject)).collect())
}

fn all(subjects: &[&str]) -> Identities {
    Identities::All(subjects.iter().map(|subject| keyless(subject)).collect())
}

#[test]
fn only_signatures_that_the_rule_wants_satisfy_it() {
    let bundle = |who: &str| finding(SignatureKind::Bundle, who, Claim::Signature);
    let att = |who: &str, kind: &str| finding(SignatureKind::Bundle, who, attestation(kind));
    let unlogged = {
        let mut finding = bundle("a");
        finding.result.as_mut().unwrap().logged = false;
        finding
    };
    let elsewhere = Finding { subject: Digest::of(b"another"), ..bundle("a") };
    let cases: Vec<(&str, Requirement, Vec<Finding>, bool)> = vec![
        ("signed", wants(any(&["a"]), &[]), vec![bundle("a")], true),
        ("unsigned", wants(any(&["a"]), &[]), vec![], false),
        ("by another", wants(any(&["a"]), &[]), vec![bundle("b")], false),
        ("by one of two", wants(any(&["a", "b"]), &[]), vec![bundle("b")], true),
        ("by one of both", wants(all(&["a", "b"]), &[]), vec![bundle("b")], false),
        ("by both", wants(all(&["a", "b"]), &[]), vec![bundle("b"), bundle("a")], true),
        ("nobody wanted, any", wants(any(&[]), &[]), vec![bundle("a")], false),
        ("nobody wanted, all", wants(all(&[]), &[]), vec![bundle("a")], false),
        ("about another digest", wants(any(&["a"]), &[]), vec![elsewhere], false),
        ("not in a log", wants(any(&["a"]), &[]), vec![unlogged.clone()], false),
        (
            "not in a log, and need not be",
            Requirement { tlog: Tlog::Optional, ..wants(any(&["a"]), &[]) },
            vec![unlogged],
            true,
        ),
        ("an attestation is no signature", wants(any(&["a"]), &[]), vec![att("a", "p")], false),
        ("a signature is no attestation", wants(any(&["a"]), &["p"]), vec![bundle("a")], false),
        ("attested", wants(any(&["a"]), &["p"]), vec![att("a", "p")], true),
        ("attested otherwise", wants(any(&["a"]), &["p"]), vec![att("a", "q")], false),
        ("half attested", wants(any(&["a"]), &["p", "q"]), vec![att("a", "p")], false),
        ("attested by two signers", wants(any(&["a", "b"]), &["p", "q"]), vec![att("a", "p"), att("b", "q")], false),
    ];
    for (what, requirement, findings, satisfied) in cases {
        let outcome = requirement.judge(&image(), &findings);
        assert_eq!(outcome.decision.is_ok(), satisfied, "{what}: {:?}", outcome.decision);
    }
}

#[test]
fn a_bundle_that_could_be_a_signature_is_final() {
    let old = finding(SignatureKind::SimpleSigning, "a", Claim::Signature);
    let broken = Finding { result: Err("broken".to_owned()), ..finding(SignatureKind::Bundle, "a", Claim::Signature) };
    let by_another = finding(SignatureKind::Bundle, "b", Claim::Signature);
    let attested = finding(SignatureKind::Bundle, "b", attestation("p"));
    let rule = wants(any(&["a"]), &[]);
    let satisfied = |findings: &[Finding]| rule.judge(&image(), findings).decision.is_ok();
    assert!(satisfied(std::slice::from_ref(&old)));
    assert!(!satisfied(&[old.clone(), broken]));
    assert!(!satisfied(&[old.clone(), by_another]));
    assert!(satisfied(&[attested, old]));
}

#[test]
fn an_attestation_is_compared_in_all_that_the_rule_names() {
    let signature = finding(SignatureKind::Bundle, "a", attestation("p")).result.unwrap();
    let base = AttestationRequirement { predicate_type: "p".to_owned(), builder_id: None, source_repository: None };
    assert!(base.is_met_by(&signature));
    assert!(AttestationRequirement { builder_id: Some("builder".to_owned()), ..base.clone() }.is_met_by(&signature));
    assert!(!AttestationRequirement { builder_id: Some("other".to_owned()), ..base.clone() }.is_met_by(&signature));
    assert!(!AttestationRequirement { source_repository: Some("s".to_owned()), ..base }.is_met_by(&signature));
}

#[test]
fn a_certificate_that_names_nobody_satisfies_no_rule() {
    let regex = Subject::Regex(".*".parse().unwrap());
    let everybody = Identity::Keyless { issuer: String::new(), subject: regex };
    assert!(!everybody.is(&Signer::Certificate(Box::default())));
}

#[test]
fn expressions_are_found_anywhere_and_have_a_limit() {
    let subject = |text: &str| Subject::Regex(text.parse().unwrap());
    assert!(subject("@example\\.com").matches("a@example.com.evil"));
    assert!(!subject("@example\\.com$").matches("a@example.com.evil"));
    for bad in ["", "(", "(?:a{1000}){1000}{1000}", &"a".repeat(5000)] {
        assert!(bad.parse::<crate::domain::verification::SubjectRegex>().is_err());
    }
}

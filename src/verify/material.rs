//! From evidence to findings.

use super::bundle::{Artifact, verify_bundle};
use super::legacy;
use super::trust::Trust;
use crate::domain::verification::{Finding, Material, MaterialContent, SignatureKind};

/// The most pieces of evidence that are verified at a time.
const MAX_MATERIALS: usize = 512;

/// Verifies evidence: at least one finding for each piece, in order. Each is about the digest that its piece was found
/// beside, and a signature over anything else does not verify.
///
/// One piece takes about 2 ms for each root.
pub fn verify(materials: &[Material], trust: &Trust<'_>) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(materials.len());
    for (number, material) in materials.iter().enumerate() {
        let (kind, result) = if number < MAX_MATERIALS {
            verify_one(material, trust)
        } else {
            (kind_of(&material.content), Err(format!("not looked at: more than {MAX_MATERIALS} signatures")))
        };
        let found =
            |result| Finding { subject: material.subject.clone(), source: material.source.clone(), kind, result };
        match result {
            Ok(signatures) => findings.extend(signatures.into_iter().map(|signature| found(Ok(signature)))),
            Err(reason) => findings.push(found(Err(reason))),
        }
    }
    findings
}

type Verified = Result<Vec<crate::domain::verification::VerifiedSignature>, String>;

fn verify_one(material: &Material, trust: &Trust<'_>) -> (SignatureKind, Verified) {
    let subject = &material.subject;
    let result = match &material.content {
        MaterialContent::Bundle(bundle) => verify_bundle(bundle, &Artifact::of_digest(subject.clone()), trust),
        MaterialContent::SimpleSigning { payload, annotations } => {
            legacy::verify_signature(payload, annotations, subject, trust)
        }
        MaterialContent::Envelope { envelope, annotations } => {
            legacy::verify_envelope(envelope, annotations, subject, trust)
        }
        MaterialContent::Notation => Err("signatures by notation are recognised and not verified".to_owned()),
        MaterialContent::Unreadable(reason) => Err(reason.clone()),
    };
    (kind_of(&material.content), result)
}

fn kind_of(content: &MaterialContent) -> SignatureKind {
    match content {
        MaterialContent::Bundle(_) => SignatureKind::Bundle,
        MaterialContent::SimpleSigning { .. } => SignatureKind::SimpleSigning,
        MaterialContent::Envelope { .. } => SignatureKind::Envelope,
        MaterialContent::Notation => SignatureKind::Notation,
        MaterialContent::Unreadable(_) => SignatureKind::Unknown,
    }
}

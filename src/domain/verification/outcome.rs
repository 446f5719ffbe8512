//! Whether what was found is what a rule wants.

use super::finding::{Claim, Finding, SignatureKind, VerifiedSignature};
use super::requirement::{AttestationRequirement, Identities, Identity, Requirement, Tlog};
use crate::domain::Digest;

/// The most reasons that one refusal gives.
const MAX_REASONS: usize = 4;

/// The answer to whether a subject is signed as a rule wants.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every finding about the subject, in order.
    pub judged: Vec<Judged>,
    /// The proof that the rule is satisfied, or why it is not.
    pub decision: Result<Satisfied, String>,
}

/// A finding, and whether it counts for the rule.
#[derive(Clone, Debug)]
pub struct Judged {
    pub finding: Finding,
    /// Why it does not count; absent where it does.
    pub objection: Option<String>,
}

/// The proof that a subject is signed by those whom a rule wants. Nothing but [`Requirement::judge`] makes one:
///
/// ```compile_fail,E0451
/// use loadline::domain::verification::Satisfied;
///
/// let satisfied = Satisfied { subject: loadline::domain::Digest::of(b"image"), signatures: Vec::new() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Satisfied {
    subject: Digest,
    signatures: Vec<(Digest, SignatureKind, VerifiedSignature)>,
}

impl Satisfied {
    /// What is signed.
    pub fn subject(&self) -> &Digest {
        &self.subject
    }

    /// The signatures that count, each with the manifest that holds it and the form in which it was stored; never empty.
    pub fn signatures(&self) -> impl ExactSizeIterator<Item = (&Digest, SignatureKind, &VerifiedSignature)> {
        self.signatures.iter().map(|(source, kind, signature)| (source, *kind, signature))
    }
}

/// What one signature has to say.
enum Wanted<'a> {
    Signature,
    Attestation(&'a AttestationRequirement),
}

impl Requirement {
    /// Decides whether a subject is signed as the rule wants. Findings about anything else do not count.
    ///
    /// A signature by cosign 2 or older does not count where there is a bundle that could be a signature over the image: as
    /// in Talos, the bundle's failure is final.
    pub fn judge(&self, subject: &Digest, findings: &[Finding]) -> Outcome {
        let about: Vec<&Finding> = findings.iter().filter(|finding| finding.subject == *subject).collect();
        let bundles_decide = about.iter().any(|finding| may_be_signature_in_bundle(finding));
        let judged: Vec<Judged> = about
            .into_iter()
            .map(|finding| Judged { finding: finding.clone(), objection: self.objection(finding, bundles_decide) })
            .collect();
        let counting = judged.iter().filter(|judged| judged.objection.is_none()).map(|judged| &judged.finding);
        let counting: Vec<(&Finding, &VerifiedSignature)> =
            counting.filter_map(|finding| Some((finding, finding.result.as_ref().ok()?))).collect();
        let decision = match self.first_lack(&counting) {
            None => {
                let signatures = counting
                    .iter()
                    .map(|(finding, signature)| (finding.source.clone(), finding.kind, (*signature).clone()))
                    .collect();
                Ok(Satisfied { subject: subject.clone(), signatures })
            }
            Some(lack) => Err(refusal(&lack, &judged)),
        };
        Outcome { judged, decision }
    }

    /// What the signature of each identity has to say: never empty.
    fn wanted(&self) -> Vec<Wanted<'_>> {
        if self.attestations.is_empty() {
            return vec![Wanted::Signature];
        }
        self.attestations.iter().map(Wanted::Attestation).collect()
    }

    /// Why a finding does not count for the rule; `None` where it does.
    fn objection(&self, finding: &Finding, bundles_decide: bool) -> Option<String> {
        let signature = match &finding.result {
            Ok(signature) => signature,
            Err(reason) => return Some(reason.clone()),
        };
        let signer = &signature.signer;
        if !self.identities.as_slice().iter().any(|identity| identity.is(signer)) {
            return Some(format!("signed by {signer}, whom the rule does not name"));
        }
        if self.tlog == Tlog::Required && !signature.logged {
            return Some(format!("signed by {signer}, without proof of a transparency log"));
        }
        if !self.wanted().iter().any(|wanted| wanted.is_said_by(signature)) {
            return Some(match &signature.claim {
                Claim::Signature => format!("a signature by {signer}, and the rule wants attestations"),
                Claim::Attestation(statement) if self.attestations.is_empty() => {
                    format!("an attestation of type {}, and the rule wants a signature", statement.predicate_type)
                }
                Claim::Attestation(statement) => {
                    format!("an attestation of type {} that the rule does not ask for", statement.predicate_type)
                }
            });
        }
        let is_passed_over = bundles_decide && finding.kind == SignatureKind::SimpleSigning;
        is_passed_over.then(|| "not asked, because there are bundles".to_owned())
    }

    /// What is missing in signatures that count; `None` where nothing is. Each identity satisfies the rule by itself or does
    /// not, so that one signer's attestation never completes another's.
    fn first_lack(&self, counting: &[(&Finding, &VerifiedSignature)]) -> Option<String> {
        let lack_of = |identity: &Identity| {
            let by_them = || counting.iter().map(|(_, signature)| *signature).filter(|s| identity.is(&s.signer));
            let lacking = self.wanted().into_iter().find(|wanted| !by_them().any(|s| wanted.is_said_by(s)))?;
            Some(match lacking {
                Wanted::Signature => format!("no signature by {identity}"),
                Wanted::Attestation(attestation) => format!("no attestation as wanted by {identity}: {attestation}"),
            })
        };
        let identities = self.identities.as_slice();
        if identities.is_empty() {
            return Some("the rule names nobody".to_owned());
        }
        match &self.identities {
            Identities::All(all) => all.iter().find_map(lack_of),
            Identities::Any(any) => {
                let mut lacks = Vec::with_capacity(any.len());
                for identity in any {
                    lacks.push(lack_of(identity)?);
                }
                lacks.truncate(MAX_REASONS);
                Some(lacks.join("; "))
            }
        }
    }
}

impl Wanted<'_> {
    fn is_said_by(&self, signature: &VerifiedSignature) -> bool {
        match self {
            Self::Signature => signature.claim == Claim::Signature,
            Self::Attestation(attestation) => attestation.is_met_by(signature),
        }
    }
}

/// Whether a finding is a bundle that does not verifiably say something else.
fn may_be_signature_in_bundle(finding: &Finding) -> bool {
    let is_attestation = matches!(&finding.result, Ok(VerifiedSignature { claim: Claim::Attestation(_), .. }));
    finding.kind == SignatureKind::Bundle && !is_attestation
}

fn refusal(lack: &str, judged: &[Judged]) -> String {
    if judged.is_empty() {
        return format!("{lack}: nothing is signed");
    }
    let objections: Vec<&str> = judged.iter().filter_map(|judged| judged.objection.as_deref()).collect();
    let mut text = lack.to_owned();
    for objection in objections.iter().take(MAX_REASONS) {
        text.push_str("; ");
        text.push_str(objection);
    }
    if objections.len() > MAX_REASONS {
        text.push_str(&format!("; and {} more", objections.len() - MAX_REASONS));
    }
    text
}

#[cfg(test)]
mod tests;

//! Verify: who signed an image that is here, and what rules make of it. No network is used.

use super::catalog::resolve::resolve;
use super::catalog::tree::Tree;
use super::core::{Engine, Inner};
use super::inspect::lacks_platform;
use super::publish::{Evidence, KnownEvidence};
use crate::domain::platform::Matcher;
use crate::domain::verification::{Finding, Judged, Outcome, Requirement};
use crate::domain::{Digest, ImageName, Platform, PublicKey, Reference, Result};
use crate::policy::rules::{Action, Decision, Platforms, Rule, Rules};
use crate::verify::{Trust, TrustRoot, TrustRoots, verify};

/// What an image is verified by.
#[derive(Clone, Debug, Default)]
pub struct VerifyQuery {
    /// The platform to verify; all where absent.
    pub platform: Option<Platform>,
    /// A document of rules; those of the daemon where absent.
    pub rules: Option<String>,
    /// A `trusted_root.json` of Sigstore; the public instance where absent.
    pub trusted_root: Option<String>,
}

/// Whether an image is signed as rules want.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Whether all of it that was asked about is.
    pub is_verified: bool,
    /// Whether the rules let it in: because it is verified, or without that.
    pub is_let_in: bool,
    /// The image with its digest, whatever becomes of its name: what was verified.
    pub image: String,
    /// The rule that decided; absent where none is about the image.
    pub rule: Option<String>,
    /// By whom it is signed, or why it is not verified.
    pub message: String,
    /// Each platform of the image, or the image itself where none is known.
    pub platforms: Vec<PlatformVerification>,
}

/// Whether one platform of an image is signed as rules want.
#[derive(Clone, Debug)]
pub struct PlatformVerification {
    /// Absent where it is not known.
    pub platform: Option<Platform>,
    /// Its manifest.
    pub digest: Digest,
    pub is_verified: bool,
    /// What was found about the manifest and about the index over it. A finding without objection counts.
    pub signatures: Vec<Judged>,
}

impl Engine {
    /// Verifies the signatures and attestations about a local image, and judges them by rules.
    ///
    /// # Errors
    /// `NotFound` where there is no such image, or it lacks the platform; `InvalidArgument` where the rules or the roots
    /// are malformed.
    pub async fn verify(&self, name: &ImageName, query: VerifyQuery) -> Result<Verification> {
        let name = name.clone();
        self.blocking(move |inner| inner.verify(&name, &query)).await
    }
}

/// An image to verify.
struct Subject {
    name: Option<Reference>,
    target: Digest,
    /// The platforms that are asked about, with their manifests.
    platforms: Vec<(Option<Platform>, Digest)>,
}

impl Inner {
    fn verify(&self, name: &ImageName, query: &VerifyQuery) -> Result<Verification> {
        let rules = match (&query.rules, &self.settings.rules) {
            (Some(text), _) => Rules::parse(text)?.into(),
            (None, Some(admission)) => admission.rules(),
            (None, None) => Rules::default().into(),
        };
        let root = match &query.trusted_root {
            Some(text) => TrustRoot::from_json("the request", text)?,
            None => TrustRoot::public_good()?,
        };
        let roots = TrustRoots::from_iter([root]);
        let (subject, found) = {
            let state = self.catalog.state();
            let image = resolve(&state, name)?;
            let tree = Tree::new(&state, &image.record.target);
            let target = image.record.target.digest.clone();
            let shown = match &query.platform {
                Some(platform) => {
                    let branch = tree.matching(&Matcher::strict(platform));
                    vec![branch.ok_or_else(|| lacks_platform(name.text(), platform))?]
                }
                None => tree.images().collect(),
            };
            let mut platforms: Vec<_> = shown
                .into_iter()
                .map(|branch| {
                    let platform = branch.platform();
                    let is_known = !platform.os.is_empty();
                    (is_known.then(|| platform.into_owned()), branch.descriptor.digest.clone())
                })
                .collect();
            if platforms.is_empty() {
                platforms.push((None, target.clone()));
            }
            let found = KnownEvidence::new(&state, &[], true).found_about(&target, true);
            (Subject { name: image.by_name.or_else(|| image.names.first().cloned()), target, platforms }, found)
        };
        let evidence = found.evidence.clone();
        let facts = found.facts(|digest, limit| self.read_whole(digest, limit));
        let decision = rules.decide(subject.name.as_ref());
        let keys: Vec<PublicKey> = match &decision {
            Decision::Rule(Rule { action: Action::Verify { requirement, .. }, .. }) => {
                requirement.keys().cloned().collect()
            }
            _ => Vec::new(),
        };
        let trust = Trust { roots: &roots, keys: &keys, now: self.settings.clock.now().as_second() };
        let findings = verify(facts.materials(), &trust);
        Ok(subject.judged(decision, &findings, &evidence))
    }
}

impl Subject {
    fn judged(self, decision: Decision<'_>, findings: &[Finding], evidence: &Evidence) -> Verification {
        let (rule, unjudged, is_let_in) = match decision {
            Decision::Rule(rule) => match &rule.action {
                Action::Verify { requirement, platforms } => {
                    return self.judged_by(rule, requirement, *platforms, findings, evidence);
                }
                Action::Skip => (Some(rule.to_string()), "the rule lets it in without verification", true),
                Action::Deny => (Some(rule.to_string()), "the rule denies it", rule.is_audit),
            },
            Decision::DeniedByDefault => (Some("default".to_owned()), "no rule matches, and the rest is denied", false),
            Decision::NoRule => (None, "no rule is about it", true),
        };
        let seen = |digest: &Digest| -> Vec<Judged> {
            let about = findings.iter().filter(|finding| finding.subject == *digest).cloned();
            about.map(|finding| Judged { objection: finding.result.as_ref().err().cloned(), finding }).collect()
        };
        let platforms = self.platforms.iter().map(|(platform, digest)| {
            let mut signatures = seen(digest);
            if *digest != self.target {
                signatures.extend(seen(&self.target));
            }
            PlatformVerification { platform: platform.clone(), digest: digest.clone(), is_verified: false, signatures }
        });
        let (image, platforms) = (self.image(), platforms.collect());
        Verification { is_verified: false, is_let_in, image, rule, message: unjudged.to_owned(), platforms }
    }

    fn judged_by(
        self,
        rule: &Rule,
        requirement: &Requirement,
        platforms: Platforms,
        findings: &[Finding],
        evidence: &Evidence,
    ) -> Verification {
        let unknown = match evidence {
            Evidence::Unknown(reason) => Some(format!("its signatures are not all known: {reason}")),
            Evidence::Complete(_) => None,
        };
        let index = requirement.judge(&self.target, findings);
        let (mut signers, mut refusal) = (Vec::new(), None);
        let mut verified = Vec::with_capacity(self.platforms.len());
        for (platform, digest) in &self.platforms {
            let own = (*digest != self.target).then(|| requirement.judge(digest, findings));
            let decisive = match (&own, platforms) {
                (Some(own), Platforms::Each) => own,
                _ => &index,
            };
            let decision = match &unknown {
                Some(reason) => Err(reason.clone()),
                None => signers_of(decisive),
            };
            let is_verified = decision.is_ok();
            match decision {
                Ok(who) => signers.extend(who),
                Err(reason) => drop(refusal.get_or_insert(reason)),
            }
            let signatures = own.into_iter().flat_map(|own| own.judged).chain(index.judged.iter().cloned()).collect();
            let (platform, digest) = (platform.clone(), digest.clone());
            verified.push(PlatformVerification { platform, digest, is_verified, signatures });
        }
        signers.sort_unstable();
        signers.dedup();
        let is_verified = refusal.is_none() && !verified.is_empty();
        Verification {
            is_verified,
            is_let_in: is_verified || rule.is_audit,
            image: self.image(),
            rule: Some(rule.to_string()),
            message: refusal.unwrap_or_else(|| format!("signed by {}", signers.join(", "))),
            platforms: verified,
        }
    }

    fn image(&self) -> String {
        match &self.name {
            Some(name) => format!("{}@{}", name.repository(), self.target),
            None => self.target.to_string(),
        }
    }
}

/// By whom it is signed as wanted, or why it is not.
fn signers_of(outcome: &Outcome) -> Result<Vec<String>, String> {
    let satisfied = outcome.decision.as_ref().map_err(Clone::clone)?;
    Ok(satisfied.signatures().map(|(_, _, signature)| signature.signer.to_string()).collect())
}

//! Rules as an admission: who signed an image, and whether that is whom the rule wants.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::RwLock;

use crate::domain::verification::{Finding, Material, Requirement};
use crate::domain::{Digest, PublicKey, Result};
use crate::engine::clock::Clock;
use crate::engine::publish::{Admission, Candidate, Denial, Evidence, Verdict};
use crate::policy::rules::{Action, Decision, Platforms, Rule, Rules};
use crate::store::blocking::offload;
use crate::verify::{self, Trust, TrustRoot, TrustRoots};

/// What verifies evidence: it may take a while, and reads nothing.
pub type Verify = dyn Fn(&[Material], &[PublicKey]) -> Vec<Finding> + Send + Sync;

/// What the file that denies by default is called in place of a rule.
const DEFAULT: &str = "default";

/// Decides by rules that may be replaced while it is used.
pub struct RulesAdmission {
    in_force: RwLock<InForce>,
    verify: Arc<Verify>,
}

struct InForce {
    rules: Arc<Rules>,
    /// Moves whenever the rules do.
    revision: u64,
    /// Why a newer file is not in force; absent where none was refused.
    problem: Option<String>,
}

impl RulesAdmission {
    /// An admission by these rules.
    pub fn new(rules: Rules, verify: Arc<Verify>) -> Self {
        let in_force = InForce { rules: Arc::new(rules), revision: 1, problem: None };
        Self { in_force: RwLock::new(in_force), verify }
    }

    /// An admission by these rules and by the signatures of the public Sigstore instance or of the keys that rules name. No
    /// network is used.
    ///
    /// # Errors
    /// None that a built program meets: the roots of trust are part of it.
    pub fn offline(rules: Rules, clock: Clock) -> Result<Self> {
        let roots = TrustRoots::from_iter([TrustRoot::public_good()?]);
        let verify = move |materials: &[Material], keys: &[PublicKey]| {
            let now = clock.now().as_second();
            verify::verify(materials, &Trust { roots: &roots, keys, now })
        };
        Ok(Self::new(rules, Arc::new(verify)))
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.in_force.read().rules.clone()
    }

    /// What somebody has to look at: why the newest file is not in force, and what is odd in the rules that are.
    pub fn warnings(&self) -> Vec<String> {
        let in_force = self.in_force.read();
        let problem = in_force.problem.iter().map(|problem| format!("verification rules: {problem}"));
        let odd = in_force.rules.warnings().iter().map(|warning| format!("verification rules: {warning}"));
        problem.chain(odd).collect()
    }

    /// Puts other rules in force, all at once.
    pub(in crate::engine) fn replace(&self, rules: Rules) {
        let mut in_force = self.in_force.write();
        *in_force = InForce { rules: Arc::new(rules), revision: in_force.revision + 1, problem: None };
    }

    /// Notes that a file was refused, and that the rules stay as they are.
    pub(in crate::engine) fn refused(&self, problem: String) {
        self.in_force.write().problem = Some(problem);
    }

    async fn decide_by(&self, rules: &Rules, candidate: &Candidate) -> Result<Verdict> {
        let rule = match rules.decide(candidate.judged_name().as_deref()) {
            Decision::NoRule => return Ok(Verdict::NoRule),
            Decision::DeniedByDefault => {
                let reason = "no rule matches, and the rest is denied".to_owned();
                return Ok(Verdict::Deny(Denial { rule: DEFAULT.to_owned(), reason }));
            }
            Decision::Rule(rule) => rule,
        };
        let decided = match &rule.action {
            Action::Skip => Ok("let in without verification".to_owned()),
            Action::Deny => Err("the rule denies it".to_owned()),
            Action::Verify { requirement, platforms } => self.verify(candidate, requirement, *platforms).await?,
        };
        Ok(verdict(rule, candidate, decided))
    }

    /// By whom an image is signed as required, or why it is not.
    async fn verify(
        &self,
        candidate: &Candidate,
        requirement: &Requirement,
        platforms: Platforms,
    ) -> Result<Result<String, String>> {
        if let Evidence::Unknown(reason) = &candidate.evidence {
            return Ok(Err(format!("it has to be signed, and its signatures are not all known: {reason}")));
        }
        let target = std::slice::from_ref(&candidate.target.digest);
        let subjects = match platforms {
            Platforms::Index => target,
            Platforms::Each => match candidate.facts.platforms() {
                Ok(platforms) => platforms,
                Err(reason) => return Ok(Err(format!("its platforms are not known: {reason}"))),
            },
        };
        let (verify, facts) = (self.verify.clone(), candidate.facts.clone());
        let keys: Vec<PublicKey> = requirement.keys().cloned().collect();
        let findings = offload(move || Ok(verify(facts.materials(), &keys))).await?;
        Ok(judge(requirement, subjects, &findings))
    }
}

/// By whom every subject is signed as required, or why one is not. Of no subject at all, nothing is signed.
fn judge(requirement: &Requirement, subjects: &[Digest], findings: &[Finding]) -> Result<String, String> {
    let mut signers = Vec::new();
    for subject in subjects {
        let satisfied = requirement.judge(subject, findings).decision.map_err(|reason| match subjects {
            [_] => reason,
            _ => format!("{subject}: {reason}"),
        })?;
        for (_, _, signature) in satisfied.signatures() {
            let signer = signature.signer.to_string();
            if !signers.contains(&signer) {
                signers.push(signer);
            }
        }
    }
    match signers.is_empty() {
        true => Err("nothing is signed".to_owned()),
        false => Ok(format!("signed by {}", signers.join(", "))),
    }
}

fn verdict(rule: &Rule, candidate: &Candidate, decided: Result<String, String>) -> Verdict {
    let name = rule.to_string();
    match decided {
        Ok(reason) => Verdict::Allow { rule: name, reason },
        Err(reason) if rule.is_audit => {
            let (image, digest) = (candidate.name.shown(), &candidate.target.digest);
            tracing::warn!(image.name = %image, image.digest = %digest, rule = name, reason, "let in an image that the rule would deny, because it only audits");
            Verdict::Allow { rule: name, reason: format!("only noted: {reason}") }
        }
        Err(reason) => Verdict::Deny(Denial { rule: name, reason }),
    }
}

impl Admission for RulesAdmission {
    fn needs_evidence(&self) -> bool {
        self.in_force.read().rules.needs_evidence()
    }

    fn revision(&self) -> u64 {
        self.in_force.read().revision
    }

    fn decide<'a>(&'a self, candidate: &'a Candidate) -> BoxFuture<'a, Result<Verdict>> {
        let rules = self.rules();
        Box::pin(async move { self.decide_by(&rules, candidate).await })
    }
}

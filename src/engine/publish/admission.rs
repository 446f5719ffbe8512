//! Who decides what may get a name.

use futures_util::future::BoxFuture;

use super::candidate::Candidate;
use crate::domain::{Digest, Result};
use crate::store::{self, EvidenceState, NameRecord};

/// Decides whether an image may get a name.
///
/// Admissions form a chain: an image is admitted where all of them let it pass.
pub trait Admission: Send + Sync + 'static {
    /// Whether it needs to know the evidence about an image. If no admission does, a pull fetches evidence and layers side by
    /// side, else the evidence first.
    fn needs_evidence(&self) -> bool {
        false
    }

    /// The state of what it decides by: where that has changed before a name is set, it is asked again.
    fn revision(&self) -> u64 {
        0
    }

    /// Decides on a candidate.
    ///
    /// # Errors
    /// Whatever keeps it from deciding: the candidate is then not admitted, and the error is the answer.
    fn decide<'a>(&'a self, candidate: &'a Candidate) -> BoxFuture<'a, Result<Verdict>>;
}

/// What an admission says of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule is about it.
    NoRule,
    /// It may get the name.
    Allow {
        /// The rule that decided.
        rule: String,
        reason: String,
    },
    /// It may not.
    Deny(Denial),
}

/// Why an image may not get a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The rule that decided.
    pub rule: String,
    pub reason: String,
}

/// Lets every image in.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmitAll;

impl Admission for AdmitAll {
    fn decide<'a>(&'a self, _candidate: &'a Candidate) -> BoxFuture<'a, Result<Verdict>> {
        Box::pin(async { Ok(Verdict::NoRule) })
    }
}

/// Images that may get their names. Nothing but the chain of admissions makes one: others can name the type,
///
/// ```
/// fn hand_on(admitted: loadline::engine::Admitted) -> loadline::engine::Admitted {
///     admitted
/// }
/// ```
///
/// and cannot fill it.
///
/// ```compile_fail,E0451
/// use loadline::engine::Admitted;
///
/// let admitted = Admitted { images: Vec::new(), revisions: Vec::new(), evidence: None };
/// ```
#[derive(Debug)]
pub struct Admitted {
    images: Vec<(Candidate, Option<Allowed>)>,
    /// What the admissions decided by: their revisions.
    revisions: Vec<u64>,
    /// What is known of the evidence, where whoever publishes has found out more than admissions asked for.
    evidence: Option<EvidenceState>,
}

/// Whether a record says already what let an image in.
pub(super) fn allowed_as_recorded(allowed: Option<&Allowed>, recorded: Option<&store::Verdict>) -> bool {
    match (allowed, recorded) {
        (Some(Allowed { rule, reason }), Some(verdict)) => *rule == verdict.rule && *reason == verdict.reason,
        (None, None) => true,
        _ => false,
    }
}

/// The rule that let an image in, and why.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    pub(super) rule: String,
    pub(super) reason: String,
}

impl Admitted {
    /// What the chain of admissions let pass.
    pub(super) fn new(images: Vec<(Candidate, Option<Allowed>)>, revisions: Vec<u64>) -> Self {
        Self { images, revisions, evidence: None }
    }

    /// Has it recorded of the images how much of the evidence about them is here.
    #[must_use]
    pub(in crate::engine) fn with_evidence(self, evidence: EvidenceState) -> Self {
        Self { evidence: Some(evidence), ..self }
    }

    /// How much of the evidence is here; absent where nothing new is known of it.
    pub(super) fn evidence(&self) -> Option<EvidenceState> {
        self.evidence.clone()
    }

    /// Whether the admissions would still decide by the same.
    pub(super) fn is_of_revisions(&self, revisions: &[u64]) -> bool {
        self.revisions == revisions
    }

    /// The images, to be decided on anew.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        self.images.iter().map(|(candidate, _)| candidate.clone()).collect()
    }

    /// The images, each with what let it in; absent where no rule is about it.
    pub(super) fn images(&self) -> impl ExactSizeIterator<Item = (&Candidate, Option<&Allowed>)> {
        self.images.iter().map(|(candidate, allowed)| (candidate, allowed.as_ref()))
    }

    /// Whether a name's record says already what let the image in.
    pub(in crate::engine) fn is_recorded(&self, record: &NameRecord) -> bool {
        self.images.iter().all(|(_, allowed)| allowed_as_recorded(allowed.as_ref(), record.verdict.as_deref()))
            && self.evidence.as_ref().is_none_or(|evidence| *evidence == record.evidence)
    }

    /// Whether all of it is one image.
    pub(in crate::engine) fn is_of(&self, target: &Digest) -> bool {
        self.images.iter().all(|(candidate, _)| candidate.target.digest == *target)
    }
}

//! Who decides what may get a name.

use futures_util::future::BoxFuture;

use super::candidate::Candidate;
use crate::domain::{Digest, Result};

/// Decides whether an image may get a name.
///
/// Admissions form a chain: an image is admitted where all of them let it pass.
pub trait Admission: Send + Sync + 'static {
    /// Whether it needs to know the evidence about an image. If no admission does, a pull fetches evidence and layers side by
    /// side, else the evidence first.
    fn needs_evidence(&self) -> bool {
        false
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
/// let admitted = Admitted { images: Vec::new() };
/// ```
#[derive(Debug)]
pub struct Admitted {
    images: Vec<(Candidate, Option<Allowed>)>,
}

/// The rule that let an image in, and why.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    pub(super) rule: String,
    pub(super) reason: String,
}

impl Admitted {
    /// What the chain of admissions let pass.
    pub(super) fn new(images: Vec<(Candidate, Option<Allowed>)>) -> Self {
        Self { images }
    }

    /// The images, each with what let it in; absent where no rule is about it.
    pub(super) fn images(&self) -> impl ExactSizeIterator<Item = (&Candidate, Option<&Allowed>)> {
        self.images.iter().map(|(candidate, allowed)| (candidate, allowed.as_ref()))
    }

    /// Whether all of it is one image.
    pub(in crate::engine) fn is_of(&self, target: &Digest) -> bool {
        self.images.iter().all(|(candidate, _)| candidate.target.digest == *target)
    }
}

//! Asking the chain of admissions.

use super::admission::{Admitted, Allowed, Denial, Verdict};
use super::candidate::Candidate;
use super::publisher::Publisher;
use super::report::Report;
use crate::domain::{Error, Result};

impl Publisher {
    /// Whether any admission needs to know the evidence about an image.
    pub(in crate::engine) fn needs_evidence(&self) -> bool {
        self.shared.admissions.iter().any(|admission| admission.needs_evidence())
    }

    /// Has all candidates decided on. They are admitted together or not at all. From now on other engines know what the
    /// caller holds.
    ///
    /// # Errors
    /// `Denied` where one of them is denied, which is also told as an event; whatever keeps an admission from deciding.
    pub(in crate::engine) async fn admit(&self, candidates: Vec<Candidate>) -> Result<Admitted> {
        self.leases().flush().await?;
        let mut images = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let mut allowed = None;
            for admission in &self.shared.admissions {
                match admission.decide(&candidate).await? {
                    Verdict::NoRule => {}
                    Verdict::Allow { rule, reason } => allowed = Some(Allowed { rule, reason }),
                    Verdict::Deny(denial) => return Err(self.deny(&candidate, denial)),
                }
            }
            images.push((candidate, allowed));
        }
        Ok(Admitted::new(images))
    }

    fn deny(&self, candidate: &Candidate, denial: Denial) -> Error {
        let (digest, name) = (&candidate.target.digest, candidate.name.shown());
        let Denial { rule, reason } = denial;
        tracing::info!(image.name = %name, image.digest = %digest, rule, reason, "denied an image");
        let error = Error::denied(name.clone(), rule.clone(), reason.clone());
        self.report(Report::Denied { digest: digest.clone(), name, rule, reason });
        error
    }
}

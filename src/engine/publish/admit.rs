//! Asking the chain of admissions.

use std::sync::atomic::Ordering;

use super::admission::{Admitted, Allowed, Denial, Verdict};
use super::candidate::{Candidate, Evidence, Origin};
use super::publisher::Publisher;
use super::report::Report;
use crate::domain::{Digest, Error, Result};
use crate::engine::stream::whole::read_whole;
use crate::store::blocking::{offload, wait};

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
        // Before anything is asked: what changes meanwhile is then seen.
        let revisions = self.shared.revisions();
        let mut images = Vec::with_capacity(candidates.len());
        for mut candidate in candidates {
            if self.needs_evidence() && candidate.facts.is_absent() {
                self.look_at(&mut candidate).await?;
            }
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
        Ok(Admitted::new(images, revisions))
    }

    /// How many images were denied since the start.
    pub(in crate::engine) fn denials(&self) -> u64 {
        self.shared.denied.load(Ordering::Relaxed)
    }

    /// Fills in what is kept here about an image.
    async fn look_at(&self, candidate: &mut Candidate) -> Result<()> {
        let found = {
            let state = self.shared.catalog.state();
            self.known_evidence(&state, &candidate.documents).found_about(&candidate.target.digest, true)
        };
        // What a pull could not fetch is not known by looking here.
        let is_final =
            matches!(candidate.origin, Origin::Registry(_)) && matches!(candidate.evidence, Evidence::Unknown(_));
        if !is_final {
            candidate.evidence = found.evidence.clone();
        }
        let blobs = self.stores().blobs.clone();
        let read = move || {
            let read = |digest: &Digest, limit| read_whole(wait(blobs.open(digest))?.as_ref(), limit);
            Ok(found.facts(read))
        };
        candidate.facts = offload(read).await?;
        Ok(())
    }

    fn deny(&self, candidate: &Candidate, denial: Denial) -> Error {
        let (digest, name) = (&candidate.target.digest, candidate.name.shown());
        self.shared.denied.fetch_add(1, Ordering::Relaxed);
        let Denial { rule, reason } = denial;
        tracing::info!(image.name = %name, image.digest = %digest, rule, reason, "denied an image");
        let error = Error::denied(name.clone(), rule.clone(), reason.clone());
        self.report(Report::Denied { digest: digest.clone(), name, rule, reason });
        error
    }
}

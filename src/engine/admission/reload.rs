//! The rules of an engine: which are in force, and how they are replaced.

use std::sync::Arc;

use crate::domain::{Digest, Result};
use crate::engine::core::Engine;
use crate::engine::publish::{Decision, Evidence, Facts, KnownEvidence, Report};
use crate::policy::rules::Rules;

impl Engine {
    /// The rules in force; `None` where none are configured.
    pub fn rules(&self) -> Option<Arc<Rules>> {
        self.0.settings.rules.as_ref().map(|admission| admission.rules())
    }

    /// Puts other rules in force, all of them at once. When this returns, no name is set any more that only the rules
    /// before would let in. Without effect where none are configured.
    ///
    /// # Errors
    /// Where the writer does not answer. The rules are in force all the same.
    pub async fn replace_rules(&self, rules: Rules) -> Result<()> {
        let Some(admission) = &self.0.settings.rules else { return Ok(()) };
        admission.replace(rules);
        // What was decided before is committed before this is answered.
        self.0.publisher.change(|_| Ok((Decision::nothing(Report::Nothing), ()))).await
    }

    /// Notes that newer rules were refused, and why. Those in force stay.
    pub fn refuse_rules(&self, problem: String) {
        if let Some(admission) = &self.0.settings.rules {
            admission.refused(problem);
        }
    }

    /// What somebody has to look at, for people.
    pub fn warnings(&self) -> Vec<String> {
        self.0.settings.rules.as_ref().map(|admission| admission.warnings()).unwrap_or_default()
    }

    /// How many images were denied a name since the start.
    pub fn denials(&self) -> u64 {
        self.0.publisher.denials()
    }

    /// The evidence about an image that is kept here, read without a network; and whether that is all there is.
    ///
    /// # Errors
    /// Those of the stores. What cannot be read of single signatures is among the facts.
    pub async fn evidence(&self, target: &Digest) -> Result<(Facts, Evidence)> {
        let found = {
            let state = self.0.catalog.state();
            KnownEvidence::new(&state, &[], true).found_about(target, true)
        };
        let evidence = found.evidence.clone();
        let facts =
            self.blocking(move |inner| Ok(found.facts(|digest, limit| inner.read_whole(digest, limit)))).await?;
        Ok((facts, evidence))
    }
}

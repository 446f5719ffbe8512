//! What is recorded of the evidence about an image.

use crate::domain::Digest;
use crate::engine::catalog::State;
use crate::store::EvidenceState;

/// How much of the evidence about an image is here, by whichever of its names knows most.
pub(in crate::engine) fn recorded(state: &State, target: &Digest) -> EvidenceState {
    let mut known = EvidenceState::Complete;
    for name in state.names_of(target) {
        let Some(record) = state.name(name.as_str()) else { continue };
        match &record.evidence {
            EvidenceState::Complete => return EvidenceState::Complete,
            // What was loaded or made here had all of it.
            EvidenceState::Unrecorded if state.sources(target).is_empty() => return EvidenceState::Complete,
            EvidenceState::Unrecorded => {
                let reason = "the image was pulled by a version of Loadline that did not note it: pull it again";
                known = EvidenceState::Missing(reason.into());
            }
            missing @ EvidenceState::Missing(_) => known = missing.clone(),
        }
    }
    known
}

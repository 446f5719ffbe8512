//! Signatures and attestations about images: what a rule wants, what is looked at, and what was found.
//!
//! [`Material`] is evidence as it was stored, and nothing about it is believed. Verification (`crate::verify`) makes
//! [`Finding`]s of it: each says that somebody signed the image, or why a signature does not count. Only
//! [`Requirement::judge`] makes of findings a [`Satisfied`]: the rule's signers signed it. A [`VerifiedSignature`] alone
//! answers "who?", never "may it come in?".

mod certificate;
mod finding;
mod material;
mod outcome;
mod requirement;

pub use certificate::CertificateIdentity;
pub use finding::{Claim, Finding, SignatureKind, SignedStatement, Signer, VerifiedSignature};
pub use material::{
    MAX_BUNDLE, MAX_LAYERS, MAX_MANIFEST, MAX_PAYLOAD, Material, MaterialContent, SignatureAnnotations,
};
pub use outcome::{Judged, Outcome, Satisfied};
pub use requirement::{AttestationRequirement, Identities, Identity, Requirement, Subject, SubjectRegex, Tlog};

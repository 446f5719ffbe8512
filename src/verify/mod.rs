//! L2: signatures and attestations, verified.
//!
//! Pure functions of bytes, trust roots, keys and a clock: nothing here opens a file or a connection. [`verify`] makes of
//! each piece of evidence a [`Finding`](crate::domain::verification::Finding): who signed which digest, or why it does not
//! count. What a rule makes of findings is for
//! [`Requirement::judge`](crate::domain::verification::Requirement::judge).
//!
//! Sigstore's bundles go through `sigstore-verify`, with everything that it checks. What it does not know is here: cosign's
//! older forms, keys without a log, keys and hashes that it does not verify with.

mod bundle;
mod envelope;
mod json;
mod keys;
mod legacy;
mod material;
mod roots;
mod simple_signing;
mod statement;
mod trust;

pub use bundle::{Artifact, verify_bundle};
pub use material::verify;
pub use roots::{TrustRoot, TrustRoots};
pub use trust::{EARLIEST_CLOCK, Trust};

/// Why a signature does not verify.
type Checked<T> = Result<T, String>;

#[cfg(test)]
mod tests;

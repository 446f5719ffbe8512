//! What verification found out about a signature.

use std::fmt;

use super::certificate::CertificateIdentity;
use crate::domain::Digest;

/// What was found out about one signature or attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The manifest or index that it was found beside. What verified is about this very digest.
    pub subject: Digest,
    /// The manifest that holds it.
    pub source: Digest,
    pub kind: SignatureKind,
    /// The verified signature, or why it does not verify.
    pub result: Result<VerifiedSignature, String>,
}

/// The form in which a signature was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureKind {
    /// A Sigstore bundle.
    Bundle,
    /// A signature by cosign 2 or older.
    SimpleSigning,
    /// An attestation by cosign 2 or older: an envelope beside the image.
    Envelope,
    /// A signature by notation.
    Notation,
    /// What could not be read.
    Unknown,
}

impl SignatureKind {
    /// The word for it in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::SimpleSigning => "simple-signing",
            Self::Envelope => "envelope",
            Self::Notation => "notation",
            Self::Unknown => "unknown",
        }
    }
}

/// A signature that is right: *somebody* signed the subject. Whether that is whom a rule wants, only
/// [`Requirement::judge`](super::Requirement::judge) says.
///
/// Only `crate::verify` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    pub signer: Signer,
    pub claim: Claim,
    /// Whether the signature is proven to be in a transparency log.
    pub logged: bool,
    /// When it was made by verified clocks of logs and timestamp authorities, in seconds since the Unix epoch; empty where
    /// none says.
    pub times: Vec<i64>,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The holder of a certificate that a trusted authority issued.
    Certificate(Box<CertificateIdentity>),
    /// The holder of a key that a rule names, by the key's fingerprint
    /// ([`PublicKey::fingerprint`](crate::domain::PublicKey::fingerprint)).
    Key(Digest),
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(identity) => write!(f, "{} (issuer {})", identity.subject, identity.issuer),
            Self::Key(fingerprint) => write!(f, "the key {fingerprint}"),
        }
    }
}

/// What the signer says of the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// That it is theirs: simple signing, a message signature, or a statement with cosign's predicate `sign/v1`.
    Signature,
    /// An in-toto statement.
    Attestation(Box<SignedStatement>),
}

/// What is read from a verified in-toto statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    pub predicate_type: String,
    /// The builder that SLSA provenance names; absent in other predicates.
    pub builder_id: Option<String>,
    /// The repository of the source: as the signer's certificate names it, else as SLSA provenance does.
    pub source_repository: Option<String>,
}

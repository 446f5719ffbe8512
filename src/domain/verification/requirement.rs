//! What a rule wants.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

use super::finding::{Claim, SignedStatement, Signer, VerifiedSignature};
use crate::domain::{Error, PublicKey, Result};

/// The largest compiled expression, in bytes, and the longest one as text.
const MAX_REGEX: usize = 1 << 20;
const MAX_REGEX_TEXT: usize = 4096;

/// What has to be signed, and by whom, for a rule to let an image in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub identities: Identities,
    pub tlog: Tlog,
    /// The attestations that have to be there, each signed by an identity that is wanted. Where there are any, a signature
    /// over the image is not needed beside them; where there are none, it is.
    pub attestations: Vec<AttestationRequirement>,
}

/// Whose signatures are wanted. An empty list is satisfied by nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identities {
    /// One of them is enough.
    Any(Vec<Identity>),
    /// Each of them.
    All(Vec<Identity>),
}

/// A signer that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The holder of a certificate that a trusted authority issued for this identity.
    Keyless {
        /// The OpenID Connect issuer that authenticated the signer, exactly.
        issuer: String,
        subject: Subject,
    },
    /// The holder of a key.
    Key(PublicKey),
}

/// Which subject of a certificate is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Exact(String),
    /// Found anywhere in the subject, as in Talos and cosign: anchor it with `^` and `$`.
    Regex(SubjectRegex),
}

/// A regular expression with matching in linear time.
#[derive(Clone, Debug)]
pub struct SubjectRegex(Regex);

/// Whether a signature has to be in a transparency log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tlog {
    /// It has to be, with proof.
    Required,
    /// It need not be. A certificate's holder then needs a trusted timestamp; a key's needs nothing.
    Optional,
}

/// An attestation that has to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationRequirement {
    /// The URI of the predicate's type, exactly.
    pub predicate_type: String,
    /// The builder that SLSA provenance has to name, exactly.
    pub builder_id: Option<String>,
    /// The repository of the source, exactly.
    pub source_repository: Option<String>,
}

impl Identities {
    /// All identities that are named.
    pub fn as_slice(&self) -> &[Identity] {
        match self {
            Self::Any(identities) | Self::All(identities) => identities,
        }
    }
}

impl Requirement {
    /// The keys that it names.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.identities.as_slice().iter().filter_map(|identity| match identity {
            Identity::Key(key) => Some(key),
            Identity::Keyless { .. } => None,
        })
    }
}

impl Identity {
    /// Whether a signer is who is meant.
    pub fn is(&self, signer: &Signer) -> bool {
        match (self, signer) {
            (Self::Keyless { issuer, subject }, Signer::Certificate(holder)) => {
                // A certificate without an issuer or a subject is nobody's, whatever a rule says.
                let is_somebody = !holder.issuer.is_empty() && !holder.subject.is_empty();
                is_somebody && *issuer == holder.issuer && subject.matches(&holder.subject)
            }
            (Self::Key(key), Signer::Key(fingerprint)) => key.fingerprint() == *fingerprint,
            _ => false,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyless { issuer, subject } => write!(f, "{subject} (issuer {issuer})"),
            Self::Key(key) => write!(f, "the key {}", key.fingerprint()),
        }
    }
}

impl Subject {
    /// Whether a certificate's subject is wanted.
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == subject,
            Self::Regex(regex) => regex.0.is_match(subject),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(subject) => f.write_str(subject),
            Self::Regex(regex) => write!(f, "a subject like {}", regex.0),
        }
    }
}

impl FromStr for SubjectRegex {
    type Err = Error;

    /// Reads an expression.
    ///
    /// # Errors
    /// `InvalidArgument` where it is none, is empty, or is too large.
    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > MAX_REGEX_TEXT {
            let rule = format!("a regular expression has 1 to {MAX_REGEX_TEXT} bytes, this one {}", text.len());
            return Err(Error::invalid(rule));
        }
        let built = RegexBuilder::new(text).size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX).build();
        built.map(Self).map_err(|error| Error::invalid(format!("not a regular expression: {error}")))
    }
}

impl PartialEq for SubjectRegex {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for SubjectRegex {}

impl AttestationRequirement {
    /// Whether a verified signature is over an attestation like this.
    pub fn is_met_by(&self, signature: &VerifiedSignature) -> bool {
        let Claim::Attestation(statement) = &signature.claim else { return false };
        self.fits(statement)
    }

    fn fits(&self, statement: &SignedStatement) -> bool {
        let as_wanted = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        statement.predicate_type == self.predicate_type
            && as_wanted(&self.builder_id, &statement.builder_id)
            && as_wanted(&self.source_repository, &statement.source_repository)
    }
}

impl fmt::Display for AttestationRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an attestation of type {}", self.predicate_type)?;
        if let Some(builder) = &self.builder_id {
            write!(f, " by the builder {builder}")?;
        }
        if let Some(source) = &self.source_repository {
            write!(f, " from the source {source}")?;
        }
        Ok(())
    }
}

//! In-toto statements: what they are about and what they say.

use serde_json::Value;

use super::{Checked, json};
use crate::domain::Digest;
use crate::domain::verification::{CertificateIdentity, Claim, SignedStatement};

/// The type of payload of an envelope that holds a statement.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The predicate by which cosign 3 says that an image is signed, and nothing else.
const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

const STATEMENT_TYPES: [&str; 3] =
    ["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v0.2", "https://in-toto.io/Statement/v1"];

/// A statement whose subject was compared; its signature is another matter.
pub(super) struct Statement {
    predicate_type: String,
    builder_id: Option<String>,
    source_repository: Option<String>,
}

impl Statement {
    /// Reads a statement about a digest.
    ///
    /// # Errors
    /// The reason, where it is malformed or about something else.
    pub(super) fn about(digest: &Digest, payload: &[u8]) -> Checked<Self> {
        let statement = json::parse("statement", payload)?;
        let text = |pointer: &str| statement.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        if !text("/_type").is_some_and(|kind| STATEMENT_TYPES.contains(&kind.as_str())) {
            return Err("the envelope holds no in-toto statement".to_owned());
        }
        let (algorithm, hex) = (digest.algorithm().name(), digest.hex());
        let is_about = |subject: &Value| {
            subject.get("digest").and_then(|digests| digests.get(algorithm)).and_then(Value::as_str) == Some(&hex)
        };
        let subjects = statement.get("subject").and_then(Value::as_array);
        if !subjects.is_some_and(|subjects| subjects.iter().any(is_about)) {
            return Err(format!("the statement is not about {digest}"));
        }
        let predicate_type = text("/predicateType").filter(|kind| !kind.is_empty());
        let predicate_type = predicate_type.ok_or("the statement has no predicate type")?;
        let (builder_id, source_repository) = match predicate_type.strip_prefix("https://slsa.dev/provenance/v") {
            Some(version) if version.starts_with("0.") => {
                (text("/predicate/builder/id"), text("/predicate/invocation/configSource/uri"))
            }
            Some(_) => {
                let parameters = "/predicate/buildDefinition/externalParameters";
                let source = ["workflow/repository", "configSource/uri"];
                let source = source.iter().find_map(|path| text(&format!("{parameters}/{path}")));
                (text("/predicate/runDetails/builder/id"), source)
            }
            None => (None, None),
        };
        Ok(Self { predicate_type, builder_id, source_repository })
    }

    /// What it claims, signed by the holder of a certificate or of a key.
    pub(super) fn into_claim(self, certificate: Option<&CertificateIdentity>) -> Claim {
        if self.predicate_type == COSIGN_SIGN {
            return Claim::Signature;
        }
        let certified = certificate.map(|identity| &identity.source_repository_uri).filter(|uri| !uri.is_empty());
        Claim::Attestation(Box::new(SignedStatement {
            predicate_type: self.predicate_type,
            builder_id: self.builder_id,
            source_repository: certified.cloned().or(self.source_repository),
        }))
    }
}

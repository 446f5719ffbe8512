//! DSSE envelopes: a payload, its type, and signatures over both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::keys::{self, Ed25519Form, Message};
use super::{Checked, statement};
use crate::domain::PublicKey;

/// The most signatures of one envelope.
const MAX_SIGNATURES: usize = 16;

/// An envelope around an in-toto statement. Nothing about it is verified.
pub(super) struct Envelope {
    pub(super) payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

impl Envelope {
    /// Takes an envelope apart.
    ///
    /// # Errors
    /// The reason, where it is malformed or holds something other than a statement.
    pub(super) fn read(envelope: &Value) -> Checked<Self> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        let kind = text(envelope, "payloadType").ok_or("the envelope has no payload type")?;
        if kind != statement::PAYLOAD_TYPE {
            return Err("the envelope holds no in-toto statement".to_owned());
        }
        let payload = decode(&text(envelope, "payload").ok_or("the envelope has no payload")?)?;
        let signatures = envelope.get("signatures").and_then(Value::as_array).ok_or("the envelope is not signed")?;
        if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
            return Err(format!("an envelope has 1 to {MAX_SIGNATURES} signatures, this one {}", signatures.len()));
        }
        let signatures =
            signatures.iter().map(|one| decode(&text(one, "sig").ok_or("a signature of the envelope is empty")?));
        Ok(Self { payload, signatures: signatures.collect::<Checked<_>>()? })
    }

    /// How many signatures there are.
    pub(super) fn signature_count(&self) -> usize {
        self.signatures.len()
    }

    /// Checks that one of the signatures is by the holder of a key.
    ///
    /// # Errors
    /// The reason, where none is.
    pub(super) fn check(&self, key: &PublicKey, ed25519: Ed25519Form) -> Checked<()> {
        let signed = self.pre_authentication_encoding();
        let mut result = Err("the envelope is not signed".to_owned());
        for signature in &self.signatures {
            result = keys::check(key, Message::Bytes(&signed), signature, ed25519);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// The bytes that are signed.
    fn pre_authentication_encoding(&self) -> Vec<u8> {
        let kind = statement::PAYLOAD_TYPE;
        let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), self.payload.len()).into_bytes();
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// Bytes in base64.
///
/// # Errors
/// The reason, where it is none.
pub(super) fn decode(text: &str) -> Checked<Vec<u8>> {
    STANDARD.decode(text).map_err(|error| format!("base64 is malformed: {error}"))
}

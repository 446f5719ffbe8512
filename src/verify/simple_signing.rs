//! Simple signing: the payload that cosign 2 and older sign.

use serde_json::Value;

use super::{Checked, json};
use crate::domain::Digest;

const TYPE: &str = "cosign container image signature";

/// Checks that a payload, whoever signed it, is about a digest.
///
/// # Errors
/// The reason, where it is malformed or about something else.
pub(super) fn check_payload(payload: &[u8], subject: &Digest) -> Checked<()> {
    let payload = json::parse("signed payload", payload)?;
    let critical =
        payload.get("critical").and_then(Value::as_object).ok_or("the signed payload has no critical part")?;
    // What is critical has to be understood, so there is nothing else in it.
    if let Some(unknown) = critical.keys().find(|key| !["identity", "image", "type"].contains(&key.as_str())) {
        return Err(format!("the signed payload has an unknown critical field {unknown:?}"));
    }
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    if text("/critical/type") != Some(TYPE) {
        return Err("the signed payload is no signature over a container image".to_owned());
    }
    if text("/critical/identity/docker-reference").is_none() {
        return Err("the signed payload names no image".to_owned());
    }
    let claimed = text("/critical/image/docker-manifest-digest").unwrap_or_default();
    if claimed.parse::<Digest>().ok().as_ref() != Some(subject) {
        return Err(format!("the signature is over {claimed:.80}, not over {subject}"));
    }
    Ok(())
}

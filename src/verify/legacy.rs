//! Signatures and attestations of cosign 2 and older, put into the form of a bundle.
//!
//! They keep in annotations what a bundle keeps in one document, so the same steps verify both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::bundle::{Artifact, Signed};
use super::keys::Ed25519Form;
use super::trust::Trust;
use super::{Checked, envelope, json as strict, simple_signing};
use crate::domain::Digest;
use crate::domain::verification::{MAX_PAYLOAD, SignatureAnnotations, VerifiedSignature};

/// The longest annotation, in bytes. All of a manifest's have to fit into it.
const MAX_ANNOTATION: usize = 128 << 10;

/// Verifies a signature over an image.
///
/// # Errors
/// Why it does not verify.
pub(super) fn verify_signature(
    payload: &[u8],
    annotations: &SignatureAnnotations,
    subject: &Digest,
    trust: &Trust<'_>,
) -> Checked<Vec<VerifiedSignature>> {
    check_sizes(payload, annotations)?;
    simple_signing::check_payload(payload, subject)?;
    let signature = annotations.signature.as_deref().filter(|text| !text.is_empty()).ok_or("there is no signature")?;
    let digest = STANDARD.encode(Digest::of(payload).bytes());
    let digest = json!({ "algorithm": "SHA2_256", "digest": digest });
    let message = json!({ "messageDigest": digest, "signature": signature });
    verify("messageSignature", message, annotations, &Artifact::of_bytes(payload), trust)
}

/// Verifies an attestation: an envelope with a statement about the subject.
///
/// # Errors
/// Why it does not verify.
pub(super) fn verify_envelope(
    envelope: &[u8],
    annotations: &SignatureAnnotations,
    subject: &Digest,
    trust: &Trust<'_>,
) -> Checked<Vec<VerifiedSignature>> {
    check_sizes(envelope, annotations)?;
    let envelope = strict::parse("envelope", envelope)?;
    verify("dsseEnvelope", envelope, annotations, &Artifact::of_digest(subject.clone()), trust)
}

fn check_sizes(payload: &[u8], annotations: &SignatureAnnotations) -> Checked<()> {
    if payload.len() as u64 > MAX_PAYLOAD {
        return Err(format!("the signed payload has {} bytes, and at most {MAX_PAYLOAD} are read", payload.len()));
    }
    let SignatureAnnotations { signature, certificate, chain, bundle, timestamp } = annotations;
    let texts = [signature, certificate, chain, bundle, timestamp].into_iter().flatten();
    match texts.map(String::len).max() {
        Some(longest) if longest > MAX_ANNOTATION => {
            Err(format!("an annotation has {longest} bytes, and at most {MAX_ANNOTATION} are read"))
        }
        _ => Ok(()),
    }
}

fn verify(
    kind: &str,
    content: Value,
    annotations: &SignatureAnnotations,
    artifact: &Artifact<'_>,
    trust: &Trust<'_>,
) -> Checked<Vec<VerifiedSignature>> {
    let mut material = signer(annotations)?;
    let entry = given(&annotations.bundle).map(log_entry).transpose()?;
    // Version 0.1 is the one whose proof of the log is its promise, and which has to have one.
    let version = if entry.is_some() { "0.1" } else { "0.2" };
    material.insert("tlogEntries".to_owned(), entry.into_iter().collect());
    if let Some(timestamp) = given(&annotations.timestamp) {
        let timestamp = strict::parse("timestamp", timestamp.as_bytes())?;
        let token = timestamp.get("SignedRFC3161Timestamp").and_then(Value::as_str).ok_or("the timestamp is empty")?;
        let data = json!({ "rfc3161Timestamps": [{ "signedTimestamp": token }] });
        material.insert("timestampVerificationData".to_owned(), data);
    }
    let bundle = json!({
        "mediaType": format!("application/vnd.dev.sigstore.bundle+json;version={version}"),
        "verificationMaterial": material,
        kind: content,
    });
    Signed { value: &bundle, text: &bundle.to_string(), ed25519: Ed25519Form::Pure }.verify(artifact, trust)
}

fn given(annotation: &Option<String>) -> Option<&str> {
    annotation.as_deref().filter(|text| !text.trim().is_empty())
}

/// Who signed, as far as the annotations say.
fn signer(annotations: &SignatureAnnotations) -> Checked<Map<String, Value>> {
    let mut material = Map::new();
    match given(&annotations.certificate) {
        Some(certificate) => {
            let mut certificates = certificates(certificate)?;
            if certificates.len() != 1 {
                return Err(format!("one certificate is expected, and there are {}", certificates.len()));
            }
            certificates.extend(given(&annotations.chain).map(self::certificates).transpose()?.unwrap_or_default());
            let certificates: Vec<Value> = certificates.into_iter().map(|der| json!({ "rawBytes": der })).collect();
            material.insert("x509CertificateChain".to_owned(), json!({ "certificates": certificates }));
        }
        None => {
            material.insert("publicKey".to_owned(), json!({ "hint": "" }));
        }
    }
    Ok(material)
}

/// The certificates of a PEM text, in base64.
fn certificates(pem: &str) -> Checked<Vec<String>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    let mut rest = pem.trim();
    while !rest.is_empty() {
        let block = rest.strip_prefix(BEGIN).and_then(|block| block.split_once(END));
        let (body, after) = block.ok_or("a certificate is malformed: it is no PEM")?;
        found.push(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
        rest = after.trim_start();
    }
    Ok(found)
}

/// An entry of a log with its promise, as a bundle has it.
fn log_entry(annotation: &str) -> Checked<Value> {
    let bundle = strict::parse("entry of the log", annotation.as_bytes())?;
    let text = |pointer: &str| {
        let found = bundle.pointer(pointer).and_then(Value::as_str);
        found.ok_or_else(|| format!("the entry of the log has no {pointer}"))
    };
    let number = |pointer: &str| {
        let found = bundle.pointer(pointer).and_then(Value::as_u64);
        found.ok_or_else(|| format!("the entry of the log has no {pointer}"))
    };
    let body = text("/Payload/body")?;
    let decoded = strict::parse("body of the log's entry", &envelope::decode(body)?)?;
    let of_body = |key: &str| decoded.get(key).and_then(Value::as_str).unwrap_or_default();
    let log = from_hex(text("/Payload/logID")?).ok_or("the name of the log is malformed")?;
    Ok(json!({
        "logIndex": number("/Payload/logIndex")?.to_string(),
        "logId": { "keyId": STANDARD.encode(log) },
        "kindVersion": { "kind": of_body("kind"), "version": of_body("apiVersion") },
        "integratedTime": number("/Payload/integratedTime")?.to_string(),
        "inclusionPromise": { "signedEntryTimestamp": text("/SignedEntryTimestamp")? },
        "canonicalizedBody": body,
    }))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

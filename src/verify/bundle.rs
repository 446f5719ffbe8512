//! Sigstore's bundles: a signature with all that is needed to verify it without a network.

use std::fmt::Display;

use serde_json::Value;
use sigstore_verify::crypto::CertificateInfo;
use sigstore_verify::types::{
    Artifact as SigstoreArtifact, ArtifactDigest, Bundle, DerPublicKey, DigestBytes, HashAlgorithm,
};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::envelope::{self, Envelope};
use super::keys::{self, Ed25519Form, Message};
use super::roots::TrustRoot;
use super::statement::Statement;
use super::trust::Trust;
use super::{Checked, json};
use crate::domain::verification::{CertificateIdentity, Claim, MAX_BUNDLE, Signer, VerifiedSignature};
use crate::domain::{Digest, PublicKey};

/// The most entries of logs, and the most timestamps, of one bundle.
const MAX_PROOFS: usize = 16;

/// The most certificates of one bundle.
const MAX_CERTIFICATES: usize = 10;

/// What is to be signed.
#[derive(Clone, Debug)]
pub struct Artifact<'a> {
    digest: Digest,
    bytes: Option<&'a [u8]>,
}

impl<'a> Artifact<'a> {
    /// Bytes, which every signature can be verified with.
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { digest: Digest::of(bytes), bytes: Some(bytes) }
    }

    /// What has this digest. A few signatures need the bytes themselves.
    pub fn of_digest(digest: Digest) -> Self {
        Self { digest, bytes: None }
    }

    fn as_message(&self) -> Message<'_> {
        self.bytes.map_or(Message::Digest(&self.digest), Message::Bytes)
    }
}

/// Verifies a bundle in JSON over an artifact: a signature by a certificate's holder against the roots, one by a key with
/// the keys that are trusted.
///
/// Returns the verified signatures, at least one: several where a bundle is signed by several of the keys.
///
/// # Errors
/// Why it does not verify.
pub fn verify_bundle(
    bundle: &[u8],
    artifact: &Artifact<'_>,
    trust: &Trust<'_>,
) -> Result<Vec<VerifiedSignature>, String> {
    if bundle.len() as u64 > MAX_BUNDLE {
        return Err(format!("the bundle has {} bytes, and at most {MAX_BUNDLE} are read", bundle.len()));
    }
    let text = std::str::from_utf8(bundle).map_err(|_| "the bundle is malformed: it is not UTF-8")?;
    let value = json::parse("bundle", bundle)?;
    Signed { value: &value, text, ed25519: Ed25519Form::PrehashedOrPure }.verify(artifact, trust)
}

/// A bundle, of which nothing is believed.
pub(super) struct Signed<'a> {
    pub(super) value: &'a Value,
    /// The same as text.
    pub(super) text: &'a str,
    pub(super) ed25519: Ed25519Form,
}

/// What is signed in a bundle.
enum Content {
    /// The artifact itself.
    Message { digest: Option<(String, Vec<u8>)>, signature: Vec<u8> },
    /// A statement about the artifact, in an envelope.
    Envelope(Envelope),
}

impl Signed<'_> {
    /// See [`verify_bundle`].
    pub(super) fn verify(&self, artifact: &Artifact<'_>, trust: &Trust<'_>) -> Checked<Vec<VerifiedSignature>> {
        trust.check_clock()?;
        self.check_sizes()?;
        let content = self.content()?;
        if self.is_certified()? {
            return Ok(vec![self.verify_certified(&content, artifact, trust)?]);
        }
        if trust.keys.is_empty() {
            return Err("it is signed with a key, and none is named to verify it with".to_owned());
        }
        let mut verified = Vec::new();
        let mut reasons = Vec::new();
        for key in trust.keys {
            match self.verify_keyed(&content, artifact, key, trust) {
                Ok(signature) => verified.push(signature),
                Err(reason) => reasons.push(reason),
            }
        }
        if verified.is_empty() { Err(in_short(reasons)) } else { Ok(verified) }
    }

    /// Whether a certificate names the signer, or else a key has to be known. A key in the bundle is never read: at most, a
    /// hint at one.
    fn is_certified(&self) -> Checked<bool> {
        let material = self.value.get("verificationMaterial").ok_or("the bundle has no verification material")?;
        let is_there = |key: &str| material.get(key).is_some_and(|value| !value.is_null());
        match (is_there("certificate") || is_there("x509CertificateChain"), is_there("publicKey")) {
            (true, true) => Err("the bundle names both a certificate and a key".to_owned()),
            (false, false) => Err("the bundle names neither a certificate nor a key".to_owned()),
            (is_certified, _) => Ok(is_certified),
        }
    }

    /// Bounds the work that a bundle can cause.
    fn check_sizes(&self) -> Checked<()> {
        let count = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
        for (what, pointer, most) in [
            ("entries of logs", "/verificationMaterial/tlogEntries", MAX_PROOFS),
            ("timestamps", "/verificationMaterial/timestampVerificationData/rfc3161Timestamps", MAX_PROOFS),
            ("certificates", "/verificationMaterial/x509CertificateChain/certificates", MAX_CERTIFICATES),
        ] {
            let found = count(pointer);
            if found > most {
                return Err(format!("the bundle has {found} {what}, and at most {most} are read"));
            }
        }
        Ok(())
    }

    fn content(&self) -> Checked<Content> {
        let part = |key: &str| self.value.get(key).filter(|value| !value.is_null());
        match (part("messageSignature"), part("dsseEnvelope")) {
            (Some(message), None) => {
                let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
                let signature = envelope::decode(text("/signature").ok_or("the bundle holds no signature")?)?;
                let digest = match message.get("messageDigest").filter(|digest| !digest.is_null()) {
                    Some(_) => {
                        let algorithm = text("/messageDigest/algorithm").ok_or("the digest has no algorithm")?;
                        let digest = text("/messageDigest/digest").ok_or("the digest is empty")?;
                        Some((algorithm.to_owned(), envelope::decode(digest)?))
                    }
                    None => None,
                };
                Ok(Content::Message { digest, signature })
            }
            (None, Some(dsse)) => Ok(Content::Envelope(Envelope::read(dsse)?)),
            _ => Err("the bundle does not hold exactly one signature".to_owned()),
        }
    }

    fn parsed(&self) -> Checked<Bundle> {
        Bundle::from_json(self.text).map_err(|error| format!("the bundle is malformed: {error}"))
    }

    fn verify_certified(
        &self,
        content: &Content,
        artifact: &Artifact<'_>,
        trust: &Trust<'_>,
    ) -> Checked<VerifiedSignature> {
        if matches!(content, Content::Envelope(envelope) if envelope.signature_count() != 1) {
            return Err("an envelope signed by a certificate's holder has one signature".to_owned());
        }
        let bundle = self.parsed()?;
        let statement = content.statement(&artifact.digest)?;
        let mut reasons = Vec::new();
        for root in trust.roots.iter() {
            match verify_by_root(&bundle, artifact, root) {
                Ok((result, logged)) => {
                    let times = seconds(&result);
                    trust.check_times(&times)?;
                    let identity = identity_of(&bundle, &result)?;
                    let claim = statement.map_or(Claim::Signature, |statement| statement.into_claim(Some(&identity)));
                    return Ok(VerifiedSignature {
                        signer: Signer::Certificate(Box::new(identity)),
                        claim,
                        logged,
                        times,
                    });
                }
                Err(reason) => reasons.push(format!("by the roots of {}: {reason}", root.name())),
            }
        }
        if reasons.is_empty() {
            return Err("it is signed by the holder of a certificate, and no root is trusted".to_owned());
        }
        Err(in_short(reasons))
    }

    fn verify_keyed(
        &self,
        content: &Content,
        artifact: &Artifact<'_>,
        key: &PublicKey,
        trust: &Trust<'_>,
    ) -> Checked<VerifiedSignature> {
        let statement = content.statement(&artifact.digest)?;
        match content {
            Content::Message { digest, signature } => {
                check_digest(digest.as_ref(), artifact)?;
                keys::check(key, artifact.as_message(), signature, self.ed25519)?;
            }
            Content::Envelope(envelope) => envelope.check(key, self.ed25519)?,
        }
        let times = self.times_in_logs(artifact, key, trust);
        trust.check_times(times.as_deref().unwrap_or_default())?;
        Ok(VerifiedSignature {
            signer: Signer::Key(key.fingerprint()),
            claim: statement.map_or(Claim::Signature, |statement| statement.into_claim(None)),
            logged: times.is_some(),
            times: times.unwrap_or_default(),
        })
    }

    /// When a signature by a key was made; `None` where it is not proven to be in a log.
    fn times_in_logs(&self, artifact: &Artifact<'_>, key: &PublicKey, trust: &Trust<'_>) -> Option<Vec<i64>> {
        let bundle = self.parsed().ok()?;
        if bundle.verification_material.tlog_entries.is_empty() {
            return None;
        }
        let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.spki().to_vec()));
        trust.roots.iter().filter(|root| !root.keeps_no_logs()).find_map(|root| {
            let result = root.verifier().verify(artifact.for_sigstore().ok()?, &bundle, &policy).ok()?;
            result.tlog_verified().then(|| seconds(&result))
        })
    }
}

impl Content {
    /// The statement that is signed, after its subject is compared; `None` where the artifact itself is signed.
    fn statement(&self, digest: &Digest) -> Checked<Option<Statement>> {
        match self {
            Self::Message { .. } => Ok(None),
            Self::Envelope(envelope) => Statement::about(digest, &envelope.payload).map(Some),
        }
    }
}

impl Artifact<'_> {
    fn for_sigstore(&self) -> Checked<SigstoreArtifact<'_>> {
        if let Some(bytes) = self.bytes {
            return Ok(SigstoreArtifact::from_blob(bytes));
        }
        let algorithm = match self.digest {
            Digest::Sha256(_) => HashAlgorithm::Sha2256,
            Digest::Sha512(_) => HashAlgorithm::Sha2512,
        };
        let digest = ArtifactDigest::new(algorithm, DigestBytes::new(self.digest.bytes().to_vec()));
        Ok(SigstoreArtifact::from_digest(digest.map_err(|error| error.to_string())?))
    }
}

/// Verifies a bundle with a certificate against one root. Also returns whether a log is proven to hold it.
fn verify_by_root(bundle: &Bundle, artifact: &Artifact<'_>, root: &TrustRoot) -> Checked<(VerificationResult, bool)> {
    let mut policy = VerificationPolicy::any_identity();
    let logged = !root.keeps_no_logs() && !bundle.verification_material.tlog_entries.is_empty();
    if !logged {
        // Then a timestamp by an authority of this root has to say when it was signed.
        policy = policy.skip_tlog_unsafe();
    }
    if root.keeps_no_logs() {
        policy = policy.skip_sct();
    }
    let result =
        root.verifier().verify(artifact.for_sigstore()?, bundle, &policy).map_err(|error| with_causes(&error))?;
    let is_whole = result.certificate_verified()
        && (result.sct_verified() || root.keeps_no_logs())
        && result.tlog_verified() == logged
        && !result.verified_timestamps().is_empty();
    if !is_whole {
        return Err("a step of the verification was left out".to_owned());
    }
    Ok((result, logged))
}

fn seconds(result: &VerificationResult) -> Vec<i64> {
    result.verified_timestamps().iter().map(|time| time.as_second()).collect()
}

/// Compares the digest that a message signature states with the artifact's.
fn check_digest(stated: Option<&(String, Vec<u8>)>, artifact: &Artifact<'_>) -> Checked<()> {
    let Some((algorithm, stated)) = stated else { return Ok(()) };
    let is_same = match (algorithm.as_str(), artifact.bytes) {
        ("SHA2_256", _) if matches!(artifact.digest, Digest::Sha256(_)) => artifact.digest.bytes() == stated,
        ("SHA2_512", _) if matches!(artifact.digest, Digest::Sha512(_)) => artifact.digest.bytes() == stated,
        ("SHA2_384", Some(bytes)) => sigstore_verify::crypto::sha384(bytes).as_slice() == stated,
        ("SHA2_512", Some(bytes)) => sigstore_verify::crypto::sha512(bytes).as_slice() == stated,
        _ => return Err(format!("digests of the algorithm {algorithm:.20} cannot be compared here")),
    };
    if is_same { Ok(()) } else { Err(format!("the signature is over another digest than {}", artifact.digest)) }
}

fn identity_of(bundle: &Bundle, result: &VerificationResult) -> Checked<CertificateIdentity> {
    let info: &CertificateInfo = result.certificate().ok_or("the certificate is missing")?;
    let der = bundle.signing_certificate().ok_or("the certificate is missing")?;
    let parsed =
        Certificate::from_der(der.as_bytes()).map_err(|error| format!("the certificate is malformed: {error}"))?;
    let claims = &info.ci_claims;
    let text = |claim: &Option<String>| claim.clone().unwrap_or_default();
    Ok(CertificateIdentity {
        issuer: text(&info.issuer),
        subject: info.identity.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        certificate_issuer: parsed.tbs_certificate.issuer.to_string(),
        build_signer_uri: text(&claims.build_signer_uri),
        build_signer_digest: text(&claims.build_signer_digest),
        runner_environment: text(&claims.runner_environment),
        source_repository_uri: text(&claims.source_repository_uri),
        source_repository_digest: text(&claims.source_repository_digest),
        source_repository_ref: text(&claims.source_repository_ref),
        source_repository_identifier: text(&claims.source_repository_identifier),
        source_repository_owner_uri: text(&claims.source_repository_owner_uri),
        source_repository_owner_identifier: text(&claims.source_repository_owner_identifier),
        source_repository_visibility: text(&claims.source_repository_visibility_at_signing),
        build_config_uri: text(&claims.build_config_uri),
        build_config_digest: text(&claims.build_config_digest),
        build_trigger: text(&claims.build_trigger),
        run_invocation_uri: text(&claims.run_invocation_uri),
    })
}

/// A failure with what caused it.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text
}

/// Reasons in one line, of bounded length, each once.
fn in_short<T: Display + PartialEq>(mut reasons: Vec<T>) -> String {
    reasons.dedup();
    let texts: Vec<String> = reasons.iter().take(4).map(ToString::to_string).collect();
    texts.join("; ").chars().take(2000).collect()
}

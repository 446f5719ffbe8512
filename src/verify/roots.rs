//! Roots of trust: certificate authorities, logs and timestamp authorities.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};
use sigstore_verify::Verifier;
use sigstore_verify::trust_root::{
    SIGSTORE_PRODUCTION_TRUSTED_ROOT, SIGSTORE_STAGING_TRUSTED_ROOT, TrustedRoot as ParsedRoot,
};

use crate::domain::{Digest, Error, Result};

/// The largest document with roots, in bytes.
const MAX_DOCUMENT: usize = 4 << 20;

/// The most authorities or logs of one kind in a document.
const MAX_ENTRIES: usize = 64;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot";

/// The lists of a `trusted_root.json`.
const LISTS: [&str; 4] = ["tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"];

/// One instance of Sigstore: the public one, or a private one. Instances are never mixed: a certificate by one is not
/// vouched for by the log of another.
#[derive(Clone)]
pub struct TrustRoot(Arc<Root>);

struct Root {
    name: String,
    digest: Digest,
    verifier: Verifier,
    timestamps_only: bool,
    dropped: Vec<String>,
}

/// All instances that are trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustRoots(Vec<TrustRoot>);

impl TrustRoot {
    /// The public instance, as it was when this program was built.
    ///
    /// # Errors
    /// None that a built program meets: the document is part of it.
    pub fn public_good() -> Result<Self> {
        Self::from_json("sigstore.dev", SIGSTORE_PRODUCTION_TRUSTED_ROOT)
    }

    /// The public instance for tests, as it was when this program was built.
    ///
    /// # Errors
    /// None that a built program meets: the document is part of it.
    pub fn staging() -> Result<Self> {
        Self::from_json("sigstage.dev", SIGSTORE_STAGING_TRUSTED_ROOT)
    }

    /// Reads a `trusted_root.json`.
    ///
    /// What cannot be used of it is left out ([`Self::dropped`]): one malformed key must not take all others along, and
    /// less trust never lets more in.
    ///
    /// # Errors
    /// `InvalidArgument` where it is no such document, or nothing of it can be used.
    pub fn from_json(name: impl Into<String>, text: &str) -> Result<Self> {
        let name = name.into();
        let refused = |reason: String| Error::invalid(format!("trust root {name}: {reason}"));
        if text.len() > MAX_DOCUMENT {
            return Err(refused(format!("it has {} bytes, and at most {MAX_DOCUMENT} are read", text.len())));
        }
        let document: Value =
            serde_json::from_str(text).map_err(|error| refused("it is no JSON".to_owned()).with_cause(error))?;
        let kind = document.get("mediaType").and_then(Value::as_str).unwrap_or(MEDIA_TYPE);
        if !document.is_object() || !kind.starts_with(MEDIA_TYPE) {
            return Err(refused("it is no trusted_root.json of Sigstore".to_owned()));
        }
        let mut dropped = Vec::new();
        let mut usable = json!({ "mediaType": format!("{MEDIA_TYPE}+json;version=0.1") });
        for list in LISTS {
            let entries = document.get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            if entries.len() > MAX_ENTRIES {
                return Err(refused(format!(
                    "{list} has {} entries, and at most {MAX_ENTRIES} are read",
                    entries.len()
                )));
            }
            usable[list] = Value::Array(usable_entries(list, entries, &mut dropped));
        }
        let is_empty = |list: &str| usable[list].as_array().is_none_or(Vec::is_empty);
        if LISTS.iter().all(|list| is_empty(list)) {
            let reasons = if dropped.is_empty() { "it is empty".to_owned() } else { dropped.join("; ") };
            return Err(refused(format!("nothing of it can be used: {reasons}")));
        }
        // By what the document says, not by what is left of it.
        let names_none = |list: &str| document.get(list).and_then(Value::as_array).is_none_or(Vec::is_empty);
        let timestamps_only = names_none("tlogs") && names_none("ctlogs") && !is_empty("timestampAuthorities");
        let verifier = verifier_of(&usable).map_err(refused)?;
        let digest = Digest::of(text.as_bytes());
        Ok(Self(Arc::new(Root { name, digest, verifier, timestamps_only, dropped })))
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The digest of the document.
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// What of the document cannot be used, with the reason of each.
    pub fn dropped(&self) -> &[String] {
        &self.0.dropped
    }

    pub(super) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Whether the instance keeps no logs: neither of signatures nor of certificates. Its timestamp authorities have to
    /// vouch for every signature, and no signature counts as logged.
    pub(super) fn keeps_no_logs(&self) -> bool {
        self.0.timestamps_only
    }
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustRoot").field("name", &self.0.name).field("digest", &self.0.digest).finish_non_exhaustive()
    }
}

impl TrustRoots {
    /// The instances, in the order in which they are tried.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &TrustRoot> {
        self.0.iter()
    }

    /// A digest of all of them, for answers that are kept.
    pub fn digest(&self) -> Digest {
        let digests: Vec<String> = self.iter().map(|root| root.digest().to_string()).collect();
        Digest::of(digests.join("\n").as_bytes())
    }
}

impl FromIterator<TrustRoot> for TrustRoots {
    fn from_iter<I: IntoIterator<Item = TrustRoot>>(roots: I) -> Self {
        Self(roots.into_iter().collect())
    }
}

/// The entries of a list that can be used, each once.
fn usable_entries(list: &str, entries: &[Value], dropped: &mut Vec<String>) -> Vec<Value> {
    let mut usable: Vec<Value> = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let entry = without_far_end(entry);
        if usable.contains(&entry) {
            continue;
        }
        let mut tried = usable.clone();
        tried.push(entry);
        match verifier_of(&json!({ "mediaType": MEDIA_TYPE, list: tried })) {
            Ok(_) => usable = tried,
            Err(reason) => dropped.push(format!("{list}[{number}]: {reason}")),
        }
    }
    usable
}

/// An entry without an end of validity that is beyond all calendars: it means "for ever", as no end does.
fn without_far_end(entry: &Value) -> Value {
    let mut entry = entry.clone();
    for pointer in ["/validFor", "/publicKey/validFor"] {
        if let Some(Value::Object(window)) = entry.pointer_mut(pointer) {
            let is_far = window.get("end").and_then(Value::as_str).is_some_and(|end| end.starts_with("9999-"));
            if is_far {
                window.remove("end");
            }
        }
    }
    entry
}

fn verifier_of(document: &Value) -> Result<Verifier, String> {
    let parsed = ParsedRoot::from_json(&document.to_string()).map_err(|error| error.to_string())?;
    Verifier::new(&parsed).map_err(|error| error.to_string())
}

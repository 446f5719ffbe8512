//! The cases of Sigstore's conformance suite.

use std::collections::BTreeMap;
use std::io::Read;

use super::now;
use crate::domain::verification::{Identity, Subject};
use crate::domain::{Digest, PublicKey};
use crate::verify::{Artifact, Trust, TrustRoot, TrustRoots, verify_bundle};

const CASES: &[u8] = include_bytes!("../../../tests/fixtures/verify/conformance.tar.zst");
const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The files of a case by name.
pub(super) type Case = BTreeMap<String, Vec<u8>>;

/// All cases by name; what they share is in the one without a name.
pub(super) fn cases() -> BTreeMap<String, Case> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(CASES).unwrap());
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().trim_start_matches("./").to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let (case, file) = path.rsplit_once('/').unwrap_or(("", &path));
        if !file.is_empty() {
            cases.entry(case.to_owned()).or_default().insert(file.to_owned(), bytes);
        }
    }
    cases
}

/// What a case is verified with.
pub(super) struct Setting {
    roots: TrustRoots,
    keys: Vec<PublicKey>,
    wanted: Identity,
}

impl Setting {
    pub(super) fn of(case: &Case) -> Self {
        let text = |name: &str| case.get(name).map(|bytes| String::from_utf8(bytes.clone()).unwrap().trim().to_owned());
        let root = match text("trusted_root.json") {
            Some(root) => TrustRoot::from_json("case", &root),
            None => TrustRoot::public_good(),
        };
        // The wrong key of one case is malformed.
        let key = text("key.pub").and_then(|pem| PublicKey::from_pem(&pem).ok());
        let issuer = text("issuer").unwrap_or(ISSUER.to_owned());
        let subject = Subject::Exact(text("identity").unwrap_or(IDENTITY.to_owned()));
        let wanted = key.clone().map_or(Identity::Keyless { issuer, subject }, Identity::Key);
        // A root that cannot be used at all is trusted in nothing.
        Self { roots: root.into_iter().collect(), keys: key.into_iter().collect(), wanted }
    }

    /// Whether a bundle is signed by whom it should be, with proof of a log.
    pub(super) fn verify(&self, bundle: &[u8], artifact: &Artifact<'_>) -> Result<(), String> {
        let trust = Trust { roots: &self.roots, keys: &self.keys, now: now() };
        let signatures = verify_bundle(bundle, artifact, &trust)?;
        let is_wanted = signatures.iter().any(|signature| self.wanted.is(&signature.signer) && signature.logged);
        if is_wanted { Ok(()) } else { Err(format!("signed otherwise: {signatures:?}")) }
    }
}

#[test]
fn every_case_is_told_right_by_bytes_and_by_digest() {
    let mut cases = cases();
    let shared = cases.remove("").unwrap();
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        let setting = Setting::of(case);
        let artifact = case.get("artifact").unwrap_or(&shared["a.txt"]);
        for artifact in [Artifact::of_bytes(artifact), Artifact::of_digest(Digest::of(artifact))] {
            let verified = setting.verify(&case["bundle.sigstore.json"], &artifact);
            if verified.is_ok() == name.ends_with("_fail") {
                wrong.push(format!("{name}: {verified:?}"));
            }
        }
    }
    assert_eq!(cases.len(), 70);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

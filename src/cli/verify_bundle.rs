//! `loadline verify-bundle`: whether a file is signed by whom it should be, by a Sigstore bundle. No daemon takes part.
//!
//! The command line is that of Sigstore's conformance suite.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args};

use super::answer::Answer;
use crate::domain::verification::{Identity, MAX_BUNDLE, Subject, VerifiedSignature};
use crate::domain::{Digest, Error, PublicKey, Result};
use crate::verify::{Artifact, Trust, TrustRoot, TrustRoots};

/// The largest file that is kept in memory, in bytes: some signatures need more than its digest. Larger ones are hashed.
const MAX_IN_MEMORY: u64 = 256 << 20;

/// The largest key, certificate or trust root that is read, in bytes.
const MAX_SMALL_FILE: u64 = 4 << 20;

/// The flags of `verify-bundle`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("signer").required(true).args(["key", "certificate_identity"]))]
pub struct VerifyBundleFlags {
    /// The Sigstore bundle
    #[arg(long, value_name = "FILE")]
    pub bundle: PathBuf,

    /// Public key or certificate of the signer, in PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// Whom the signer's certificate has to name: its subject alternative name
    #[arg(long, value_name = "NAME", requires = "certificate_oidc_issuer")]
    pub certificate_identity: Option<String>,

    /// OpenID Connect issuer that has to have authenticated the signer
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    pub certificate_oidc_issuer: Option<String>,

    /// Roots of trust, a trusted_root.json [default: those of the public Sigstore instance]
    #[arg(long, value_name = "FILE", conflicts_with = "staging")]
    pub trusted_root: Option<PathBuf>,

    /// Trust the public Sigstore instance for tests
    #[arg(long)]
    pub staging: bool,

    /// What is signed: a file, or sha256:<64 hex digits> where no file has that name
    #[arg(value_name = "FILE_OR_DIGEST")]
    pub artifact: String,
}

/// Verifies a bundle, and prints by whom the artifact is signed, or to stderr why it is not.
///
/// # Errors
/// What keeps it from being told: a file cannot be read, a key or a trust root is malformed.
pub fn verify_bundle(flags: &VerifyBundleFlags) -> Result<Answer> {
    let bundle = read(&flags.bundle, MAX_BUNDLE)?;
    let root = match &flags.trusted_root {
        Some(path) => TrustRoot::from_json(path.display().to_string(), &read_text(path)?)?,
        None if flags.staging => TrustRoot::staging()?,
        None => TrustRoot::public_good()?,
    };
    let wanted = signer(flags)?;
    let keys = match &wanted {
        Identity::Key(key) => vec![key.clone()],
        Identity::Keyless { .. } => Vec::new(),
    };
    let bytes;
    let artifact = match Signed::read(&flags.artifact)? {
        Signed::Bytes(read) => {
            bytes = read;
            Artifact::of_bytes(&bytes)
        }
        Signed::Digest(digest) => Artifact::of_digest(digest),
    };
    let dropped = root.dropped().to_vec();
    let trust = Trust { roots: &TrustRoots::from_iter([root]), keys: &keys, now: now() };
    let found = crate::verify::verify_bundle(&bundle, &artifact, &trust);
    match found.and_then(|signatures| by_whom_it_should_be(signatures, &wanted)) {
        Ok(signature) => {
            writeln!(std::io::stdout(), "verified: signed by {}", signature.signer)
                .map_err(|e| Error::io("writing", e))?;
            Ok(Answer::Yes)
        }
        Err(reason) => {
            let mut out = std::io::stderr().lock();
            for reason in dropped {
                let _ = writeln!(out, "not usable in the trust root: {reason}");
            }
            let _ = writeln!(out, "not verified: {reason}");
            Ok(Answer::No)
        }
    }
}

/// The signature among verified ones that counts.
fn by_whom_it_should_be(signatures: Vec<VerifiedSignature>, wanted: &Identity) -> Result<VerifiedSignature, String> {
    let mut reason = String::new();
    for signature in signatures {
        if !wanted.is(&signature.signer) {
            reason = format!("it is signed by {}, not by {wanted}", signature.signer);
        } else if !signature.logged {
            reason = format!("it is signed by {}, without proof of a transparency log", signature.signer);
        } else {
            return Ok(signature);
        }
    }
    Err(reason)
}

fn signer(flags: &VerifyBundleFlags) -> Result<Identity> {
    match (&flags.key, &flags.certificate_identity, &flags.certificate_oidc_issuer) {
        (Some(path), ..) => {
            let key = PublicKey::from_pem(&read_text(path)?).map_err(|error| error.context(path.display()))?;
            Ok(Identity::Key(key))
        }
        (None, Some(subject), Some(issuer)) => {
            Ok(Identity::Keyless { issuer: issuer.clone(), subject: Subject::Exact(subject.clone()) })
        }
        _ => Err(Error::invalid("--key, or --certificate-identity and --certificate-oidc-issuer, is needed")),
    }
}

/// What is signed.
enum Signed {
    Bytes(Vec<u8>),
    Digest(Digest),
}

impl Signed {
    fn read(artifact: &str) -> Result<Self> {
        let path = Path::new(artifact);
        if let (false, Ok(digest)) = (path.exists(), artifact.parse()) {
            return Ok(Self::Digest(digest));
        }
        let mut file = open(path)?;
        let failed = |error| Error::io(format!("reading {}", path.display()), error);
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(MAX_IN_MEMORY + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 <= MAX_IN_MEMORY {
            return Ok(Self::Bytes(bytes));
        }
        let mut hasher = crate::domain::digest::Algorithm::Sha256.hasher();
        hasher.update(&bytes);
        loop {
            bytes.clear();
            if Read::by_ref(&mut file).take(1 << 20).read_to_end(&mut bytes).map_err(failed)? == 0 {
                return Ok(Self::Digest(hasher.finish()));
            }
            hasher.update(&bytes);
        }
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| Error::not_found(format!("{} cannot be opened: {error}", path.display())))
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::io(format!("reading {}", path.display()), error))?;
    if bytes.len() as u64 > most {
        return Err(Error::invalid(format!("{} has more than {most} bytes", path.display())));
    }
    Ok(bytes)
}

/// A small file of text.
///
/// # Errors
/// What keeps it from being read.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let bytes = read(path, MAX_SMALL_FILE)?;
    String::from_utf8(bytes)
        .map_err(|error| Error::invalid(format!("{} is not UTF-8", path.display())).with_cause(error))
}

/// Seconds since the Unix epoch; 0 where the clock is before it.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}

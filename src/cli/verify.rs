//! `loadline verify`: whether an image that the daemon has is signed by whom it should be; and the same for containerd.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::daemon::DaemonAddress;
use super::verify_bundle::read_text;
use crate::domain::{Digest, Error, Kind, Platform, PublicKey, Result};

const WITHIN: Duration = Duration::from_secs(60);

/// containerd gives a verifier ten seconds; the answer has to be out before.
const WITHIN_FOR_CONTAINERD: Duration = Duration::from_secs(9);

/// What cannot stand in a path as it is.
const ESCAPED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'{').add(b'}');

/// The flags of `verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyFlags {
    /// Address of the daemon, unix:///PATH or tcp://HOST:PORT [default: DOCKER_HOST, else unix:///run/loadline.sock]
    #[arg(short = 'H', long, value_name = "ADDRESS")]
    pub host: Option<String>,

    /// Public key or certificate of the signer, in PEM [default: the rules of the daemon decide]
    #[arg(long, value_name = "FILE", conflicts_with = "certificate_identity")]
    pub key: Option<PathBuf>,

    /// Whom the signer's certificate has to name: its subject alternative name
    #[arg(long, value_name = "NAME", requires = "certificate_oidc_issuer")]
    pub certificate_identity: Option<String>,

    /// OpenID Connect issuer that has to have authenticated the signer
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    pub certificate_oidc_issuer: Option<String>,

    /// Roots of trust, a trusted_root.json [default: those of the public Sigstore instance]
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,

    /// Platform to verify, such as linux/arm64 [default: all]
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub format: VerifyFormat,

    /// The image: a name, a digest or an ID
    #[arg(value_name = "IMAGE")]
    pub image: String,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// The image with its digest, and to stderr what was found
    Text,
    /// The daemon's answer
    Json,
}

/// Asks the daemon who signed an image, and prints the image with its digest if it is verified.
///
/// # Errors
/// What keeps it from being told: the daemon does not answer or has no such image, a file cannot be read.
pub fn verify(flags: &VerifyFlags) -> Result<Answer> {
    let mut request = json!({});
    if let Some(rules) = rules(flags)? {
        request["Rules"] = rules.to_string().into();
    }
    if let Some(path) = &flags.trusted_root {
        request["TrustedRoot"] = read_text(path)?.into();
    }
    let mut path = path_of(&flags.image);
    if let Some(platform) = &flags.platform {
        let platform = Platform::parse_specifier(platform)?;
        let platform = json!({ "os": platform.os, "architecture": platform.architecture, "variant": platform.variant });
        path.push_str("?platform=");
        path.extend(utf8_percent_encode(&platform.to_string(), percent_encoding::NON_ALPHANUMERIC));
    }
    let daemon = DaemonAddress::given(flags.host.as_deref())?;
    let (body, found) = ask(&daemon, &path, &request, WITHIN)?;
    let is_verified = found["Verified"] == true;
    let failed = |error| Error::io("writing", error);
    match flags.format {
        VerifyFormat::Json => {
            let mut out = io::stdout().lock();
            out.write_all(&body).and_then(|()| out.write_all(b"\n")).map_err(failed)?;
        }
        VerifyFormat::Text => print(&found, is_verified).map_err(failed)?,
    }
    Ok(if is_verified { Answer::Yes } else { Answer::No })
}

/// The arguments of containerd's protocol for image verifiers.
#[derive(Args, Clone, Debug)]
pub struct ImageVerifierFlags {
    /// Name of the image
    #[arg(long)]
    pub name: String,

    /// Digest of what the name stands for
    #[arg(long)]
    pub digest: String,

    /// Media type of what containerd writes to stdin: a descriptor, which is not read
    #[arg(long)]
    pub stdin_media_type: Option<String>,
}

/// Answers containerd's question whether an image may be pulled: by the exit status, with the reason on stdout. The daemon
/// at `DOCKER_HOST` decides, by its rules.
///
/// # Errors
/// What keeps it from being told; containerd then refuses the image.
pub fn image_verifier(flags: &ImageVerifierFlags) -> Result<Answer> {
    let digest: Digest =
        flags.digest.parse().map_err(|error| Error::invalid("the digest is malformed").with_cause(error))?;
    let name = flags.name.split('@').next().unwrap_or_default();
    let path = path_of(&format!("{name}@{digest}"));
    let (_, found) = ask(&DaemonAddress::given(None)?, &path, &json!({}), WITHIN_FOR_CONTAINERD)?;
    let message = found["Message"].as_str().unwrap_or_default();
    writeln!(io::stdout(), "{}", printable(message)).map_err(|error| Error::io("writing", error))?;
    Ok(if found["Admitted"] == true { Answer::Yes } else { Answer::No })
}

/// The arguments of this program for those that containerd gives a verifier: it is called by the name
/// `loadline-image-verifier`, or as `image-verifier`, with flags of one dash. `None` where it is called otherwise.
pub fn image_verifier_arguments(given: &[OsString]) -> Option<Vec<OsString>> {
    const COMMAND: &str = "image-verifier";
    let program = Path::new(given.first()?).file_name()?.to_str()?;
    let flags = match given.get(1) {
        _ if program == "loadline-image-verifier" => &given[1..],
        Some(command) if command == COMMAND => &given[2..],
        _ => return None,
    };
    let two_dashes = |flag: &OsString| match flag.to_str() {
        Some(text) if text.starts_with('-') && !text.starts_with("--") && text.len() > 2 => format!("-{text}").into(),
        _ => flag.clone(),
    };
    let start = [OsString::from("loadline"), OsString::from(COMMAND)];
    Some(start.into_iter().chain(flags.iter().map(two_dashes)).collect())
}

fn path_of(image: &str) -> String {
    format!("/images/{}/verify", utf8_percent_encode(image, ESCAPED))
}

/// The daemon's answer, as it is and parsed.
fn ask(daemon: &DaemonAddress, path: &str, request: &Value, within: Duration) -> Result<(Bytes, Value)> {
    let (status, body) = daemon.post(path, request.to_string().as_bytes(), within)?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == StatusCode::OK && answer["Verified"].is_boolean() {
        return Ok((body, answer));
    }
    let message = answer["message"].as_str().map_or_else(|| format!("it answered {status}"), printable);
    Err(Error::new(Kind::Unavailable, format!("the daemon does not tell: {message}")))
}

/// Rules with the one signer that the flags name; absent where they name none.
fn rules(flags: &VerifyFlags) -> Result<Option<Value>> {
    let rule = match (&flags.key, &flags.certificate_identity, &flags.certificate_oidc_issuer) {
        (Some(path), ..) => {
            let pem = read_text(path)?;
            PublicKey::from_pem(&pem).map_err(|error| error.context(path.display()))?;
            json!({ "image": "*", "publicKey": { "certificate": pem } })
        }
        (None, Some(subject), Some(issuer)) => {
            json!({ "image": "*", "keyless": { "issuer": issuer, "subject": subject } })
        }
        _ => return Ok(None),
    };
    Ok(Some(json!({ "apiVersion": "v1alpha1", "kind": "ImageVerificationConfig", "rules": [rule] })))
}

fn print(found: &Value, is_verified: bool) -> io::Result<()> {
    let text = |value: &Value| printable(value.as_str().unwrap_or_default());
    if is_verified {
        writeln!(io::stdout(), "{}", text(&found["Image"]))?;
    }
    let mut out = io::stderr().lock();
    let verdict = if is_verified { "verified" } else { "not verified" };
    writeln!(out, "{verdict}: {}", text(&found["Message"]))?;
    for platform in found["Platforms"].as_array().into_iter().flatten() {
        writeln!(out, "{} {}", text(&platform["Platform"]), text(&platform["Digest"]))?;
        for signature in platform["Signatures"].as_array().into_iter().flatten() {
            let (kind, digest) = (text(&signature["Kind"]), text(&signature["Digest"]));
            match text(&signature["Reason"]).as_str() {
                "" => writeln!(out, "  {kind} {digest}: by {}", text(&signature["Identity"]))?,
                reason => writeln!(out, "  {kind} {digest}: {reason}")?,
            }
        }
    }
    Ok(())
}

/// A text without what would steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerds_arguments_are_read_by_either_name() {
        let read = |given: &[&str]| {
            let given: Vec<OsString> = given.iter().map(OsString::from).collect();
            image_verifier_arguments(&given)
        };
        let flags = ["-name", "example.com/a:1", "-digest", "sha256:0", "-stdin-media-type", "a/b"];
        let expected: Vec<OsString> = [
            "loadline",
            "image-verifier",
            "--name",
            "example.com/a:1",
            "--digest",
            "sha256:0",
            "--stdin-media-type",
            "a/b",
        ]
        .iter()
        .map(OsString::from)
        .collect();
        assert_eq!(read(&[&["/opt/loadline-image-verifier"], &flags[..]].concat()), Some(expected.clone()));
        assert_eq!(read(&[&["loadline", "image-verifier"], &flags[..]].concat()), Some(expected));
        assert_eq!(read(&["loadline", "verify", "a"]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn a_name_is_sent_whole() {
        assert_eq!(path_of("example.com/a:1@sha256:0"), "/images/example.com/a:1@sha256:0/verify");
        assert_eq!(path_of("a?b#c d"), "/images/a%3Fb%23c%20d/verify");
    }
}

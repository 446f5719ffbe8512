//! What a registry's refusal means, in Docker's words.

use http::StatusCode;
use reqwest::Response;
use serde::Deserialize;

use super::transport::Net;
use crate::domain::error::{Error, Kind};
use crate::domain::manifest::object;

/// How much of an error's body is read.
pub(super) const MAX_ERROR: u64 = 64 << 10;
/// How much of it is shown.
const MAX_SHOWN: usize = 500;

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Vec<Entry>,
    /// What token services write in place of a list.
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default)]
    message: Option<String>,
}

/// The request that a registry refused, with the name or digest that was asked for.
pub(super) enum Operation<'a> {
    Resolve(&'a str),
    Manifest(&'a str),
    Blob(&'a str),
    Tags,
    Referrers,
    Upload,
    PutManifest,
}

/// The failure that an answer without success is, with what the registry says of it. `repository` is its familiar name.
pub(super) async fn error(net: &Net, response: Response, repository: &str, operation: Operation<'_>) -> Error {
    let status = response.status();
    let host = response.url().host_str().unwrap_or_default().to_owned();
    let detail = detail(net, response).await;
    let after = |text: String| match &detail {
        Some(detail) => format!("{text}: {detail}"),
        None => text,
    };
    let writing = matches!(operation, Operation::Upload | Operation::PutManifest);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let kind = match status {
                StatusCode::FORBIDDEN => Kind::PermissionDenied,
                _ => Kind::Unauthenticated,
            };
            Error::new(kind, if writing { after(push_denied(repository)) } else { pull_denied(repository) })
                .with_cause(after(format!("{host} answered {status}")))
        }
        StatusCode::NOT_FOUND => {
            let text = match operation {
                Operation::Resolve(name) => format!("failed to resolve reference \"{name}\": {name}: not found"),
                Operation::Manifest(digest) => format!("manifest {digest} not found in {repository}"),
                Operation::Blob(digest) => format!("blob {digest} not found in {repository}"),
                _ => format!("repository {repository} not found: does not exist or no pull access"),
            };
            Error::not_found(text).with_cause(after(format!("{host} answered {status}")))
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let text = detail.unwrap_or_else(|| format!("toomanyrequests: {host} asks for fewer requests"));
            Error::new(Kind::ResourceExhausted, text)
        }
        status if writing && status.is_client_error() => {
            Error::invalid(after(format!("{host} refused the content ({status})")))
        }
        status => Error::new(Kind::Unavailable, after(format!("{host} answered {status}"))),
    }
}

/// Docker's words for a repository that is not there or not for everyone.
pub(super) fn pull_denied(repository: &str) -> String {
    format!("pull access denied for {repository}, repository does not exist or may require 'docker login'")
}

fn push_denied(repository: &str) -> String {
    format!("push access denied for {repository}, may require 'docker login'")
}

/// The texts of an error's body, as Docker shows them: `code in words: message`. `None` where it holds none.
pub(super) async fn detail(net: &Net, response: Response) -> Option<String> {
    let body = net.document(response, MAX_ERROR).await.ok()?;
    let envelope: Envelope = object(&body).ok()?;
    let entries = envelope.errors.iter().take(4).filter_map(|entry| {
        let code = entry.code.as_ref().and_then(|code| code.as_str()).map(|code| code.to_lowercase().replace('_', " "));
        let message = entry.message.clone().filter(|message| !message.is_empty());
        match (code, message) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}")),
            (code, message) => code.or(message),
        }
    });
    let mut text = entries.collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        text = envelope.details.or(envelope.message)?;
    }
    let shown = text.chars().filter(|letter| !letter.is_control()).take(MAX_SHOWN).collect::<String>();
    Some(shown).filter(|shown| !shown.is_empty())
}

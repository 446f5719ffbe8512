//! What becomes of an answer without success: whether it is tried again, which failure it is, and in which words.
//!
//! | status | failure | tried again |
//! | --- | --- | --- |
//! | 401 | `Unauthenticated` | no |
//! | 403 | `PermissionDenied` | no |
//! | 404 | `NotFound` | no |
//! | 408, 500, 502, 503, 504 | `Unavailable` | yes |
//! | 429 | `TooManyRequests` | yes, after the time that it names, unless that is too long |
//! | other 4xx to a request that writes | `InvalidArgument` | no |
//! | all others | `Unavailable` | no |
//!
//! The text is Docker's for the case, and after it what the registry says, in its own words.

use http::StatusCode;
use reqwest::Response;
use serde_json::Value;

use super::transport::Net;
use crate::domain::error::{Error, Kind};

/// How much of an error's body is read.
pub(super) const MAX_ERROR: u64 = 64 << 10;
/// How much of it is shown.
const MAX_SHOWN: usize = 500;
/// What registries say to everyone who has not logged in: it adds nothing to Docker's words.
const USUAL: &str = "authentication required";

/// The request that a registry refused, with the name or digest that was asked for.
#[derive(Clone, Copy)]
pub(super) enum Operation<'a> {
    Resolve(&'a str),
    Manifest(&'a str),
    Blob(&'a str),
    Tags,
    Referrers,
    Upload,
    PutManifest,
}

impl Operation<'_> {
    fn writes(self) -> bool {
        matches!(self, Self::Upload | Self::PutManifest)
    }
}

/// Whether an answer is one that may be another the next time.
pub(super) fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// The kind of failure that a status is.
pub(super) fn kind(status: StatusCode, writes: bool) -> Kind {
    match status {
        StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
        StatusCode::FORBIDDEN => Kind::PermissionDenied,
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::TOO_MANY_REQUESTS => Kind::TooManyRequests,
        StatusCode::REQUEST_TIMEOUT => Kind::Unavailable,
        status if writes && status.is_client_error() => Kind::InvalidArgument,
        _ => Kind::Unavailable,
    }
}

/// The failure that an answer without success is, with what the registry says of it. `withheld` is why a credential was not
/// used, and `repository` its familiar name.
pub(super) async fn error(
    net: &Net,
    response: Response,
    withheld: Option<String>,
    repository: &str,
    operation: Operation<'_>,
) -> Error {
    let status = response.status();
    let host = response.url().host_str().unwrap_or_default().to_owned();
    let detail = detail(net, response).await;
    let (text, cause) = words(status, &host, detail, withheld, repository, operation);
    let error = Error::new(kind(status, operation.writes()), text);
    match cause {
        Some(cause) => error.with_cause(cause),
        None => error,
    }
}

/// What users are told, and what only the log is.
fn words(
    status: StatusCode,
    host: &str,
    detail: Option<String>,
    withheld: Option<String>,
    repository: &str,
    operation: Operation<'_>,
) -> (String, Option<String>) {
    let after = |text: String| match &detail {
        Some(detail) => format!("{text}: {detail}"),
        None => text,
    };
    let answered = || Some(after(format!("{host} answered {status}")));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let denied = if operation.writes() { push_denied(repository) } else { pull_denied(repository) };
            let says_more = detail.iter().any(|detail| operation.writes() || !detail.contains(USUAL));
            let text = if says_more { after(denied) } else { denied };
            let text = withheld.map_or(text.clone(), |withheld| format!("{text}: {withheld}"));
            (text, answered())
        }
        StatusCode::NOT_FOUND => {
            let text = match operation {
                Operation::Resolve(name) => format!("failed to resolve reference \"{name}\": {name}: not found"),
                Operation::Manifest(digest) => format!("manifest {digest} not found in {repository}"),
                Operation::Blob(digest) => format!("blob {digest} not found in {repository}"),
                Operation::Upload | Operation::PutManifest if detail.is_some() => {
                    after(format!("{host} refused the content ({status})"))
                }
                _ => format!("repository {repository} not found: does not exist or no pull access"),
            };
            (text, answered())
        }
        StatusCode::TOO_MANY_REQUESTS => {
            (detail.unwrap_or_else(|| format!("toomanyrequests: {host} asks for fewer requests")), None)
        }
        status if operation.writes() && status.is_client_error() => {
            (after(format!("{host} refused the content ({status})")), None)
        }
        status => (after(format!("{host} answered {status}")), None),
    }
}

/// Docker's words for a repository that is not there or not for everyone.
pub(super) fn pull_denied(repository: &str) -> String {
    format!("pull access denied for {repository}, repository does not exist or may require 'docker login'")
}

/// Whether a failure is told in those words already.
pub(super) fn is_pull_denied(error: &Error) -> bool {
    error.public().starts_with("pull access denied for ")
}

fn push_denied(repository: &str) -> String {
    format!("push access denied for {repository}, may require 'docker login'")
}

/// The texts of an error's body, as Docker shows them: `code in words: message`. `None` where it holds none.
pub(super) async fn detail(net: &Net, response: Response) -> Option<String> {
    let content_type = response.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_text = content_type.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/plain"));
    let body = net.document(response, MAX_ERROR).await.ok()?;
    read(&body, is_text)
}

/// The texts of an error's body. Registries list errors; token services and proxies write an object of another form.
fn read(body: &[u8], is_text: bool) -> Option<String> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(body) => {
            let entries = body["errors"].as_array().into_iter().flatten().take(4).filter_map(entry);
            let listed = entries.collect::<Vec<_>>().join(", ");
            let first = |keys: &[&str]| keys.iter().find_map(|key| body[key].as_str().filter(|text| !text.is_empty()));
            match listed.is_empty() {
                false => listed,
                true => first(&["details", "message", "error_description", "error"])?.to_owned(),
            }
        }
        Err(_) if is_text => std::str::from_utf8(body).ok()?.trim().to_owned(),
        Err(_) => return None,
    };
    let shown = text.chars().filter(|letter| !letter.is_control()).take(MAX_SHOWN).collect::<String>();
    Some(shown).filter(|shown| !shown.is_empty())
}

fn entry(entry: &Value) -> Option<String> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    let code = text("code").map(|code| code.to_lowercase().replace('_', " "));
    match (code, text("message")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, operation: Operation<'_>, detail: Option<&str>, withheld: Option<&str>) -> (Kind, String) {
        let status = StatusCode::from_u16(status).unwrap();
        let own = |text: Option<&str>| text.map(str::to_owned);
        let (text, _) = words(status, "reg.example", own(detail), own(withheld), "app", operation);
        (kind(status, operation.writes()), text)
    }

    #[test]
    fn each_status_is_a_failure_with_the_registrys_words() {
        const READ: Operation<'_> = Operation::Manifest("sha256:aa");
        const WRITE: Operation<'_> = Operation::PutManifest;
        let pull_denied = "pull access denied for app, repository does not exist or may require 'docker login'";
        let push_denied = "push access denied for app, may require 'docker login'";
        for (status, operation, detail, kind, text) in [
            (401, READ, None, Kind::Unauthenticated, pull_denied.to_owned()),
            (401, READ, Some("unauthorized: authentication required"), Kind::Unauthenticated, pull_denied.to_owned()),
            (
                401,
                READ,
                Some("unauthorized: token expired"),
                Kind::Unauthenticated,
                format!("{pull_denied}: unauthorized: token expired"),
            ),
            (
                403,
                READ,
                Some("denied: scan it first"),
                Kind::PermissionDenied,
                format!("{pull_denied}: denied: scan it first"),
            ),
            (403, WRITE, Some("denied: quota"), Kind::PermissionDenied, format!("{push_denied}: denied: quota")),
            (404, READ, Some("x"), Kind::NotFound, "manifest sha256:aa not found in app".to_owned()),
            (
                404,
                WRITE,
                Some("manifest unknown: subject"),
                Kind::NotFound,
                "reg.example refused the content (404 Not Found): manifest unknown: subject".to_owned(),
            ),
            (404, WRITE, None, Kind::NotFound, "repository app not found: does not exist or no pull access".to_owned()),
            (429, READ, Some("toomanyrequests: slow"), Kind::TooManyRequests, "toomanyrequests: slow".to_owned()),
            (
                429,
                WRITE,
                None,
                Kind::TooManyRequests,
                "toomanyrequests: reg.example asks for fewer requests".to_owned(),
            ),
            (
                400,
                WRITE,
                Some("manifest invalid: no"),
                Kind::InvalidArgument,
                "reg.example refused the content (400 Bad Request): manifest invalid: no".to_owned(),
            ),
            (
                451,
                READ,
                Some("by law"),
                Kind::Unavailable,
                "reg.example answered 451 Unavailable For Legal Reasons: by law".to_owned(),
            ),
            (503, WRITE, None, Kind::Unavailable, "reg.example answered 503 Service Unavailable".to_owned()),
        ] {
            assert_eq!(told(status, operation, detail, None), (kind, text), "{status}");
        }
        let (_, text) = told(401, READ, None, Some("the token service a was not given it"));
        assert_eq!(text, format!("{pull_denied}: the token service a was not given it"));
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        let again: Vec<u16> = (100..600).filter(|status| passes(StatusCode::from_u16(*status).unwrap())).collect();
        assert_eq!(again, [408, 429, 500, 502, 503, 504]);
    }

    #[test]
    fn errors_are_read_in_every_form() {
        for (body, is_text, said) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"no"},{"code":"NAME_UNKNOWN"}]}"#,
                false,
                Some("denied: no, name unknown"),
            ),
            (r#"{"errors":null,"message":"no"}"#, false, Some("no")),
            (r#"{"errors":[{"code":7,"message":"seven"}]}"#, false, Some("seven")),
            (r#"{"details":"wrong password"}"#, false, Some("wrong password")),
            (r#"{"error":"invalid_grant","error_description":"it has run out"}"#, false, Some("it has run out")),
            (r#"{"error":"invalid_grant"}"#, false, Some("invalid_grant")),
            ("Rate exceeded\r\n", true, Some("Rate exceeded")),
            ("<html>", false, None),
            ("[]", false, None),
            ("", true, None),
        ] {
            assert_eq!(read(body.as_bytes(), is_text).as_deref(), said, "{body}");
        }
        assert_eq!(read("x".repeat(9000).as_bytes(), true).unwrap().len(), MAX_SHOWN);
    }
}

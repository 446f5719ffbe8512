//! Search: what an index knows of repositories. The protocol is that of Docker's first registries, which Docker Hub and a
//! few others still answer.

use http::header::HeaderMap;
use http::{Method, StatusCode};
use reqwest::Url;
use serde::Deserialize;

use super::credential::Credential;
use super::endpoint::{Call, Target};
use super::hosts::{self, HUB_NAME};
use super::refusal;
use super::registries::Registries;
use crate::domain::error::{Error, Kind, Result};
use crate::domain::manifest::object;

/// The index of Docker Hub.
const HUB_INDEX: &str = "https://index.docker.io/";

/// The largest answer that is read, in bytes: a hundred repositories with long descriptions.
const MAX_ANSWER: u64 = 2 << 20;

/// What a token has to allow where an index wants one.
const SCOPE: &str = "registry:catalog:search";

/// A repository that an index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchHit {
    /// As the index calls it, without a host.
    pub name: String,
    pub description: String,
    pub stars: i64,
    /// Whether Docker publishes it.
    pub is_official: bool,
}

#[derive(Deserialize)]
struct AnswerJson {
    #[serde(default)]
    results: Option<Vec<HitJson>>,
}

#[derive(Deserialize)]
struct HitJson {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    star_count: Option<i64>,
    #[serde(default)]
    is_official: Option<bool>,
}

impl Registries {
    /// Asks an index for repositories that a term matches, at most `limit`, in the index's order. A host before the first
    /// slash of the term is asked in place of Docker Hub. The headers are sent along.
    ///
    /// # Errors
    /// `InvalidArgument` for a term that is a URL; `NotFound` where the host has no index; `Unauthenticated` and
    /// `PermissionDenied` where it does not answer this client; `Unavailable` where it does not answer, or nonsense.
    pub async fn search(
        &self,
        term: &str,
        limit: u32,
        credential: Credential,
        headers: HeaderMap,
    ) -> Result<Vec<SearchHit>> {
        if term.contains("://") {
            let text = format!("invalid repository name: repository name ({term}) should not have a scheme");
            return Err(Error::invalid(text));
        }
        let (host, term) = split(term);
        let index = match host {
            Some(host) => hosts::url_of(host)?,
            None => Url::parse(HUB_INDEX).map_err(|cause| Error::internal("making a URL", cause))?,
        };
        let endpoint = self.endpoint(index, false, &credential);
        let home = endpoint.base().await.map_err(Error::from).map_err(unanswered)?;
        let mut url = home.join("v1/search").map_err(|cause| Error::internal("making a URL", cause))?;
        url.query_pairs_mut().append_pair("q", term).append_pair("n", &limit.to_string());
        let scopes = [SCOPE.to_owned()];
        let mut call = Call::new(Method::GET, "", &scopes);
        call.target = Target::Url(url);
        call.own_headers = headers;
        let response = endpoint.call(&call).await.map_err(unanswered)?;
        let status = response.status();
        if status != StatusCode::OK {
            let detail = refusal::detail(&endpoint.net, response).await;
            let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
            let text = format!("{} answered {status} to a search{detail}", endpoint.host());
            return Err(match status {
                StatusCode::NOT_FOUND => Error::not_found(format!("{text}; not every registry can be searched")),
                StatusCode::UNAUTHORIZED => Error::new(Kind::Unauthenticated, text),
                StatusCode::FORBIDDEN => Error::new(Kind::PermissionDenied, text),
                StatusCode::TOO_MANY_REQUESTS => Error::new(Kind::TooManyRequests, text),
                _ => Error::new(Kind::Unavailable, text),
            });
        }
        let body = endpoint.net.document(response, MAX_ANSWER).await?;
        let answer: AnswerJson = object(&body).map_err(|cause| {
            let text = format!("error decoding registry search results of {}", endpoint.host());
            Error::new(Kind::Unavailable, text).with_cause(cause)
        })?;
        let hits = answer.results.unwrap_or_default().into_iter().take(limit as usize);
        Ok(hits
            .map(|hit| SearchHit {
                name: hit.name.unwrap_or_default(),
                description: hit.description.unwrap_or_default(),
                stars: hit.star_count.unwrap_or_default(),
                is_official: hit.is_official.unwrap_or_default(),
            })
            .collect())
    }
}

fn unanswered(error: Error) -> Error {
    match error.kind() {
        Kind::Unavailable => error.context("the index to search cannot be reached"),
        _ => error,
    }
}

/// The host in front of a term, `None` for Docker Hub, and what to search for there.
fn split(term: &str) -> (Option<&str>, &str) {
    let named = term.split_once('/').filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost");
    match named {
        Some((host, rest)) if host != HUB_NAME && host != "index.docker.io" => (Some(host), rest),
        named => {
            let rest = named.map_or(term, |(_, rest)| rest);
            // What people call `app` is not called `library/app` there.
            (None, rest.strip_prefix("library/").unwrap_or(rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_may_begin_with_a_host() {
        for (term, host, rest) in [
            ("app", None, "app"),
            ("team/app", None, "team/app"),
            ("library/app", None, "app"),
            ("docker.io/library/app", None, "app"),
            ("index.docker.io/app", None, "app"),
            ("localhost/app", Some("localhost"), "app"),
            ("127.0.0.1:5000/team/app", Some("127.0.0.1:5000"), "team/app"),
            ("reg.example/library/app", Some("reg.example"), "library/app"),
            ("reg.example", None, "reg.example"),
        ] {
            assert_eq!(split(term), (host, rest), "{term}");
        }
    }
}

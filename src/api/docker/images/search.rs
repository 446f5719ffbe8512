//! `GET /images/search`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::docker::answer::{Answer, ErrorResponse, Failure, json};
use crate::api::docker::app::App;
use crate::api::docker::filters::Filters;
use crate::api::docker::query::Query;
use crate::api::docker::registry::credential;
use crate::domain::{Error, Result};

/// How many repositories are answered where the client does not say, and at most.
const LIMIT: u32 = 25;
const MOST: u32 = 100;

/// The beginning of the names of headers that are passed on.
const PASSED: &str = "x-meta-";

/// A repository that matches a search.
#[derive(Serialize, ToSchema)]
#[schema(title = "ImageSearchResponseItem")]
pub struct ImageSearchResponseItem<'a> {
    /// The number of stars.
    star_count: i64,
    /// Whether it is a Docker Official Image.
    is_official: bool,
    /// The name of the repository.
    #[schema(example = "team/app")]
    name: &'a str,
    /// Always false; registries no longer report it.
    #[schema(deprecated)]
    is_automated: bool,
    /// A short description of the repository.
    #[schema(example = "The team's application")]
    description: &'a str,
}

/// Search for repositories
///
/// Searches Docker Hub, or the registry whose host the term begins with.
#[utoipa::path(
    get,
    path = "/images/search",
    operation_id = "ImageSearch",
    tag = "Image",
    params(
        ("term" = String, Query, description = "What to search for", example = "team/app"),
        ("limit" = Option<i32>, Query, description = "The maximum number of results, 1 to 100; by default 25", example = 10),
        ("filters" = Option<String>, Query,
            description = "Filters, as a JSON object that maps names to lists of values: `is-official` (`true` or `false`), `stars` \
                (the minimum), `is-automated` (`true` matches nothing)",
            example = "{\"stars\":[\"3\"]}"),
        ("X-Registry-Auth" = Option<String>, Header, description = "Registry credentials: a JSON object (`AuthConfig`), base64url-encoded",
            example = "eyJ1c2VybmFtZSI6InNvbWV1c2VyIiwicGFzc3dvcmQiOiJzZWNyZXQifQ=="),
    ),
    responses(
        (status = 200, description = "The matching repositories", body = Vec<ImageSearchResponseItem<'static>>,
            example = json!([{"star_count": 12, "is_official": false, "name": "team/app", "is_automated": false,
                "description": "An app"}])),
        (status = 400, description = "The term is missing, or the limit or a filter is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "limit 101 is outside the range of [1, 100]"})),
        (status = 401, description = "The registry requires credentials", body = ErrorResponse<'static>,
            example = json!({"message": "index.docker.io answered 401 Unauthorized to a search"})),
        (status = 404, description = "The registry does not support search", body = ErrorResponse<'static>,
            example = json!({"message": "registry.example answered 404 Not Found to a search; not every registry can be searched"})),
    ),
)]
pub async fn image_search(State(app): State<App>, headers: HeaderMap, query: Query) -> Answer {
    let limit = limit(query.text("limit"))?;
    let Some(wanted) = Wanted::read(&query)? else { return json(StatusCode::OK, &[(); 0]) };
    let term = query.text("term");
    if term.is_empty() {
        return Err(Error::invalid("the parameter term is missing: what to search for").into());
    }
    let passed = headers.iter().filter(|(name, _)| name.as_str().starts_with(PASSED));
    let passed = passed.map(|(name, value)| (name.clone(), value.clone())).collect();
    let hits = app.engine.search(term, limit, credential(&headers), passed).await.map_err(Failure::remote)?;
    let hits = hits.iter().filter(|hit| {
        wanted.official.is_none_or(|official| official == hit.is_official)
            && wanted.stars.is_none_or(|stars| hit.stars >= stars)
    });
    let hits = hits.map(|hit| ImageSearchResponseItem {
        star_count: hit.stars,
        is_official: hit.is_official,
        name: &hit.name,
        is_automated: false,
        description: &hit.description,
    });
    json(StatusCode::OK, &hits.collect::<Vec<_>>())
}

fn limit(text: &str) -> Result<u32> {
    if text.is_empty() {
        return Ok(LIMIT);
    }
    let limit: i64 = text.parse().map_err(|cause| Error::invalid("invalid limit specified").with_cause(cause))?;
    match limit {
        0 => Ok(LIMIT),
        ..0 => Err(Error::invalid("invalid limit specified")),
        _ => match u32::try_from(limit) {
            Ok(limit @ 1..=MOST) => Ok(limit),
            _ => Err(Error::invalid(format!("limit {limit} is outside the range of [1, {MOST}]"))),
        },
    }
}

/// Which repositories to show.
#[derive(Debug, PartialEq)]
struct Wanted {
    official: Option<bool>,
    stars: Option<i64>,
}

impl Wanted {
    /// Reads the filters; `None` where nothing can pass them.
    fn read(query: &Query) -> Result<Option<Self>> {
        let filters = Filters::parse(query.text("filters"))?;
        filters.only(&["is-automated", "is-official", "stars"])?;
        // No index tells any more, so nothing counts as automated.
        if filters.boolean("is-automated")? == Some(true) {
            return Ok(None);
        }
        let official = filters.boolean("is-official")?;
        let stars = filters.values("stars").map(|stars| {
            stars
                .parse::<i64>()
                .map_err(|cause| Error::invalid(format!("invalid filter 'stars={stars}'")).with_cause(cause))
        });
        let stars = stars.collect::<Result<Vec<_>>>()?.into_iter().max();
        Ok(Some(Self { official, stars }))
    }
}

#[cfg(test)]
mod tests;

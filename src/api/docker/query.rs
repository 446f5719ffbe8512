//! Query parameters as Docker reads them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::request::Parts;

/// The parameters that the request's API version has, in order. Those of newer versions are left out, so that handlers
/// never see them.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// Names of parameters that the request's version does not have; put on the request by its route.
#[derive(Clone)]
pub(super) struct Hidden(pub Arc<[&'static str]>);

/// The parameters that stand in the request's body. They go before those of its address.
#[derive(Clone)]
pub(super) struct InBody(pub Bytes);

impl Query {
    /// Reads a query string: `+` is a space, bytes that are not UTF-8 become replacement characters.
    pub fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a parameter; absent where the request does not have it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter; empty where the request does not have it.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Every value of a parameter, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A truth value as Docker reads it: absent, empty, `0`, `no`, `false` and `none` are false, all else is true.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.text(name).trim();
        !["", "0", "no", "false", "none"].iter().any(|no| value.eq_ignore_ascii_case(no))
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut query = match parts.extensions.get() {
            Some(InBody(form)) => Self(form_urlencoded::parse(form).into_owned().collect()),
            None => Self::default(),
        };
        query.0.extend(Self::parse(parts.uri.query().unwrap_or_default()).0);
        if let Some(Hidden(names)) = parts.extensions.get() {
            query.0.retain(|(name, _)| !names.contains(&name.as_str()));
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests;

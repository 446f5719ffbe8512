//! One operation of the API.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;

use super::app::App;
use super::versions::OLDEST;

/// One operation of the API.
pub struct Route<S = App> {
    pub method: Method,
    /// Docker's template, with `{name}` for a name of any number of path segments.
    pub path: &'static str,
    /// The first minor version (of API 1.x) that has the operation; older requests get a 400 that says so.
    pub first: u8,
    /// The last minor version that has it; absent where the newest has it.
    pub last: Option<u8>,
    /// Answers requests. Handlers take `State<App>`, `axum::extract::Path`, [`super::query::Query`] and, where an
    /// answer's form depends on the version, [`super::versions::Form`]; they give back an [`super::answer::Answer`].
    pub handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// An operation that every version has.
    pub fn new<T: 'static>(method: Method, path: &'static str, handler: impl Handler<T, S>) -> Self {
        // Docker's API uses no method that axum does not know.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self { method, path, first: OLDEST, last: None, handler: on(filter, handler) }
    }
}

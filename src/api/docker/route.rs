//! One operation of the API.

use std::ops::{Bound, RangeBounds};

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
    /// An operation of some minor versions (of API 1.x): `24..`, or `24..=30` where the newest no longer has it.
    pub fn new<T: 'static>(
        method: Method,
        path: &'static str,
        versions: impl RangeBounds<u8>,
        handler: impl Handler<T, S>,
    ) -> Self {
        let first = match versions.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => *before + 1,
            Bound::Unbounded => OLDEST,
        };
        let last = match versions.end_bound() {
            Bound::Included(last) => Some(*last),
            Bound::Excluded(after) => Some(*after - 1),
            Bound::Unbounded => None,
        };
        // Docker's API uses no method that axum does not know.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self { method, path, first, last, handler: on(filter, handler) }
    }
}

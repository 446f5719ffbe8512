//! What every request passes: its path is read before it is routed, its version is checked before its handler runs, and
//! the answer gets its headers.

mod headers;

use std::any::Any;
use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::uri::PathAndQuery;
use http::{Method, Uri};
use tower::{BoxError, Service};

use self::headers::stamp_headers;
use super::answer::{self, Failure, HeaderSet, refusal};
use super::drain_body::DrainedBody;
use super::form;
use super::path;
use super::query::{Hidden, InBody, Query};
use super::route::Route;
use super::versions::{self, Form, NEWEST, OLDEST};
use crate::domain::{Error, Kind, Result};

/// Docker's REST API as a service: what the daemon's listeners mount. Cheap to clone.
#[derive(Clone)]
pub struct Facade {
    router: Router,
    templates: Arc<[(Method, &'static str)]>,
}

impl Facade {
    /// The routes as a service, over what their handlers share.
    pub(super) fn new<S: Clone + Send + Sync + 'static>(state: S, routes: Vec<Route<S>>) -> Self {
        let templates = routes.iter().map(|route| (route.method.clone(), route.path)).collect();
        let not_found = || async { answer::page_not_found() };
        let router = routes.into_iter().fold(Router::new(), |router, route| {
            let gate = Arc::new(VersionGate::of(&route));
            router.route(route.path, route.handler.layer(middleware::from_fn_with_state(gate, VersionGate::pass)))
        });
        let router = router.fallback(not_found).method_not_allowed_fallback(not_found).with_state(state);
        Self { router, templates }
    }

    /// Brings a request into the form in which it is routed; false where no route can match it.
    fn prepare(&self, request: &mut Request) -> Result<bool> {
        let uri = request.uri();
        let target = path::target(&self.templates, request.method(), uri.path())?;
        let version = RequestedVersion(target.version.map(str::to_owned));
        let Some(path) = target.path else { return Ok(false) };
        if path != uri.path() {
            let path = match uri.query() {
                Some(query) => format!("{path}?{query}"),
                None => path,
            };
            let path = PathAndQuery::try_from(path)
                .map_err(|e| Error::invalid("malformed path of the request").with_cause(e))?;
            *request.uri_mut() = Uri::from(path);
        }
        request.extensions_mut().insert(version);
        Ok(true)
    }

    async fn answer(mut self, mut request: Request) -> Response {
        match self.prepare(&mut request) {
            Ok(true) => {}
            Ok(false) => return answer::page_not_found(),
            Err(error) => return Failure::from(error).into_response(),
        }
        match AssertUnwindSafe(self.router.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Err(panic) => {
                let cause = io::Error::other(panic_text(&*panic).to_owned());
                Failure::from(Error::internal("the daemon failed to answer the request", cause)).into_response()
            }
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic")
}

impl<B> Service<http::Request<B>> for Facade
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let answer = self.clone().answer(request.map(|body| DrainedBody::wrap(Body::new(body))));
        async {
            let mut response = answer.await;
            stamp_headers(&mut response);
            Ok(response)
        }
        .boxed()
    }
}

/// The version in a request's path, as it stands there.
#[derive(Clone)]
struct RequestedVersion(Option<String>);

/// What stands before a route's handler.
struct VersionGate {
    method: Method,
    /// The operation as Docker's messages name it.
    operation: String,
    first: u8,
    last: u8,
    /// Parameters that a version does not have, by version, oldest first.
    hidden: Vec<Hidden>,
}

impl VersionGate {
    fn of<S>(route: &Route<S>) -> Self {
        let template = format!("{} {}", route.method, route.path);
        Self {
            method: route.method.clone(),
            operation: template.replace("{name}", "{name:.*}"),
            first: route.first,
            last: route.last.unwrap_or(NEWEST),
            hidden: (OLDEST..=NEWEST).map(|minor| Hidden(versions::hidden(&template, minor).into())).collect(),
        }
    }

    async fn pass(State(gate): State<Arc<Self>>, mut request: Request, next: Next) -> Response {
        // The router answers HEAD by a GET's handler; Docker Engine does not.
        if request.method() != gate.method {
            return answer::page_not_found();
        }
        let asked = request.extensions_mut().remove::<RequestedVersion>().and_then(|asked| asked.0);
        let minor = match path::negotiate(asked.as_deref()) {
            Ok(minor) => minor,
            Err(refused) => {
                let mut response = Failure::from(refused).into_response();
                response.extensions_mut().insert(HeaderSet::Version);
                return response;
            }
        };
        let operation = &gate.operation;
        if minor < gate.first {
            let text = format!("{operation} requires minimum API version 1.{}", gate.first);
            return refusal(Kind::InvalidArgument, text).into_response();
        }
        if minor > gate.last {
            let text = format!("{operation} is not part of API versions after 1.{}", gate.last);
            return refusal(Kind::InvalidArgument, text).into_response();
        }
        if gate.reads_forms(&request) {
            let (mut parts, body) = request.into_parts();
            let form = match form::form(body).await {
                Ok(form) => form,
                Err(error) => return Failure::from(error).into_response(),
            };
            parts.extensions.insert(InBody(form.clone()));
            // Some clients call a body a form that is none.
            request = Request::from_parts(parts, Body::from(form));
        }
        request.extensions_mut().insert(Form(versions::shape(minor)));
        request.extensions_mut().insert(gate.hidden[usize::from(minor - OLDEST)].clone());
        next.run(request).await
    }
}

impl VersionGate {
    /// Whether a request has parameters in its body. A body that is an archive is none, whatever its type says: `curl`
    /// calls everything a form.
    fn reads_forms(&self, request: &Request) -> bool {
        let imports = || Query::parse(request.uri().query().unwrap_or_default()).text("fromSrc") == "-";
        let is_archive = match self.operation.as_str() {
            "POST /images/load" | "POST /build" => true,
            "POST /images/create" => imports(),
            _ => false,
        };
        !is_archive && form::is_form(request.method(), request.headers())
    }
}

#[cfg(test)]
mod tests;

//! One place that answers for a registry, a mirror of it included, and one credential for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::{Response, Url};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::auth::Auth;
use super::credential::Login;
use super::hosts;
use super::oci;
use super::policy::{same_origin, shown};
use super::refusal::{self, Operation, passes};
use super::transport::{ExchangeError, Net, Outbound, Outgoing};
use crate::domain::error::{Error, Kind, Result};

/// Requests to a host that cannot be connected to are repeated less often: most of the time nothing listens there.
const MAX_UNREACHABLE: u32 = 2;

/// For how long a mirror that could not be reached is skipped.
const SKIP_UNREACHABLE: Duration = Duration::from_secs(30);

/// A registry's base URL, and how it lets one credential in.
pub(super) struct Endpoint {
    pub net: Arc<Net>,
    pub auth: Auth,
    pub mirror: bool,
    /// With the scheme https, unless a mirror was written down with http.
    url: Url,
    /// The same with the scheme http.
    plain: Url,
    /// Whether http may be spoken instead.
    plain_allowed: bool,
    scheme: AtomicU8,
    /// When it last could not be reached.
    unreachable_at: Mutex<Option<Instant>>,
    /// Absent where the registry wants a client's certificate, which `oci-client` cannot give.
    oci: OnceCell<Option<oci::Client>>,
}

const UNKNOWN: u8 = 0;
const HTTPS: u8 = 1;
const HTTP: u8 = 2;

/// A request to an endpoint.
pub(super) struct Call<'a> {
    pub method: Method,
    pub target: Target<'a>,
    /// What it needs the right to, in the token protocol's words.
    pub scopes: &'a [String],
    pub headers: HeaderMap,
    /// Headers that are for the registry only, and not for where it sends the request on to.
    pub own_headers: HeaderMap,
    pub body: Option<&'a Outbound<'a>>,
    /// Whether it may be sent again after a failure.
    pub repeat: bool,
    /// Whether a refusal is met with a token. Without, it is only to be read.
    pub challenge: bool,
}

/// What a request is for.
#[derive(Clone)]
pub(super) enum Target<'a> {
    /// Something below `/v2/`, with its query.
    Path(&'a str),
    /// A URL that the registry gave.
    Url(Url),
}

impl<'a> Call<'a> {
    /// A request without headers and body that may be repeated.
    pub fn new(method: Method, path: &'a str, scopes: &'a [String]) -> Self {
        let (target, headers, own_headers) = (Target::Path(path), HeaderMap::new(), HeaderMap::new());
        Self { method, target, scopes, headers, own_headers, body: None, repeat: true, challenge: true }
    }

    /// The same with a header.
    pub fn header(mut self, name: http::HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.insert(name, value.into());
        self
    }
}

impl Endpoint {
    /// A registry or, with `mirror`, a place that answers for it and gets no credential.
    pub fn new(net: Arc<Net>, url: Url, mirror: bool, credential: Login) -> Self {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(80));
        let plain_allowed = !mirror && net.naming.policy.allows_plain(host, port);
        let scheme = match (plain_allowed, url.scheme()) {
            (true, _) => UNKNOWN,
            (false, "http") => HTTP,
            (false, _) => HTTPS,
        };
        let mut plain = url.clone();
        let port = url.port();
        // Both are possible for URLs of https and http.
        let _ = plain.set_scheme("http");
        let _ = plain.set_port(port);
        let auth = Auth::new(hosts::shown_host(&url), if mirror { Login::Anonymous } else { credential });
        Self {
            net,
            auth,
            mirror,
            url,
            plain,
            plain_allowed,
            scheme: scheme.into(),
            unreachable_at: Mutex::default(),
            oci: OnceCell::new(),
        }
    }

    /// Its host, with the port where that is not the usual one.
    pub fn host(&self) -> String {
        hosts::shown_host(&self.url)
    }

    /// Whether it is asked without a credential.
    pub fn is_anonymous(&self) -> bool {
        self.auth.is_anonymous()
    }

    /// The client of `oci-client` for it; `None` where that cannot reach it, or there is no TLS: to make one is to read all
    /// authorities of this machine, which takes longer than to ask for all blobs of an image.
    pub async fn oci(&self) -> Option<&oci::Client> {
        let making = || async {
            let url = self.base().await?;
            if url.scheme() == "http" {
                return Ok(None);
            }
            let port = url.port_or_known_default().unwrap_or_default();
            let tls = self.net.certificates().of(url.host_str().unwrap_or_default(), port).await?;
            if tls.identity.is_some() {
                return Ok(None);
            }
            let options = oci::Options {
                unverified: self.plain_allowed,
                authorities_pem: tls.authorities_pem,
                user_agent: self.net.user_agent,
                timeouts: self.net.timeouts,
                proxies: self.net.proxies_to(url.host_str().unwrap_or_default(), port),
            };
            let made = tokio::task::spawn_blocking(move || oci::Client::new(options)).await;
            made.map_err(|cause| Error::internal("preparing a registry client", cause))?.map(Some)
        };
        self.oci.get_or_try_init(making).await.ok()?.as_ref()
    }

    /// Whether the last attempt to connect failed a moment ago; such mirrors are skipped.
    pub fn was_just_unreachable(&self) -> bool {
        let failed = *self.unreachable_at.lock();
        failed.is_some_and(|failed| failed.elapsed() < SKIP_UNREACHABLE)
    }

    /// The URL that it is reached at. A registry that may do without TLS is asked once whether it has it, without a
    /// credential, as Docker does.
    pub async fn base(&self) -> Result<Url, ExchangeError> {
        match self.scheme.load(Ordering::Relaxed) {
            HTTPS => return Ok(self.url.clone()),
            HTTP => return Ok(self.plain.clone()),
            _ => {}
        }
        let mut first = None;
        for (url, known) in [(&self.url, HTTPS), (&self.plain, HTTP)] {
            let Ok(ping) = url.join("v2/") else { continue };
            let request = Outgoing::new(Method::GET, ping);
            match self.net.exchange(&request, None).await {
                Ok(_) | Err(ExchangeError::Refused(_)) => {
                    self.scheme.store(known, Ordering::Relaxed);
                    return Ok(url.clone());
                }
                Err(failure) => {
                    first.get_or_insert(failure);
                }
            }
        }
        Err(first.unwrap_or_else(|| ExchangeError::Refused(Error::internal("no URL for a registry", self.host()))))
    }

    /// Sends a request, authorized as the registry asks, and again where that may help; the answer, of whatever status.
    ///
    /// # Errors
    /// `Unavailable` where there is no answer, and the failures of authorization.
    pub async fn call(&self, call: &Call<'_>) -> Result<Response> {
        let timeouts = &self.net.timeouts;
        let most = match (call.repeat, self.mirror) {
            (false, _) => 0,
            // A mirror that does not answer is not waited for.
            (true, true) => timeouts.repetitions.min(1),
            (true, false) => timeouts.repetitions,
        };
        let mut wait = timeouts.backoff;
        for attempt in 0.. {
            match self.authorized(call).await {
                Ok(response) if attempt < most && passes(response.status()) => match retry_after(response.headers()) {
                    // Who asks for more time than that gets no further request, and the caller the answer.
                    Some(asked) if asked > timeouts.longest_wait => return Ok(response),
                    asked => tokio::time::sleep(asked.unwrap_or(wait)).await,
                },
                Err(ExchangeError::Unreachable(_)) if attempt < most.min(MAX_UNREACHABLE) => {
                    if self.plain_allowed {
                        self.scheme.store(UNKNOWN, Ordering::Relaxed);
                    }
                    tokio::time::sleep(wait).await;
                }
                Ok(response) => return Ok(response),
                Err(failure) => {
                    if matches!(failure, ExchangeError::Unreachable(_)) {
                        *self.unreachable_at.lock() = Some(Instant::now());
                    }
                    return Err(failure.into());
                }
            }
            wait = (wait * 2).min(timeouts.longest_wait);
        }
        Err(Error::new(Kind::Unavailable, format!("{} does not answer", self.host())))
    }

    async fn authorized(&self, call: &Call<'_>) -> Result<Response, ExchangeError> {
        let home = self.base().await?;
        let url = match &call.target {
            Target::Path(path) => {
                let joined = home.join(&format!("v2/{path}"));
                joined.map_err(|cause| ExchangeError::Refused(Error::internal("making a URL", cause)))?
            }
            Target::Url(url) => {
                self.net.naming.may_visit(&home, url).map_err(|why| self.astray(why))?;
                url.clone()
            }
        };
        let own = same_origin(&home, &url);
        let mut request = Outgoing::new(call.method.clone(), url);
        request.headers = call.headers.clone();
        request.body = call.body;
        if own {
            request.own_headers = call.own_headers.clone();
        }
        let mut authorization = if own { self.auth.ready(&self.net, call.scopes).await? } else { None };
        // Once for what is at hand, once for a token that had run out, once for the scheme that the registry names then.
        for _ in 0..2 {
            let response = self.net.exchange(&request, authorization.as_ref()).await?;
            if response.status() != StatusCode::UNAUTHORIZED || !call.challenge {
                return Ok(response);
            }
            if !own || !same_origin(&home, response.url()) {
                return self.elsewhere(call, &home, response).await;
            }
            let tried = authorization.as_ref();
            match self.auth.challenged(&self.net, &home, &response, call.scopes, tried).await? {
                Some(next) => authorization = Some(next),
                None => return Ok(response),
            }
        }
        self.net.exchange(&request, authorization.as_ref()).await
    }

    /// Asks a registry that this one has sent a request on to, and that wants a token of its own, as anyone may ask it.
    async fn elsewhere(&self, call: &Call<'_>, home: &Url, refused: Response) -> Result<Response, ExchangeError> {
        if !matches!(call.method, Method::GET | Method::HEAD) || same_origin(home, refused.url()) {
            return Ok(refused);
        }
        let Some(token) = self.auth.as_stranger(&self.net, home, &refused).await? else { return Ok(refused) };
        let mut request = Outgoing::new(call.method.clone(), refused.url().clone());
        request.headers = call.headers.clone();
        self.net.exchange(&request, Some(&token)).await
    }

    /// A URL that the registry names, against the URL where it did so.
    ///
    /// # Errors
    /// `PermissionDenied` where the daemon must not go there.
    pub fn named_url(&self, at: &Url, location: &str) -> Result<Url> {
        self.net.naming.place(at, at, location).map_err(|why| self.astray(why).into())
    }

    /// The next page of a list that was read at `at`.
    ///
    /// # Errors
    /// As [`Endpoint::named_url`].
    pub fn next_page(&self, at: &Url, link: &str) -> Result<Url> {
        let base = if at.scheme() == "http" { &self.plain } else { &self.url };
        self.net.naming.next_page(base, at, link).map_err(|why| self.astray(why).into())
    }

    fn astray(&self, why: String) -> ExchangeError {
        ExchangeError::Refused(Error::new(Kind::PermissionDenied, format!("{} points to {why}", shown(&self.url))))
    }

    /// The failure that an answer without success is. `repository` is its familiar name.
    pub(super) async fn refusal(&self, response: Response, repository: &str, operation: Operation<'_>) -> Error {
        refusal::error(&self.net, response, self.auth.withheld(), repository, operation).await
    }
}

/// How long the server wants to be left alone: seconds, or until a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(read("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_secs(1_000_000));
        for text in ["", "soon", "-1", "99999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

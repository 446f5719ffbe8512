//! Requests on the wire: one client per host, redirects, and limits on time and size.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use reqwest::{Body, Response, Url};
use tokio::time::{Instant, timeout};

use super::body::BlobStream;
use super::encoding::Encoding;
use super::named::Naming;
use super::policy::{Policy, same_origin, shown};
use super::proxies::Proxies;
use super::settings::{Settings, Timeouts};
use super::tls::Certificates;
use crate::domain::error::{Error, Kind, Result};

/// How often one request may be sent elsewhere.
const MAX_REDIRECTS: usize = 5;
/// How many hosts have a client of their own kept.
const MAX_CLIENTS: usize = 64;
/// A client is made anew after so long, so that a changed certificate is noticed.
const CLIENT_LIFE: Duration = Duration::from_secs(600);
/// What HTTP/2 may have under way for one blob, and on one connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// The network as the settings allow it to be used.
pub(super) struct Net {
    pub naming: Naming,
    pub timeouts: Timeouts,
    pub user_agent: &'static str,
    proxies: Proxies,
    certificates: Certificates,
    clients: Mutex<HashMap<(String, u16), (reqwest::Client, Instant)>>,
}

/// A request; it may be sent several times.
pub(super) struct Outgoing<'a> {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    /// Headers that are for the URL's own origin only.
    pub own_headers: HeaderMap,
    pub body: Option<&'a Outbound<'a>>,
    /// Whether the body holds a secret, which is for the URL's own origin only.
    pub body_is_secret: bool,
}

impl Outgoing<'_> {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        let (headers, own_headers) = (HeaderMap::new(), HeaderMap::new());
        Self { method, url, headers, own_headers, body: None, body_is_secret: false }
    }
}

/// Makes the body of a request.
pub(super) type Outbound<'a> = dyn Fn(&Arc<Progress>) -> Body + Send + Sync + 'a;

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum ExchangeError {
    /// The host could not be reached, or not in time; nothing was answered.
    Unreachable(Error),
    /// Anything that trying again does not change.
    Refused(Error),
}

impl From<ExchangeError> for Error {
    fn from(failure: ExchangeError) -> Self {
        match failure {
            ExchangeError::Unreachable(error) | ExchangeError::Refused(error) => error,
        }
    }
}

/// When bytes of a body last moved.
pub(super) struct Progress {
    start: Instant,
    last: AtomicU64,
}

impl Progress {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), last: AtomicU64::new(0) })
    }

    /// Notes that bytes moved just now.
    pub fn note(&self) {
        self.last.store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// How long nothing has moved.
    fn idle(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

impl Net {
    pub fn new(settings: Settings, mirrors: &[Url]) -> Result<Self> {
        // Who writes down an http mirror has allowed it.
        let plain = mirrors
            .iter()
            .filter(|mirror| mirror.scheme() == "http")
            .filter_map(|mirror| Some(format!("{}:{}", mirror.host_str()?, mirror.port_or_known_default()?)));
        let mut insecure = settings.insecure;
        for host in plain {
            insecure.push(host.parse()?);
        }
        Ok(Self {
            naming: Naming::new(Policy::new(insecure), settings.token_services),
            timeouts: settings.timeouts,
            user_agent: settings.user_agent,
            proxies: settings.proxies,
            certificates: Certificates::new(settings.certs_dir),
            clients: Mutex::default(),
        })
    }

    /// Sends a request and follows redirects, as far as a registry may name them. `authorization`, the request's own headers
    /// and a secret body go to the request's own origin, and never again after a redirect has left it.
    pub async fn exchange(
        &self,
        request: &Outgoing<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, ExchangeError> {
        self.follow(&request.url, request, authorization).await
    }

    /// Sends a request without a credential to where a registry at `home` has said that something is.
    pub async fn exchange_from(&self, home: &Url, request: &Outgoing<'_>) -> Result<Response, ExchangeError> {
        self.follow(home, request, None).await
    }

    /// Sends a request; what it may be sent on to depends on `home`, and what goes along on the request's own origin.
    async fn follow(
        &self,
        home: &Url,
        request: &Outgoing<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, ExchangeError> {
        let (mut method, mut url, mut carry) = (request.method.clone(), request.url.clone(), true);
        for _ in 0..=MAX_REDIRECTS {
            let mut headers = request.headers.clone();
            if carry {
                headers.extend(request.own_headers.clone());
                if let Some(authorization) = authorization {
                    headers.insert(AUTHORIZATION, authorization.clone());
                }
            }
            let body = request.body.filter(|_| method == request.method);
            let response = self.send(&method, &url, headers, body).await?;
            let Some(location) = redirect(&method, &response) else { return Ok(response) };
            let refused = |why: String| {
                let text = format!("{} redirects to {why}", shown(home));
                ExchangeError::Refused(Error::new(Kind::PermissionDenied, text))
            };
            let next = self.naming.place(home, &url, location).map_err(refused)?;
            if response.status() == StatusCode::SEE_OTHER && method != Method::HEAD {
                method = Method::GET;
            }
            carry &= same_origin(&request.url, &next);
            if request.body_is_secret && body.is_some() && method == request.method && !carry {
                return Err(refused(format!("{}, and a credential is not sent there", shown(&next))));
            }
            url = next;
        }
        let text = format!("{} redirects more than {MAX_REDIRECTS} times", shown(home));
        Err(ExchangeError::Refused(Error::new(Kind::Unavailable, text)))
    }

    async fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Option<&Outbound<'_>>,
    ) -> Result<Response, ExchangeError> {
        let client = self.client(url).await.map_err(ExchangeError::Refused)?;
        let mut request = client.request(method.clone(), url.clone()).headers(headers);
        let progress = Progress::new();
        if let Some(body) = body {
            request = request.body(body(&progress));
        }
        let mut sending = pin!(request.send());
        loop {
            let Timeouts { answer, stall, .. } = self.timeouts;
            match timeout(answer, &mut sending).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(cause)) => return Err(unreachable_host(method, url, cause)),
                // A long body is fine as long as it moves.
                Err(_) if body.is_some() && progress.idle() < stall.max(answer) => {}
                Err(_) => {
                    let text = format!("{method} {}: no answer within {} s", shown(url), answer.as_secs_f32());
                    return Err(ExchangeError::Unreachable(Error::new(Kind::Unavailable, text)));
                }
            }
        }
    }

    /// The client for a URL's host: only it knows that host's certificates, so that neither they nor an exemption from
    /// checking them apply to another host.
    async fn client(&self, url: &Url) -> Result<reqwest::Client> {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let key = (host.to_owned(), port);
        if let Some((client, made)) = self.lock().get(&key)
            && made.elapsed() < CLIENT_LIFE
        {
            return Ok(client.clone());
        }
        let tls = self.certificates.of(host, port).await?;
        let mut builder = reqwest::Client::builder()
            .user_agent(self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.timeouts.connect)
            // A connection that was given up is closed only when all that was written has been taken.
            .tcp_user_timeout(self.timeouts.stall.max(self.timeouts.answer))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .pool_idle_timeout(Duration::from_secs(30))
            .tls_danger_accept_invalid_certs(self.naming.policy.allows_plain(host, port))
            .tls_certs_merge(tls.authorities);
        if let Some(identity) = tls.identity {
            builder = builder.identity(identity);
        }
        builder = proxied(builder, &self.proxies_to(host, port))?;
        let building = tokio::task::spawn_blocking(move || builder.build()).await;
        let client = building
            .map_err(|cause| Error::internal("preparing a connection", cause))?
            .map_err(|cause| Error::internal(format!("preparing connections to {host}"), cause))?;
        let mut clients = self.lock();
        if clients.len() >= MAX_CLIENTS
            && let Some(oldest) = clients.iter().min_by_key(|(_, (_, made))| *made).map(|(key, _)| key.clone())
        {
            clients.remove(&oldest);
        }
        clients.insert(key, (client.clone(), Instant::now()));
        Ok(client)
    }

    /// The certificates of one host.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The proxies on the way to a host.
    pub fn proxies_to(&self, host: &str, port: u16) -> Proxies {
        self.proxies.to(host, port)
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, HashMap<(String, u16), (reqwest::Client, Instant)>> {
        self.clients.lock()
    }

    /// Reads a document that must not be larger than `limit`, without the encoding that it was sent in.
    ///
    /// # Errors
    /// `ResourceExhausted` where it is larger, `Unavailable` where it does not come to its end.
    pub async fn document(&self, response: Response, limit: u64) -> Result<Bytes> {
        let url = shown(response.url());
        let too_large =
            || Error::new(Kind::ResourceExhausted, format!("{url}: the answer is larger than {limit} bytes"));
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let encoding = Encoding::of(response.headers())
            .map_err(|other| Error::new(Kind::DataLoss, format!("{url}: the answer is encoded as {other:?}")))?;
        let mut read = BytesMut::new();
        let mut body = self.body(response);
        while let Some(chunk) = body.next().await {
            read.extend_from_slice(&chunk?);
            if read.len() as u64 > limit {
                return Err(too_large());
            }
        }
        let Some(encoding) = encoding else { return Ok(read.freeze()) };
        let plain = encoding.decode(&read, limit).map_err(|cause| {
            Error::new(Kind::DataLoss, format!("{url}: the answer is not encoded as it says")).with_cause(cause)
        })?;
        if plain.len() as u64 > limit { Err(too_large()) } else { Ok(plain.into()) }
    }

    /// The body of an answer as it arrives; it fails where too little arrives for too long. The wait is for the network
    /// only: who reads slowly is not cut off.
    pub fn body(&self, response: Response) -> BlobStream {
        let pace = Pace { limits: self.timeouts, waited: Duration::ZERO, arrived: 0 };
        let url = shown(response.url());
        let stream = response.bytes_stream();
        futures_util::stream::unfold(Some((stream, url, pace)), move |state| async move {
            let (mut stream, url, mut pace) = state?;
            let asked = Instant::now();
            match timeout(pace.left(), stream.next()).await {
                Ok(Some(Ok(chunk))) => {
                    pace.note(asked.elapsed(), chunk.len());
                    Some((Ok(chunk), Some((stream, url, pace))))
                }
                Ok(Some(Err(cause))) => {
                    let error = Error::new(Kind::Unavailable, format!("{url}: the connection broke"));
                    Some((Err(error.with_cause(cause.without_url())), None))
                }
                Ok(None) => None,
                Err(_) => {
                    let (arrived, time) = (pace.arrived, pace.limits.stall.as_secs_f32());
                    let text = match arrived {
                        0 => format!("{url}: nothing arrived for {time} s"),
                        _ => format!("{url}: no more than {arrived} bytes arrived in {time} s"),
                    };
                    Some((Err(Error::new(Kind::Unavailable, text)), None))
                }
            }
        })
        .boxed()
    }
}

/// How fast a body arrives: what was waited for, and what came of it, since it last got on.
struct Pace {
    limits: Timeouts,
    waited: Duration,
    arrived: u64,
}

impl Pace {
    /// How long the next bytes may take.
    fn left(&self) -> Duration {
        self.limits.stall.saturating_sub(self.waited)
    }

    fn note(&mut self, waited: Duration, bytes: usize) {
        self.waited += waited;
        self.arrived += bytes as u64;
        if self.arrived >= self.limits.headway {
            (self.waited, self.arrived) = (Duration::ZERO, 0);
        }
    }
}

/// Where an answer sends the request on to; `None` where it does not, or where the request must not be sent on.
fn redirect<'a>(method: &Method, response: &'a Response) -> Option<&'a str> {
    let readable = matches!(*method, Method::GET | Method::HEAD);
    match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER if readable => {}
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {}
        _ => return None,
    }
    // What is no text is no URL, and is refused as such.
    Some(response.headers().get(LOCATION)?.to_str().unwrap_or("http://"))
}

pub(super) fn unreachable_host(method: &Method, url: &Url, cause: reqwest::Error) -> ExchangeError {
    let mut reason = if cause.is_timeout() { "the connection took too long".to_owned() } else { String::new() };
    // The last of the causes is the one that says something: `Connection refused`, `UnknownIssuer`.
    let mut next = std::error::Error::source(&cause);
    while let Some(inner) = next {
        if !cause.is_timeout() {
            reason = inner.to_string();
        }
        next = inner.source();
    }
    if reason.is_empty() {
        reason = "the request failed".to_owned();
    }
    let error = Error::new(Kind::Unavailable, format!("{method} {}: {reason}", shown(url)));
    ExchangeError::Unreachable(error.with_cause(cause.without_url()))
}

pub(super) fn proxied(builder: reqwest::ClientBuilder, proxies: &Proxies) -> Result<reqwest::ClientBuilder> {
    let mut builder = builder.no_proxy();
    // The text is not repeated: a proxy's URL may hold a password.
    let refused = |scheme: &str| Error::invalid(format!("the proxy for {scheme} is no URL"));
    if let Some(proxy) = &proxies.http {
        let proxy = reqwest::Proxy::http(proxy).map_err(|_| refused("http"))?;
        builder = builder.proxy(proxy);
    }
    if let Some(proxy) = &proxies.https {
        let proxy = reqwest::Proxy::https(proxy).map_err(|_| refused("https"))?;
        builder = builder.proxy(proxy);
    }
    Ok(builder)
}

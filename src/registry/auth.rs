//! The distribution token protocol: a registry's challenge, its token service, and the tokens at hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use reqwest::{Response, Url};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::challenge::{self, Challenge};
use super::credential::Login;
use super::hosts;
use super::named::Realm;
use super::policy::shown;
use super::refusal::{self, MAX_ERROR};
use super::transport::{ExchangeError, Net, Outbound, Outgoing};
use crate::domain::Secret;
use crate::domain::error::{Error, Kind, Result};
use crate::domain::manifest::object;

/// The largest answer of a token service that is read.
const MAX_TOKEN_ANSWER: u64 = 1 << 20;
/// The largest token that is sent on: servers refuse larger headers.
const MAX_TOKEN: usize = 64 << 10;
/// How many tokens are kept per registry and credential.
const MAX_TOKENS: usize = 256;
/// How long a token is good for where its service does not say: the protocol's own default.
const DEFAULT_LIFE: u64 = 60;
/// No token is kept for longer.
const LONGEST_LIFE: u64 = 3600;

/// How one registry lets one credential in, as far as it is known.
pub(super) struct Auth {
    /// The registry's host, as it is shown.
    registry: String,
    credential: Login,
    state: Mutex<State>,
    /// Parallel downloads ask for one token, not for one each.
    asking: Semaphore,
}

#[derive(Default)]
struct State {
    challenge: Option<Arc<Challenge>>,
    /// What a registry wants a token to have beside the scopes that a request has: by these.
    more: HashMap<String, Vec<String>>,
    tokens: HashMap<String, (HeaderValue, Instant)>,
}

/// What a token service gave.
pub(super) struct Granted {
    pub header: HeaderValue,
    pub refresh_token: Option<Secret>,
    life: Duration,
}

#[derive(Deserialize)]
struct TokenJson {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Auth {
    pub fn new(registry: String, credential: Login) -> Self {
        Self { registry, credential, state: Mutex::default(), asking: Semaphore::new(1) }
    }

    pub fn is_anonymous(&self) -> bool {
        self.credential == Login::Anonymous
    }

    /// What to send with a request of a scope before the registry has asked; `None` where nothing is known to be needed.
    pub async fn ready(&self, net: &Net, scopes: &[String]) -> Result<Option<HeaderValue>, ExchangeError> {
        if let Login::RegistryToken(token) = &self.credential {
            return bearer(token.reveal()).map(Some);
        }
        let challenge = self.lock().challenge.clone();
        match challenge {
            Some(challenge) => self.meet(net, &challenge, scopes).await,
            None => Ok(None),
        }
    }

    /// The access token for a scope; empty where none is needed as far as is known, `None` where it is to be got yet.
    pub fn token_at_hand(&self, scopes: &[String]) -> Option<Secret> {
        if let Login::RegistryToken(token) = &self.credential {
            return Some(token.clone());
        }
        let known = self.lock().challenge.is_some();
        if !known && self.credential == Login::Anonymous {
            return Some(Secret::new(""));
        }
        let header = self.cached(&self.wanted(scopes).join(" "))?;
        header.to_str().ok()?.strip_prefix("Bearer ").map(Secret::new)
    }

    /// That the registry's token service was not given the credential, and how to allow it; `None` where it was, or where
    /// there is nothing to give.
    pub fn withheld(&self) -> Option<String> {
        match self.lock().challenge.as_deref() {
            Some(Challenge::Bearer { realm, .. }) if !realm.own && self.credential != Login::Anonymous => {
                Some(withheld(&self.registry, realm))
            }
            _ => None,
        }
    }

    /// What to send after the registry at `home` has refused `tried`; `None` where there is nothing else to try.
    pub async fn challenged(
        &self,
        net: &Net,
        home: &Url,
        response: &Response,
        scopes: &[String],
        tried: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, ExchangeError> {
        if matches!(self.credential, Login::RegistryToken(_)) {
            return Ok(None);
        }
        let Some(challenge) = challenge::choose(home, response.headers(), &net.naming)? else { return Ok(None) };
        let challenge = Arc::new(challenge);
        {
            let key = self.wanted(scopes).join(" ");
            let mut state = self.lock();
            // Only what was refused is dropped: another request may have got a new one meanwhile.
            if state.tokens.get(&key).is_some_and(|(header, _)| Some(header) == tried) {
                state.tokens.remove(&key);
            }
            state.learn(scopes, &challenge);
            state.challenge = Some(challenge.clone());
        }
        let next = self.meet(net, &challenge, scopes).await?;
        Ok(next.filter(|next| Some(next) != tried))
    }

    /// What to send to a registry that `home` has redirected to and that answers with a challenge of its own: a token of
    /// its token service for anyone, since the credential is for `home`. `None` where it asks for something else.
    pub async fn as_stranger(
        &self,
        net: &Net,
        home: &Url,
        response: &Response,
    ) -> Result<Option<HeaderValue>, ExchangeError> {
        let Some(challenge) = challenge::choose(response.url(), response.headers(), &net.naming)? else {
            return Ok(None);
        };
        let Challenge::Bearer { realm, service, scopes } = &challenge else { return Ok(None) };
        net.naming.may_visit(home, &realm.url).map_err(|why| {
            let text = format!("{}: its token service is {why}", shown(response.url()));
            ExchangeError::Refused(Error::new(Kind::PermissionDenied, text))
        })?;
        let origin = response.url().origin().ascii_serialization();
        let key = format!("{origin} {} {} {}", realm.url, service.as_deref().unwrap_or_default(), scopes.join(" "));
        self.token(net, &Login::Anonymous, &challenge, scopes, key).await.map(Some)
    }

    async fn meet(
        &self,
        net: &Net,
        challenge: &Challenge,
        scopes: &[String],
    ) -> Result<Option<HeaderValue>, ExchangeError> {
        match (challenge, &self.credential) {
            (Challenge::Basic, Login::Basic { username, password }) => basic(username, password).map(Some),
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, .. }, credential) => {
                let credential = if realm.own { credential } else { &Login::Anonymous };
                let wanted = self.wanted(scopes);
                let key = wanted.join(" ");
                let token = self.token(net, credential, challenge, &wanted, key).await;
                token.map(Some).map_err(|failure| match (failure, self.withheld()) {
                    (ExchangeError::Refused(error), Some(why)) if error.kind() == Kind::Unauthenticated => {
                        ExchangeError::Refused(error.context(why))
                    }
                    (failure, _) => failure,
                })
            }
        }
    }

    /// A token from the cache or from its service.
    async fn token(
        &self,
        net: &Net,
        credential: &Login,
        challenge: &Challenge,
        scopes: &[String],
        key: String,
    ) -> Result<HeaderValue, ExchangeError> {
        if let Some(header) = self.cached(&key) {
            return Ok(header);
        }
        // The semaphore is never closed.
        let _one = self.asking.acquire().await.ok();
        if let Some(header) = self.cached(&key) {
            return Ok(header);
        }
        let granted = grant(net, credential, challenge, scopes, false).await?;
        self.lock().keep(key, &granted);
        Ok(granted.header)
    }

    /// Asks the token service a registry's answer names for a token of no scope, as a login does; `None` where the
    /// registry has no such service.
    pub async fn log_in(&self, net: &Net, home: &Url, response: &Response) -> Result<Option<Granted>, ExchangeError> {
        match challenge::choose(home, response.headers(), &net.naming)? {
            Some(Challenge::Bearer { realm, .. }) if !realm.own && self.credential != Login::Anonymous => {
                let text = withheld(&self.registry, &realm);
                Err(ExchangeError::Refused(Error::new(Kind::PermissionDenied, text)))
            }
            Some(challenge @ Challenge::Bearer { .. }) => {
                grant(net, &self.credential, &challenge, &[], true).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The scopes of a request and what the registry wants beside them.
    fn wanted(&self, scopes: &[String]) -> Vec<String> {
        let more = self.lock().more.get(&scopes.join(" ")).cloned().unwrap_or_default();
        scopes.iter().cloned().chain(more).collect()
    }

    fn cached(&self, key: &str) -> Option<HeaderValue> {
        let state = self.lock();
        let (header, until) = state.tokens.get(key)?;
        (*until > Instant::now()).then(|| header.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn learn(&mut self, scopes: &[String], challenge: &Challenge) {
        let Challenge::Bearer { scopes: named, .. } = challenge else { return };
        let more: Vec<String> = challenge::beyond(scopes, named).cloned().collect();
        if more.is_empty() {
            return;
        }
        if self.more.len() >= MAX_TOKENS {
            self.more.clear();
        }
        self.more.insert(scopes.join(" "), more);
    }

    fn keep(&mut self, key: String, granted: &Granted) {
        let now = Instant::now();
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.retain(|_, (_, until)| *until > now);
        }
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.clear();
        }
        self.tokens.insert(key, (granted.header.clone(), now + granted.life));
    }
}

/// That a token service gets no credential, and how to allow it.
fn withheld(registry: &str, realm: &Realm) -> String {
    let service = hosts::shown_host(&realm.url);
    format!(
        "the token service {service} of {registry} is under another domain, so it was not given the credential; to allow it, \
         set --registry-token-service {registry}={service}"
    )
}

/// Asks a token service for a token.
async fn grant(
    net: &Net,
    credential: &Login,
    challenge: &Challenge,
    scopes: &[String],
    offline: bool,
) -> Result<Granted, ExchangeError> {
    let Challenge::Bearer { realm: Realm { url: realm, .. }, service, .. } = challenge else {
        return Err(ExchangeError::Refused(Error::internal("a token was asked of no service", "basic challenge")));
    };
    let mut fields: Vec<(&str, &str)> = Vec::new();
    fields.extend(service.as_deref().map(|service| ("service", service)));
    let mut url = realm.clone();
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let mut authorization = None;
    let form;
    let body: Option<Box<Outbound<'_>>> = if let Login::IdentityToken(token) = credential {
        let scope = scopes.join(" ");
        fields.extend([("client_id", "loadline"), ("grant_type", "refresh_token"), ("scope", &scope)]);
        fields.push(("refresh_token", token.reveal()));
        form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        Some(Box::new(|_: &_| form.clone().into()))
    } else {
        fields.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
        if let Login::Basic { username, password } = credential {
            fields.push(("account", username));
            if offline {
                fields.extend([("client_id", "loadline"), ("offline_token", "true")]);
            }
            authorization = Some(basic(username, password)?);
        }
        url.query_pairs_mut().extend_pairs(fields);
        None
    };
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let request = Outgoing { headers, body: body.as_deref(), body_is_secret: true, ..Outgoing::new(method, url) };
    let response = net.exchange(&request, authorization.as_ref()).await?;
    let status = response.status();
    if !status.is_success() {
        let detail = refusal::detail(net, response).await;
        return Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                let text = detail.unwrap_or_else(|| "unauthorized: incorrect username or password".to_owned());
                ExchangeError::Refused(Error::new(Kind::Unauthenticated, text))
            }
            _ => {
                let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
                let text = format!("{}: the token service answered {status}{detail}", shown(realm));
                let kind = match status {
                    StatusCode::TOO_MANY_REQUESTS => Kind::TooManyRequests,
                    _ => Kind::Unavailable,
                };
                ExchangeError::Refused(Error::new(kind, text))
            }
        });
    }
    let body = net.document(response, MAX_TOKEN_ANSWER).await.map_err(ExchangeError::Refused)?;
    // Neither the answer nor the cause, which quotes it, is to be seen by anyone.
    let unusable = || {
        ExchangeError::Refused(Error::new(Kind::Unavailable, format!("{}: the answer holds no token", shown(realm))))
    };
    let answer: TokenJson = object(&body).map_err(|_| unusable())?;
    let token = answer.token.into_iter().chain(answer.access_token).find(|token| !token.is_empty());
    let life = answer.expires_in.filter(|life| *life >= 1.0).map_or(DEFAULT_LIFE, |life| life as u64);
    Ok(Granted {
        header: bearer(&token.ok_or_else(unusable)?)?,
        refresh_token: answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        // It must not run out on its way.
        life: Duration::from_secs(life.min(LONGEST_LIFE)) * 9 / 10,
    })
}

fn basic(username: &str, password: &Secret) -> Result<HeaderValue, ExchangeError> {
    sensitive(format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal()))))
}

fn bearer(token: &str) -> Result<HeaderValue, ExchangeError> {
    // Nothing but what a token is made of, so that no answer of a token service becomes a header of another kind.
    if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ExchangeError::Refused(Error::new(Kind::Unauthenticated, "the registry's token cannot be sent")));
    }
    sensitive(format!("Bearer {token}"))
}

fn sensitive(text: String) -> Result<HeaderValue, ExchangeError> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| ExchangeError::Refused(Error::invalid("the credential cannot be sent in a header")))?;
    value.set_sensitive(true);
    Ok(value)
}

const _: () = assert!(MAX_ERROR < MAX_TOKEN_ANSWER);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_no_token_is_not_sent() {
        for token in ["", "a\r\nX-Evil: 1", "a b", "\u{1}", "é", &"a".repeat(MAX_TOKEN + 1)] {
            assert!(bearer(token).is_err(), "{token:?}");
        }
        let header = bearer("abc.def").unwrap();
        assert!(header.is_sensitive());
        assert!(!format!("{header:?}").contains("abc"));
    }
}

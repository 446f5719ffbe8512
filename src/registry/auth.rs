//! The distribution token protocol: a registry's challenge, its token service, and the tokens at hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use http_auth::ParamValue;
use http_auth::parser::ChallengeParser;
use reqwest::{Response, Url};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::credential::Login;
use super::policy::{same_site, shown};
use super::refusal::{self, MAX_ERROR};
use super::transport::{ExchangeError, Net, Outbound, Outgoing};
use crate::domain::Secret;
use crate::domain::error::{Error, Kind, Result};
use crate::domain::manifest::object;

/// The longest `WWW-Authenticate` header that is read, in bytes.
const MAX_CHALLENGE: usize = 16 << 10;
/// How many such headers are read, and how many schemes of each.
const MAX_SCHEMES: usize = 8;
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
    credential: Login,
    state: Mutex<State>,
    /// Parallel downloads ask for one token, not for one each.
    asking: Semaphore,
}

#[derive(Default)]
struct State {
    challenge: Option<Arc<Challenge>>,
    tokens: HashMap<String, (HeaderValue, Instant)>,
}

/// How a registry wants requests to be authorized.
#[derive(Clone, Debug, PartialEq)]
enum Challenge {
    Basic,
    Bearer {
        realm: Url,
        service: Option<String>,
        /// Whether the service is of the registry's own site, and so may see the credential.
        own: bool,
    },
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
    pub fn new(credential: Login) -> Self {
        Self { credential, state: Mutex::default(), asking: Semaphore::new(1) }
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
        let header = self.cached(&scopes.join(" "))?;
        header.to_str().ok()?.strip_prefix("Bearer ").map(Secret::new)
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
        let Some(challenge) = choose(home, response.headers(), net)? else { return Ok(None) };
        let challenge = Arc::new(challenge);
        {
            let mut state = self.lock();
            let key = scopes.join(" ");
            // Only what was refused is dropped: another request may have got a new one meanwhile.
            if state.tokens.get(&key).is_some_and(|(header, _)| Some(header) == tried) {
                state.tokens.remove(&key);
            }
            state.challenge = Some(challenge.clone());
        }
        let next = self.meet(net, &challenge, scopes).await?;
        Ok(next.filter(|next| Some(next) != tried))
    }

    async fn meet(
        &self,
        net: &Net,
        challenge: &Challenge,
        scopes: &[String],
    ) -> Result<Option<HeaderValue>, ExchangeError> {
        if matches!(challenge, Challenge::Basic) {
            return match &self.credential {
                Login::Basic { username, password } => basic(username, password).map(Some),
                _ => Ok(None),
            };
        }
        let key = scopes.join(" ");
        if let Some(header) = self.cached(&key) {
            return Ok(Some(header));
        }
        // The semaphore is never closed.
        let _one = self.asking.acquire().await.ok();
        if let Some(header) = self.cached(&key) {
            return Ok(Some(header));
        }
        let granted = self.grant(net, challenge, scopes, false).await?;
        let mut state = self.lock();
        let now = Instant::now();
        if state.tokens.len() >= MAX_TOKENS {
            state.tokens.retain(|_, (_, until)| *until > now);
        }
        if state.tokens.len() >= MAX_TOKENS {
            state.tokens.clear();
        }
        state.tokens.insert(key, (granted.header.clone(), now + granted.life));
        Ok(Some(granted.header))
    }

    /// Asks the token service a registry's answer names for a token of no scope, as a login does; `None` where the
    /// registry has no such service.
    pub async fn log_in(&self, net: &Net, home: &Url, response: &Response) -> Result<Option<Granted>, ExchangeError> {
        match choose(home, response.headers(), net)? {
            Some(Challenge::Bearer { realm, own: false, .. }) if self.credential != Login::Anonymous => {
                let text =
                    format!("{}: the registry's token service is of another site, no password is sent", shown(&realm));
                Err(ExchangeError::Refused(Error::new(Kind::PermissionDenied, text)))
            }
            Some(challenge @ Challenge::Bearer { .. }) => self.grant(net, &challenge, &[], true).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn grant(
        &self,
        net: &Net,
        challenge: &Challenge,
        scopes: &[String],
        offline: bool,
    ) -> Result<Granted, ExchangeError> {
        let Challenge::Bearer { realm, service, own } = challenge else {
            return Err(ExchangeError::Refused(Error::internal("a token was asked of no service", "basic challenge")));
        };
        let credential = if *own { &self.credential } else { &Login::Anonymous };
        if !*own && self.credential != Login::Anonymous {
            let realm = shown(realm);
            tracing::warn!(
                registry.realm = realm,
                "the token service is on another site; asking it without the credential"
            );
        }
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
        let request = Outgoing { method, url, headers, body: body.as_deref() };
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
                    let kind = if status == StatusCode::TOO_MANY_REQUESTS {
                        Kind::ResourceExhausted
                    } else {
                        Kind::Unavailable
                    };
                    ExchangeError::Refused(Error::new(kind, text))
                }
            });
        }
        let body = net.document(response, MAX_TOKEN_ANSWER).await.map_err(ExchangeError::Refused)?;
        // Neither the answer nor the cause, which quotes it, is to be seen by anyone.
        let unusable = || {
            ExchangeError::Refused(Error::new(
                Kind::Unavailable,
                format!("{}: the answer holds no token", shown(realm)),
            ))
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

    fn cached(&self, key: &str) -> Option<HeaderValue> {
        let state = self.lock();
        let (header, until) = state.tokens.get(key)?;
        (*until > Instant::now()).then(|| header.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The challenge to meet: Bearer where there is one, as Docker chooses.
fn choose(home: &Url, headers: &HeaderMap, net: &Net) -> Result<Option<Challenge>, ExchangeError> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE).iter().take(MAX_SCHEMES) {
        for (scheme, parameters) in value.to_str().map(challenges).unwrap_or_default() {
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
            if scheme.eq_ignore_ascii_case("bearer") {
                let find = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                let refused = |why: String| {
                    let text = format!("{}: its token service is {why}", shown(home));
                    ExchangeError::Refused(Error::new(Kind::PermissionDenied, text))
                };
                let realm = find("realm").and_then(|(_, realm)| Url::parse(realm).ok());
                let realm = realm.ok_or_else(|| refused("no URL".to_owned()))?;
                net.policy.may_visit(home, &realm).map_err(refused)?;
                // Tokens over a bare wire only for a registry that itself is on one.
                if realm.scheme() != "https" && home.scheme() == "https" {
                    return Err(refused(format!("{}, which is not encrypted", shown(&realm))));
                }
                let service = find("service").map(|(_, service)| service.clone());
                let own = same_site(home, &realm);
                return Ok(Some(Challenge::Bearer { realm, service, own }));
            }
        }
    }
    Ok(basic)
}

/// The schemes of a `WWW-Authenticate` header, each with its parameters; what does not parse ends the list.
fn challenges(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    if text.len() > MAX_CHALLENGE {
        return Vec::new();
    }
    let text = quote_values(text);
    let parsed = ChallengeParser::new(&text).map_while(Result::ok).take(MAX_SCHEMES);
    let owned = |(name, value): (&str, ParamValue<'_>)| (name.to_owned(), value.to_unescaped());
    parsed.map(|challenge| (challenge.scheme.to_owned(), challenge.params.into_iter().map(owned).collect())).collect()
}

/// A header with quotes around each value. The grammar wants them around a URL, and some servers leave them out.
fn quote_values(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(['"', '=']) {
        let (before, after) = rest.split_at(at);
        quoted.push_str(before);
        let value = match after.strip_prefix('=') {
            Some(value) => {
                quoted.push('=');
                value.trim_start_matches([' ', '\t'])
            }
            None => after,
        };
        if let Some(inner) = value.strip_prefix('"') {
            let mut escaped = false;
            let end = inner.find(|letter: char| {
                let ends = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                ends
            });
            let (string, following) = value.split_at(end.map_or(value.len(), |end| end + 2));
            quoted.push_str(string);
            rest = following;
        } else {
            let (bare, following) = value.split_at(value.find([',', ' ', '\t', '"', '\\']).unwrap_or(value.len()));
            quoted.extend(["\"", bare, "\""]);
            rest = following;
        }
    }
    quoted.push_str(rest);
    quoted
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
    fn challenges_are_read_as_servers_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a:b:c,d""#;
        let found = challenges(hub);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1[0], ("realm".to_owned(), "https://auth.docker.io/token".to_owned()));
        assert_eq!(found[0].1[2].1, "a:b:c,d");
        let two = challenges(r#"Basic realm="a \"b\"", Bearer realm=https://x/token , service = "s""#);
        assert_eq!(two.iter().map(|(scheme, _)| scheme.as_str()).collect::<Vec<_>>(), ["Basic", "Bearer"]);
        assert_eq!(two[0].1[0].1, "a \"b\"");
        assert_eq!(two[1].1[0].1, "https://x/token");
        assert_eq!(two[1].1[1].1, "s");
        let after_others = challenges(r#"Negotiate, NTLM, Basic realm=here,charset="UTF-8", Bearer realm="r""#);
        assert_eq!(after_others.last().unwrap(), &("Bearer".to_owned(), vec![("realm".to_owned(), "r".to_owned())]));
        // What comes before the oddity counts.
        assert_eq!(challenges(r#"Basic realm="a", Bearer realm="open"#).len(), 1);
        for garbage in
            ["", "=", "Bearer realm=\"open", "Bearer realm=\"\\", ",,,,", "a=b", "Bearer realm", "é", "a=é\"é"]
        {
            challenges(garbage);
        }
        assert!(challenges(&"a ".repeat(100_000)).len() < 16);
        assert_eq!(challenges(&"a, ".repeat(1000)).len(), MAX_SCHEMES);
        assert_eq!(challenges(&format!("Bearer realm=\"{}\"", "r".repeat(MAX_CHALLENGE))), []);
    }

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

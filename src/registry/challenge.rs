//! What a registry asks for when it refuses a request: its `WWW-Authenticate` headers.

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use http_auth::ParamValue;
use http_auth::parser::ChallengeParser;
use reqwest::Url;

use super::named::{Naming, Realm};
use super::policy::shown;
use super::transport::ExchangeError;
use crate::domain::error::{Error, Kind};

/// The longest `WWW-Authenticate` header that is read, in bytes.
const MAX_CHALLENGE: usize = 16 << 10;
/// How many such headers are read, and how many schemes of each.
const MAX_SCHEMES: usize = 8;
/// How many scopes of a challenge are asked for, and how long one may be.
const MAX_SCOPES: usize = 8;
const MAX_SCOPE: usize = 1024;

/// How a registry wants requests to be authorized.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        realm: Realm,
        service: Option<String>,
        /// What the registry says that the request needs the right to.
        scopes: Vec<String>,
    },
}

/// The challenge to meet: Bearer where there is one, as Docker chooses. `None` where there is none that is known.
///
/// # Errors
/// `PermissionDenied` where the token service must not be asked.
pub(super) fn choose(home: &Url, headers: &HeaderMap, naming: &Naming) -> Result<Option<Challenge>, ExchangeError> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE).iter().take(MAX_SCHEMES) {
        for (scheme, parameters) in value.to_str().map(challenges).unwrap_or_default() {
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
            if scheme.eq_ignore_ascii_case("bearer") {
                let find = |name: &str| {
                    let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.as_str())
                };
                let realm = naming.realm(home, find("realm").unwrap_or_default()).map_err(|why| {
                    let text = format!("{}: its token service is {why}", shown(home));
                    ExchangeError::Refused(Error::new(Kind::PermissionDenied, text))
                })?;
                let service = find("service").map(str::to_owned);
                return Ok(Some(Challenge::Bearer {
                    realm,
                    service,
                    scopes: scopes(find("scope").unwrap_or_default()),
                }));
            }
        }
    }
    Ok(basic)
}

/// What a challenge asks for beside `own`, which is asked for anyway.
pub(super) fn beyond<'a>(own: &'a [String], named: &'a [String]) -> impl Iterator<Item = &'a String> {
    named.iter().filter(|named| !own.iter().any(|own| covers(own, named)))
}

/// Whether one scope includes another: `repository:a:pull,push` includes `repository:a:pull`.
fn covers(own: &str, other: &str) -> bool {
    let (Some((thing, actions)), Some((other_thing, wanted))) = (own.rsplit_once(':'), other.rsplit_once(':')) else {
        return own == other;
    };
    thing == other_thing && wanted.split(',').all(|wanted| actions.split(',').any(|action| action == wanted))
}

/// The scopes of a list with spaces, as far as they are some (RFC 6749, section 3.3).
fn scopes(list: &str) -> Vec<String> {
    let good = |scope: &&str| {
        let plain = scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
        !scope.is_empty() && scope.len() <= MAX_SCOPE && plain
    };
    list.split(' ').filter(good).take(MAX_SCOPES).map(str::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_of_a_challenge_are_asked_for_where_ours_do_not_include_them() {
        let own = scopes("repository:team/app:pull,push");
        for (named, more) in [
            ("", vec![]),
            ("repository:team/app:pull", vec![]),
            ("repository:team/app:push,pull", vec![]),
            ("repository:team/app:pull,delete", vec!["repository:team/app:pull,delete"]),
            ("aws", vec!["aws"]),
            ("repository:real/app:pull  registry:catalog:*", vec!["repository:real/app:pull", "registry:catalog:*"]),
            ("a\"b é a\u{7f}b", vec![]),
        ] {
            assert_eq!(beyond(&own, &scopes(named)).collect::<Vec<_>>(), more, "{named}");
        }
        assert_eq!(scopes(&"a ".repeat(100)).len(), MAX_SCOPES);
        assert!(scopes(&"a".repeat(MAX_SCOPE + 1)).is_empty());
    }

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
}

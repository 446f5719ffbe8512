//! What a client gives to be let in with, and the one place that decides which registry it is sent to.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reqwest::Url;
use serde::Deserialize;

use super::hosts::{same_registry, url_of_server};
use crate::domain::Secret;
use crate::domain::error::{Error, Result};
use crate::domain::manifest::object;

/// The longest header that is read; tokens of some clouds have several KiB.
const MAX_HEADER: usize = 64 << 10;

/// What a client gives to be let in with, and the registry that it is for. It is sent to no other registry.
///
/// The default is anonymous.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    login: Login,
    audience: Audience,
}

/// What is sent to a registry, or to its token service. [`Credential::for_registry`] alone gives it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Login {
    /// Nothing: what is public is served.
    #[default]
    Anonymous,
    /// A user and a password.
    Basic { username: String, password: Secret },
    /// A refresh token that a login gave; the token service changes it into access tokens.
    IdentityToken(Secret),
    /// An access token that is sent to the registry as it is.
    RegistryToken(Secret),
}

/// Which registry a credential is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Audience {
    /// The client named none: the one that it asks.
    #[default]
    Any,
    Registry(Url),
    /// The client named something that is no registry.
    Nobody,
}

/// A credential as Docker's clients write it.
#[derive(Deserialize)]
struct AuthConfig {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    identitytoken: Option<String>,
    #[serde(default)]
    registrytoken: Option<String>,
    #[serde(default)]
    serveraddress: Option<String>,
}

impl Credential {
    /// No credential: what is public is served.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A user and a password, for whichever registry is asked.
    pub fn basic(username: impl Into<String>, password: Secret) -> Self {
        Login::Basic { username: username.into(), password }.into()
    }

    /// A refresh token that a login gave, for whichever registry is asked.
    pub fn identity_token(token: Secret) -> Self {
        Login::IdentityToken(token).into()
    }

    /// An access token that is sent to the registry as it is, for whichever registry is asked.
    pub fn registry_token(token: Secret) -> Self {
        Login::RegistryToken(token).into()
    }

    /// The same credential for one registry: `host`, `host:port` or a URL, whose scheme and path are ignored; the names
    /// of Docker Hub are one registry. Empty is whichever registry is asked; a text that names no host is none.
    #[must_use]
    pub fn for_server(mut self, server: &str) -> Self {
        self.audience = match server.trim() {
            "" => Audience::Any,
            server => url_of_server(server).map_or(Audience::Nobody, Audience::Registry),
        };
        self
    }

    /// Reads the `X-Registry-Auth` header: base64, of either alphabet and with or without padding, of a JSON object.
    /// An empty header or object is anonymous.
    ///
    /// # Errors
    /// `InvalidArgument` for everything else; the text does not repeat the header.
    pub fn from_header(header: &str) -> Result<Self> {
        let header = header.trim();
        if header.is_empty() {
            return Ok(Self::anonymous());
        }
        if header.len() > MAX_HEADER {
            return Err(refused("it is too long"));
        }
        Self::from_json(&base64_any(header).ok_or_else(|| refused("it is not base64"))?)
    }

    /// Reads the JSON object by itself, as `POST /auth` carries it. Its `serveraddress` is the registry that the
    /// credential is for.
    ///
    /// # Errors
    /// `InvalidArgument` where it is no such object; the text does not repeat it.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        // The cause would quote the password.
        let config: AuthConfig = object(json).map_err(|_| refused("it holds no JSON object of texts"))?;
        let server = config.serveraddress.clone().unwrap_or_default();
        Ok(Self::from(Login::read(config)?).for_server(&server))
    }

    /// What may be sent to the registry at a URL: the credential if it is for that registry, else nothing.
    pub(super) fn for_registry(&self, registry: &Url) -> Login {
        let other = match &self.audience {
            Audience::Any => return self.login.clone(),
            Audience::Registry(own) if same_registry(own, registry) => return self.login.clone(),
            Audience::Registry(other) => other.authority(),
            Audience::Nobody => "",
        };
        if self.login != Login::Anonymous {
            let host = registry.authority();
            tracing::debug!(
                registry.host = host,
                credential.server = other,
                "a credential for another registry is not sent"
            );
        }
        Login::Anonymous
    }
}

impl From<Login> for Credential {
    fn from(login: Login) -> Self {
        Self { login, audience: Audience::Any }
    }
}

impl Login {
    fn read(config: AuthConfig) -> Result<Self> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = given(config.registrytoken) {
            return Ok(Self::RegistryToken(Secret::new(token)));
        }
        if let Some(token) = given(config.identitytoken) {
            return Ok(Self::IdentityToken(Secret::new(token)));
        }
        let (username, password) = match (given(config.username), given(config.password), given(config.auth)) {
            (None, None, Some(auth)) => split_auth(&auth)?,
            (username, password, _) => (username.unwrap_or_default(), password.unwrap_or_default()),
        };
        if username.contains([':', '\0']) || username.chars().any(char::is_control) {
            return Err(refused("its user name cannot be sent"));
        }
        if username.is_empty() && password.is_empty() {
            return Ok(Self::Anonymous);
        }
        Ok(Self::Basic { username, password: Secret::new(password) })
    }
}

/// The `auth` field of old clients: base64 of `user:password`.
fn split_auth(auth: &str) -> Result<(String, String)> {
    let text = base64_any(auth).and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| refused("its auth field is not base64"))?;
    let (username, password) = text.split_once(':').ok_or_else(|| refused("its auth field has no password"))?;
    Ok((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

fn base64_any(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    GeneralPurpose::new(&alphabet, config).decode(text).ok()
}

fn refused(why: &str) -> Error {
    Error::invalid(format!("invalid X-Registry-Auth header: {why}"))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    fn basic(username: &str, password: &str) -> Credential {
        Credential::basic(username, Secret::new(password))
    }

    #[test]
    fn every_form_that_clients_send_is_read() {
        let json = r#"{"username":"u","password":"p?>~ÿ","serveraddress":"reg.example"}"#;
        for header in [STANDARD.encode(json), URL_SAFE.encode(json), URL_SAFE_NO_PAD.encode(json)] {
            let expected = basic("u", "p?>~ÿ").for_server("https://reg.example/v2/");
            assert_eq!(Credential::from_header(&header).unwrap(), expected, "{header}");
        }
        for (json, expected) in [
            ("{}", Credential::anonymous()),
            (r#"{"username":"","password":""}"#, Credential::anonymous()),
            (r#"{"username":null}"#, Credential::anonymous()),
            (r#"{"identitytoken":"t","username":"u"}"#, Credential::identity_token(Secret::new("t"))),
            (r#"{"registrytoken":"t"}"#, Credential::registry_token(Secret::new("t"))),
            (r#"{"auth":"dTpwOnE="}"#, basic("u", "p:q")),
        ] {
            assert_eq!(Credential::from_header(&STANDARD.encode(json)).unwrap(), expected, "{json}");
        }
        assert_eq!(Credential::from_header("").unwrap(), Credential::anonymous());
    }

    #[test]
    fn what_is_no_credential_is_refused_without_being_repeated() {
        for header in [
            "%%%".to_owned(),
            "A".repeat(MAX_HEADER + 1),
            STANDARD.encode("[]"),
            STANDARD.encode("null"),
            STANDARD.encode(r#"{"username":"#),
            STANDARD.encode(r#"{"username":["secret"]}"#),
            STANDARD.encode(r#"{"username":"u","password":"secret","serveraddress":1}"#),
            STANDARD.encode(r#"{"username":"a:b","password":"c"}"#),
            STANDARD.encode(r#"{"auth":"!"}"#),
            STANDARD.encode("[".repeat(10_000)),
            STANDARD.encode(b"\xff\xfe"),
        ] {
            let error = Credential::from_header(&header).unwrap_err();
            assert!(error.chain().len() < 100 && !error.chain().contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_credential_is_given_out_for_its_own_registry_only() {
        const HUB: &str = "https://registry-1.docker.io/";
        for (server, registry, sent) in [
            ("", "https://reg.example/", true),
            (" ", HUB, true),
            ("reg.example", "https://reg.example/", true),
            ("REG.example:443", "https://reg.example/", true),
            ("http://reg.example", "https://reg.example/", true),
            ("https://reg.example:5000/v2/", "https://reg.example:5000/", true),
            ("reg.example:5000", "https://reg.example/", false),
            ("reg.example", "https://reg.example:5000/", false),
            ("reg.example", "https://reg.example.evil/", false),
            ("reg.example", "https://sub.reg.example/", false),
            ("sub.reg.example", "https://reg.example/", false),
            ("reg.example@evil.example", "https://evil.example/", false),
            ("https://u:p@reg.example", "https://reg.example/", false),
            ("evil.example/reg.example", "https://reg.example/", false),
            ("not a host", "https://reg.example/", false),
            ("[::1]:5000", "https://[::1]:5000/", true),
            ("127.0.0.1:5000", "https://127.0.0.1:5000/", true),
            ("127.0.0.1:5000", "https://127.0.0.1:5001/", false),
            ("localhost:5000", "https://127.0.0.1:5000/", false),
            ("https://index.docker.io/v1/", HUB, true),
            ("docker.io", HUB, true),
            ("registry-1.docker.io", HUB, true),
            ("registry.hub.docker.com", HUB, true),
            ("https://hub.docker.com", "https://index.docker.io/", true),
            ("docker.io", "https://registry.hub.docker.com/", true),
            ("docker.io:5000", HUB, false),
            ("evil.docker.io", HUB, false),
            ("reg.example", HUB, false),
            ("https://index.docker.io/v1/", "https://reg.example/", false),
        ] {
            let registry = Url::parse(registry).unwrap();
            for credential in [
                basic("u", "p"),
                Credential::identity_token(Secret::new("t")),
                Credential::registry_token(Secret::new("t")),
            ] {
                let credential = credential.for_server(server);
                let given = credential.for_registry(&registry);
                assert_eq!(given != Login::Anonymous, sent, "{server:?} for {registry}");
                assert!(given == Login::Anonymous || given == credential.login);
            }
        }
    }
}

//! What a client gives to be let in with.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::domain::Secret;
use crate::domain::error::{Error, Result};
use crate::domain::manifest::object;

/// The longest header that is read; tokens of some clouds have several KiB.
const MAX_HEADER: usize = 64 << 10;

/// What opens a registry. It is for one registry and is sent to no other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Credential {
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

#[derive(Deserialize)]
struct Wire {
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
}

impl Credential {
    /// Reads the `X-Registry-Auth` header: base64, of either alphabet and with or without padding, of a JSON object.
    /// An empty header or object is [`Credential::Anonymous`].
    ///
    /// # Errors
    /// `InvalidArgument` for everything else; the text does not repeat the header.
    pub fn from_header(header: &str) -> Result<Self> {
        let header = header.trim();
        if header.is_empty() {
            return Ok(Self::Anonymous);
        }
        if header.len() > MAX_HEADER {
            return Err(refused("it is too long"));
        }
        Self::from_json(&base64_any(header).ok_or_else(|| refused("it is not base64"))?)
    }

    /// Reads the JSON object by itself, as `POST /auth` carries it. Fields that say where the credential is for are left
    /// to the caller.
    ///
    /// # Errors
    /// `InvalidArgument` where it is no such object; the text does not repeat it.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        // The cause would quote the password.
        let wire: Wire = object(json).map_err(|_| refused("it holds no JSON object of texts"))?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = given(wire.registrytoken) {
            return Ok(Self::RegistryToken(Secret::new(token)));
        }
        if let Some(token) = given(wire.identitytoken) {
            return Ok(Self::IdentityToken(Secret::new(token)));
        }
        let (username, password) = match (given(wire.username), given(wire.password), given(wire.auth)) {
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
        Credential::Basic { username: username.into(), password: Secret::new(password) }
    }

    #[test]
    fn every_form_that_clients_send_is_read() {
        let json = r#"{"username":"u","password":"p?>~ÿ","serveraddress":"reg.example"}"#;
        for header in [STANDARD.encode(json), URL_SAFE.encode(json), URL_SAFE_NO_PAD.encode(json)] {
            assert_eq!(Credential::from_header(&header).unwrap(), basic("u", "p?>~ÿ"), "{header}");
        }
        for (json, expected) in [
            ("{}", Credential::Anonymous),
            (r#"{"username":"","password":""}"#, Credential::Anonymous),
            (r#"{"username":null}"#, Credential::Anonymous),
            (r#"{"identitytoken":"t","username":"u"}"#, Credential::IdentityToken(Secret::new("t"))),
            (r#"{"registrytoken":"t"}"#, Credential::RegistryToken(Secret::new("t"))),
            (r#"{"auth":"dTpwOnE="}"#, basic("u", "p:q")),
        ] {
            assert_eq!(Credential::from_header(&STANDARD.encode(json)).unwrap(), expected, "{json}");
        }
        assert_eq!(Credential::from_header("").unwrap(), Credential::Anonymous);
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
            STANDARD.encode(r#"{"username":"a:b","password":"c"}"#),
            STANDARD.encode(r#"{"auth":"!"}"#),
            STANDARD.encode("[".repeat(10_000)),
            STANDARD.encode(b"\xff\xfe"),
        ] {
            let error = Credential::from_header(&header).unwrap_err();
            assert!(error.chain().len() < 100 && !error.chain().contains("secret"), "{error:?}");
        }
    }
}

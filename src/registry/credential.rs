//! What a client gives to be let in with.

use crate::domain::Secret;
use crate::domain::error::{Error, Kind, Result};

/// What opens a registry. It is for one registry and is sent to no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

impl Credential {
    /// Reads the `X-Registry-Auth` header: base64 of a JSON object.
    ///
    /// # Errors
    /// `InvalidArgument` for everything else.
    pub fn from_header(header: &str) -> Result<Self> {
        let _ = header;
        Err(Error::new(Kind::NotImplemented, "registries are not served yet"))
    }
}

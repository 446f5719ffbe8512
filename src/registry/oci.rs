//! What `oci-client` does here, and why not more.
//!
//! It serves requests whose answer has no body: it reads error bodies, documents and tokens whole, whatever their size,
//! and takes any token service, which does not suit a registry that may be hostile. Those paths are this module's
//! neighbours'. It also follows any redirect; what that can lead to here is a HEAD without a credential. Its other traps are
//! kept shut here: a client keeps the first credential that it is given, so there is one per registry and credential and it
//! never sees the credential, only tokens that were checked; and some answers make it panic, so each request is a task of
//! its own.

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::{RegistryToken, RegistryTokenType};
use oci_client::{Reference, RegistryOperation};

use crate::domain::Digest;
use crate::domain::error::{Error, Result};

use super::settings::{Proxies, Timeouts};

/// A client for one registry and one credential.
#[derive(Clone)]
pub(super) struct Client {
    inner: oci_client::Client,
}

/// How a client reaches its registry, which has TLS.
pub(super) struct Options {
    pub unverified: bool,
    pub authorities_pem: Vec<Vec<u8>>,
    pub user_agent: &'static str,
    pub timeouts: Timeouts,
    pub proxies: Proxies,
}

impl Client {
    /// Prepares a client.
    ///
    /// # Errors
    /// `Internal` where TLS cannot be set up.
    pub fn new(options: Options) -> Result<Self> {
        let pem = |data| Certificate { encoding: CertificateEncoding::Pem, data };
        let config = ClientConfig {
            protocol: ClientProtocol::Https,
            accept_invalid_certificates: options.unverified,
            extra_root_certificates: options.authorities_pem.into_iter().map(pem).collect(),
            read_timeout: Some(options.timeouts.stall),
            connect_timeout: Some(options.timeouts.connect),
            user_agent: options.user_agent,
            http_proxy: options.proxies.http,
            https_proxy: options.proxies.https,
            no_proxy: options.proxies.none,
            ..ClientConfig::default()
        };
        // `Client::new` would fall back to defaults in silence.
        let inner = oci_client::Client::try_from(config)
            .map_err(|cause| Error::internal("preparing a registry client", cause))?;
        Ok(Self { inner })
    }

    /// Whether a repository of the registry at `host` holds a blob, asked with a token of ours, or none if that is empty;
    /// `None` where the answer is neither yes nor no.
    pub async fn blob_exists(&self, host: &str, path: &str, blob: &Digest, token: &str) -> Option<bool> {
        let reference = Reference::with_digest(host.to_owned(), path.to_owned(), blob.to_string());
        let (client, digest, token) = (self.inner.clone(), blob.to_string(), token.to_owned());
        let asking = tokio::spawn(async move {
            if !token.is_empty() {
                // With a static token stored, the client never goes to a token service by itself.
                client.store_auth_if_needed(reference.registry(), &RegistryAuth::Bearer(token.clone())).await;
                let token = RegistryTokenType::Bearer(RegistryToken::Token { token });
                client.tokens.insert(&reference, RegistryOperation::Pull, token).await;
            }
            client.blob_exists(&reference, &digest).await
        });
        match asking.await {
            Ok(Ok(exists)) => Some(exists),
            Ok(Err(cause)) => {
                tracing::debug!(registry.host = host, error = %cause, "asking again for a blob");
                None
            }
            Err(cause) => {
                tracing::warn!(registry.host = host, error = %cause, "a registry's answer made a request panic");
                None
            }
        }
    }
}

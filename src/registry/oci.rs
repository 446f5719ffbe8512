//! What `oci-client` does here, and why not more.
//!
//! It asks whether a repository holds a blob: a request whose answer has no body. A client keeps the first credential that
//! it is given, so there is one per registry and credential, and it never sees the credential, only tokens that this crate
//! has got and checked. Each request is a task of its own, because some answers make it panic.
//!
//! Everything else that a registry client needs, it does in a way that a hostile registry can use, or that loses what
//! Docker's clients are used to. Its HTTP client is private and made from [`ClientConfig`], which has no place for a
//! transport, a limit on bodies or a rule for redirects; so none of that can be added from here, and asking for the size
//! beforehand limits nothing. (A proxy of our own on the loopback could count bytes, but every user of the machine could
//! reach it, and it would see a connection, not an answer.) Each reason has a test below that shows it with the version in
//! use: where one fails after an update, `oci-client` can take that part over.
//!
//! | part | why it is not `oci-client`'s | shown by |
//! | --- | --- | --- |
//! | manifests | reads a body whole, whatever its size; does not tell the media type | `a_manifest_is_read_whatever_its_size` |
//! | digest of a tag | falls back to that where the answer to HEAD lacks the digest | `a_head_without_a_digest_becomes_a_get` |
//! | pushing manifests, mounts, uploads, blobs | read the body of a refusal whole, and lose its `Retry-After` | `a_refusal_is_read_whatever_its_size`, `how_long_to_wait_is_lost` |
//! | mounts | an upload that the registry opened instead is lost, so each blob costs a request more | `an_upload_opened_by_a_mount_is_lost` |
//! | tags, referrers | pages after the first are not read | `pages_after_the_first_are_lost` |
//! | tokens | the registry names any service, and that is sent the password | `any_token_service_is_sent_the_password` |
//! | everything with a body | a redirect is followed into private networks and to unencrypted hosts | `a_redirect_leads_anywhere` |
//! | everything | some answers make it panic | `an_answer_can_make_it_panic` |
//!
//! The HEAD follows any redirect as well; what that can lead to is a HEAD without a credential. Mirrors below a path, client
//! certificates, bodies in gzip and connections that trickle are beyond it too.

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::{RegistryToken, RegistryTokenType};
use oci_client::{Reference, RegistryOperation};

use crate::domain::Digest;
use crate::domain::error::{Error, Result};

use super::proxies::Proxies;
use super::settings::Timeouts;

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
                tracing::warn!(registry.host = host, error = %cause, "a panic while asking a registry for a blob; asking again");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;

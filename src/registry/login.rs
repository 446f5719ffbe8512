//! `docker login`: whether a registry accepts a credential.

use http::{Method, StatusCode};

use super::credential::Credential;
use super::endpoint::Endpoint;
use super::hosts;
use super::refusal;
use super::registries::Registries;
use super::transport::Outgoing;
use crate::domain::Secret;
use crate::domain::error::{Error, Kind, Result};

/// What a registry said to a login.
#[derive(Clone, Debug, PartialEq)]
pub struct LoginOutcome {
    /// What to use from now on in place of the password; absent where the registry gives no such token.
    pub identity_token: Option<Secret>,
}

impl Registries {
    /// Whether a registry accepts a credential, as `docker login` asks. `server` is a host with or without port, or a
    /// URL; empty is Docker Hub.
    ///
    /// # Errors
    /// `Unauthenticated` where it does not; `Unavailable` where the registry cannot be asked.
    pub async fn login(&self, server: &str, credential: &Credential) -> Result<LoginOutcome> {
        // Not from the cache: an earlier token must not stand in for the password.
        let registry = hosts::url_of_server(server)?;
        let login = credential.for_registry(&registry);
        let endpoint = Endpoint::new(self.net().clone(), registry, false, login);
        let net = &endpoint.net;
        let home = endpoint.base().await?;
        let url = home.join("v2/").map_err(|cause| Error::internal("making a URL", cause))?;
        let request = Outgoing::new(Method::GET, url);
        let mut response = net.exchange(&request, None).await?;
        let mut identity_token = None;
        if response.status() == StatusCode::UNAUTHORIZED {
            let header = match endpoint.auth.log_in(net, &home, &response).await? {
                Some(granted) => {
                    identity_token = granted.refresh_token;
                    Some(granted.header)
                }
                None => endpoint.auth.challenged(net, &home, &response, &[], None).await?,
            };
            if let Some(header) = header {
                response = net.exchange(&request, Some(&header)).await?;
            }
        }
        let status = response.status();
        if status.is_success() {
            return Ok(LoginOutcome { identity_token });
        }
        let detail = refusal::detail(net, response).await;
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let detail = detail.unwrap_or_else(|| "unauthorized: incorrect username or password".to_owned());
                Error::new(Kind::Unauthenticated, detail)
            }
            _ => {
                let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
                Error::new(
                    Kind::Unavailable,
                    format!("login attempt to {} failed with status {status}{detail}", request.url),
                )
            }
        })
    }
}

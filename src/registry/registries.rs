//! All registries, and what is kept of each between requests.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use reqwest::Url;
use tokio::time::Instant;

use super::credential::{Credential, Login};
use super::endpoint::Endpoint;
use super::hosts;
use super::repository::{Access, Repository};
use super::settings::Settings;
use super::transport::Net;
use crate::domain::Reference;
use crate::domain::error::Result;

/// How many registries, each with one credential, have their tokens kept.
const MAX_ENDPOINTS: usize = 64;

/// Every registry the daemon can reach, and the connections and tokens it holds for them.
///
/// A clone shares them.
///
/// # Examples
/// What a tag points at, asked without a credential:
///
/// ```no_run
/// # async fn example() -> loadline::domain::Result<()> {
/// use loadline::domain::Reference;
/// use loadline::registry::{Access, Credential, Registries, Settings};
///
/// let registries = Registries::new(Settings::default())?;
/// let image = Reference::parse("busybox:latest")?;
/// let repository = registries.repository(&image, Access::Pull, Credential::anonymous())?;
/// println!("{}", repository.resolve(&image).await?.descriptor.digest);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Registries {
    inner: Arc<Shared>,
}

struct Shared {
    net: Arc<Net>,
    mirrors: Vec<Url>,
    /// What is known of a registry belongs to one credential: another must not profit from its tokens.
    endpoints: Mutex<Endpoints>,
}

/// By URL, whether it is a mirror, and what it is sent; with the time of the last use.
type Endpoints = HashMap<(Url, bool, Login), (Arc<Endpoint>, Instant)>;

impl Registries {
    /// Reads the settings; opens nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for a mirror that is no URL.
    pub fn new(settings: Settings) -> Result<Self> {
        let mirrors: Vec<Url> = settings.mirrors.iter().map(|mirror| hosts::mirror(mirror)).collect::<Result<_>>()?;
        let net = Arc::new(Net::new(settings, &mirrors)?);
        Ok(Self { inner: Arc::new(Shared { net, mirrors, endpoints: Mutex::default() }) })
    }

    /// The repository that a reference is in, to be used with a credential. Sends nothing yet.
    ///
    /// # Errors
    /// `InvalidArgument` where the reference's domain is no host.
    pub fn repository(&self, name: &Reference, access: Access, credential: Credential) -> Result<Repository> {
        let mirrors = match access {
            Access::Pull if name.domain() == hosts::HUB_NAME => self.inner.mirrors.as_slice(),
            _ => &[],
        };
        let mirrors = mirrors.iter().map(|url| self.endpoint(url.clone(), true, &Credential::anonymous())).collect();
        let origin = self.endpoint(hosts::url_of(name.domain())?, false, &credential);
        Ok(Repository::new(name, access, mirrors, origin))
    }

    /// The registry at a URL, asked with the credential if that is for it.
    pub(super) fn endpoint(&self, url: Url, mirror: bool, credential: &Credential) -> Arc<Endpoint> {
        let login = credential.for_registry(&url);
        let mut endpoints = self.inner.endpoints.lock();
        let now = Instant::now();
        let key = (url, mirror, login);
        if let Some((endpoint, used)) = endpoints.get_mut(&key) {
            *used = now;
            return endpoint.clone();
        }
        if endpoints.len() >= MAX_ENDPOINTS
            && let Some(oldest) = endpoints.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
        {
            endpoints.remove(&oldest);
        }
        let endpoint = Arc::new(Endpoint::new(self.inner.net.clone(), key.0.clone(), mirror, key.2.clone()));
        endpoints.insert(key, (endpoint.clone(), now));
        endpoint
    }

    pub(super) fn net(&self) -> &Arc<Net> {
        &self.inner.net
    }
}

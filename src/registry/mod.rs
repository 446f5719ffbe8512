//! Registries: the OCI distribution protocol as the daemon speaks it, with Docker's names and habits.
//!
//! [`Registries`] is made once. It hands out a [`Repository`] for a name and a [`Credential`]; all requests go through
//! that. What a registry answers is taken for hostile: bodies are bounded, documents are checked against their digest and
//! against what was said of them, and a credential goes to the registry it is for and to that registry's token service,
//! nowhere else.

mod auth;
mod blobs;
mod credential;
mod download;
mod endpoint;
mod hosts;
mod lists;
mod login;
mod manifests;
mod oci;
mod policy;
mod refusal;
mod search;
mod settings;
mod tls;
mod transport;
mod uploads;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use reqwest::Url;
use tokio::time::Instant;

pub use credential::Credential;
pub use download::{Download, without_secrets};
pub use policy::InsecureRegistry;
pub use search::SearchHit;
pub use settings::{Proxies, Settings, Timeouts};

use crate::domain::error::Result;
use crate::domain::{Descriptor, Reference, Secret};
use credential::Login;
use endpoint::Endpoint;
use transport::Net;

/// How many registries, each with one credential, have their tokens kept.
const MAX_ENDPOINTS: usize = 64;

/// What is to be done with a repository; it decides what is asked of the token service, and whether mirrors serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing. Mirrors are never written to.
    Push,
}

/// Every registry the daemon can reach, and the connections and tokens it holds for them.
///
/// A clone shares them.
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

/// What a registry said to a login.
#[derive(Clone, Debug, PartialEq)]
pub struct LoginOutcome {
    /// What to use from now on in place of the password; absent where the registry gives no such token.
    pub identity_token: Option<Secret>,
}

/// What a tag or digest stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Of the index or manifest: its type, digest and size, nothing else.
    pub descriptor: Descriptor,
    /// The document itself, where finding its digest took fetching it. It is what `descriptor` says.
    pub bytes: Option<Bytes>,
}

/// The bytes of a blob as they arrive.
pub type BlobStream = BoxStream<'static, Result<Bytes>>;

/// A blob that is being fetched.
pub struct BlobBody {
    /// Where in the blob the stream begins: as asked for, or 0 where the registry does not serve ranges.
    pub start: u64,
    /// The rest of the blob from there. It never yields more than the descriptor's size; it fails with `Unavailable`
    /// where the connection ends early or nothing arrives for too long, and may then be asked for again from where it
    /// ended. The digest is *not* checked here: only who has all the bytes can.
    pub stream: BlobStream,
}

/// What came of asking a registry to take over a blob from another of its repositories.
#[derive(Debug)]
pub enum Mounted {
    /// The blob is in the repository now.
    Yes,
    /// It must be uploaded; the registry may have opened an upload for that already.
    No(Option<UploadSession>),
}

/// An upload that a registry has opened, to be handed to [`Repository::upload`].
#[derive(Debug)]
pub struct UploadSession {
    location: Url,
    /// The fewest bytes that a request in the middle of it may carry.
    least: u64,
}

/// A repository, and the right to read or write it. A clone shares it.
#[derive(Clone)]
pub struct Repository {
    inner: Arc<Place>,
}

struct Place {
    name: Reference,
    scopes: Vec<String>,
    /// The mirrors, then the registry itself, which is always there.
    mirrors: Vec<Arc<Endpoint>>,
    origin: Arc<Endpoint>,
}

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
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let mirrors = mirrors.iter().map(|url| self.endpoint(url.clone(), true, &Credential::anonymous())).collect();
        let origin = self.endpoint(hosts::url_of(name.domain())?, false, &credential);
        let scopes = vec![format!("repository:{}:{actions}", name.path())];
        Ok(Repository { inner: Arc::new(Place { name: name.trimmed(), scopes, mirrors, origin }) })
    }

    /// The registry at a URL, asked with the credential if that is for it.
    fn endpoint(&self, url: Url, mirror: bool, credential: &Credential) -> Arc<Endpoint> {
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

    fn net(&self) -> Arc<Net> {
        self.inner.net.clone()
    }
}

impl Repository {
    /// The repository's name, without tag and digest.
    pub fn name(&self) -> &Reference {
        &self.inner.name
    }

    fn familiar(&self) -> String {
        self.inner.name.familiar_name()
    }

    fn scopes(&self) -> &[String] {
        &self.inner.scopes
    }

    fn origin(&self) -> &Endpoint {
        &self.inner.origin
    }

    /// Something of this repository, below `/v2/`.
    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.inner.name.path())
    }

    /// Asks the mirrors in turn and then the registry, and takes the first answer. Whatever a mirror fails with is only
    /// a reason to ask the next: what counts is what the registry says.
    async fn try_each<'a, T, F>(&'a self, ask: impl Fn(&'a Endpoint) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        for mirror in self.inner.mirrors.iter().filter(|mirror| !mirror.rests()) {
            match ask(mirror).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let (host, error) = (mirror.host(), error.chain());
                    tracing::debug!(registry.host = host, error, "a mirror does not serve {}", self.inner.name);
                }
            }
        }
        ask(self.origin()).await
    }
}

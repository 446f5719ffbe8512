//! One repository of a registry, and who answers for it.

use std::future::Future;
use std::sync::Arc;

use super::endpoint::Endpoint;
use crate::domain::Reference;
use crate::domain::error::Result;

/// What is to be done with a repository; it decides what is asked of the token service, and whether mirrors serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing. Mirrors are never written to.
    Push,
}

/// A repository, and the right to read or write it. A clone shares it.
#[derive(Clone)]
pub struct Repository {
    inner: Arc<Shared>,
}

struct Shared {
    name: Reference,
    scopes: Vec<String>,
    /// The mirrors, then the registry itself, which is always there.
    mirrors: Vec<Arc<Endpoint>>,
    origin: Arc<Endpoint>,
}

impl Repository {
    pub(super) fn new(name: &Reference, access: Access, mirrors: Vec<Arc<Endpoint>>, origin: Arc<Endpoint>) -> Self {
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let scopes = vec![format!("repository:{}:{actions}", name.path())];
        Self { inner: Arc::new(Shared { name: name.trimmed(), scopes, mirrors, origin }) }
    }

    /// The repository's name, without tag and digest.
    pub fn name(&self) -> &Reference {
        &self.inner.name
    }

    pub(super) fn familiar(&self) -> String {
        self.inner.name.familiar_name()
    }

    pub(super) fn scopes(&self) -> &[String] {
        &self.inner.scopes
    }

    pub(super) fn origin(&self) -> &Endpoint {
        &self.inner.origin
    }

    /// Something of this repository, below `/v2/`.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.inner.name.path())
    }

    /// Asks the mirrors in turn and then the registry, and takes the first answer. Whatever a mirror fails with is only
    /// a reason to ask the next: what counts is what the registry says.
    pub(super) async fn try_each<'a, T, F>(&'a self, ask: impl Fn(&'a Endpoint) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        for mirror in self.inner.mirrors.iter().filter(|mirror| !mirror.was_just_unreachable()) {
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

//! What registries are asked without a pull.

use super::core::Engine;
use crate::domain::manifest::{Document, ImageConfig, MAX_CONFIG, Manifest};
use crate::domain::{Descriptor, Detail, Digest, Error, Kind, MediaType, Platform, Reference, Result};
use crate::registry::{Access, Credential, LoginOutcome, Repository, SearchHit};
use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;

/// An image as a registry has it.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteImage {
    /// What the name stands for: type, digest and size.
    pub descriptor: Descriptor,
    /// The platforms that an index names, in order, or that of a manifest of Docker's type; absent for other manifests,
    /// of which Docker Engine does not tell it either.
    pub platforms: Option<Vec<Platform>>,
}

impl Engine {
    /// Whether a registry accepts a credential. `server` is a host with or without port, or a URL; empty is Docker Hub.
    ///
    /// # Errors
    /// `Unauthenticated` where it does not; `Unavailable` where the registry cannot be asked.
    pub async fn login(&self, server: &str, credential: &Credential) -> Result<LoginOutcome> {
        self.0.registries.login(server, credential).await
    }

    /// The repositories that an index finds for a term, at most `limit`.
    ///
    /// # Errors
    /// Those of [`crate::registry::Registries::search`].
    pub async fn search(
        &self,
        term: &str,
        limit: u32,
        credential: Credential,
        headers: HeaderMap,
    ) -> Result<Vec<SearchHit>> {
        self.0.registries.search(term, limit, credential, headers).await
    }

    /// What a name stands for in its registry.
    ///
    /// # Errors
    /// `NotFound` where the registry lacks it; else as the registry has it.
    pub async fn remote(&self, name: &Reference, credential: Credential) -> Result<RemoteImage> {
        let repository = self.0.registries.repository(name, Access::Pull, credential)?;
        let resolved = repository.resolve(name).await.map_err(|error| match error.kind() {
            Kind::NotFound => {
                Error::not_found(Detail::NoSuchRemoteManifest { name: name.familiar() }).with_cause(error)
            }
            _ => error,
        })?;
        let descriptor = resolved.descriptor;
        let known = self.0.catalog.state().document(&descriptor.digest).cloned();
        let document = match (known, resolved.bytes) {
            (Some(known), _) => known,
            (None, Some(bytes)) => Document::decode(&bytes, &descriptor.media_type)?.into(),
            (None, None) => {
                let (_, bytes) = repository.manifest(&descriptor.digest, Some(&descriptor.media_type)).await?;
                Document::decode(&bytes, &descriptor.media_type)?.into()
            }
        };
        let platforms = match document.as_ref() {
            Document::Index(index) => {
                Some(index.manifests.iter().filter_map(|child| child.platform.as_deref().cloned()).collect())
            }
            Document::Manifest(manifest) if manifest.config.media_type == MediaType::DOCKER_CONFIG => {
                Some(platform(&repository, manifest).await?.into_iter().collect())
            }
            Document::Manifest(_) => None,
        };
        Ok(RemoteImage { descriptor, platforms })
    }
}

/// The platform that a manifest's configuration names; `None` where it names none.
async fn platform(repository: &Repository, manifest: &Manifest) -> Result<Option<Platform>> {
    let config = ImageConfig::decode(&small_blob(repository, &manifest.config).await?)?;
    let (os, architecture) = (config.text("os"), config.text("architecture"));
    let given = !(os.is_empty() && architecture.is_empty());
    Ok(given.then(|| Platform::new(os, architecture).with_variant(config.text("variant"))))
}

/// A blob of at most the size of a configuration, checked.
async fn small_blob(repository: &Repository, descriptor: &Descriptor) -> Result<Bytes> {
    let digest = &descriptor.digest;
    if descriptor.size > MAX_CONFIG {
        return Err(Error::invalid(format!("image configuration is larger than {MAX_CONFIG} bytes")));
    }
    let mut body = repository.blob(descriptor, 0).await?.stream;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() as u64 > descriptor.size {
            return Err(Error::invalid(format!("content {digest} is larger than its descriptor says")));
        }
    }
    match Digest::compute(digest.algorithm(), &bytes) == *digest {
        true => Ok(bytes.into()),
        false => Err(Error::new(Kind::DataLoss, format!("content of {digest} does not match its digest"))),
    }
}

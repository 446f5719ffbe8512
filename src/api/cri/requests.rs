//! What requests of both protocols ask for, read and carried out.

use std::sync::Arc;

use serde_json::json;

use super::proto::runtime::v1::AuthConfig;
use super::source::NodeStore;
use crate::domain::{Digest, Error, Reference, Result};
use crate::engine::{Credential, NodeImage};

/// The images that a filter lets through: all, or the one that it names.
pub fn listed(store: &impl NodeStore, filter: Option<&str>) -> Result<Arc<[Arc<NodeImage>]>> {
    match filter {
        None | Some("") => Ok(store.images()),
        Some(name) => match of_repository(&store.images(), name) {
            images if images.is_empty() => Ok(store.find(name)?.into_iter().collect()),
            images => Ok(images.into()),
        },
    }
}

/// The images that have a name in a repository; none where the text is no name, or has a tag or a digest.
fn of_repository(images: &[Arc<NodeImage>], text: &str) -> Vec<Arc<NodeImage>> {
    let repository = Reference::parse(text).ok().filter(|name| name.tag().is_none() && name.digest().is_none());
    let Some(repository) = repository else { return Vec::new() };
    let fits = |image: &&Arc<NodeImage>| image.names.iter().any(|name| name.same_repository(&repository));
    images.iter().filter(fits).cloned().collect()
}

/// Pulls what a client names.
pub async fn pull(store: &impl NodeStore, name: &str, auth: Option<AuthConfig>) -> Result<Digest> {
    let name = reference(name)?;
    store.pull(&name, credential(auth)?).await
}

fn reference(name: &str) -> Result<Reference> {
    if name.trim().is_empty() {
        return Err(Error::invalid("image name cannot be blank"));
    }
    let reference = Reference::parse(name)?;
    // As containerd has it: a digest says all, so that the tag is not looked at.
    Ok(match reference.digest() {
        Some(digest) => reference.trimmed().with_digest(digest.clone()),
        None => reference.with_default_tag(),
    })
}

/// The credential of a request. Its fields mean what they mean in Docker's JSON, so one reader serves both.
fn credential(auth: Option<AuthConfig>) -> Result<Credential> {
    let Some(auth) = auth else { return Ok(Credential::anonymous()) };
    let object = json!({
        "username": auth.username,
        "password": auth.password,
        "auth": auth.auth,
        "serveraddress": auth.server_address,
        "identitytoken": auth.identity_token,
        "registrytoken": auth.registry_token,
    });
    Credential::from_json(object.to_string().as_bytes())
}

//! Pull: an image for this node.

use crate::domain::{Detail, Digest, Error, Kind, Platform, Reference, Result};
use crate::engine::catalog::tree::Tree;
use crate::engine::core::Engine;
use crate::engine::pull::{PullEvent, PullRequest};
use crate::registry::Credential;

impl Engine {
    /// Pulls an image for the host's platform and returns its ID: the digest of that platform's configuration. The registry
    /// is asked with the credential, whatever is here already. Without tag and digest, it is the tag `latest`. Dropping the
    /// future ends the pull.
    ///
    /// # Errors
    /// Those of [`Engine::pull`]; `NotFound` where the image is not for the host.
    pub async fn pull_for_node(&self, name: &Reference, credential: Credential) -> Result<Digest> {
        let (reference, platform) = (name.clone().with_default_tag(), Platform::of_cpu());
        let request = PullRequest { reference, platform: Some(platform.clone()), credential };
        let mut events = self.pull(request);
        let mut pulled = None;
        while let Some(event) = events.recv().await {
            match event {
                PullEvent::Digest(digest) => pulled = Some(digest),
                PullEvent::Failed(error) => return Err(error),
                PullEvent::From { .. } | PullEvent::Blob { .. } | PullEvent::Done { .. } => {}
            }
        }
        let target = pulled.ok_or_else(|| Error::internal("the pull failed", "it told of no end"))?;
        let state = self.0.catalog.state();
        let record = state.names_of(&target).first().and_then(|name| state.name(name.as_str()));
        let record = record.ok_or_else(|| {
            Error::new(Kind::Conflict, format!("image {} was removed while it was pulled", name.familiar()))
        })?;
        let tree = Tree::new(&state, &record.target);
        let config =
            tree.runnable().and_then(|branch| branch.manifest()).map(|manifest| manifest.config.digest.clone());
        config.ok_or_else(|| {
            let (image, platform) = (name.familiar(), platform.to_string());
            Error::not_found(Detail::LacksPlatform { image, platform })
        })
    }
}

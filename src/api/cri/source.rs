//! What this facade needs of the engine.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::{Digest, Reference, Result};
use crate::engine::{ContentUsage, Credential, Engine, NodeImage};

/// The images of a node.
pub trait NodeStore: Send + Sync + 'static {
    /// Every image, newest first.
    fn images(&self) -> Arc<[Arc<NodeImage>]>;
    /// What a client calls an image; `None` where it is not here. [`crate::domain::Kind::InvalidArgument`] for a blank
    /// text, and for the beginning of several IDs.
    fn find(&self, name: &str) -> Result<Option<Arc<NodeImage>>>;
    /// The configuration of an image, byte for byte.
    fn config(&self, image: &NodeImage) -> impl Future<Output = Result<Vec<u8>>> + Send;
    /// Pulls an image and returns its ID.
    fn pull(&self, name: &Reference, credential: Credential) -> impl Future<Output = Result<Digest>> + Send;
    /// Removes an image with all its names; whether it was here. Fails as [`NodeStore::find`].
    fn remove(&self, name: &str) -> impl Future<Output = Result<bool>> + Send;
    /// How much of the disk is taken.
    fn usage(&self) -> impl Future<Output = Result<ContentUsage>> + Send;
    /// The directory of everything.
    fn data_root(&self) -> PathBuf;
    /// The time.
    fn now(&self) -> Timestamp;
}

impl NodeStore for Engine {
    fn images(&self) -> Arc<[Arc<NodeImage>]> {
        self.node_images()
    }

    fn find(&self, name: &str) -> Result<Option<Arc<NodeImage>>> {
        self.node_image(name)
    }

    async fn config(&self, image: &NodeImage) -> Result<Vec<u8>> {
        self.node_image_config(image).await
    }

    async fn pull(&self, name: &Reference, credential: Credential) -> Result<Digest> {
        self.pull_for_node(name, credential).await
    }

    async fn remove(&self, name: &str) -> Result<bool> {
        self.remove_from_node(name).await
    }

    async fn usage(&self) -> Result<ContentUsage> {
        self.content_usage().await
    }

    fn data_root(&self) -> PathBuf {
        Engine::data_root(self).to_owned()
    }

    fn now(&self) -> Timestamp {
        Engine::now(self)
    }
}

//! List and look up the images of this node.

use std::sync::Arc;

use super::images::{NodeImage, NodeImages};
use crate::domain::Result;
use crate::domain::manifest::MAX_CONFIG;
use crate::engine::catalog::State;
use crate::engine::core::{Engine, Inner};

impl Engine {
    /// The images that the host runs, newest first. Works in memory only, and little where nothing has changed.
    pub fn node_images(&self) -> Arc<[Arc<NodeImage>]> {
        self.0.node_images(&self.0.catalog.state()).0
    }

    /// One of them by a name, by `repository@digest`, by its ID, or by a unique beginning of that; `None` where there is
    /// none. A text that can be no name is that of no image.
    ///
    /// # Errors
    /// `InvalidArgument` where the text is blank, or the beginning of several IDs.
    pub fn node_image(&self, text: &str) -> Result<Option<Arc<NodeImage>>> {
        let state = self.0.catalog.state();
        Ok(self.0.node_images(&state).find(&state, text)?.cloned())
    }

    /// The configuration of an image, byte for byte.
    ///
    /// # Errors
    /// `NotFound` where the image has been removed.
    pub async fn node_image_config(&self, image: &NodeImage) -> Result<Vec<u8>> {
        self.whole(&image.id, MAX_CONFIG).await
    }
}

impl Inner {
    /// The images of a state that the host runs.
    pub(super) fn node_images(&self, state: &State) -> NodeImages {
        self.node.get(state, || self.catalog.snapshot_of(state), &self.settings.pinned)
    }
}

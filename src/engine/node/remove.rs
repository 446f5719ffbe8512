//! Remove: an image of this node, with all its names.

use crate::domain::Result;
use crate::engine::catalog::State;
use crate::engine::core::Engine;
use crate::engine::gc::collect::sweep;
use crate::engine::operation::{Operation, listed};
use crate::engine::publish::Report;
use crate::engine::remove::{shown_names, sweep_of};

impl Engine {
    /// Removes an image with all names that lead to it, of whatever repositories, and all content that nothing else uses;
    /// in one step. It is found as by [`Engine::node_image`]. Returns whether there was such an image.
    ///
    /// # Errors
    /// `InvalidArgument` where the text is blank, or the beginning of several IDs.
    pub async fn remove_from_node(&self, text: &str) -> Result<bool> {
        let operation = Operation::start();
        // So that nothing waits for the writer where there is nothing to remove, as kubelet often asks.
        if self.node_image(text)?.is_none() {
            return Ok(false);
        }
        let (inner, text) = (self.0.clone(), text.to_owned());
        let choose = move |state: &State| {
            let snapshot = inner.catalog.snapshot_of(state);
            let images = inner.node_images(state);
            let Some(image) = images.find(state, &text)? else {
                return Ok((sweep_of(state, [].into()), Report::Nothing, None));
            };
            let going = snapshot.entries.iter().filter(|entry| image.targets.contains(&entry.target.digest));
            let going: Vec<_> =
                going.map(|entry| (entry.target.digest.clone(), shown_names(&entry.names, &entry.opaque))).collect();
            let names = listed(going.iter().flat_map(|(_, names)| names));
            let sweep = sweep_of(state, image.targets.iter().cloned().collect());
            Ok((sweep, Report::Gone(going), Some((image.id.clone(), names))))
        };
        let (_, removed) = sweep(&self.0.publisher, choose).await?;
        if let Some((id, names)) = &removed {
            operation.done("removed", names, id);
        }
        Ok(removed.is_some())
    }
}

//! Tag: one more name for an image.

use super::catalog::resolve::resolve_target;
use super::graph::image_graph::Image;
use super::publish::names::name_changes;
use super::{Engine, Inner, now};
use crate::domain::event::Action;
use crate::domain::{Reference, Result, TagName};
use crate::store::Changes;

impl Engine {
    /// Gives an image a further name. The name keeps what stands beside the one that the image was found by (its
    /// descriptor's annotations).
    ///
    /// A name that pointed elsewhere moves; if it was the last of that image, the image stays without a name. A name
    /// that points there already stays as it is.
    ///
    /// # Errors
    /// `InvalidArgument` where `image` is no name; `NotFound` where there is no such image.
    pub async fn tag(&self, image: &str, name: &TagName) -> Result<()> {
        let (image, name) = (image.to_owned(), name.reference().clone());
        self.blocking(move |inner| inner.tag(&image, name)).await
    }
}

impl Inner {
    fn tag(&self, image: &str, name: Reference) -> Result<()> {
        let now = now();
        let mut writer = self.writer();
        let familiar = name.familiar();
        let (names, digest) = {
            let state = self.catalog.state();
            let target = resolve_target(&state, image)?.record.target.clone();
            let digest = target.digest.clone();
            let names = match state.name(&name.to_string()) {
                Some(record) if record.target.digest == digest => Vec::new(),
                _ => name_changes(&state, &[Image { target, name: Some(name) }], now),
            };
            (names, digest)
        };
        if !names.is_empty() {
            writer.commit(Changes { names, now, ..Changes::default() })?;
        }
        self.emit(Action::Tag, &digest.to_string(), &familiar);
        Ok(())
    }
}

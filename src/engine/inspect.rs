//! Inspect: one image in full.

use super::catalog::resolve::resolve;
use super::catalog::tree::Tree;
use super::clock::moment;
use super::core::{Engine, Inner};
use crate::domain::image::ImageDetail;
use crate::domain::manifest::{ImageConfig, MAX_CONFIG};
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Detail, Digest, Error, ImageName, Platform, Result};

impl Engine {
    /// One image, or one platform of it.
    ///
    /// Without a platform the answer shows the configuration that fits the host best. A platform that the image has but
    /// whose content is not here is shown with an empty one.
    ///
    /// # Errors
    /// `NotFound` where there is no such image, or it is not for the platform.
    pub async fn inspect(&self, name: &ImageName, platform: Option<&Platform>) -> Result<ImageDetail> {
        let (name, platform) = (name.clone(), platform.cloned());
        self.blocking(move |inner| inner.inspect(&name, platform.as_ref())).await
    }
}

impl Inner {
    fn inspect(&self, name: &ImageName, platform: Option<&Platform>) -> Result<ImageDetail> {
        let (mut detail, config) = {
            let state = self.catalog.state();
            let image = resolve(&state, name)?;
            let tree = Tree::new(&state, &image.record.target);
            let shown = match platform {
                Some(platform) => {
                    let found = tree.matching(&Matcher::strict(platform));
                    Some(found.ok_or_else(|| lacks_platform(name.text(), platform))?)
                }
                None => tree.best(),
            };
            let updated =
                state.names_of(&image.record.target.digest).into_iter().filter_map(|name| state.name(name.as_str()));
            let detail = ImageDetail {
                target: match (platform, shown) {
                    (Some(_), Some(branch)) => Descriptor::clone(&branch.descriptor),
                    _ => image.record.target.clone(),
                },
                digest: image.record.target.digest.clone(),
                names: image.names,
                opaque_names: image.opaque,
                config: None,
                size: shown.map_or(0, |branch| branch.content_size),
                last_tag_time: moment(updated.map(|record| record.updated_at).max().unwrap_or_default()),
                manifests: Vec::new(),
                sources: state.sources(&image.record.target.digest).to_vec(),
            };
            let config = shown.and_then(|branch| branch.config.as_ref().and(branch.manifest()));
            let config = config.map(|manifest| manifest.config.digest.clone());
            (ImageDetail { manifests: tree.manifests.into(), ..detail }, config)
        };
        // Docker shows a platform that is not here with a configuration without fields.
        let none = || platform.map(|_| ImageConfig::default());
        detail.config = config.map(|digest| self.read_config(&digest)).transpose()?.or_else(none);
        Ok(detail)
    }

    /// An image configuration from the store.
    pub(super) fn read_config(&self, digest: &Digest) -> Result<ImageConfig> {
        ImageConfig::decode(&self.read_whole(digest, MAX_CONFIG)?)
    }
}

/// That an image lacks a platform.
pub(super) fn lacks_platform(name: &str, platform: &Platform) -> Error {
    Error::not_found(Detail::LacksPlatform { image: name.to_owned(), platform: platform.to_string() })
}

//! History: the steps that made an image.

use super::catalog::resolve::resolve;
use super::catalog::tree::Tree;
use super::core::{Engine, Inner};
use super::inspect::lacks_platform;
use crate::domain::image::{HistoryItem, ManifestSummary};
use crate::domain::platform::Matcher;
use crate::domain::{ImageName, Platform, Result};

impl Engine {
    /// The history of the platform asked for, or of the one that fits the host best: newest step first. Empty where no
    /// platform's configuration is here.
    ///
    /// # Errors
    /// `NotFound` where there is no such image, or it has no content for the platform.
    pub async fn history(&self, name: &ImageName, platform: Option<&Platform>) -> Result<Vec<HistoryItem>> {
        let (name, platform) = (name.clone(), platform.cloned());
        self.blocking(move |inner| inner.history(&name, platform.as_ref())).await
    }
}

impl Inner {
    fn history(&self, name: &ImageName, platform: Option<&Platform>) -> Result<Vec<HistoryItem>> {
        let (id, names, config, sizes) = {
            let state = self.catalog.state();
            let image = resolve(&state, name)?;
            let tree = Tree::new(&state, &image.record.target);
            let shown = match platform {
                Some(platform) => {
                    let found = tree.matching(&Matcher::strict(platform)).filter(|branch| branch.config.is_some());
                    Some(found.ok_or_else(|| lacks_platform(name.text(), platform))?)
                }
                None => tree.best(),
            };
            let Some(manifest) = shown.and_then(ManifestSummary::manifest) else { return Ok(Vec::new()) };
            let sizes: Vec<u64> = manifest.layers.iter().map(|layer| layer.size).collect();
            (image.record.target.digest.clone(), image.names, manifest.config.digest.clone(), sizes)
        };
        let mut sizes = sizes.into_iter();
        let mut items: Vec<HistoryItem> = self
            .read_config(&config)?
            .history()
            .into_iter()
            .map(|step| HistoryItem {
                size: if step.empty_layer { 0 } else { sizes.next().unwrap_or_default() },
                step,
                id: None,
                names: Vec::new(),
            })
            .collect();
        items.reverse();
        if let Some(newest) = items.first_mut() {
            newest.id = Some(id);
            newest.names = names;
        }
        Ok(items)
    }
}

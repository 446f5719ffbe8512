//! Layers unpack to what their image's configuration says.

use std::collections::{BTreeSet, HashSet};

use super::super::catalog::Catalog;
use super::super::catalog::tree::Tree;
use super::super::stream::whole::read_whole;
use super::content::{Reading, in_parallel};
use super::finding::Fault;
use super::run::Check;
use crate::domain::image::ManifestSummary;
use crate::domain::manifest::{ImageConfig, MAX_CONFIG};
use crate::domain::{Digest, Kind, MediaType, Result};

impl Check<'_> {
    /// Compares every layer that is here with the diff ID that stands for it.
    pub(super) fn layers(&mut self, catalog: &Catalog) -> Result<()> {
        let state = catalog.state();
        let (mut pairs, mut seen) = (BTreeSet::new(), HashSet::new());
        for target in state.names().map(|(_, record)| &record.target) {
            for image in Tree::new(&state, target).images() {
                if seen.insert(image.descriptor.digest.clone()) {
                    self.diff_ids(image, &mut pairs)?;
                }
            }
        }
        pairs.retain(|(layer, _)| state.blob(layer).is_some());
        let pairs: Vec<(Digest, String)> = pairs.into_iter().collect();
        let total = pairs.iter().filter_map(|(layer, _)| state.blob(layer)).map(|record| record.size).sum();
        let reading = Reading::new(self.audit, "unpacking", total, self.progress);
        let results = in_parallel(&pairs, |(layer, id)| {
            let Ok(expected) = id.parse::<Digest>() else {
                return Ok(Some(format!("{id:?} stands for it, which is no digest")));
            };
            match reading.diff_id(layer, &expected) {
                Ok(actual) if actual == expected => Ok(None),
                Ok(actual) => Ok(Some(format!("it unpacks to {actual}, its image's configuration says {expected}"))),
                Err(error) if matches!(error.kind(), Kind::DataLoss | Kind::InvalidArgument) => Ok(Some(error.chain())),
                Err(error) => Err(error),
            }
        });
        self.summary.bytes += reading.done();
        for ((layer, _), result) in pairs.iter().zip(results) {
            if let Some(detail) = result? {
                self.note(Fault::WrongDiffId, layer, detail, None);
            }
        }
        Ok(())
    }

    /// Adds the layers of an image that can be unpacked, each with what stands for it in the configuration.
    fn diff_ids(&mut self, image: &ManifestSummary, pairs: &mut BTreeSet<(Digest, String)>) -> Result<()> {
        let (Some(manifest), Some(_)) = (image.manifest(), &image.config) else { return Ok(()) };
        let bytes = read_whole(self.audit.open_blob(&manifest.config.digest)?.as_ref(), MAX_CONFIG)?;
        let config = ImageConfig::decode(&bytes)?;
        let (_, ids) = config.rootfs();
        if ids.len() != manifest.layers.len() {
            let detail = format!("it has {} layers, its configuration names {}", manifest.layers.len(), ids.len());
            self.note(Fault::WrongDiffId, &image.descriptor.digest, detail, None);
            return Ok(());
        }
        let layers = manifest.layers.iter().zip(ids).filter(|(layer, _)| can_unpack(&layer.media_type));
        pairs.extend(layers.map(|(layer, id)| (layer.digest.clone(), id.to_owned())));
        Ok(())
    }
}

/// Whether a layer is a tar archive in a compression that is known here.
fn can_unpack(kind: &MediaType) -> bool {
    let packed = ["tar", "tar+gzip", "tar.gzip", "tar+zstd", "tar.zstd"];
    kind.is_layer() && packed.iter().any(|packing| kind.as_str().ends_with(packing))
}

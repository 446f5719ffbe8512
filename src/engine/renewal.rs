//! Renewal: records of configurations that say less than a version of today would note.

use std::sync::Arc;

use super::catalog::Catalog;
use super::publish::{Content, Decision, Publisher, View};
use super::stream::whole::read_whole;
use crate::domain::manifest::{ConfigSummary, MAX_CONFIG};
use crate::domain::{Digest, Result};
use crate::store::Stores;
use crate::store::blocking::{offload, wait};

/// How many records are renewed in one step.
const BATCH: usize = 1000;

/// Reads the configurations again whose records do not note a user, and records what they say. After that, no record is such
/// a one, so that a later start has nothing to do. What cannot be read stays as it is.
///
/// # Errors
/// Those of a commit.
pub(super) async fn renew_configs(publisher: &Publisher, catalog: &Catalog) -> Result<()> {
    let old: Vec<Digest> = {
        let state = catalog.state();
        let is_old = |digest: &&Digest| {
            let config = state.entry(digest).and_then(|entry| entry.config.as_ref());
            config.is_some_and(|config| config.user.is_none())
        };
        state.blobs().map(|(digest, _)| digest).filter(is_old).cloned().collect()
    };
    if old.is_empty() {
        return Ok(());
    }
    tracing::info!(images = old.len(), "reading image configurations again, once, to note their users");
    for batch in old.chunks(BATCH) {
        let (stores, batch) = (publisher.stores().clone(), batch.to_vec());
        let configs =
            offload(move || Ok(batch.into_iter().filter_map(|digest| read(&stores, digest)).collect())).await?;
        let content = Content { configs, ..Content::default() };
        publisher.change(move |_: &View<'_>| Ok((Decision::content(content.clone()), ()))).await?;
    }
    Ok(())
}

/// A configuration as it is recorded today. Blocks.
fn read(stores: &Stores, digest: Digest) -> Option<(Digest, Arc<ConfigSummary>)> {
    let config = wait(stores.blobs.open(&digest))
        .and_then(|blob| read_whole(blob.as_ref(), MAX_CONFIG))
        .and_then(|bytes| ConfigSummary::decode(&bytes));
    match config {
        Ok(config) => Some((digest, Arc::new(config))),
        Err(error) => {
            tracing::warn!(content.digest = %digest, error = error.chain(), "could not read an image configuration again");
            None
        }
    }
}

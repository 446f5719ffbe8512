//! Following what other engines commit to the same store.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;

use super::decision::Decision;
use super::report::Report;
use super::shared::Shared;
use super::writer::Writer;
use crate::domain::Result;
use crate::store::ReadScope;

/// How long it takes until it is tried again to follow.
const RETRY: Duration = Duration::from_millis(500);

impl Shared {
    /// Brings the catalog to the newest revision. Only the writer may call this, or whoever has not started it yet.
    ///
    /// # Errors
    /// Those of the store; the catalog then stays as it is.
    pub(super) async fn catch_up(&self) -> Result<()> {
        let known = self.catalog.state().revision;
        let mut records = self.stores.metadata.read(Some(known)).await?;
        if records.revision <= known {
            return Ok(());
        }
        let mut entries = Vec::new();
        while let Some(batch) = records.batches.try_next().await? {
            entries.extend(batch);
        }
        match records.scope {
            ReadScope::Since(_) => self.catalog.follow(entries, records.revision),
            ReadScope::All => self.catalog.replace(entries, records.revision),
        }
        self.parents.forget();
        Ok(())
    }
}

/// Has the writer follow whenever the store tells of a revision that is not known here. Ends with the engine.
pub(super) fn start(shared: &Arc<Shared>, writer: &Writer) {
    if !shared.stores.leases.is_shared() {
        return;
    }
    let mut newest = shared.stores.metadata.watch();
    let (catalog, writer) = (shared.catalog.clone(), writer.downgrade());
    shared.runtime.spawn(async move {
        loop {
            // Before the first wait too: something may have come since the catalog was read.
            if *newest.borrow_and_update() <= catalog.state().revision {
                match newest.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            let Some(writer) = writer.upgrade() else { return };
            // The writer catches up before whatever is done alone.
            let followed = writer.ask_alone(|_| Ok((Decision::nothing(Report::Nothing), ()))).await;
            if let Err(error) = followed {
                tracing::warn!(error = error.chain(), "could not follow the changes of other engines; trying again");
                drop(writer);
                tokio::time::sleep(RETRY).await;
            }
        }
    });
}

//! After a source lost count of what changed in an object: every known record of it is asked for again, a bounded
//! number per transaction, and no record twice for one loss, whoever stops in between.

use baton_core::book::Item;

use super::{Engine, EngineError};

/// Records asked for in one transaction, and in one round of the timers: so fast and no faster the target is asked.
const PAGE: u32 = 200;

impl Engine {
    /// Asks for the next records of every object that is read again. Returns how many were asked for.
    ///
    /// # Errors
    /// When the store cannot be reached or written.
    pub(super) async fn reread_some(&self) -> Result<u64, EngineError> {
        let mut asked = 0;
        for ((system, object), reading) in self.store.rereading().await? {
            let after = reading.after;
            let ids = self
                .store
                .record_ids(system, object, after.as_deref(), PAGE)
                .await?;
            let last = ids.len() < PAGE as usize;
            if after.is_none() {
                tracing::warn!(
                    system = system.as_str(),
                    object = object.as_str(),
                    "the source lost count of what changed: asking for every known record again; records that are \
                     not known cannot be asked for"
                );
            }
            self.settle(|| {
                vec![Item::Reread {
                    system,
                    object,
                    after: after.clone(),
                    ids: ids.clone(),
                    last,
                }]
            })
            .await?;
            asked += ids.len() as u64;
            if last {
                tracing::info!(
                    system = system.as_str(),
                    object = object.as_str(),
                    "every known record has been asked for"
                );
            }
        }
        Ok(asked)
    }
}

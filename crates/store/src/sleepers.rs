//! Rows of people of whom nothing is known but when their timer is due, for measurements: what waits must cost nothing.

use baton_core::{
    id::{Digest, EntityId, Kind},
    state::State,
    time::Millis,
};

use crate::{Error, Store, blob, code, ready::PUT_ENTITIES, sql::Rows};

/// Rows of one transaction.
const AT_ONCE: u64 = 50_000;

impl Store {
    /// Puts `count` people into the store whose timers are due at `wake`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn put_sleepers(&self, count: u64, wake: Millis) -> Result<(), Error> {
        let mut from = 0;
        while from < count {
            let to = count.min(from + AT_ONCE);
            let mut rows = Rows::default();
            for number in from..to {
                let mut digest = Digest::default();
                let (first, _) = digest.0.split_at_mut(size_of::<u64>());
                first.copy_from_slice(&number.to_be_bytes());
                let id = EntityId {
                    kind: Kind::Person,
                    digest,
                };
                let mut state = State::new(id);
                state.wake = Some(wake);
                let body = blob::encode_state(&state).map_err(|e| Error::Bug {
                    what: "a state cannot be written".into(),
                    source: Some(e.into()),
                })?;
                rows.push([
                    code::of_kind(id.kind).into(),
                    id.digest.into(),
                    1.into(),
                    wake.0.into(),
                    0.into(),
                    body.into(),
                ]);
            }
            let mut tx = self.pool.write().await?;
            tx.conn().execute_rows(&PUT_ENTITIES, rows).await?;
            tx.commit().await?;
            from = to;
        }
        Ok(())
    }
}

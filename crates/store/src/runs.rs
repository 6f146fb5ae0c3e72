//! What became of the messages of one `ingest`: counted in the transactions that settled them, so that whoever asks
//! is told the whole, however many daemons share the work and whichever of them crashed.

use baton_core::{change::Outcome, time::Millis};

use crate::{
    error::Error,
    open::Store,
    sql::{Bad, Row, Sql},
};

const RUN: Sql = Sql {
    text: "SELECT messages, applied, parked, late, duplicate, noop, dead_lettered FROM runs WHERE run = $1",
    table: "runs",
    key: 0,
    input: &[],
};
const PRUNE_RUNS: Sql = Sql {
    text: "DELETE FROM runs WHERE at < $1",
    table: "runs",
    key: 0,
    input: &[],
};
const PRUNE_GUARDS: Sql = Sql {
    text: "DELETE FROM guards WHERE opens < $1",
    table: "guards",
    key: 0,
    input: &[],
};

/// Counts of one run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RunCounts {
    /// Messages settled, whatever became of their changes.
    pub messages: u64,
    pub applied: u64,
    pub parked: u64,
    pub late: u64,
    pub duplicate: u64,
    pub noop: u64,
    pub dead_lettered: u64,
}

impl RunCounts {
    /// Counts one change.
    pub const fn count(&mut self, outcome: Outcome) {
        *(match outcome {
            Outcome::Applied => &mut self.applied,
            Outcome::Parked => &mut self.parked,
            Outcome::Late => &mut self.late,
            Outcome::Duplicate => &mut self.duplicate,
            Outcome::Noop => &mut self.noop,
            Outcome::DeadLettered => &mut self.dead_lettered,
        }) += 1;
    }

    /// All changes (L15).
    #[must_use]
    pub const fn consumed(&self) -> u64 {
        self.applied + self.parked + self.late + self.duplicate + self.noop + self.dead_lettered
    }

    /// In the order of the table's columns.
    pub(crate) const fn columns(&self) -> [u64; 7] {
        [
            self.messages,
            self.applied,
            self.parked,
            self.late,
            self.duplicate,
            self.noop,
            self.dead_lettered,
        ]
    }
}

impl Store {
    /// What became of the messages of a run so far; zeros for one of which nothing was settled.
    ///
    /// # Errors
    /// If the store cannot be read, or the row makes no sense.
    pub async fn run(&self, run: &str) -> Result<RunCounts, Error> {
        let mut held = self.pool.reader().await?;
        let found = held.conn().fetch(&RUN, vec![run.into()], counts).await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// Removes what nobody asks for any more: counts of clears in windows that opened before `guards`, and of runs
    /// that were last heard of before `runs`. Returns how many rows it removed.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn prune(&self, guards: Millis, runs: Millis) -> Result<u64, Error> {
        let mut tx = self.pool.write().await?;
        let mut conn = tx.conn();
        let mut removed = conn.execute(&PRUNE_GUARDS, vec![guards.0.into()]).await?;
        removed += conn.execute(&PRUNE_RUNS, vec![runs.0.into()]).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

fn counts(row: &Row<'_>) -> Result<RunCounts, Bad> {
    let count = |at, column| {
        let count = row.int(at, column)?;
        u64::try_from(count).map_err(|e| Bad::new(column, e))
    };
    Ok(RunCounts {
        messages: count(0, "messages")?,
        applied: count(1, "applied")?,
        parked: count(2, "parked")?,
        late: count(3, "late")?,
        duplicate: count(4, "duplicate")?,
        noop: count(5, "noop")?,
        dead_lettered: count(6, "dead_lettered")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_is_the_sum_of_the_outcomes() {
        let mut counts = RunCounts::default();
        for outcome in [
            Outcome::Applied,
            Outcome::Parked,
            Outcome::Late,
            Outcome::Duplicate,
            Outcome::Noop,
            Outcome::DeadLettered,
        ] {
            counts.count(outcome);
        }
        assert_eq!(counts.consumed(), 6);
        assert_eq!(counts.columns(), [0, 1, 1, 1, 1, 1, 1]);
    }
}

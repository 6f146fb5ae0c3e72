//! Work that one process at a time does. Whether its holder still lives is told by a count that rises in the store,
//! and how long it has not risen each process measures by its own monotonic clock: machines whose clocks differ, and
//! clocks that jump, neither make two holders nor keep everybody waiting for one that died.

use std::time::{Duration, Instant};

use baton_store::Store;

/// How long a holder may be silent before another takes over, and how long it may go on without renewing.
const TERM: Duration = Duration::from_secs(15);

/// It renews as soon as less than this is left.
const ENOUGH: Duration = Duration::from_secs(10);

/// One process's part in it.
pub(super) struct Lease {
    name: &'static str,
    owner: String,
    /// How long another's silence must be.
    patience: Duration,
    /// When it ends, while it is ours.
    until: Option<Instant>,
    /// What somebody else's looked like, and since when it has not changed.
    seen: Option<(baton_store::Lease, Instant)>,
}

impl Lease {
    /// `alone`: no other process can use this store now, so that whoever still stands in it is dead.
    pub fn new(name: &'static str, owner: String, alone: bool) -> Self {
        Self {
            name,
            owner,
            patience: if alone { Duration::ZERO } else { TERM },
            until: None,
            seen: None,
        }
    }

    /// Takes or renews it where that is due. Returns until when it is ours, which is at least ten seconds from now;
    /// none while another has it.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn hold(
        &mut self,
        store: &Store,
        now: Instant,
    ) -> Result<Option<Instant>, baton_store::Error> {
        if self.until.is_some_and(|until| until > now + ENOUGH) {
            return Ok(self.until);
        }
        let found = store.lease(self.name).await?;
        if let Some(other) = found.as_ref().filter(|lease| lease.owner != self.owner) {
            self.until = None;
            let since = match &self.seen {
                Some((seen, since)) if seen == other => *since,
                _ => now,
            };
            self.seen = Some((other.clone(), since));
            if now.saturating_duration_since(since) < self.patience {
                return Ok(None);
            }
            tracing::warn!(lease = self.name, "its holder is gone, taking over");
        }
        let taken = store
            .take_lease(self.name, &self.owner, found.as_ref())
            .await?;
        self.until = taken.then(|| now + TERM);
        Ok(self.until)
    }

    /// Gives it back, so that another need not wait.
    ///
    /// # Errors
    /// When the store cannot be written; it ends by itself then.
    pub async fn leave(&self, store: &Store) -> Result<(), baton_store::Error> {
        store.release(self.name, &self.owner).await
    }
}

#[cfg(test)]
mod tests {
    use baton_store::{Options, testing};

    use super::*;

    fn two() -> (Lease, Lease) {
        let of = |owner: &str| Lease::new("relay", owner.to_owned(), false);
        (of("one"), of("two"))
    }

    async fn holds(lease: &mut Lease, store: &Store, now: Instant) -> bool {
        lease.hold(store, now).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_lease_is_taken_over_when_its_holder_has_been_silent_for_a_term_and_not_before() {
        let (store, _folder) = testing::sqlite_store(&Options::default()).await.unwrap();
        let (mut one, mut two) = two();
        let start = Instant::now();
        assert_eq!(one.hold(&store, start).await.unwrap(), Some(start + TERM));
        assert!(!holds(&mut two, &store, start).await);
        // It renews when enough of its time is over, not each time that it asks.
        let soon = start + TERM / 5;
        assert_eq!(one.hold(&store, soon).await.unwrap(), Some(start + TERM));
        let later = start + TERM / 2;
        assert_eq!(one.hold(&store, later).await.unwrap(), Some(later + TERM));
        assert!(!holds(&mut two, &store, start + TERM).await);

        // From then on it is silent.
        let almost = start + TERM * 2 - Duration::from_millis(1);
        assert!(!holds(&mut two, &store, almost).await);
        assert!(holds(&mut two, &store, start + TERM * 2).await);
        assert!(!holds(&mut one, &store, start + TERM * 2).await);
    }

    #[tokio::test]
    async fn a_holder_that_ends_in_order_is_followed_at_once() {
        let (store, _folder) = testing::sqlite_store(&Options::default()).await.unwrap();
        let (mut one, mut two) = two();
        let now = Instant::now();
        assert!(holds(&mut one, &store, now).await);
        assert!(!holds(&mut two, &store, now).await);
        one.leave(&store).await.unwrap();
        assert!(holds(&mut two, &store, now).await);
    }

    #[tokio::test]
    async fn who_is_alone_with_its_store_does_not_wait_for_the_dead() {
        let (store, _folder) = testing::sqlite_store(&Options::default()).await.unwrap();
        let (mut one, _) = two();
        let now = Instant::now();
        assert!(holds(&mut one, &store, now).await);
        let mut next = Lease::new("relay", "next".to_owned(), true);
        assert!(holds(&mut next, &store, now).await);
    }
}

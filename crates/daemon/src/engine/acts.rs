//! What stewards do. Each act is one transaction of this process on the shared store, made correct by versions
//! like any other worker's; a running daemon need not be asked, and its relay publishes what follows.

use std::sync::Arc;

use baton_core::{
    book::{Item, Parked, Settled},
    id::{Digest, EntityId},
    input::StewardAct,
    lifecycle::fact::Fact,
};
use baton_store::{DeadLetter, StewardState};

use super::{Consumed, Engine, EngineError, Headers, Report, header, relay::UNPUBLISHABLE};

impl Engine {
    /// One act on one entity.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn act(&self, entity: EntityId, act: &StewardAct) -> Result<Settled, EngineError> {
        self.one(|| Item::Steward {
            entity,
            act: act.clone(),
        })
        .await
    }

    /// A steward says something of a person that none of its records tells.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn say(
        &self,
        entity: EntityId,
        fact: &Fact,
        by: &str,
    ) -> Result<Settled, EngineError> {
        self.one(|| Item::Heard {
            entity,
            fact: Box::new(fact.clone()),
            by: Some(by.into()),
        })
        .await
    }

    /// Makes one entity of two: `loser`'s records and claims come to `winner`.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn merge(&self, winner: EntityId, loser: EntityId) -> Result<Settled, EngineError> {
        self.one(|| Item::Merge { winner, loser }).await
    }

    /// Takes a merge apart again.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn unmerge(&self, winner: EntityId, loser: EntityId) -> Result<Settled, EngineError> {
        self.one(|| Item::Unmerge { winner, loser }).await
    }

    /// Settles what was parked: its change belongs to `entity`, or to a new one.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn resolve(
        &self,
        parked: &Parked,
        entity: Option<EntityId>,
    ) -> Result<Settled, EngineError> {
        let settled = self
            .one(|| Item::Resolve {
                parked: Box::new(parked.clone()),
                entity,
            })
            .await?;
        // The core unparks what it settles; an item without a change is settled by saying so.
        self.store
            .set_parked(parked.id, StewardState::Resolved)
            .await?;
        Ok(settled)
    }

    async fn one(&self, make: impl Fn() -> Item) -> Result<Settled, EngineError> {
        let settled = self.settle(|| vec![make()]).await?;
        settled.into_iter().next().ok_or(EngineError::Bottomless)
    }

    /// Settles the messages of dead letters again, as if they came now in the place where they came then. One that
    /// still cannot be understood stays a dead letter.
    ///
    /// # Errors
    /// As [`Engine::process`].
    pub async fn retry_dead_letters(&self, letters: &[DeadLetter]) -> Result<Report, EngineError> {
        let mut batch: Vec<Consumed> = Vec::with_capacity(letters.len());
        let (unpublished, letters): (Vec<&DeadLetter>, Vec<&DeadLetter>) = letters
            .iter()
            .partition(|letter| letter.code == UNPUBLISHABLE);
        for letter in unpublished {
            // One of Baton's own: it goes back to where it was taken from, for the relay.
            if let Some(topic) = self.active().topics.output(&letter.topic) {
                let now = self.clock.now();
                self.store.outbox_put_back(letter, topic, now).await?;
            }
        }
        if letters.is_empty() {
            return Ok(Report::default());
        }
        for letter in &letters {
            let known = batch.iter().any(|m| {
                *m.topic == *letter.topic
                    && m.partition == letter.partition
                    && m.offset == letter.offset
                    && m.arrival == letter.at
            });
            // Several changes of one message may each have left a letter.
            if !known {
                batch.push(message(letter));
            }
        }
        let ids: Vec<Digest> = letters.iter().map(|letter| letter.id).collect();
        self.process_again(&mut batch, &ids).await
    }
}

/// The message that a dead letter was, as far as it was kept.
fn message(letter: &DeadLetter) -> Consumed {
    let mut headers = Headers::default();
    headers.push(header::FORMAT, letter.format.as_str().as_bytes());
    if let Some(object) = &letter.object {
        headers.push(header::OBJECT, object.as_bytes());
    }
    Consumed {
        topic: Arc::from(letter.topic.as_str()),
        partition: letter.partition,
        offset: letter.offset,
        arrival: letter.at,
        born: None,
        key: letter.key.clone(),
        payload: Some(letter.payload.clone()),
        headers,
    }
}

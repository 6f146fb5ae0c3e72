//! About how much memory a state takes, for whoever keeps some of them at hand.

use crate::{
    history::{Cell, Event, FieldHistory, History, Obs, Restated},
    id::RecordKey,
    name::Name,
    state::{Delivery, Golden, Intent, Link, State, Written},
};

/// What a text that does not lie in place, or a node of a tree, adds to a value.
const BESIDE: usize = 32;

impl State {
    /// Bytes, near enough to bound what many states take. It is asked often, so nothing is looked at that many are of:
    /// a field counts as one with two contents, an intent as one of two fields.
    #[must_use]
    pub fn weight(&self) -> usize {
        let links = self.links.len() * (size_of::<(RecordKey, Link)>() + BESIDE);
        let histories = self.histories.values().map(|history| of_history(history));
        let golden = self.golden.len() * (size_of::<(Name, Golden)>() + BESIDE);
        let deliveries = self
            .deliveries
            .values()
            .map(|delivery| of_delivery(delivery));
        size_of::<Self>() + links + histories.sum::<usize>() + golden + deliveries.sum::<usize>()
    }
}

fn of_history(history: &History) -> usize {
    const FIELD: usize =
        size_of::<(Name, FieldHistory)>() + 2 * (size_of::<Cell>() + size_of::<Obs>() + BESIDE);
    size_of::<(RecordKey, History)>()
        + history.fields.len() * FIELD
        + history.events.len() * size_of::<Event>()
        + history.restated.len() * size_of::<Restated>()
}

fn of_delivery(delivery: &Delivery) -> usize {
    const FIELD: usize = size_of::<(Name, Written)>() + BESIDE;
    size_of::<(RecordKey, Delivery)>()
        + delivery.intents.len() * (size_of::<Intent>() + 2 * FIELD)
        + (delivery.renderings.len() + delivery.writes.len()) * FIELD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Digest, EntityId, Kind, Object};

    #[test]
    fn a_state_of_which_more_is_known_weighs_more() {
        let mut state = State::new(EntityId {
            kind: Kind::Person,
            digest: Digest::default(),
        });
        let bare = state.weight();
        let mut history = History::default();
        history
            .fields
            .insert("title".into(), FieldHistory::default());
        let record = RecordKey {
            system: "crm".into(),
            object: Object::Contact,
            id: "c1".into(),
        };
        state.histories.insert(record, Box::new(history));
        assert!(state.weight() > bare + size_of::<FieldHistory>());
    }
}

//! Consent belongs to an address: statements in one person's records count for all who have it.

use crate::identify::{entry, survivor, take};
use crate::{
    book::Book,
    consent::{address_digest, own_turns},
    id::{Digest, EntityId, Kind},
    input::{Input, StewardAct},
    observe::says_again,
    order::track,
    rules::Rules,
    state::{ConsentTurn, LinkStatus, State},
    time::Millis,
};
use std::collections::BTreeSet;

/// Whether applying the input may change what was stated of consent, or of which address.
pub(crate) fn touches_consent(input: &Input, state: &State, rules: &Rules) -> bool {
    match input {
        Input::Change(change) => {
            change.record.object.kind() == Kind::Person
                && change.fields.iter().any(|f| {
                    let mut consents = rules.consents.iter();
                    consents.any(|c| c.field == f.field || c.address == f.field)
                        && !says_again(state, change, f, rules)
                })
        }
        Input::Steward(StewardAct::Consent { .. }) | Input::Absorb(_) | Input::Answer(_) => true,
        _ => false,
    }
}

/// Consent belongs to an address: statements in one person's records count for all who have it.
pub(crate) fn share_consent(book: &mut Book, entity: EntityId, rules: &Rules, at: Millis) {
    if entity.kind != Kind::Person {
        return;
    }
    for rule in &rules.consents {
        let state = &entry(book, entity).state;
        let mut turns = own_turns(state, rule, rules);
        turns.extend(
            state
                .shared_consent
                .iter()
                .filter(|t| t.steward && t.channel == rule.channel)
                .cloned(),
        );
        let addresses: BTreeSet<Digest> = state
            .links
            .iter()
            .filter(|(_, link)| link.status() != LinkStatus::Erased)
            .filter_map(|(record, _)| {
                track(state, record, rule.address, rules)
                    .believed()
                    .cloned()
            })
            .filter_map(|address| address_digest(rule.channel, &address))
            .collect();
        let mut told: BTreeSet<Digest> = BTreeSet::new();
        // A statement stands in the row of every address that it speaks of, whole, so that whoever has one of
        // them sees which act answers it.
        for turn in &turns {
            let whole = turns
                .iter()
                .filter(|t| (&t.record, t.event) == (&turn.record, turn.event));
            if turn.address == Digest::default() && !turn.steward {
                continue;
            }
            let row = book.addresses.entry(turn.address).or_default();
            for part in whole {
                if row.turns.insert(part.clone()) {
                    row.dirty = true;
                    told.insert(turn.address);
                }
            }
        }
        for address in told {
            let holders: Vec<EntityId> = book
                .keys
                .get(&address)
                .into_iter()
                .flatten()
                .copied()
                .filter(|e| *e != entity)
                .collect();
            for holder in holders {
                tell(book, survivor(book, holder), address, rules, at);
            }
        }
        for address in addresses {
            tell(book, entity, address, rules, at);
        }
    }
}

/// Gives an entity the statements of others about one of its addresses.
fn tell(book: &mut Book, entity: EntityId, address: Digest, rules: &Rules, at: Millis) {
    let Some(row) = book.addresses.get(&address) else {
        return;
    };
    let Some(held) = book.entities.get(&entity) else {
        return;
    };
    let news: Vec<ConsentTurn> = row
        .turns
        .iter()
        .filter(|t| !held.state.links.contains_key(&t.record) || t.steward)
        .filter(|t| !held.state.shared_consent.contains(t))
        .cloned()
        .collect();
    if !news.is_empty() {
        take(book, entity, Input::SharedConsent(news), rules, at);
    }
}

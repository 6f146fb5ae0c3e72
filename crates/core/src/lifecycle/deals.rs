//! What becomes of a deal is a fact of the person in it.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use super::{
    fact::{Ending, Fact, Standing, What},
    moments::{Unsaid, as_of, instants},
    setup::{Deals, Setup},
};
use crate::{
    book::Book,
    change::Change,
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    identify::{entry, survivor, take},
    input::Input,
    name::Name,
    rules::Rules,
    state::State,
    time::{DAY, Millis},
    value::Value,
};

/// The people's records that a deal's change names, and those that its deal names so far: whoever takes the change in
/// must have them.
pub(crate) fn people_of_change(change: &Change, rules: &Rules) -> Option<RecordKey> {
    let field = people(rules)?;
    let named = change.fields.iter().find(|f| f.field == field)?;
    person(change.record.system, &named.value)
}

pub(crate) fn people_of(state: &State, rules: &Rules) -> BTreeSet<RecordKey> {
    let Some(field) = people(rules).filter(|_| state.id.kind == Kind::Deal) else {
        return BTreeSet::new();
    };
    let said = state.histories.iter().filter_map(|(record, history)| {
        let cells = history.fields.get(&field)?.cells.iter();
        Some(cells.filter_map(|cell| person(record.system, &cell.value)))
    });
    said.flatten().collect()
}

fn people(rules: &Rules) -> Option<Name> {
    rules.funnel.as_deref()?.wiring.deals.as_ref()?.people
}

/// A deal names a contact of its own system.
fn person(system: Name, value: &Value) -> Option<RecordKey> {
    match value {
        Value::Text(id) => Some(RecordKey::new(system, Object::Contact, id.as_str())),
        _ => None,
    }
}

/// Tells the people in a deal how it stands, and stood, as far as they have not heard.
pub(crate) fn tell_people(book: &mut Book, deal: EntityId, rules: &Rules, at: Millis) {
    let Some(setup) = rules.funnel.as_deref() else {
        return;
    };
    let Some(deals) = setup
        .wiring
        .deals
        .as_ref()
        .filter(|_| deal.kind == Kind::Deal)
    else {
        return;
    };
    let facts = facts(&entry(book, deal).state, deals, setup, rules);
    for (record, fact) in facts {
        let Some(person) = book.links.get(&record).map(|e| survivor(book, *e)) else {
            continue;
        };
        let Some(held) = book.entities.get(&person) else {
            continue;
        };
        let heard = held.state.funnel.as_ref();
        if !heard.is_some_and(|funnel| funnel.has_heard(&fact)) {
            let (fact, by) = (Box::new(fact), None);
            take(book, person, Input::Heard { fact, by }, rules, at);
        }
    }
}

/// How a deal stood at each moment at which that may have changed, for whoever was in it.
fn facts(state: &State, deals: &Deals, setup: &Setup, rules: &Rules) -> Vec<(RecordKey, Fact)> {
    let Some(people) = deals.people else {
        return Vec::new();
    };
    let fields = [
        Some(deals.stage),
        Some(deals.closing),
        Some(deals.closed),
        Some(deals.won),
        deals.reason,
        deals.amount,
        deals.campaign,
        Some(people),
    ];
    let moments: BTreeSet<Millis> = fields
        .into_iter()
        .flatten()
        .flat_map(|field| instants(state, field, rules))
        .collect();
    let mut facts = Vec::new();
    let mut last: BTreeMap<RecordKey, Standing> = BTreeMap::new();
    for instant in moments {
        let then = as_of(state, instant, rules);
        let mut golden = Unsaid::of(&then, rules, instant);
        let system = then.links.keys().map(|record| record.system).min();
        let now = system.and_then(|system| person(system, &golden.golden(people)));
        let stands = standing(&mut golden, deals, setup);
        let mut told: Vec<(RecordKey, Standing)> = last
            .keys()
            .filter(|record| now.as_ref() != Some(*record))
            .map(|record| (record.clone(), Standing::Gone))
            .collect();
        told.extend(now.map(|record| (record, stands)));
        for (record, standing) in told {
            if last.get(&record) == Some(&standing) {
                continue;
            }
            last.insert(record.clone(), standing.clone());
            let deal = state.id;
            let fact = Fact {
                event: Digest::of(&[
                    b"deal",
                    deal.to_string().as_bytes(),
                    record.to_string().as_bytes(),
                    &instant.0.to_be_bytes(),
                ]),
                time: instant,
                seq: 0,
                position: Position::default(),
                effective: None,
                what: What::Deal { deal, standing },
            };
            facts.push((record, fact));
        }
    }
    facts
}

fn standing(golden: &mut Unsaid<'_>, deals: &Deals, setup: &Setup) -> Standing {
    let text = |value: Value| match value {
        Value::Text(text) => Some(CompactString::new(text)),
        _ => None,
    };
    if golden.golden(deals.closed) == Value::Bool(true) {
        let amount = deals.amount.map(|field| golden.golden(field));
        let ending = Ending {
            reason: deals.reason.and_then(|field| text(golden.golden(field))),
            amount: match amount {
                Some(Value::Number(amount)) => Some(amount),
                _ => None,
            },
            campaign: deals.campaign.and_then(|field| text(golden.golden(field))),
        };
        return if golden.golden(deals.won) == Value::Bool(true) {
            Standing::Won(ending)
        } else {
            Standing::Lost(ending)
        };
    }
    let stage = text(golden.golden(deals.stage));
    let stands_for = stage.and_then(|stage| deals.stages.get(stage.as_str()).copied());
    Standing::Open {
        stage: stands_for.unwrap_or(setup.rules.landmarks.opportunity),
        closing: match golden.golden(deals.closing) {
            Value::Date(day) => Some(Millis(i64::from(day).saturating_add(1).saturating_mul(DAY))),
            _ => None,
        },
    }
}

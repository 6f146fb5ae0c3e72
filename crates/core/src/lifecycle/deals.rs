//! What becomes of a deal is a fact of the person in it.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use super::{
    fact::{Act, Ending, Fact, Standing, What},
    moments::{Unsaid, as_of, instants},
    setup::{Deals, Setup},
};
use crate::{
    book::Book,
    change::{Change, Class},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    identify::{survivor, take},
    input::Input,
    name::Name,
    rules::Rules,
    state::{Link, LinkStatus, LinkStatusFact, State},
    time::{DAY, Millis},
    value::Value,
};

/// The people's records that a deal's change names: whoever takes the change in must have them, and those that the deal
/// names so far ([`people_of`]).
pub(crate) fn people_of_change(change: &Change, rules: &Rules) -> Vec<RecordKey> {
    let is_deal = change.record.object.kind() == Kind::Deal;
    let Some(field) = people(rules).filter(|_| is_deal) else {
        return Vec::new();
    };
    let named = change.fields.iter().filter(|f| f.field == field);
    named
        .flat_map(|named| contacts(change.record.system, &named.value, rules))
        .collect()
}

/// The people's records that a deal names, and ever named.
pub(crate) fn people_of(state: &State, rules: &Rules) -> BTreeSet<RecordKey> {
    let Some(field) = people(rules).filter(|_| state.id.kind == Kind::Deal) else {
        return BTreeSet::new();
    };
    let said = state.histories.iter().filter_map(|(record, history)| {
        let cells = history.fields.get(&field)?.cells.iter();
        Some(cells.flat_map(|cell| contacts(record.system, &cell.value, rules)))
    });
    said.flatten().collect()
}

/// The deal field that names its people.
pub(crate) fn people(rules: &Rules) -> Option<Name> {
    rules.funnel.as_deref()?.wiring.deals.as_ref()?.people
}

/// Whether deals can name this record: a contact of a system that says whose its deals are.
pub(crate) fn can_name(record: &RecordKey, rules: &Rules) -> bool {
    record.object == Object::Contact
        && people(rules).is_some_and(|field| says_whose(record.system, field, rules))
}

/// The system and the id of a reference; of another text no system, and all of it.
pub(super) fn referred<'t>(text: &'t str, rules: &Rules) -> (Option<Name>, &'t str) {
    let parts = text.split_once(':');
    let known = parts.and_then(|(system, id)| Some((Name::known(system)?, id)));
    match known.filter(|(system, _)| rules.systems.contains_key(system)) {
        Some((system, id)) => (Some(system), id),
        None => (None, text),
    }
}

fn says_whose(system: Name, field: Name, rules: &Rules) -> bool {
    rules
        .object(system, Object::Deal)
        .is_some_and(|mapping| mapping.fields.values().any(|mapped| mapped.field == field))
}

/// A deal names contacts: of the system that the name itself tells (a reference), else of its own.
fn contacts(own: Name, value: &Value, rules: &Rules) -> Vec<RecordKey> {
    let contact = |text: &str| {
        let (system, id) = referred(text, rules);
        RecordKey::new(system.unwrap_or(own), Object::Contact, id)
    };
    match value {
        Value::Text(id) => vec![contact(id)],
        Value::Set(ids) => ids.iter().map(|id| contact(id)).collect(),
        _ => Vec::new(),
    }
}

/// Whether an input may say of a deal how it stands, or stood.
pub(crate) fn says_how_it_stands(deal: EntityId, input: &Input, rules: &Rules) -> bool {
    let wired = rules
        .funnel
        .as_deref()
        .and_then(|setup| setup.wiring.deals.as_ref());
    let Some(deals) = wired.filter(|_| deal.kind == Kind::Deal) else {
        return false;
    };
    match input {
        Input::Change(change) => {
            let mut said = change.fields.iter().map(|field| field.field);
            !matches!(change.class, Class::Delta | Class::Event | Class::Snapshot)
                || said.any(|field| deals.fields().any(|known| known == field))
        }
        Input::Absorb(_) | Input::Steward(_) | Input::ClearVerdict { .. } => true,
        _ => false,
    }
}

/// Whether an input is an act that counts for others on a deal as well.
pub(crate) fn is_shared(input: &Input, rules: &Rules) -> bool {
    match input {
        Input::Change(change) => is_shared_act(change, rules),
        // Of somebody who was a stranger when it happened.
        Input::Heard { fact, .. } => match &fact.what {
            What::Act(act) => is_shared_kind(act, rules),
            _ => false,
        },
        _ => false,
    }
}

pub(crate) fn is_shared_act(change: &Change, rules: &Rules) -> bool {
    matches!(&change.class, Class::Act(act) if is_shared_kind(act, rules))
}

fn is_shared_kind(act: &Act, rules: &Rules) -> bool {
    let funnel = rules.funnel.as_deref().filter(|_| people(rules).is_some());
    funnel.is_some_and(|setup| counts(act, setup))
}

/// Whether some stage's stall time begins anew with such an act.
fn counts(act: &Act, setup: &Setup) -> bool {
    let mut stalls = setup
        .rules
        .stages
        .values()
        .filter_map(|stage| stage.stall.as_ref());
    act.actor.is_human() && stalls.any(|stall| stall.by.include(act.kind, act.actor))
}

/// Whether a person was ever told of a deal.
pub(crate) fn has_any(state: &State) -> bool {
    state
        .funnel
        .as_ref()
        .is_some_and(|funnel| funnel.has_deals())
}

/// Tells the people in a deal how it stands, and stood, and what the others of them did meanwhile, as far as they have not
/// heard.
pub(crate) fn tell_people(book: &mut Book, deal: EntityId, rules: &Rules, at: Millis) {
    let Some(setup) = rules.funnel.as_deref() else {
        return;
    };
    let wired = setup.wiring.deals.as_ref();
    let (Some(deals), Some(held)) = (
        wired.filter(|_| deal.kind == Kind::Deal),
        book.entities.get(&deal),
    ) else {
        return;
    };
    let state = &held.state;
    let mut told: Vec<(EntityId, Telling)> = Vec::new();
    let mut spans: BTreeMap<EntityId, Spans> = BTreeMap::new();
    let named = people_of(state, rules).into_iter();
    let who: Who = named
        .filter_map(|record| {
            let person = survivor(book, *book.links.get(&record)?);
            Some((record, person))
        })
        .collect();
    let heard = heard_of(book, deal, &who);
    for (record, telling) in standings(state, deals, (&who, &heard), setup, rules) {
        let Some(person) = who.get(&record).copied() else {
            continue;
        };
        if let What::Deal { standing, .. } = &telling.fact.what {
            let is_open = matches!(standing, Standing::Open { .. });
            let of_record = spans.entry(person).or_default().entry(record).or_default();
            of_record.insert(telling.fact.time, is_open);
        }
        told.push((person, telling));
    }
    if spans.len() > 1 {
        told.extend(acts(book, deal, &spans, setup));
    }
    for (person, telling) in told {
        let heard = book.entities.get(&person);
        // What was erased must not come back.
        let heard = heard.filter(|held| held.state.erased.is_none());
        let Some(heard) = heard.map(|held| held.state.funnel.as_ref()) else {
            continue;
        };
        let is_known = heard.is_some_and(|funnel| funnel.has_heard(&telling.fact));
        let is_asked = heard.is_some_and(|funnel| funnel.knows(telling.fact.event));
        if !is_known && (telling.is_news || is_asked) {
            let (fact, by) = (Box::new(telling.fact), None);
            take(book, person, Input::Heard { fact, by }, rules, at);
        }
    }
}

/// The moments of which its people have heard of a deal. What was a turn once may be none any more, and what was told of
/// it must be corrected.
fn heard_of(book: &Book, deal: EntityId, who: &Who) -> BTreeSet<Millis> {
    let people: BTreeSet<&EntityId> = who.values().collect();
    let held = people
        .into_iter()
        .filter_map(|person| book.entities.get(person));
    let facts = held
        .filter_map(|held| held.state.funnel.as_deref())
        .flat_map(|funnel| funnel.facts());
    facts
        .filter(|fact| matches!(fact.what, What::Deal { deal: of, .. } if of == deal))
        .map(|fact| fact.time)
        .collect()
}

/// The people in a deal, by the records under which it names them or ever named them, as far as they are known.
type Who = BTreeMap<RecordKey, EntityId>;

/// Something to be told to somebody.
struct Telling {
    fact: Fact,
    /// Nothing else says it. What is none corrects what was told of the same moment when less was known.
    is_news: bool,
}

/// From when to when the deal was open and somebody in it, by the record under which it names them.
type Spans = BTreeMap<RecordKey, BTreeMap<Millis, bool>>;

fn is_in(spans: &Spans, at: Millis) -> bool {
    let last = |of_record: &BTreeMap<Millis, bool>| {
        of_record
            .range(..=at)
            .next_back()
            .is_some_and(|(_, open)| *open)
    };
    spans.values().any(last)
}

/// What each of the people in a deal did while it was open, for the others.
fn acts(
    book: &Book,
    deal: EntityId,
    spans: &BTreeMap<EntityId, Spans>,
    setup: &Setup,
) -> Vec<(EntityId, Telling)> {
    let quantum = setup.editions.quantum;
    let mut told = Vec::new();
    for (who, of_who) in spans {
        let funnel = book
            .entities
            .get(who)
            .and_then(|held| held.state.funnel.as_ref());
        for fact in funnel.into_iter().flat_map(|funnel| funnel.facts()) {
            let What::Act(act) = &fact.what else { continue };
            if !counts(act, setup) {
                continue;
            }
            let is_news = is_in(of_who, fact.happened(quantum));
            let what = What::OfDeal {
                deal,
                kind: act.kind,
                actor: act.actor,
                counts: is_news,
            };
            let event = Digest::of(&[b"act of a deal", deal.to_string().as_bytes(), &fact.event.0]);
            let effective = None;
            let fact = Fact {
                event,
                what,
                effective,
                ..fact.clone()
            };
            let others = spans.keys().filter(|other| *other != who);
            told.extend(others.map(|other| {
                let fact = fact.clone();
                (*other, Telling { fact, is_news })
            }));
        }
    }
    told
}

/// How a deal stood for each of its people, at each moment at which that may have changed, or of which they heard.
fn standings(
    state: &State,
    deals: &Deals,
    (who, heard): (&Who, &BTreeSet<Millis>),
    setup: &Setup,
    rules: &Rules,
) -> Vec<(RecordKey, Telling)> {
    let Some(field) = deals.people else {
        return Vec::new();
    };
    let quantum = rules.timing.quantum;
    let mut moments = heard.clone();
    moments.extend(deals.fields().flat_map(|f| instants(state, f, rules)));
    let links = state.links.values().flat_map(|link| &link.facts);
    moments.extend(links.map(|said| said_at(said).floor(quantum)));
    let mut told = Vec::new();
    let mut last: BTreeMap<&RecordKey, Standing> = BTreeMap::new();
    for instant in moments {
        let then = as_of(state, instant, rules);
        let mut golden = Unsaid::of(&then, rules, instant);
        let systems = then.links.keys().map(|record| record.system);
        let system = systems
            .filter(|system| says_whose(*system, field, rules))
            .min();
        let named = if is_there(state, instant, quantum) {
            golden.golden(field)
        } else {
            Value::Blank
        };
        // Who is named under one record is in it, whatever becomes of another one of theirs.
        let now: BTreeSet<EntityId> = system
            .into_iter()
            .flat_map(|system| contacts(system, &named, rules))
            .filter_map(|record| who.get(&record).copied())
            .collect();
        let stands = standing(&mut golden, deals, setup, rules);
        for (record, person) in who {
            let standing = if now.contains(person) {
                stands.clone()
            } else {
                Standing::Gone
            };
            let before = last.insert(record, standing.clone());
            let is_news = before.unwrap_or(Standing::Gone) != standing;
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
            told.push((record.clone(), Telling { fact, is_news }));
        }
    }
    told
}

/// Whether any system had the deal at an instant.
fn is_there(state: &State, instant: Millis, quantum: i64) -> bool {
    state.links.values().any(|link| {
        let by_then = link
            .facts
            .iter()
            .filter(|said| said_at(said).floor(quantum) <= instant);
        let then = Link {
            facts: by_then.cloned().collect(),
        };
        then.status() == LinkStatus::Active
    })
}

/// When something was said of a link; of what has no time of its own, when it came in.
const fn said_at(said: &(Millis, Position, LinkStatusFact)) -> Millis {
    if said.0.is_timed() {
        said.0
    } else {
        said.1.arrival
    }
}

fn standing(golden: &mut Unsaid<'_>, deals: &Deals, setup: &Setup, rules: &Rules) -> Standing {
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
            campaign: deals.campaign.and_then(|field| {
                let text = text(golden.golden(field))?;
                Some(referred(&text, rules).1.into())
            }),
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
        starts: deals.starts.and_then(|field| text(golden.golden(field))),
    }
}

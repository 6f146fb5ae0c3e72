//! What must be loaded before a batch can be settled.

use crate::guard::guard_windows;
use crate::identify::{is_of_read, record_of, survivor};
use crate::keys::{addresses_in, change_keys, deals_key, named_records, renames};
use crate::nameless::creator_by_key;
use crate::{
    book::{Book, GuardKey, Item, Needs},
    change::{Change, Class},
    consent::address_digest,
    holdings::Holding,
    id::{Digest, EntityId, Kind, Object, RecordKey},
    lifecycle::{accounts, deals},
    name::Name,
    rules::Rules,
    state::State,
    stranger::{owner, stranger},
};
use std::collections::BTreeSet;

/// What must be loaded for these items, given what the book holds already.
pub fn needs(book: &Book, items: &[Item], rules: &Rules) -> Needs {
    let mut needs = Needs::default();
    let renamed = renamed(book, items, rules);
    for item in items {
        for key in accounts::members_of(book, item, rules) {
            need_key(book, key, &mut needs);
        }
        match item {
            Item::Change(change) => needs_of_change(book, change, &renamed, rules, &mut needs),
            Item::Answer {
                entity,
                answer,
                read,
            } => {
                need_entity(book, *entity, &mut needs);
                if let Some(read) = read
                    && is_of_read(book, survivor(book, *entity), answer)
                {
                    needs_of_change(book, read, &renamed, rules, &mut needs);
                }
                if let Some(record) = record_of(answer) {
                    need_deals_of_new(book, &record, rules, &mut needs);
                    need_link(book, record, &mut needs);
                }
            }
            Item::Wake(entity) | Item::Steward { entity, .. } | Item::Heard { entity, .. } => {
                need_entity(book, *entity, &mut needs)
            }
            Item::Merge { winner, loser } | Item::Unmerge { winner, loser } => {
                for entity in [winner, loser] {
                    need_entity(book, *entity, &mut needs);
                    // Their records' links are about to move.
                    let records = book.entities.get(entity).into_iter();
                    for record in records.flat_map(|e| e.state.links.keys()) {
                        need_link(book, record.clone(), &mut needs);
                    }
                }
            }
            Item::Reread {
                system,
                object,
                ids,
                ..
            } => {
                need_reread(book, (*system, *object), &mut needs);
                for id in ids {
                    let record = RecordKey {
                        system: *system,
                        object: *object,
                        id: id.clone(),
                    };
                    need_link(book, record, &mut needs);
                }
            }
            Item::Resolve { parked, entity } => {
                if let Some(change) = &parked.change {
                    needs_of_change(book, change, &renamed, rules, &mut needs);
                }
                if let Some(entity) = entity {
                    need_entity(book, *entity, &mut needs);
                }
            }
        }
    }
    for entry in book.entities.values() {
        needs_of_state(book, &entry.state, rules, &mut needs);
    }
    for entity in spoken_for(book, items, rules) {
        if let Some(entry) = book.entities.get(&entity) {
            needs_of_statements(book, &entry.state, rules, &mut needs);
        }
    }
    needs.links.sort();
    needs.links.dedup();
    needs.keys.sort();
    needs.keys.dedup();
    needs.addresses.sort();
    needs.addresses.dedup();
    needs.entities.sort();
    needs.entities.dedup();
    needs.guards.sort();
    needs.guards.dedup();
    needs.holdings.sort();
    needs.holdings.dedup();
    needs.rereads.sort();
    needs.rereads.dedup();
    needs
}

/// Entities whose keys may change with these items, as far as they are loaded.
fn renamed(book: &Book, items: &[Item], rules: &Rules) -> BTreeSet<EntityId> {
    let mut renamed = BTreeSet::new();
    for item in items {
        let change = match item {
            Item::Change(change) => Some(change),
            Item::Answer { read, .. } => read.as_deref(),
            Item::Resolve { parked, .. } => parked.change.as_ref(),
            _ => None,
        };
        let linked = change.and_then(|change| Some((change, *book.links.get(&change.record)?)));
        if let Some((change, entity)) = linked {
            let entity = survivor(book, entity);
            let loaded = book.entities.get(&entity);
            if loaded.is_some_and(|entry| renames(change, &entry.state, rules)) {
                renamed.insert(entity);
            }
        }
    }
    renamed
}

/// Entities whose own inputs are among the items, as far as they are known. Whoever is loaded beside them only hears what
/// they say of a shared address, so nothing of that one's own addresses is needed: else a number that wandered through a
/// row of people would load them all.
fn spoken_for(book: &Book, items: &[Item], rules: &Rules) -> BTreeSet<EntityId> {
    let mut found = BTreeSet::new();
    let of_change = |change: &Change, found: &mut BTreeSet<EntityId>| {
        let named = named_records(change);
        let records = named.iter().map(|(_, record)| record);
        found.extend(
            records
                .chain([&change.record])
                .filter_map(|record| book.links.get(record)),
        );
        let linked = book.links.get(&change.record).map(|e| survivor(book, *e));
        found.extend(linked.and_then(|entity| creator_by_key(book, change, entity, rules)));
        if owner(book, &change.record).is_none() {
            let keys = change_keys(change, rules).into_iter().flatten();
            found.extend(keys.filter_map(|key| book.keys.get(&key)).flatten());
        }
    };
    for item in items {
        match item {
            Item::Change(change) => of_change(change, &mut found),
            Item::Answer {
                entity,
                answer,
                read,
            } => {
                found.insert(*entity);
                if let Some(read) = read {
                    of_change(read, &mut found);
                }
                // A record that the target made, and that passed for somebody else's.
                found.extend(record_of(answer).and_then(|record| book.links.get(&record)));
            }
            Item::Wake(entity) | Item::Steward { entity, .. } | Item::Heard { entity, .. } => {
                found.insert(*entity);
            }
            Item::Merge { winner, loser } | Item::Unmerge { winner, loser } => {
                found.extend([*winner, *loser]);
            }
            Item::Resolve { parked, entity } => {
                found.extend(*entity);
                if let Some(change) = &parked.change {
                    of_change(change, &mut found);
                }
            }
            Item::Reread { .. } => {}
        }
    }
    let survivors: Vec<EntityId> = found.iter().map(|e| survivor(book, *e)).collect();
    found.extend(survivors);
    found
}

fn needs_of_change(
    book: &Book,
    change: &Change,
    renamed: &BTreeSet<EntityId>,
    rules: &Rules,
    needs: &mut Needs,
) {
    if change.class == Class::Overflow {
        let RecordKey { system, object, .. } = change.record;
        return need_reread(book, (system, object), needs);
    }
    need_link(book, change.record.clone(), needs);
    for (_, record) in named_records(change) {
        need_link(book, record, needs);
    }
    need_links_that_move(book, change, rules, needs);
    for account in accounts::accounts_of_change(book, change, rules) {
        need_link(book, account, needs);
    }
    for key in accounts::members_of_change(book, change, rules) {
        need_key(book, key, needs);
    }
    need_deals(book, change, rules, needs);
    // Most changes come from a record that is known and tell again by which keys: nobody has to be looked up for them.
    let by_keys = match owner(book, &change.record) {
        Some(entity) => renamed.contains(&entity),
        None => was_looked_up(book, &change.record),
    };
    if by_keys {
        for key in change_keys(change, rules).into_iter().flatten() {
            need_key(book, key, needs);
        }
    }
    for (channel, address) in addresses_in(change, rules) {
        if let Some(digest) = address_digest(channel, address) {
            need_address(book, digest, needs);
        }
    }
    if change.verdicts.clears_wait_until.is_none()
        && change.fields.iter().any(|f| f.value.is_blank())
    {
        for field in change.fields.iter().filter(|f| f.value.is_blank()) {
            let window = change
                .position
                .arrival
                .floor(rules.mass_clear.window.max(1));
            need_guard(
                book,
                GuardKey {
                    system: change.record.system,
                    field: field.field,
                    window,
                },
                needs,
            );
        }
    }
}

/// Deals tell the people whom they name, and what one of these does counts for the others.
fn need_deals(book: &Book, change: &Change, rules: &Rules, needs: &mut Needs) {
    need_people(book, change, rules, needs);
    need_deals_of_new(book, &change.record, rules, needs);
    for (_, record) in named_records(change) {
        need_deals_of_new(book, &record, rules, needs);
    }
    need_people_of_act(book, change, rules, needs);
}

/// People whom a deal names; and of those whom it has not named before, their index.
fn need_people(book: &Book, change: &Change, rules: &Rules, needs: &mut Needs) {
    let people = deals::people_of_change(change, rules);
    if people.is_empty() {
        return;
    }
    let deal = book.links.get(&change.record).map(|e| survivor(book, *e));
    let deal = deal.and_then(|entity| book.entities.get(&entity));
    let named = deal.map(|entry| deals::people_of(&entry.state, rules));
    let (links, looked_up) = (&book.links, &book.stored.links);
    let is_new = !links.contains_key(&change.record) && looked_up.contains_key(&change.record);
    for person in people {
        let is_known = named
            .as_ref()
            .map_or(!is_new, |named| named.contains(&person));
        if let Some(key) = deals_key(&person, rules).filter(|_| !is_known) {
            need_key(book, key, needs);
        }
        need_link(book, person, needs);
    }
}

/// Whoever did something, and others in a deal for whom it counts as well: they come with the deals.
fn need_people_of_act(book: &Book, change: &Change, rules: &Rules, needs: &mut Needs) {
    let mut people: Vec<EntityId> = Vec::new();
    if deals::is_shared_act(change, rules) {
        people.extend(owner(book, &change.record));
    }
    let named = named_records(change);
    let records = named.iter().map(|(_, record)| record);
    if records
        .chain([&change.record])
        .any(|record| stranger(book, record).is_some())
    {
        // Whoever it turns out to be hears of what it did.
        let keys = change_keys(change, rules).into_iter().flatten();
        people.extend(keys.filter_map(|key| book.keys.get(&key)).flatten());
        people.extend(named.iter().filter_map(|(_, record)| owner(book, record)));
        people.extend(owner(book, &change.record));
    }
    let people = people.into_iter().map(|person| survivor(book, person));
    let states = people.filter_map(|person| Some(&book.entities.get(&person)?.state));
    let states = states.filter(|state| deals::has_any(state));
    for record in states.flat_map(|state| state.links.keys()) {
        if let Some(key) = deals_key(record, rules) {
            need_key(book, key, needs);
        }
    }
}

/// Deals that named a record before anybody knew it.
fn need_deals_of_new(book: &Book, record: &RecordKey, rules: &Rules, needs: &mut Needs) {
    let is_new = owner(book, record).is_none() && was_looked_up(book, record);
    if let Some(key) = deals_key(record, rules).filter(|_| is_new) {
        need_key(book, key, needs);
    }
}

/// The rows of all addresses that an entity's statements of consent may speak of, and everybody who has one of them.
fn needs_of_statements(book: &Book, state: &State, rules: &Rules, needs: &mut Needs) {
    for rule in rules
        .consents
        .iter()
        .filter(|_| state.id.kind == Kind::Person)
    {
        // Every address that any of its records ever had: a statement of then still speaks of it.
        let stood = state
            .histories
            .values()
            .filter_map(|h| h.fields.get(&rule.address))
            .flat_map(|f| f.cells.iter().map(|c| &c.value));
        let told = state
            .shared_consent
            .iter()
            .filter(|t| t.channel == rule.channel)
            .map(|t| t.address);
        let addresses = stood
            .chain([state.golden_value(rule.address)])
            .filter_map(|address| address_digest(rule.channel, address));
        for digest in addresses
            .chain(told)
            .filter(|digest| *digest != Digest::default())
        {
            need_address(book, digest, needs);
        }
    }
}

fn needs_of_state(book: &Book, state: &State, rules: &Rules, needs: &mut Needs) {
    if let Some(winner) = state.merged_into {
        need_entity(book, winner, needs);
    }
    for person in deals::people_of(state, rules) {
        need_link(book, person, needs);
    }
    for guarded in state.guarded.values().filter(|g| g.held.is_none()) {
        for field in &guarded.fields {
            let holding = Holding {
                system: guarded.record.system,
                field: *field,
            };
            if rules.mass_clear.percent.is_some() && !book.stored.holdings.contains(&holding) {
                needs.holdings.push(holding);
            }
            for window in guard_windows(guarded.until, rules) {
                need_guard(
                    book,
                    GuardKey {
                        system: guarded.record.system,
                        field: *field,
                        window,
                    },
                    needs,
                );
            }
        }
    }
}

/// A record that was looked up has a link, or is known to have none.
fn was_looked_up(book: &Book, record: &RecordKey) -> bool {
    book.links.contains_key(record) || book.stored.links.contains_key(record)
}

fn need_link(book: &Book, record: RecordKey, needs: &mut Needs) {
    match book.links.get(&record) {
        Some(entity) => need_entity(book, *entity, needs),
        None if book.stored.links.contains_key(&record) => {}
        None => needs.links.push(record),
    }
}

fn need_key(book: &Book, key: Digest, needs: &mut Needs) {
    match book.keys.get(&key) {
        Some(entities) => entities.iter().for_each(|e| need_entity(book, *e, needs)),
        None if book.stored.keys.contains_key(&key) => {}
        None => needs.keys.push(key),
    }
}

/// An address row, and everybody who has the address.
fn need_address(book: &Book, digest: Digest, needs: &mut Needs) {
    if !book.addresses.contains_key(&digest) {
        needs.addresses.push(digest);
    }
    need_key(book, digest, needs);
}

/// A merge or conversion moves the links of all records of the entities that it joins.
fn need_links_that_move(book: &Book, change: &Change, rules: &Rules, needs: &mut Needs) {
    let named = named_records(change);
    if named.is_empty() {
        return;
    }
    let mut entities: BTreeSet<EntityId> = named
        .iter()
        .map(|(_, record)| record)
        .chain([&change.record])
        .filter_map(|record| book.links.get(record).copied())
        .collect();
    // A record without a link goes to whoever has its keys.
    if owner(book, &change.record).is_none() {
        let keys = change_keys(change, rules).into_iter().flatten();
        entities.extend(keys.filter_map(|key| book.keys.get(&key)).flatten());
    }
    for entity in entities {
        let entity = survivor(book, entity);
        need_entity(book, entity, needs);
        let records = book.entities.get(&entity).into_iter();
        for record in records.flat_map(|e| e.state.links.keys()) {
            need_link(book, record.clone(), needs);
        }
    }
}

fn need_entity(book: &Book, entity: EntityId, needs: &mut Needs) {
    if !book.entities.contains_key(&entity) {
        needs.entities.push(entity);
    }
}

fn need_reread(book: &Book, object: (Name, Object), needs: &mut Needs) {
    if !book.rereads.contains_key(&object) {
        needs.rereads.push(object);
    }
}

fn need_guard(book: &Book, key: GuardKey, needs: &mut Needs) {
    if !book.guards.contains_key(&key) {
        needs.guards.push(key);
    }
}

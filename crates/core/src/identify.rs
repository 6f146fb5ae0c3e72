//! Finds whose record an input is about, and hands it to `apply` (section 8).

use std::collections::BTreeSet;

use crate::{
    apply::{apply, part_of, take_verdicts},
    book::{Book, Entry, GuardKey, Item, LedgerRow, Needs, Parked, ParkedCode, Settled},
    change::{Change, Class, Origin, Outcome},
    consent::{address_digest, own_turns},
    effects::Effects,
    id::{Digest, EntityId, Kind, RecordKey},
    input::{Input, StewardAct},
    name::Name,
    order::{is_variant, track},
    rules::Rules,
    state::{ConsentTurn, LinkStatus, PendingCreate, State},
    time::Millis,
    value::Value,
};

/// Hash under which a value of an identifying field is indexed. Nothing personal stands in the index.
#[must_use]
pub fn key_digest(kind: Kind, name: Name, value: &Value) -> Digest {
    Digest::of(&[
        b"key",
        kind.as_str().as_bytes(),
        name.as_str().as_bytes(),
        value.to_string().as_bytes(),
    ])
}

/// What must be loaded for these items, given what the book holds already.
pub fn needs(book: &Book, items: &[Item], rules: &Rules) -> Needs {
    let mut needs = Needs::default();
    for item in items {
        match item {
            Item::Change(change) => needs_of_change(book, change, rules, &mut needs),
            Item::Answer { entity, answer } => {
                need_entity(book, *entity, &mut needs);
                if let Some(id) = &answer.id {
                    let record = RecordKey {
                        system: answer.system,
                        object: answer.object,
                        id: id.clone(),
                    };
                    need_link(book, record, &mut needs);
                }
            }
            Item::Wake(entity) | Item::Steward { entity, .. } => {
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
            Item::Resolve { parked, entity } => {
                if let Some(change) = &parked.change {
                    needs_of_change(book, change, rules, &mut needs);
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
    needs
}

fn needs_of_change(book: &Book, change: &Change, rules: &Rules, needs: &mut Needs) {
    need_link(book, change.record.clone(), needs);
    for (_, record) in named_records(change) {
        need_link(book, record, needs);
    }
    need_links_that_move(book, change, rules, needs);
    if !book.links.contains_key(&change.record) {
        for level in change_keys(change, rules) {
            for key in level {
                need_key(book, key, needs);
            }
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

fn needs_of_state(book: &Book, state: &State, rules: &Rules, needs: &mut Needs) {
    if let Some(winner) = state.merged_into {
        need_entity(book, winner, needs);
    }
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
    for guarded in state.guarded.values().filter(|g| g.held.is_none()) {
        for field in &guarded.fields {
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
    if !book.links.contains_key(&change.record) {
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

fn need_guard(book: &Book, key: GuardKey, needs: &mut Needs) {
    if !book.guards.contains_key(&key) {
        needs.guards.push(key);
    }
}

/// Records that a merge or conversion names besides its own.
fn named_records(change: &Change) -> Vec<(bool, RecordKey)> {
    match &change.class {
        Class::Merge { losers } => losers
            .iter()
            .map(|id| {
                (
                    false,
                    RecordKey {
                        id: id.clone(),
                        ..change.record.clone()
                    },
                )
            })
            .collect(),
        Class::Convert { to } => to
            .iter()
            .filter(|(object, _)| object.kind() == change.record.object.kind())
            .map(|(object, id)| {
                (
                    true,
                    RecordKey {
                        object: *object,
                        id: id.clone(),
                        ..change.record.clone()
                    },
                )
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn addresses_in<'a>(
    change: &'a Change,
    rules: &'a Rules,
) -> impl Iterator<Item = (Name, &'a Value)> {
    rules
        .consents
        .iter()
        .filter(|_| change.record.object.kind() == Kind::Person)
        .filter_map(|rule| {
            let field = change.fields.iter().find(|f| f.field == rule.address)?;
            Some((rule.channel, &field.value))
        })
}

/// Keys of a change by level: configured external ids; e-mail; composites. The first level that hits decides.
fn change_keys(change: &Change, rules: &Rules) -> [Vec<Digest>; 3] {
    let kind = change.record.object.kind();
    let value = |name: &Name| {
        change
            .fields
            .iter()
            .find(|f| f.field == *name)
            .map(|f| &f.value)
            .filter(|v| !v.is_blank())
    };
    let mut levels = [Vec::new(), Vec::new(), Vec::new()];
    for name in rules.identity.keys.get(&kind).into_iter().flatten() {
        levels[0].extend(value(name).map(|v| key_digest(kind, *name, v)));
    }
    if let Some(email) = rules.identity.email.filter(|_| kind == Kind::Person) {
        levels[1].extend(value(&email).map(|v| key_digest(kind, email, v)));
    }
    for fields in rules.identity.composites.get(&kind).into_iter().flatten() {
        let values: Option<Vec<&Value>> = fields.iter().map(value).collect();
        levels[2].extend(values.and_then(|values| composite_digest(kind, fields, &values)));
    }
    levels
}

fn composite_digest(kind: Kind, fields: &[Name], values: &[&Value]) -> Option<Digest> {
    if values.iter().any(|v| v.is_blank()) {
        return None;
    }
    let mut parts: Vec<Vec<u8>> = vec![b"composite".to_vec(), kind.as_str().as_bytes().to_vec()];
    for (field, value) in fields.iter().zip(values) {
        parts.push(field.as_str().as_bytes().to_vec());
        // Composite keys compare without case: names are typed by people.
        parts.push(value.to_string().to_lowercase().into_bytes());
    }
    Some(Digest::of(
        &parts.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    ))
}

/// Every key an entity has now, over all its records: (key, whether it identifies; else it is an address only).
fn keys_of(state: &State, rules: &Rules) -> BTreeSet<(Digest, bool)> {
    let kind = state.id.kind;
    let mut keys = BTreeSet::new();
    if state.merged_into.is_some() || state.erased.is_some() {
        return keys;
    }
    let names = rules
        .identity
        .keys
        .get(&kind)
        .into_iter()
        .flatten()
        .copied();
    let email = rules.identity.email.filter(|_| kind == Kind::Person);
    let consents: &[crate::rules::ConsentRule] = if kind == Kind::Person {
        &rules.consents
    } else {
        &[]
    };
    for record in state.links.keys() {
        let believed = |name: Name| {
            track(state, record, name, rules)
                .believed()
                .filter(|v| !v.is_blank())
                .cloned()
        };
        for name in names.clone().chain(email) {
            keys.extend(believed(name).map(|v| (key_digest(kind, name, &v), true)));
        }
        for rule in consents {
            keys.extend(
                believed(rule.address)
                    .and_then(|v| address_digest(rule.channel, &v))
                    .map(|d| (d, false)),
            );
        }
        for fields in rules.identity.composites.get(&kind).into_iter().flatten() {
            let values: Option<Vec<Value>> = fields.iter().map(|f| believed(*f)).collect();
            let digest =
                values.and_then(|v| composite_digest(kind, fields, &v.iter().collect::<Vec<_>>()));
            keys.extend(digest.map(|d| (d, false)));
        }
    }
    keys
}

/// Settles one item.
pub fn settle(book: &mut Book, item: Item, rules: &Rules, at: Millis) -> Settled {
    match item {
        Item::Change(change) => settle_change(book, change, None, rules, at),
        Item::Answer { entity, answer } => {
            let entity = survivor(book, entity);
            if let Some(id) = &answer.id {
                let record = RecordKey {
                    system: answer.system,
                    object: answer.object,
                    id: id.clone(),
                };
                let elsewhere = book
                    .links
                    .get(&record)
                    .map(|e| survivor(book, *e))
                    .filter(|e| *e != entity);
                if let Some(other) = elsewhere {
                    // A create that the target answered with somebody else's record.
                    park_shared(
                        book,
                        digest_of_record(&record),
                        &[entity, other],
                        Some(record),
                        at,
                    );
                    let stopped = crate::input::Answer {
                        outcome: crate::wire::ResultOutcome::Refused,
                        id: None,
                        error: Some("the record belongs to somebody else already".into()),
                        ..answer
                    };
                    return take(book, entity, Input::Answer(stopped), rules, at);
                }
            }
            take(book, entity, Input::Answer(answer), rules, at)
        }
        Item::Wake(entity) => settle_wake(book, survivor(book, entity), rules, at),
        Item::Steward { entity, act } => {
            let entity = survivor(book, entity);
            take(book, entity, Input::Steward(act), rules, at)
        }
        Item::Merge { winner, loser } => {
            let (winner, loser) = (survivor(book, winner), survivor(book, loser));
            merge(book, winner, loser, rules, at);
            Settled {
                outcome: Outcome::Applied,
                entity: Some(winner),
            }
        }
        Item::Unmerge { winner, loser } => unmerge(book, survivor(book, winner), loser, rules, at),
        Item::Resolve { parked, entity } => {
            let Some(change) = parked.change else {
                return Settled {
                    outcome: Outcome::Noop,
                    entity: None,
                };
            };
            book.out.unparked.push(parked.id);
            let entity = entity.map_or_else(|| derived(&change), |e| survivor(book, e));
            settle_change(book, change, Some(entity), rules, at)
        }
    }
}

fn derived(change: &Change) -> EntityId {
    EntityId::derive(change.record.object.kind(), &change.record, change.event)
}

fn digest_of_record(record: &RecordKey) -> Digest {
    Digest::of(&[b"record", record.to_string().as_bytes()])
}

/// The entity that an entity went into, if it did.
fn survivor(book: &Book, mut entity: EntityId) -> EntityId {
    // Merges cannot be circular; the bound only guards against a corrupt store.
    for _ in 0..64 {
        match book.entities.get(&entity).and_then(|e| e.state.merged_into) {
            Some(winner) => entity = winner,
            None => break,
        }
    }
    entity
}

fn settle_change(
    book: &mut Book,
    mut change: Change,
    forced: Option<EntityId>,
    rules: &Rules,
    at: Millis,
) -> Settled {
    let nothing = |entity| Settled {
        outcome: Outcome::Noop,
        entity,
    };
    if matches!(change.class, Class::Tombstone | Class::Overflow) {
        return nothing(None);
    }
    let linked = book.links.get(&change.record).map(|e| survivor(book, *e));
    let known = forced.or(linked);
    let entity = match known {
        Some(entity) => entity,
        // Nothing is known of this record, so there is nothing to delete and nobody who did anything.
        None if matches!(change.class, Class::Delete | Class::Activity { .. }) => {
            return nothing(None);
        }
        None => match match_change(book, &change, rules) {
            Match::One(entity) => entity,
            Match::None => match rules.object(change.record.system, change.record.object) {
                Some(mapping) if !mapping.admit => {
                    let why = "records of this system may not create people, and nobody with its key is known";
                    return park(book, change, ParkedCode::NotAdmitted, Vec::new(), why, at);
                }
                _ => derived(&change),
            },
            Match::Many(candidates) => {
                let why = "more than one entity has this record's key; say which it belongs to";
                return park(
                    book,
                    change,
                    ParkedCode::AmbiguousMatch,
                    candidates,
                    why,
                    at,
                );
            }
        },
    };
    let entity = gather(book, &change, entity, rules, at);
    let entry = entry(book, entity);
    if change.verdicts.entity.is_none() {
        take_verdicts(&entry.state, &mut change, rules);
    }
    change.verdicts.entity = Some(entity);
    if let Some(until) = change.verdicts.clears_wait_until {
        note_clears(book, &change, until, rules);
    }
    if linked != Some(entity) {
        set_link(book, change.record.clone(), entity);
    }
    take(book, entity, Input::Change(change), rules, at)
}

/// Whether a change shows the record that a create made: the key has matched already; somebody else may have made a
/// record of the same key at the same moment, so its time and values must fit, too.
pub(crate) fn is_echo_of_create(
    change: &Change,
    new_record: bool,
    create: &PendingCreate,
    rules: &Rules,
) -> bool {
    if create.stopped.is_some()
        || create.object.kind() != change.record.object.kind()
        || change.origin == Origin::Other
        || !matches!(change.class, Class::Delta | Class::Event)
    {
        return false;
    }
    let skew = rules
        .systems
        .get(&change.record.system)
        .map_or(0, |s| s.skew);
    let margin = rules.timing.quantum + rules.timing.skew + skew;
    let after = change.time >= create.sent.minus(margin).floor(rules.timing.quantum);
    let shows = |(field, written): (&Name, &Value)| {
        let seen = change.fields.iter().find(|f| f.field == *field);
        seen.is_some_and(|f| f.value == *written || is_variant(written, &f.value))
    };
    after && ((change.origin == Origin::Ours && new_record) || create.fields.iter().all(shows))
}

fn set_link(book: &mut Book, record: RecordKey, entity: EntityId) {
    if book.links.get(&record) != Some(&entity) {
        book.links.insert(record.clone(), entity);
        book.out.links.push((record, entity));
    }
}

enum Match {
    None,
    One(EntityId),
    Many(Vec<EntityId>),
}

fn match_change(book: &Book, change: &Change, rules: &Rules) -> Match {
    for (_, record) in named_records(change) {
        if let Some(entity) = book.links.get(&record) {
            return Match::One(survivor(book, *entity));
        }
    }
    for level in change_keys(change, rules) {
        let hits: BTreeSet<EntityId> = level
            .iter()
            .filter_map(|key| book.keys.get(key))
            .flatten()
            .map(|e| survivor(book, *e))
            .collect();
        match hits.len() {
            0 => {}
            1 => return hits.into_iter().next().map_or(Match::None, Match::One),
            _ => return Match::Many(hits.into_iter().collect()),
        }
    }
    Match::None
}

fn park(
    book: &mut Book,
    change: Change,
    code: ParkedCode,
    candidates: Vec<EntityId>,
    why: &str,
    at: Millis,
) -> Settled {
    book.out.parked.push(Parked {
        id: Digest::of(&[b"parked", code.as_str().as_bytes(), &change.event.0]),
        code,
        at,
        entity: None,
        record: Some(change.record.clone()),
        field: None,
        candidates,
        why: why.to_owned(),
        change: Some(change),
    });
    Settled {
        outcome: Outcome::Parked,
        entity: None,
    }
}

/// A merge or conversion names several records: their entities become one. Returns the entity that goes on.
fn gather(
    book: &mut Book,
    change: &Change,
    entity: EntityId,
    rules: &Rules,
    at: Millis,
) -> EntityId {
    let mut entity = entity;
    for (target_wins, record) in named_records(change) {
        let Some(other) = book.links.get(&record).map(|e| survivor(book, *e)) else {
            set_link(book, record, entity);
            continue;
        };
        if other == entity {
            continue;
        }
        let (winner, loser) = if target_wins {
            (other, entity)
        } else {
            (entity, other)
        };
        // The entity of this very change may be new: there is nothing to merge then.
        if book.entities.contains_key(&loser) {
            entry(book, winner);
            merge(book, winner, loser, rules, at);
        }
        entity = winner;
    }
    entity
}

fn merge(book: &mut Book, winner: EntityId, loser: EntityId, rules: &Rules, at: Millis) {
    if winner == loser || winner.kind != loser.kind {
        return;
    }
    let absorbed = entry(book, loser).state.clone();
    let records: Vec<RecordKey> = absorbed.links.keys().cloned().collect();
    take(
        book,
        loser,
        Input::Steward(StewardAct::MergedInto { winner }),
        rules,
        at,
    );
    for record in records {
        set_link(book, record, winner);
    }
    take(book, winner, Input::Absorb(Box::new(absorbed)), rules, at);
}

fn unmerge(
    book: &mut Book,
    winner: EntityId,
    loser: EntityId,
    rules: &Rules,
    at: Millis,
) -> Settled {
    let merged = entry(book, winner).state.absorbed.contains_key(&loser);
    if !merged {
        return Settled {
            outcome: Outcome::Noop,
            entity: Some(winner),
        };
    }
    let mut part = part_of(&entry(book, winner).state, loser);
    // Consent stays with both: the statements of either side count for each from now on.
    for rule in &rules.consents {
        part.shared_consent
            .extend(own_turns(&book_state(book, winner), rule, rules));
    }
    let shared = part.shared_consent.clone();
    take(
        book,
        winner,
        Input::Steward(StewardAct::Unmerge { from: loser }),
        rules,
        at,
    );
    for record in part.links.keys() {
        set_link(book, record.clone(), loser);
    }
    take(book, loser, Input::Absorb(Box::new(part)), rules, at);
    take(
        book,
        winner,
        Input::SharedConsent(shared.into_iter().collect()),
        rules,
        at,
    );
    Settled {
        outcome: Outcome::Applied,
        entity: Some(winner),
    }
}

fn book_state(book: &mut Book, entity: EntityId) -> State {
    entry(book, entity).state.clone()
}

fn settle_wake(book: &mut Book, entity: EntityId, rules: &Rules, at: Millis) -> Settled {
    let due: Vec<(Digest, bool)> = entry(book, entity)
        .state
        .guarded
        .iter()
        .filter(|(_, g)| g.held.is_none() && g.until <= at)
        .map(|(event, g)| (*event, g.clone()))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(event, guarded)| {
            let most = guarded.fields.iter().map(|field| {
                guard_windows(guarded.until, rules)
                    .filter_map(|window| {
                        let key = GuardKey {
                            system: guarded.record.system,
                            field: *field,
                            window,
                        };
                        book.guards.get(&key)
                    })
                    .flatten()
                    .collect::<BTreeSet<_>>()
                    .len()
            });
            (
                event,
                most.max().unwrap_or(0) > rules.mass_clear.records as usize,
            )
        })
        .collect();
    for (event, held) in due {
        take(book, entity, Input::ClearVerdict { event, held }, rules, at);
    }
    take(book, entity, Input::Wake, rules, at)
}

/// The windows whose clears count together with one that waits until `until`.
fn guard_windows(until: Millis, rules: &Rules) -> impl Iterator<Item = Millis> {
    let window = rules.mass_clear.window.max(1);
    let own = until.minus(window).floor(window);
    [own, own.plus(window)].into_iter()
}

fn note_clears(book: &mut Book, change: &Change, until: Millis, rules: &Rules) {
    let window = rules.mass_clear.window.max(1);
    let record = digest_of_record(&change.record);
    for field in change.fields.iter().filter(|f| f.value.is_blank()) {
        let key = GuardKey {
            system: change.record.system,
            field: field.field,
            window: until.minus(window).floor(window),
        };
        if book.guards.entry(key.clone()).or_default().insert(record) {
            book.out.guards.push((key, record));
        }
    }
}

fn entry(book: &mut Book, entity: EntityId) -> &mut Entry {
    book.entities.entry(entity).or_insert_with(|| Entry {
        state: State::new(entity),
        version: 0,
        dirty: true,
    })
}

/// Applies one input to one entity and files what came of it.
fn take(book: &mut Book, entity: EntityId, input: Input, rules: &Rules, at: Millis) -> Settled {
    let identifying = touches_identity(&input, rules);
    let held = entry(book, entity);
    let before = if identifying {
        keys_of(&held.state, rules)
    } else {
        BTreeSet::new()
    };
    let transition = apply(&mut held.state, &input, rules, at);
    held.dirty |= transition.recorded;
    let linked = file(book, transition.effects);
    for record in linked {
        set_link(book, record, entity);
    }
    if identifying {
        rekey(book, entity, &before, rules, at);
    }
    let consents = touches_consent(&input, rules);
    if transition.recorded {
        book.out.ledger.push(LedgerRow {
            entity,
            at,
            input,
            outcome: transition.outcome,
            rule_version: rules.version.clone(),
        });
    }
    if consents {
        share_consent(book, entity, rules, at);
    }
    Settled {
        outcome: transition.outcome,
        entity: Some(entity),
    }
}

fn file(book: &mut Book, effects: Effects) -> Vec<RecordKey> {
    let out = &mut book.out;
    out.messages.extend(effects.messages);
    out.parked.extend(effects.parked);
    out.unparked.extend(effects.unparked);
    for law in effects.violations {
        *out.violations.entry(law).or_default() += 1;
    }
    effects.linked
}

fn touches_identity(input: &Input, rules: &Rules) -> bool {
    match input {
        Input::Change(change) => {
            let kind = change.record.object.kind();
            let identity = &rules.identity;
            !matches!(change.class, Class::Delta | Class::Event | Class::Snapshot)
                || change.fields.iter().any(|f| {
                    identity.email == Some(f.field)
                        || identity
                            .keys
                            .get(&kind)
                            .is_some_and(|k| k.contains(&f.field))
                        || identity
                            .composites
                            .get(&kind)
                            .is_some_and(|c| c.iter().flatten().any(|n| *n == f.field))
                        || rules.consents.iter().any(|c| c.address == f.field)
                })
        }
        Input::Answer(_) | Input::Absorb(_) | Input::Steward(_) => true,
        Input::Wake | Input::SharedConsent(_) | Input::ClearVerdict { .. } => false,
    }
}

fn touches_consent(input: &Input, rules: &Rules) -> bool {
    match input {
        Input::Change(change) => {
            change.record.object.kind() == Kind::Person
                && change.fields.iter().any(|f| {
                    rules
                        .consents
                        .iter()
                        .any(|c| c.field == f.field || c.address == f.field)
                })
        }
        Input::Steward(StewardAct::Consent { .. }) | Input::Absorb(_) | Input::Answer(_) => true,
        _ => false,
    }
}

/// Brings the identity index up to date.
fn rekey(
    book: &mut Book,
    entity: EntityId,
    before: &BTreeSet<(Digest, bool)>,
    rules: &Rules,
    at: Millis,
) {
    let after = keys_of(&entry(book, entity).state, rules);
    if after == *before {
        return;
    }
    let digests =
        |keys: &BTreeSet<(Digest, bool)>| keys.iter().map(|(d, _)| *d).collect::<BTreeSet<_>>();
    let (was, is) = (digests(before), digests(&after));
    for gone in was.difference(&is) {
        if let Some(holders) = book.keys.get_mut(gone) {
            holders.remove(&entity);
        }
        book.out.keys_removed.push((*gone, entity));
    }
    for new in is.difference(&was) {
        let holders = book.keys.entry(*new).or_default();
        holders.insert(entity);
        let shared: Vec<EntityId> = holders.iter().copied().collect();
        book.out.keys_added.push((*new, entity));
        if shared.len() > 1 && after.contains(&(*new, true)) {
            park_shared(book, *new, &shared, None, at);
        }
    }
}

/// Two entities came to share a key: a steward's task, never an automatic merge.
fn park_shared(
    book: &mut Book,
    key: Digest,
    holders: &[EntityId],
    record: Option<RecordKey>,
    at: Millis,
) {
    book.out.parked.push(Parked {
        id: Digest::of(&[b"parked", b"shared_key", &key.0]),
        code: ParkedCode::SharedKey,
        at,
        entity: holders.first().copied(),
        record,
        field: None,
        candidates: holders.to_vec(),
        why: "these came to share an identifying value; merge them or correct one".to_owned(),
        change: None,
    });
}

/// Consent belongs to an address: statements in one person's records count for all who have it.
fn share_consent(book: &mut Book, entity: EntityId, rules: &Rules, at: Millis) {
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

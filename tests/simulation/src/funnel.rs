//! A funnel for the simulated world: the shipped rules, months in which people earn points, do things and are worked on,
//! and what must come of it: each thing done once (L9), everybody where the facts say.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::LazyLock,
};

use baton_core::{
    id::{Digest, EntityId},
    lifecycle::funnel::Thing,
    name::Name,
    rules::{MappedField, Rules},
    state::State,
    time::{DAY, HOUR, Millis, SECOND},
    wire::{Lifecycle, LifecycleMessage},
};
use baton_laws::closed_loop::{Act, CRM, Deed, MAP, START};
use baton_sandbox::{Actor, Fields};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::world::{World, look};

/// Somebody does something that a system tells of.
#[derive(Clone, Debug)]
pub struct Doing {
    pub person: usize,
    pub system: &'static str,
    pub kind: &'static str,
    pub by: &'static str,
    /// When it is told, and how long before that it was.
    pub at: Millis,
    pub late: i64,
}

static SHIPPED: LazyLock<Rules> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rules = baton_config::load(&root.join("config")).map(|loaded| loaded.rules);
    // Invariant: tests of the configuration hold it sound.
    rules.ok().flatten().expect("the shipped rules are sound")
});

/// Person fields in which systems tell the funnel something, or are told.
pub const FIELDS: [&str; 9] = [
    "lead_score",
    "status",
    "owner",
    "sales_ready",
    "sales_willing",
    "sales_reason",
    "sales_handoff",
    "nurture_track",
    "marketing_suspended",
];

/// The shipped funnel on top of other rules, by fields that both systems hold.
pub fn with_funnel(rules: &mut Rules) {
    rules.funnel.clone_from(&SHIPPED.funnel);
    rules.stages.clone_from(&SHIPPED.stages);
    for field in FIELDS.map(Name::new) {
        if let Some(rule) = SHIPPED.person.fields.get(&field) {
            rules.person.fields.insert(field, rule.clone());
        }
        let objects = rules.systems.values_mut();
        for mapping in objects.flat_map(|s| s.objects.values_mut()) {
            mapping
                .fields
                .insert(field.as_str().into(), MappedField::plain(field));
        }
    }
}

/// Some months of a person: what people enter, and what is done.
pub fn months(person: usize, acts: &mut Vec<Act>, rng: &mut ChaCha8Rng) -> Vec<Doing> {
    let first = acts.last().map_or(START, |act| act.at);
    let any = |rng: &mut ChaCha8Rng| first.plus(rng.random_range(HOUR..100 * DAY));
    let mut edit = |rng: &mut ChaCha8Rng, system, fields: Fields| {
        let deed = Deed::Edit {
            system,
            actor: Actor::human("Anna Arnold"),
            fields,
        };
        acts.push(Act { at: any(rng), deed });
    };
    let field = |name: &str, value: serde_json::Value| (name.to_owned(), value);
    for _ in 0..rng.random_range(2..7) {
        let points = rng.random_range(20..240);
        edit(rng, MAP, Fields::from([field("lead_score", points.into())]));
    }
    for _ in 0..rng.random_range(0..5) {
        let said = ["working", "qualified", "nurturing", "unqualified"];
        let said = said[rng.random_range(0..said.len())];
        edit(rng, CRM, Fields::from([field("status", said.into())]));
    }
    for _ in 0..rng.random_range(0..3) {
        let ready = rng.random_bool(0.7);
        let fields = [
            field("sales_ready", ready.into()),
            field("sales_willing", true.into()),
        ];
        edit(rng, CRM, Fields::from(fields));
    }
    acts.sort_by_key(|act| act.at);
    let doing = |rng: &mut ChaCha8Rng| {
        let all = [
            (MAP, "demo_request", "buyer"),
            (MAP, "form_fill", "buyer"),
            (MAP, "email_click", "buyer"),
            (CRM, "call_connected", "sales"),
            (CRM, "email_sent", "sales"),
        ];
        let (system, kind, by) = all[rng.random_range(0..all.len())];
        let late = [0, 0, 5 * SECOND, HOUR, 30 * HOUR, 80 * HOUR];
        Doing {
            person,
            system,
            kind,
            by,
            at: any(rng),
            late: late[rng.random_range(0..late.len())],
        }
    };
    (0..rng.random_range(2..14)).map(|_| doing(rng)).collect()
}

/// L9 and the place of everybody, when all is at rest.
pub fn judge(world: &World<'_>, stored: &BTreeMap<EntityId, State>, wrong: &mut Vec<String>) {
    let Some(setup) = world.active.rules.funnel.as_deref() else {
        return;
    };
    let told = told(world, wrong);
    recycled_once(&told, wrong);
    written_as_told(world, &told, wrong);
    let mut standings: BTreeMap<EntityId, Name> = BTreeMap::new();
    look(world.store.each_standing(Millis::NEVER.minus(1), |stands| {
        standings.insert(stands.entity, stands.stage);
    }));
    for (id, state) in stored {
        let Some(funnel) = state
            .funnel
            .as_deref()
            .filter(|_| state.merged_into.is_none())
        else {
            continue;
        };
        let (stands, course) = funnel.course(&setup.editions, world.now);
        if funnel.present().stage != stands.stage {
            wrong.push(format!(
                "{id} is in {} and its facts say {}",
                funnel.present().stage,
                stands.stage
            ));
        }
        if standings.get(id) != Some(&stands.stage) {
            wrong.push(format!(
                "{id} is in {} and its row says {:?}",
                stands.stage,
                standings.get(id)
            ));
        }
        // A store that was put back to before its first rules begins anew: what was due before that is not done again.
        let began = setup.editions.began();
        let closings = course.closings.iter().filter(|c| c.at >= began);
        let closings = closings.filter(|c| c.kind.is_recycling());
        let due: BTreeSet<Thing> = closings
            .map(|c| Thing::Recycle(c.kind, c.seat.clone()))
            .collect();
        let done = funnel.done().values().filter(|done| done.stands);
        let done: BTreeSet<Thing> = done
            .filter(|done| matches!(done.what, Thing::Recycle(..)))
            .map(|done| done.what.clone())
            .collect();
        if let Some(missing) = due.difference(&done).next() {
            wrong.push(format!("L9: {id} should have been recycled: {missing:?}"));
        }
    }
}

/// How much was done of each kind.
pub fn deeds(world: &World<'_>) -> BTreeMap<&'static str, u64> {
    let mut deeds = BTreeMap::new();
    for message in told(world, &mut Vec::new()).values() {
        *deeds.entry(message.told.kind()).or_default() += 1;
    }
    deeds
}

/// Everything that was told of the funnel, by its id: a relay may say a thing twice, and never two things as one.
fn told(world: &World<'_>, wrong: &mut Vec<String>) -> BTreeMap<Digest, LifecycleMessage> {
    let mut told: BTreeMap<Digest, LifecycleMessage> = BTreeMap::new();
    let topics = world.log.topics();
    for message in topics.all(&world.active.topics.names.lifecycle) {
        let payload = message.payload.as_deref().unwrap_or_default();
        let Ok(message) = serde_json::from_slice::<LifecycleMessage>(payload) else {
            wrong.push("a message of the funnel is not what its schema says".to_owned());
            continue;
        };
        let first = told.entry(message.id).or_insert_with(|| message.clone());
        let about = |m: &LifecycleMessage| (m.entity, m.told.kind(), key(m));
        if about(first) != about(&message) {
            wrong.push(format!(
                "L9: two deeds with one id: {first:?} and {message:?}"
            ));
        }
    }
    told
}

type Key = (EntityId, u32, Name, Option<Name>, u32);

/// The key of L9, of a return to nurture.
fn key(message: &LifecycleMessage) -> Option<Key> {
    match &message.told {
        Lifecycle::Recycle(r) => Some((r.original, r.episode, r.from, r.reason, r.attempt)),
        _ => None,
    }
}

/// L9: no two recycles have one key.
fn recycled_once(told: &BTreeMap<Digest, LifecycleMessage>, wrong: &mut Vec<String>) {
    let mut keys: BTreeMap<Key, Digest> = BTreeMap::new();
    for (id, message) in told {
        let Some(key) = key(message) else { continue };
        if let Some(other) = keys.insert(key, *id) {
            wrong.push(format!(
                "L9: {key:?} was committed twice, as {other} and {id}"
            ));
        }
    }
}

/// What was told is what is stored, and what was taken back is marked so.
fn written_as_told(
    world: &World<'_>,
    told: &BTreeMap<Digest, LifecycleMessage>,
    wrong: &mut Vec<String>,
) {
    let mut stored = Vec::new();
    let all = (Millis::UNTIMED, Millis::NEVER.minus(1));
    look(
        world
            .store
            .each_deed(all.0, all.1, |deed| stored.push(deed)),
    );
    let undone: BTreeSet<Digest> = told
        .values()
        .filter_map(|message| match &message.told {
            Lifecycle::Undone { undoes, .. } => *undoes,
            _ => None,
        })
        .collect();
    let rows: BTreeSet<Digest> = stored.iter().map(|deed| deed.id).collect();
    for deed in &stored {
        if !told.contains_key(&deed.id) {
            wrong.push(format!(
                "a deed is stored that nobody was told of: {deed:?}"
            ));
        }
    }
    // A store that was put back tells what it forgot again, and may come to do other things.
    if world.plan.restores {
        return;
    }
    for deed in &stored {
        if deed.undone.is_some() != undone.contains(&deed.id) {
            wrong.push(format!(
                "whether this was taken back is not as it was told: {deed:?}"
            ));
        }
    }
    for (id, message) in told {
        if !rows.contains(id) {
            wrong.push(format!("a deed was told and is not stored: {message:?}"));
        }
    }
}

//! L10 of the funnel: what happened, taken in again under the same rules, is what happened; other rules show in what
//! would have been different.

use std::{collections::BTreeMap, sync::Arc};

use baton_core::{
    book::OutBody,
    id::{Digest, Object, RecordKey},
    input::{Input, StewardAct},
    lifecycle::{
        fact::Actor,
        supposed::{Counted, Happened, Rerun},
    },
    rules::Rules,
    time::{DAY, HOUR, Millis},
    value::Value,
    wire::Lifecycle,
};
use baton_laws::world::seeds;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::world::{SHIPPED, World, known, lead, points, text};

/// Some months of somebody: points, acts of both sides, some heard of late, and what the CRM says.
fn months(seed: u64) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut world = known(40);
    let crm = RecordKey::new("crm", Object::Contact, "003");
    world.says(&crm, &[("email", text("ada@example.com"))]);
    for _ in 0..rng.random_range(4..24) {
        world.pass(rng.random_range(1..9 * 24) * HOUR);
        match rng.random_range(0..8) {
            0 | 1 => {
                let score = points(rng.random_range(30..220));
                world.says(&lead(), &[("lead_score", score)]);
            }
            2 => {
                let stages = ["working", "qualified", "nurturing", "unqualified"];
                let stage = stages[rng.random_range(0..stages.len())];
                world.says(&crm, &[("status", text(stage))]);
            }
            3 => {
                let said = Value::Bool(rng.random_bool(0.7));
                world.says(
                    &crm,
                    &[("sales_ready", said), ("sales_willing", Value::Bool(true))],
                );
            }
            4 => {
                let id = world.who(&lead());
                world.returns(id, "budget");
            }
            _ => {
                let kinds = [
                    ("demo_request", Actor::Buyer),
                    ("form_fill", Actor::Buyer),
                    ("call_connected", Actor::Sales),
                    ("email_sent", Actor::Sales),
                ];
                let (kind, actor) = kinds[rng.random_range(0..kinds.len())];
                let late = if rng.random_bool(0.3) {
                    rng.random_range(0..80) * HOUR
                } else {
                    0
                };
                world.does(&lead(), kind, actor, world.now.minus(late));
            }
        }
    }
    world.pass(rng.random_range(0..60) * DAY);
    world
}

/// What was done since an instant and stands.
fn happened(world: &World, since: Millis) -> Vec<Happened> {
    let mut made: BTreeMap<Digest, Happened> = BTreeMap::new();
    for message in &world.book.out.messages {
        let OutBody::Lifecycle(message) = &message.body else {
            continue;
        };
        if let Lifecycle::Undone {
            undoes: Some(undoes),
            ..
        } = &message.told
        {
            made.remove(undoes);
        }
        if let Some(what) = Counted::of(message) {
            let due = message.due;
            made.insert(message.id, Happened { due, what });
        }
    }
    let mut all: Vec<Happened> = made.into_values().filter(|h| h.due > since).collect();
    all.sort_unstable();
    all
}

/// These rules, made active at an instant after the shipped ones.
fn activated(rules: &Rules, since: Millis) -> Rules {
    let mut setup = rules.funnel.as_deref().unwrap().clone();
    let mut editions = (*SHIPPED.funnel.as_deref().unwrap().editions).clone();
    editions.activate(since, Arc::clone(&setup.rules));
    setup.editions = Arc::new(editions);
    Rules {
        funnel: Some(Arc::new(setup)),
        ..rules.clone()
    }
}

/// What would have happened since an instant under these rules.
fn supposed(world: &World, rules: &Rules, since: Millis) -> Vec<Happened> {
    let rules = &activated(rules, since);
    let person = world.who(&lead());
    let mut rerun = Rerun::new(person);
    let rows = world.book.out.ledger.iter();
    let (before, after): (Vec<_>, Vec<_>) = rows
        .filter(|row| row.entity == person)
        .partition(|row| row.at < since);
    for row in before {
        rerun.take(&row.input, &SHIPPED, row.at);
    }
    rerun.take(&Input::Steward(StewardAct::Rejudge), rules, since);
    for row in after {
        rerun.pass(rules, row.at.minus(1));
        rerun.take(&row.input, rules, row.at);
    }
    rerun.pass(rules, world.now);
    let mut all = rerun.happened();
    all.retain(|happened| happened.due > since);
    all
}

#[test]
fn the_same_rules_make_no_difference() {
    let mut kinds = std::collections::HashSet::new();
    for seed in seeds(&[], 200) {
        let world = months(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
        let start = crate::world::start();
        let since = start
            .plus(rng.random_range(1..60 * 24) * HOUR)
            .min(world.now);
        let did = happened(&world, since);
        kinds.extend(did.iter().map(|h| std::mem::discriminant(&h.what)));
        assert_eq!(supposed(&world, &SHIPPED, since), did, "seed {seed}");
    }
    assert!(kinds.len() >= 4, "enough happens");
}

#[test]
fn with_a_higher_line_nobody_would_have_been_handed_over_who_just_reached_the_old_one() {
    let mut world = known(40);
    let since = world.now.plus(DAY);
    world.pass(2 * DAY);
    world.says(&lead(), &[("lead_score", points(120))]);
    world.pass(20 * DAY);
    let mut setup = SHIPPED.funnel.as_deref().unwrap().clone();
    let mut higher = (*setup.rules).clone();
    higher.ready.threshold = 150.into();
    setup.rules = Arc::new(higher);
    let rules = Rules {
        funnel: Some(Arc::new(setup)),
        ..SHIPPED.clone()
    };
    let did: Vec<Counted> = happened(&world, since).iter().map(|h| h.what).collect();
    assert!(did.contains(&Counted::HandedOver), "{did:?}");
    assert!(
        did.contains(&Counted::Breached("follow_up".into())),
        "{did:?}"
    );
    assert_eq!(supposed(&world, &rules, since), []);
}

#[test]
fn a_clock_that_runs_when_the_same_rules_are_activated_runs_on() {
    let mut world = known(120);
    world.pass(HOUR);
    let since = world.now;
    world.pass(20 * DAY);
    let did = happened(&world, since);
    assert!(!did.is_empty());
    assert_eq!(supposed(&world, &SHIPPED, since), did);
}

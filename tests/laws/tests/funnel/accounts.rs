//! What is said of an account counts for its people, in whatever order it comes in.

use baton_core::{
    book::{Book, Item},
    change::{Change, Class},
    id::{EntityId, Object, RecordKey},
    input::StewardAct,
    lifecycle::{fact::Suppression, fold::Whereabouts},
    state::{Lock, LockOn},
    time::{DAY, HOUR, Millis},
    value::Value,
};
use baton_laws::world::seeds;
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::world::{SHIPPED, World, known, lead, points, start, text};

fn contact() -> RecordKey {
    RecordKey::new("crm", Object::Contact, "003")
}

fn account(id: &str) -> RecordKey {
    RecordKey::new("crm", Object::Account, id)
}

/// Somebody whom marketing knows, and a contact of an account.
fn member() -> World {
    let mut world = known(40);
    world.says(
        &contact(),
        &[
            ("email", text("ada@example.com")),
            ("account", text("crm:001")),
        ],
    );
    assert_eq!(world.who(&contact()), world.who(&lead()), "one person");
    world.pass(HOUR);
    world
}

fn out(world: &mut World, id: &str, out: bool) {
    world.says(
        &account(id),
        &[
            ("name", text("Analytical")),
            ("no_marketing", Value::Bool(out)),
        ],
    );
}

fn told(world: &World) -> Option<&serde_json::Value> {
    world
        .told
        .get(&("map".into(), "marketing_suspended".into()))
}

#[test]
fn whoever_belongs_to_an_account_that_is_out_of_marketing_is_ready_for_nobody_until_it_ends() {
    let mut world = member();
    out(&mut world, "001", true);
    world.pass(HOUR);
    assert_eq!(
        told(&world),
        Some(&true.into()),
        "the MAP sends nothing more"
    );
    world.says(&lead(), &[("lead_score", points(150))]);
    world.pass(DAY);
    assert_eq!(world.stage(&lead()), "nurture");
    out(&mut world, "001", false);
    world.pass(HOUR);
    assert_eq!(world.stage(&lead()), "mql", "guards are levels");
    assert_eq!(told(&world), Some(&false.into()));
}

#[test]
fn whoever_comes_to_such_an_account_later_is_out_and_whoever_leaves_it_is_not() {
    let mut world = World::new();
    out(&mut world, "001", true);
    world.pass(DAY);
    let known = [
        ("email", text("ada@example.com")),
        ("company", text("Analytical")),
    ];
    world.says(&lead(), &known);
    world.pass(HOUR);
    assert_eq!(told(&world), None);
    world.says(
        &contact(),
        &[
            ("email", text("ada@example.com")),
            ("account", text("crm:001")),
        ],
    );
    world.pass(HOUR);
    assert_eq!(told(&world), Some(&true.into()));
    world.says(&contact(), &[("account", text("crm:002"))]);
    world.pass(HOUR);
    assert_eq!(told(&world), Some(&false.into()));
    out(&mut world, "002", true);
    world.pass(HOUR);
    assert_eq!(told(&world), Some(&true.into()));
}

#[test]
fn a_stewards_word_on_an_account_counts_for_its_people_from_then_on() {
    let mut world = member();
    let entity = world.book.links.get(&account("001")).copied();
    assert!(entity.is_none(), "nothing was said of the account so far");
    out(&mut world, "001", false);
    let entity = world.who(&account("001"));
    let lock = Lock {
        on: LockOn::Value(Value::Bool(true)),
        reason: "at their wish".to_owned(),
        by: "Eve".to_owned(),
        at: world.now,
        expires: None,
    };
    let field = "no_marketing".into();
    let act = StewardAct::Lock { field, lock };
    world.take(Item::Steward { entity, act });
    world.pass(HOUR);
    assert_eq!(told(&world), Some(&true.into()));
    let act = StewardAct::Unlock { field };
    world.take(Item::Steward { entity, act });
    world.pass(HOUR);
    assert_eq!(told(&world), Some(&false.into()));
}

#[test]
fn being_out_oneself_and_with_an_account_are_two_things() {
    let mut world = member();
    out(&mut world, "001", true);
    out(&mut world, "002", true);
    world.says(&contact(), &[("account", text("crm:002"))]);
    world.pass(HOUR);
    let stands = stands(&world.book, world.who(&lead()), world.now);
    assert_eq!(stands.suppressions.len(), 1, "it belongs to one at a time");
    assert!(!stands.suppressions.contains(&Suppression::Person));
}

fn stands(book: &Book, person: EntityId, at: Millis) -> Whereabouts {
    let funnel = book.entities[&person].state.funnel.as_deref().unwrap();
    let setup = SHIPPED.funnel.as_deref().unwrap();
    funnel.course(&setup.editions, at).0
}

/// What is said of accounts, and of who belongs to them, at random moments.
fn sayings(rng: &mut ChaCha8Rng) -> Vec<Change> {
    let mut world = World::new();
    let ids = ["001", "002"];
    let mut all = Vec::new();
    for _ in 0..rng.random_range(2..12) {
        let id = ids[rng.random_range(0..ids.len())];
        let time = start().plus(rng.random_range(1..40 * 24) * HOUR);
        world.now = time;
        let change = match rng.random_range(0..3) {
            0 => {
                let named = if rng.random_bool(0.8) {
                    text(&format!("crm:{id}"))
                } else {
                    Value::Blank
                };
                world.change(&contact(), Class::Delta, time, &[("account", named)])
            }
            1 => {
                let score = points(rng.random_range(30..200));
                world.change(&lead(), Class::Delta, time, &[("lead_score", score)])
            }
            _ => {
                let out = Value::Bool(rng.random_bool(0.6));
                world.change(&account(id), Class::Delta, time, &[("no_marketing", out)])
            }
        };
        all.push(change);
    }
    all
}

#[test]
fn the_order_in_which_accounts_and_people_come_in_does_not_matter() {
    let mut often = 0;
    for seed in seeds(&[], 200) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sayings = sayings(&mut rng);
        let end = start().plus(60 * DAY);
        let mut first = None;
        for _ in 0..4 {
            let mut world = known(40);
            world.says(&contact(), &[("email", text("ada@example.com"))]);
            let mut sayings = sayings.clone();
            sayings.shuffle(&mut rng);
            for change in sayings {
                world.book.settle(Item::Change(change), &SHIPPED, end);
            }
            let stands = stands(&world.book, world.who(&lead()), end);
            often += usize::from(!stands.suppressions.is_empty());
            let here = (stands.suppressions, stands.stage, stands.since);
            assert_eq!(*first.get_or_insert(here.clone()), here, "seed {seed}");
        }
    }
    assert!(often > 100, "people are out: {often}");
}

//! Somebody does something before anything is said of who that is.

use baton_core::{
    book::{Item, OutBody},
    change::{Change, Class, Outcome},
    id::{Object, RecordKey},
    input::Input,
    lifecycle::{
        course::{Step, Trigger},
        fact::Actor,
        funnel::{Done, Thing},
    },
    name::Name,
    time::{DAY, HOUR},
    value::Value,
    wire::Lifecycle,
};
use baton_laws::world::seeds;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    convergence::something,
    world::{SHIPPED, World, lead, points, start, text},
};

fn ada() -> [(&'static str, Value); 4] {
    [
        ("email", text("ada@example.com")),
        ("first_name", text("Ada")),
        ("last_name", text("Lovelace")),
        ("company", text("Analytical")),
    ]
}

fn in_crm() -> RecordKey {
    RecordKey::new("crm", Object::Lead, "00Q")
}

fn handoffs(world: &World) -> usize {
    let messages = world.book.out.messages.iter();
    messages
        .filter(|message| match &message.body {
            OutBody::Lifecycle(message) => matches!(message.told, Lifecycle::Handoff(_)),
            _ => false,
        })
        .count()
}

#[test]
fn a_stranger_stands_nowhere_and_what_it_did_counts_when_it_is_known() {
    let mut world = World::new();
    let did = world.does(&lead(), "demo_request", Actor::Buyer, start());
    assert_eq!(did, Outcome::Applied);
    assert!(world.book.out.placings.is_empty());
    assert!(world.book.out.messages.is_empty());
    // The same event once more.
    let again = world.book.out.ledger[0].input.clone();
    let Input::Change(again) = again else {
        unreachable!("an act is a change");
    };
    assert_eq!(world.take(Item::Change(again)), Outcome::Duplicate);
    world.pass(HOUR);
    world.says(&lead(), &ada());
    world.pass(HOUR);
    assert_eq!(world.stage(&lead()), "mql");
    assert_eq!(handoffs(&world), 1);
    assert_eq!(world.book.entities.len(), 1);
}

#[test]
fn a_stranger_turns_out_to_be_somebody_whom_another_system_knows() {
    let mut world = World::new();
    world.says(&in_crm(), &ada());
    world.pass(HOUR);
    world.does(&lead(), "demo_request", Actor::Buyer, world.now);
    let (somebody, stranger) = (world.who(&in_crm()), world.who(&lead()));
    assert_ne!(somebody, stranger);
    assert_eq!(world.stage(&in_crm()), "nurture");
    world.pass(HOUR);
    world.says(&lead(), &ada());
    world.pass(HOUR);
    assert_eq!(world.who(&lead()), somebody);
    assert_eq!(world.stage(&in_crm()), "mql");
    assert_eq!(handoffs(&world), 1);
    let stranger = &world.book.entities[&stranger].state;
    assert_eq!(stranger.merged_into, Some(somebody));
    assert!(!world.book.out.placings.contains_key(&stranger.id));
}

#[test]
fn whoever_did_much_long_ago_is_a_stranger_still() {
    let mut world = World::new();
    world.says(&in_crm(), &ada());
    for hour in 0..80 {
        world.does(
            &lead(),
            "page_view",
            Actor::Buyer,
            start().plus(hour * HOUR),
        );
    }
    // Another one, so late that all of these are older than the horizon.
    world.pass(200 * DAY);
    world.does(&lead(), "page_view", Actor::Buyer, start());
    let (somebody, stranger) = (world.who(&in_crm()), world.who(&lead()));
    let funnel = &world.book.entities[&stranger].state.funnel;
    assert!(funnel.is_none(), "nothing is kept for ever");
    world.says(&lead(), &ada());
    assert_eq!(world.who(&lead()), somebody);
}

#[test]
fn a_record_that_baton_makes_is_a_strangers_until_the_answer_names_it() {
    let mut world = World::new();
    let settle = |world: &mut World, item: Item| world.book.settle(item, &SHIPPED, world.now);
    let fields = [&ada()[..], &[("lead_score", points(150))]].concat();
    let change = world.change(&lead(), Class::Delta, start(), &fields);
    settle(&mut world, Item::Change(change));
    let person = world.who(&lead());
    // Groups rest before they are written.
    world.now = start().plus(5_000);
    settle(&mut world, Item::Wake(person));
    // Sales has the new lead on the screen, and calls, before the CRM's answer has come in.
    let made = RecordKey::new("crm", Object::Lead, "crm-1");
    world.now = start().plus(HOUR);
    let call = World::act("call_connected", Actor::Sales);
    let change = world.change(&made, call, world.now, &[]);
    settle(&mut world, Item::Change(change));
    assert_ne!(world.who(&made), person);
    world.answer();
    assert_eq!(world.who(&made), person);
    let messages = world.book.out.messages.iter();
    let commands = messages.filter(|message| matches!(message.body, OutBody::Command(_)));
    assert_eq!(commands.count(), 1, "the create, once");
    let done = world.state(&lead()).funnel.as_deref().unwrap().done();
    let kept = |done: &&Done| matches!(done.what, Thing::Kept { .. }) && done.stands;
    assert_eq!(done.values().filter(kept).count(), 1);
}

/// A random history of one person in both systems, and when what is said of it comes in.
fn history(rng: &mut ChaCha8Rng) -> (World, Vec<Change>, Vec<Change>) {
    let mut world = World::new();
    let said = [lead(), in_crm()].map(|record| {
        let time = start().plus(rng.random_range(0..10 * 24) * HOUR);
        world.change(&record, Class::Delta, time, &ada())
    });
    let many = rng.random_range(2..14);
    let others: Vec<Change> = (0..many).map(|nth| something(rng, nth)).collect();
    let (acts, more): (Vec<Change>, Vec<Change>) = others
        .into_iter()
        .partition(|change| matches!(change.class, Class::Act(_)));
    let mut acts = acts;
    for act in &mut acts {
        if rng.random_bool(0.4) {
            act.record = in_crm();
        }
    }
    (world, [&said[..], &more].concat(), acts)
}

#[test]
fn what_somebody_did_counts_the_same_whenever_it_is_heard() {
    let mut met = 0;
    for seed in seeds(&[], 200) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (world, said, acts) = history(&mut rng);
        let now = world.now.plus(90 * DAY);
        let ways: Vec<_> = (0..4)
            .map(|_| {
                let mut world = World::new();
                world.now = now;
                // Whose a record is may depend on the order of what is said; of what is done it may not.
                let mut all: Vec<Option<Change>> = said.iter().cloned().map(Some).collect();
                for act in &acts {
                    all.insert(rng.random_range(0..=all.len()), Some(act.clone()));
                }
                for change in all.into_iter().flatten() {
                    world.book.settle(Item::Change(change), &SHIPPED, now);
                }
                met += usize::from(world.book.entities.len() > 1);
                way(&world)
            })
            .collect();
        for other in &ways[1..] {
            assert_eq!(ways[0], *other, "seed {seed}");
        }
    }
    assert!(met > 50, "some were strangers first: {met}");
}

/// Where the person stands, how it came there, what was done, and how many people there are.
fn way(world: &World) -> (Name, Vec<Step>, Vec<Thing>, usize) {
    let editions = &SHIPPED.funnel.as_deref().unwrap().editions;
    let funnel = world.state(&lead()).funnel.as_deref().unwrap();
    let (now, course) = funnel.course(editions, world.now);
    let done = funnel.done().values().filter(|done| done.stands);
    let done = done.map(|done| done.what.clone());
    // What is about a clock bears the person's id in it, which is made of what came first.
    let mut done: Vec<Thing> = done
        .filter(|what| {
            matches!(
                what,
                Thing::Move { .. } | Thing::Recycle(..) | Thing::Handoff { .. }
            )
        })
        .collect();
    done.sort();
    let people = world.book.entities.values();
    let people = people.filter(|held| held.state.merged_into.is_none());
    // So is the id of a fact that was made of golden.
    let steps = course.steps.into_iter().map(|step| Step {
        trigger: Trigger::Rules,
        ..step
    });
    (now.stage, steps.collect(), done, people.count())
}

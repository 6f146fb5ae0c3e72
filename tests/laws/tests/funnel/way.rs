//! The way through the funnel, and what the systems hear of it.

use baton_core::{
    apply::apply,
    book::{Item, OutBody},
    change::{Class, Outcome},
    id::{Object, RecordKey},
    input::Input,
    lifecycle::fact::Actor,
    rules::Rules,
    time::{DAY, HOUR, Millis},
    wire::{Lifecycle, Trigger},
};

use crate::world::{SHIPPED, World, known, lead, points, text};

#[test]
fn whoever_has_no_points_is_nurtured_and_whoever_has_enough_crosses_the_line() {
    let mut world = known(40);
    assert_eq!(world.stage(&lead()), "nurture");
    world.pass(DAY);
    world.says(&lead(), &[("lead_score", points(120))]);
    assert_eq!(world.stage(&lead()), "mql");
    assert_eq!(world.golden(&lead(), "status"), text("open"));
    assert!(!world.golden(&lead(), "sales_handoff").is_blank());
    assert_eq!(
        world.told.get(&("crm".into(), "Status".into())),
        Some(&"Open - Not Contacted".into()),
        "{:?}",
        world.book.out.parked,
    );
}

#[test]
fn whoever_stalls_goes_back_to_nurture_once_and_both_systems_are_told() {
    let mut world = known(120);
    assert_eq!(world.stage(&lead()), "mql");
    let contact = world
        .state(&lead())
        .links
        .keys()
        .find(|record| record.system == "crm".into())
        .cloned()
        .unwrap();
    world.pass(HOUR);
    world.says(&contact, &[("status", text("working"))]);
    assert_eq!(world.stage(&lead()), "sdr_review");
    assert_eq!(world.golden(&lead(), "status"), text("working"));
    world.pass(20 * DAY);
    assert_eq!(world.stage(&lead()), "recycled");
    assert_eq!(world.golden(&lead(), "status"), text("nurturing"));
    assert_eq!(
        world.golden(&lead(), "nurture_track"),
        text("Nurture: wake up")
    );
    assert_eq!(world.golden(&lead(), "owner"), text("Marketing Nurture"));
    let told = |system: &str, field: &str| world.told.get(&(system.into(), field.into()));
    assert_eq!(told("crm", "Status"), Some(&"Nurturing".into()));
    assert_eq!(
        told("map", "nurture_track"),
        Some(&"Nurture: wake up".into())
    );
}

/// While Baton is down, what came in time waits in the log, and is still in time when it is read.
#[test]
fn a_call_that_reached_the_log_within_the_grace_time_takes_the_return_back_however_late_it_is_read()
{
    for (came, stage) in [(2 * DAY, "sdr_review"), (2 * DAY + 1, "recycled")] {
        let mut world = known(120);
        let crm = RecordKey::new("crm", Object::Contact, "003");
        world.says(&crm, &[("email", text("ada@example.com"))]);
        world.says(&crm, &[("status", text("working"))]);
        let review = world.now;
        let back = review.floor(1_000).plus(14 * DAY);
        world.until(back);
        assert_eq!(world.stage(&lead()), "recycled");
        let class = World::act("call_connected", Actor::Sales);
        world.until(back.plus(came));
        let call = world.change(&lead(), class, review.plus(10 * DAY), &[]);
        world.until(back.plus(5 * DAY));
        world.take(Item::Change(call));
        assert_eq!(world.stage(&lead()), stage, "it came {came} ms after it");
    }
}

#[test]
fn a_stage_that_a_system_tells_in_a_message_of_its_own_is_its_claim() {
    let mut world = known(120);
    let crm = RecordKey::new("crm", Object::Contact, "003");
    world.says(&crm, &[("email", text("ada@example.com"))]);
    assert_eq!(world.who(&crm), world.who(&lead()), "one person");
    world.pass(HOUR);
    let tells = |world: &mut World, stage: &str| {
        let class = Class::Stage {
            stage: stage.into(),
        };
        let change = world.change(&crm, class, world.now, &[]);
        world.take(Item::Change(change))
    };
    assert_eq!(tells(&mut world, "sdr_review"), Outcome::Applied);
    assert_eq!(world.stage(&lead()), "sdr_review");
    // It is for the CRM to say, but nobody gets to `won` by a word.
    tells(&mut world, "won");
    assert_eq!(world.stage(&lead()), "sdr_review");
    let stages: Vec<&str> = world
        .state(&lead())
        .stages()
        .map(|fact| fact.stage.as_str())
        .collect();
    assert_eq!(
        stages,
        ["mql", "sdr_review"],
        "other rules go by the funnel's stages"
    );
}

#[test]
fn sales_reads_which_definition_made_somebody_ready_and_how_many_of_the_points_count() {
    let mut world = known(120);
    let told = |world: &World| world.golden(&lead(), "sales_handoff").to_string();
    let first = told(&world);
    assert!(
        first.contains("(definition 1, episode 1): 120 points of 100"),
        "{first}"
    );
    let ada = world.who(&lead());
    world.returns(ada, "no_response");
    world.pass(31 * DAY);
    world.does(&lead(), "webinar", Actor::Buyer, world.now);
    world.says(&lead(), &[("lead_score", points(240))]);
    assert_eq!(world.stage(&lead()), "mql");
    let second = told(&world);
    assert!(
        second.contains("episode 2): 240 points, of which 120 count, of 100"),
        "{second}"
    );
}

/// `disqualified` ranks above all others, but is none that they lead to.
#[test]
fn whoever_leaves_the_funnel_has_passed_over_no_stage() {
    let mut world = known(120);
    let crm = RecordKey::new("crm", Object::Contact, "003");
    world.says(&crm, &[("email", text("ada@example.com"))]);
    world.pass(HOUR);
    world.says(&crm, &[("status", text("unqualified"))]);
    assert_eq!(world.stage(&lead()), "disqualified");
    let messages = world.book.out.messages.iter();
    let mut skipped = messages.filter_map(|message| match &message.body {
        OutBody::Lifecycle(told) => match &told.told {
            Lifecycle::Transition { skipped, .. } => Some(skipped),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(skipped.next_back().unwrap(), &Vec::new());
}

#[test]
fn nobody_is_woken_by_a_funnel_that_was_taken_away() {
    let mut world = known(120);
    world.pass(HOUR);
    let mut state = world.state(&lead()).clone();
    let due = state.funnel.as_ref().unwrap().present().next.unwrap();
    let without = Rules {
        funnel: None,
        ..SHIPPED.clone()
    };
    apply(&mut state, &Input::Wake, &without, due);
    assert_ne!(state.wake, Some(due), "or it would be woken for ever");
    assert!(state.wake.is_none_or(|wake| wake > due));
}

/// Facts that are long past come in now; with one of them there are enough to be summed up.
#[test]
fn what_is_told_of_a_deed_names_what_brought_it_about_also_where_that_is_summed_up_at_once() {
    for views in 50..66 {
        let mut world = known(40);
        let long_ago = world.now;
        world.pass(100 * DAY);
        for nth in 0..views {
            let then = long_ago.plus(nth * HOUR);
            world.does(&lead(), "page_view", Actor::Buyer, then);
        }
        let then = long_ago.plus(views * HOUR);
        world.does(&lead(), "demo_request", Actor::Buyer, then);
        let messages = world.book.out.messages.iter();
        let crossed = messages.filter_map(|message| match &message.body {
            OutBody::Lifecycle(told) => match &told.told {
                Lifecycle::Transition { to, trigger, .. } if to.as_str() == "mql" => Some(trigger),
                _ => None,
            },
            _ => None,
        });
        for trigger in crossed {
            let Trigger::Fact { name, .. } = trigger else {
                panic!("{trigger:?}");
            };
            assert_eq!(
                name.map(|name| name.as_str()),
                Some("demo_request"),
                "{views}"
            );
        }
    }
}

#[test]
fn what_bears_no_time_is_heard_when_it_comes_in() {
    let mut world = World::new();
    let said = [
        ("email", text("ada@example.com")),
        ("company", text("Analytical")),
        ("lead_score", points(120)),
    ];
    let change = world.change(&lead(), Class::Delta, Millis::UNTIMED, &said);
    world.take(Item::Change(change));
    assert_eq!(world.stage(&lead()), "mql");
    let stage = world.state(&lead()).stages().last().unwrap().time;
    assert_eq!(stage, world.now);
}

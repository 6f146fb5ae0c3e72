//! Each feature of a clock. The follow-up clock runs for eight hours of nine to five in Berlin from `mql` on; the day
//! the stories begin on is a Tuesday, and noon in Berlin is hour 10.

use baton_core::{
    lifecycle::{
        course::{Clock, Course, End},
        fact::Actor,
        rules::Mode,
    },
    value::Value,
};

use crate::{
    table::{course, path},
    world::{House, Story, hours, n},
};

fn clock<'c>(course: &'c Course, name: &str) -> &'c Clock {
    course
        .clocks
        .iter()
        .find(|c| c.name == n(name))
        .expect("the clock ran")
}

fn ready_at(hour: i64) -> Story {
    let mut story = Story::default();
    story.score(hour, 60);
    story
}

fn patient() -> House {
    House {
        recycles_unanswered: false,
        ..House::default()
    }
}

#[test]
fn a_clock_runs_in_business_time_reminds_at_its_shares_and_escalates_after_the_breach() {
    let (_, course) = course(&patient(), &ready_at(10), 200);
    let clock = clock(&course, "follow_up");
    // Noon to five are five hours; one and three more the next morning, seven to ten in UTC.
    assert_eq!(clock.reminded, [(50, hours(14)), (75, hours(24 + 8))]);
    assert_eq!(clock.breached, Some(hours(24 + 10)));
    let (lead, head) = (n("team_lead"), n("head_of_sales"));
    assert_eq!(
        clock.escalated,
        [(lead, hours(24 + 12)), (head, hours(48 + 11))]
    );
    assert_eq!(clock.end, None);
}

#[test]
fn a_clock_that_starts_outside_hours_counts_from_the_next_opening() {
    // Friday evening: the clocks go back on Sunday, so nine o'clock on Monday is eight in UTC.
    let (_, course) = course(&patient(), &ready_at(3 * 24 + 20), 300);
    let due = hours(6 * 24 + 16);
    assert_eq!(clock(&course, "follow_up").breached, Some(due));
}

#[test]
fn a_holiday_does_not_count() {
    // Thursday at three; Friday 30 October is free.
    let (_, course) = course(&patient(), &ready_at(9 * 24 + 14), 600);
    let due = hours(13 * 24 + 14);
    assert_eq!(clock(&course, "follow_up").breached, Some(due));
}

#[test]
fn the_first_touch_in_time_meets_the_clock_also_at_the_last_moment() {
    let mut story = ready_at(10);
    story.act(24 + 10, Actor::Sales, "call");
    let (_, course) = course(&patient(), &story, 200);
    let clock = clock(&course, "follow_up");
    assert_eq!(clock.end, Some((hours(34), End::Met)));
    assert_eq!(clock.breached, None);
}

#[test]
fn a_touch_after_the_breach_ends_the_clock_late() {
    let mut story = ready_at(10);
    story.act(24 + 11, Actor::Sales, "call");
    let (_, course) = course(&patient(), &story, 200);
    let clock = clock(&course, "follow_up");
    assert_eq!(clock.end, Some((hours(35), End::Late)));
    assert_eq!(clock.escalated, []);
}

#[test]
fn what_the_buyer_or_a_machine_does_is_no_touch() {
    let mut story = ready_at(10);
    story
        .act(11, Actor::Buyer, "call")
        .act(12, Actor::Automation, "call");
    let (_, course) = course(&patient(), &story, 200);
    assert!(clock(&course, "follow_up").breached.is_some());
}

#[test]
fn a_clock_stands_still_while_its_condition_holds() {
    let mut story = ready_at(10);
    story.field(11, "away", Value::Bool(true));
    let (_, standing) = course(&patient(), &story, 200);
    assert_eq!(clock(&standing, "follow_up").due, None);
    // One hour was used up; seven are left of Thursday, from nine on.
    story.field(48 + 7, "away", Value::Blank);
    let (_, course) = course(&patient(), &story, 200);
    let clock = clock(&course, "follow_up");
    assert_eq!(clock.breached, Some(hours(48 + 14)));
}

#[test]
fn a_breach_recycles_where_that_is_its_consequence_and_stops_the_clocks() {
    let (whereabouts, course) = course(&House::default(), &ready_at(10), 200);
    assert_eq!(path(&course)[1], (34, "recycled"));
    assert_eq!(
        clock(&course, "follow_up").end,
        Some((hours(34), End::Stopped))
    );
    assert!(whereabouts.clocks.is_empty());
}

#[test]
fn the_calendar_is_chosen_by_the_person() {
    let mut story = Story::default();
    story.field(0, "country", Value::text("AU"));
    story.score(10, 60);
    let (_, course) = course(&patient(), &story, 200);
    let clock = clock(&course, "follow_up");
    assert_eq!(clock.calendar, n("nights"));
    // From ten to six over night: 20:00 to 04:00 in UTC.
    assert_eq!(clock.breached, Some(hours(24 + 4)));
}

#[test]
fn follow_through_takes_as_many_touches_as_it_says_or_an_outcome() {
    let mut story = ready_at(10);
    story.qualified(11, true, true);
    story
        .act(12, Actor::Sales, "call")
        .act(13, Actor::Sales, "note");
    let (_, after_two) = course(&patient(), &story, 14);
    assert_eq!(clock(&after_two, "follow_through").end, None);
    assert_eq!(
        clock(&after_two, "follow_up").end,
        Some((hours(11), End::Met))
    );
    let mut with_outcome = ready_at(10);
    with_outcome
        .qualified(11, true, true)
        .claim(12, "opportunity");
    let (_, ended) = course(&patient(), &with_outcome, 14);
    assert_eq!(
        clock(&ended, "follow_through").end,
        Some((hours(12), End::Met))
    );
    story.act(14, Actor::Sales, "meeting");
    let (_, after_three) = course(&patient(), &story, 15);
    assert_eq!(
        clock(&after_three, "follow_through").end,
        Some((hours(14), End::Met))
    );
}

#[test]
fn system_delay_is_kept_apart_from_human_delay() {
    let mut story = ready_at(10);
    story.at(12, baton_core::lifecycle::fact::What::Delivered);
    story.act(14, Actor::Sales, "call");
    let (whereabouts, course) = course(&patient(), &story, 15);
    let episode = whereabouts.episode.expect("it is open");
    assert_eq!(
        (episode.opened, episode.delivered),
        (hours(10), Some(hours(12)))
    );
    let touch = clock(&course, "first_touch");
    assert_eq!(
        (touch.started, touch.end),
        (hours(12), Some((hours(14), End::Met)))
    );
}

/// The CRM confirms each write of what it is told, also a second one and one of somebody who is back.
#[test]
fn only_the_first_delivery_of_an_episode_starts_the_clock_of_it() {
    let delivered = baton_core::lifecycle::fact::What::Delivered;
    let mut story = ready_at(10);
    story.at(12, delivered.clone());
    story.act(14, Actor::Sales, "call");
    story.at(16, delivered.clone());
    story.at(
        18,
        baton_core::lifecycle::fact::What::Returned { reason: None },
    );
    story.at(19, delivered);
    let (whereabouts, course) = course(&patient(), &story, 300);
    assert_eq!(whereabouts.stage, n("recycled"));
    let started: Vec<_> = course
        .clocks
        .iter()
        .filter(|clock| clock.name == n("first_touch"))
        .map(|clock| (clock.started, clock.breached))
        .collect();
    assert_eq!(started, [(hours(12), None)]);
}

#[test]
fn a_clock_keeps_the_rules_and_the_calendar_it_started_with() {
    let mut editions = patient().editions();
    let mut faster = patient();
    faster.target_hours = 4;
    editions.activate(hours(11), std::sync::Arc::new(faster.rules()));
    let entry = baton_core::lifecycle::fold::Whereabouts::new(crate::world::person(), &editions);
    let story = ready_at(10);
    let (_, course) =
        baton_core::lifecycle::fold::fold(&entry, &story.facts, &editions, hours(200));
    assert_eq!(clock(&course, "follow_up").breached, Some(hours(34)));
}

#[test]
fn a_clock_in_shadow_is_marked_so() {
    let house = House {
        shadow: true,
        ..patient()
    };
    let mut story = ready_at(10);
    story.qualified(11, true, true);
    let (_, course) = course(&house, &story, 12);
    assert_eq!(clock(&course, "follow_through").mode, Mode::Shadow);
}

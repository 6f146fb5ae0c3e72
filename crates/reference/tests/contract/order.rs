use baton_core::{
    change::{Cause, Seen},
    id::RecordKey,
    rules::{ClearPolicy, Strategy},
    value::Value,
};
use baton_reference::{Link, Told, golden, order};

use crate::story::*;

#[test]
fn vendor_sequence_goes_before_exact_time_within_a_quantum() {
    let mut story = Story::default();
    story
        .x(crm(), seconds(10).plus(900), text("first"), Cause::Unknown)
        .seq = 1;
    story
        .x(crm(), seconds(10).plus(100), text("second"), Cause::Unknown)
        .seq = 2;
    assert_eq!(x_under(Strategy::Latest, &story), text("second"));
}

#[test]
fn arrival_decides_where_the_exact_times_are_equal() {
    let mut story = Story::default();
    story.x(crm(), seconds(10), text("first"), Cause::Unknown);
    story.x(crm(), seconds(10), text("second"), Cause::Unknown);
    assert_eq!(x_under(Strategy::Latest, &story), text("second"));
    for nth in 0..20 {
        let value = text(&format!("again {nth}"));
        story.x(crm(), seconds(10), value.clone(), Cause::Unknown);
        assert_eq!(x_under(Strategy::Latest, &story), value);
    }
}

#[test]
fn a_read_back_is_last_in_its_quantum() {
    let mut story = Story::default();
    let read = story.x(crm(), seconds(10), text("read"), Cause::Unknown);
    read.told = Told::ReadBack;
    story.x(crm(), seconds(10).plus(999), text("sent"), Cause::Unknown);
    assert_eq!(x_under(Strategy::Latest, &story), text("read"));
}

#[test]
fn an_own_write_claims_nothing_but_is_seen() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("a"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("b"), Cause::ManualEdit);
    story.own(crm(), seconds(3), &[("x", text("b"))]);
    // The echo of Baton's own write restates it; a person who then types `a` again is heard.
    story.x(crm(), seconds(4), text("b"), Cause::Unknown);
    let rules = rules(Strategy::Latest);
    let case = story.case(&rules);
    let facts = order::sorted(&case, &case.facts);
    assert_eq!(order::turns(&facts, &crm(), "x".into()).len(), 1);
    assert_eq!(golden_value(&case, "x"), text("b"));
    story.x(crm(), seconds(5), text("a"), Cause::ManualEdit);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("a"));
}

#[test]
fn a_restatement_keeps_value_since() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("map"), Cause::ManualEdit);
    story.x(crm(), seconds(3), text("crm"), Cause::ListImport);
    assert_eq!(x_under(Strategy::Latest, &story), text("map"));
}

#[test]
fn a_late_observation_before_the_turn_changes_nothing() {
    let mut story = Story::default();
    story.x(crm(), seconds(5), text("new"), Cause::ManualEdit);
    story.x(crm(), seconds(1), text("old"), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Latest, &story), text("new"));
}

#[test]
fn an_untimed_observation_ranks_below_any_timed_one() {
    let mut story = Story::default();
    story.x(crm(), seconds(5), text("timed"), Cause::ManualEdit);
    let untimed = baton_core::time::Millis::UNTIMED;
    story.x(crm(), untimed, text("untimed"), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Latest, &story), text("timed"));
}

#[test]
fn one_event_twice_counts_with_the_smaller_time() {
    let mut story = Story::default();
    let fact = story
        .x(crm(), seconds(9), text("crm"), Cause::ManualEdit)
        .clone();
    story.x(map(), seconds(5), text("map"), Cause::ManualEdit);
    let mut twin = fact;
    twin.time = seconds(1);
    story.facts.push(twin);
    assert_eq!(x_under(Strategy::Latest, &story), text("map"));
}

#[test]
fn an_event_takes_over_what_was_found_by_reading() {
    let mut story = Story::default();
    story.x(map(), seconds(15), text("map"), Cause::ListImport);
    story.snapshot(crm(), seconds(10), &[("x", text("crm"))]);
    assert_eq!(x_under(Strategy::Latest, &story), text("map"));
    // The poll saw it first; the event says when it really happened.
    story.x(crm(), seconds(20), text("crm"), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Latest, &story), text("crm"));
}

#[test]
fn what_is_beyond_the_horizon_says_nothing() {
    let mut story = Story::default();
    story.x(crm(), seconds(9), text("kept"), Cause::ManualEdit);
    story
        .x(crm(), seconds(10), text("beyond"), Cause::ManualEdit)
        .beyond = true;
    assert_eq!(x_under(Strategy::Latest, &story), text("kept"));
}

#[test]
fn invalid_values_drop_out_and_the_last_good_one_is_offered() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("good"), Cause::ManualEdit);
    story
        .x(crm(), seconds(2), text("bad"), Cause::ManualEdit)
        .seen = Seen::Invalid;
    assert_eq!(x_under(Strategy::Latest, &story), text("good"));
}

#[test]
fn tie_break_goes_by_link_then_cause_then_source() {
    let strategy = || Strategy::Latest;
    let mut story = Story::default();
    story.x(crm(), seconds(1).plus(100), text("crm"), Cause::ListImport);
    story.x(map(), seconds(1).plus(900), text("map"), Cause::ListImport);
    // Same floored time and cause: the source list decides, not the exact time.
    assert_eq!(x_under(strategy(), &story), text("crm"));
    story.x(erp(), seconds(1), text("erp"), Cause::ManualEdit);
    assert_eq!(x_under(strategy(), &story), text("erp"));
    let rules = rules(strategy());
    let mut case = story.case(&rules);
    case.links.insert(erp(), Link::Merged);
    case.links.insert(crm(), Link::Deleted);
    assert_eq!(golden_value(&case, "x"), text("map"));
    // Not the alphabet but the source list, though erp comes first by name.
    story.facts.retain(|f| f.record != crm());
    story.facts[1].cause = Cause::ListImport;
    assert_eq!(x_under(strategy(), &story), text("map"));
}

#[test]
fn of_two_records_of_one_system_the_higher_sequence_then_the_later_exact_time_wins() {
    let other = || RecordKey::new("crm", baton_core::id::Object::Contact, "c2");
    let mut story = Story::default();
    story.x(crm(), seconds(1).plus(100), text("early"), Cause::Api);
    story.x(other(), seconds(1).plus(900), text("late"), Cause::Api);
    assert_eq!(x_under(Strategy::Latest, &story), text("late"));
    story.facts[0].seq = 7;
    assert_eq!(x_under(Strategy::Latest, &story), text("early"));
}

#[test]
fn protection_is_judged_by_event_times_and_reaches_other_records() {
    let mut rules = rules(Strategy::Latest);
    for field in rules.person.fields.values_mut() {
        field.protect_manual = Some(10_000);
    }
    let mut story = Story::default();
    story.x(map(), seconds(1), text("old"), Cause::Unknown);
    story.x(crm(), seconds(10), text("typed"), Cause::ManualEdit);
    story.x(map(), seconds(19), text("imported"), Cause::ListImport);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("typed"));
    // Exactly the protected time later it is no longer "less than that time before it".
    story.x(map(), seconds(20), text("later"), Cause::ListImport);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("later"));
    // An import before the edit was never protected against.
    for field in rules.person.fields.values_mut() {
        field.strategy = Strategy::First;
    }
    let mut story = Story::default();
    story.x(map(), seconds(9), text("imported"), Cause::ListImport);
    story.x(crm(), seconds(10), text("typed"), Cause::ManualEdit);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("imported"));
}

#[test]
fn a_detached_record_is_silent_from_the_next_turn_on() {
    let rules = rules(Strategy::Priority {
        sources: vec!["crm".into(), "map".into()],
        on_blank: baton_core::rules::OnBlank::Clear,
    });
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("map"), Cause::ManualEdit);
    let since = Link::Detached { since: seconds(5) };
    let mut case = story.case(&rules);
    case.links.insert(crm(), since);
    assert_eq!(golden_value(&case, "x"), text("crm"));
    story.x(map(), seconds(5), text("meanwhile"), Cause::ManualEdit);
    let mut case = story.case(&rules);
    case.links.insert(crm(), since);
    assert_eq!(golden_value(&case, "x"), text("crm"));
    story.x(map(), seconds(6), text("new"), Cause::ListImport);
    let mut case = story.case(&rules);
    case.links.insert(crm(), since);
    assert_eq!(golden_value(&case, "x"), text("new"));
}

#[test]
fn a_converted_leads_facts_are_its_contacts() {
    let lead = || RecordKey::new("crm", baton_core::id::Object::Lead, "l1");
    let rules = rules(Strategy::Latest);
    let mut story = Story::default();
    story.x(lead(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(5), text("map"), Cause::ManualEdit);
    story.snapshot(crm(), seconds(9), &[("x", text("crm"))]);
    let mut case = story.case(&rules);
    case.moved.insert(lead(), crm());
    // The contact restates what the lead said: nothing new.
    assert_eq!(golden_value(&case, "x"), text("map"));
}

#[test]
fn an_erased_record_says_nothing() {
    let rules = rules_with_clear(Strategy::Latest, ClearPolicy::Propagate);
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    let mut case = story.case(&rules);
    case.links.insert(crm(), Link::Erased);
    assert_eq!(
        golden(&case).get(&"x".into()).map(|a| a.value.clone()),
        None::<Value>
    );
}

use baton_core::{
    change::Cause,
    id::{Object, RecordKey},
    rules::{ConsentRule, ConsentState, FieldRule, Rules, Strategy},
    value::Value,
};
use baton_reference::{Actor, Case, ConsentAct, Lock};

use crate::story::*;

fn consent_rules() -> Rules {
    let mut rules = rules(Strategy::Latest);
    rules.person.fields.insert(
        "x".into(),
        FieldRule {
            consent: Some("email".into()),
            ..FieldRule::default()
        },
    );
    let states = ConsentState::ALL.map(|s| (s.as_str().into(), s));
    rules.consents.push(ConsentRule {
        channel: "email".into(),
        field: "x".into(),
        address: "email".into(),
        states: states.into(),
    });
    rules
}

fn stranger() -> RecordKey {
    RecordKey::new("map", Object::Lead, "m9")
}

fn act(by: Actor, at: i64, arrival: i64, value: &str) -> ConsentAct {
    ConsentAct {
        channel: "email".into(),
        address: Some(text("a@b.eu")),
        value: text(value),
        time: seconds(at),
        arrival: seconds(arrival),
        by,
    }
}

/// A person with one address in both systems, opted out in the CRM at second 10.
fn opted_out() -> Story {
    let mut story = Story::default();
    for record in [crm(), map()] {
        story.change(record, seconds(1), &[("email", text("a@b.eu"))]);
    }
    story.x(map(), seconds(2), text("opted_in"), Cause::OwnForm);
    story.x(crm(), seconds(10), text("opted_out"), Cause::ManualEdit);
    story
}

#[test]
fn a_restriction_stands_against_later_claims_of_others() {
    let rules = consent_rules();
    let mut story = opted_out();
    story.x(map(), seconds(11), text("unknown"), Cause::ListImport);
    story.x(map(), seconds(12), text("opted_in"), Cause::ManualEdit);
    story.x(crm(), seconds(13), text(""), Cause::OwnForm);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("opted_out"));
}

#[test]
fn the_persons_own_later_act_answers_an_opt_out() {
    let rules = consent_rules();
    let mut story = opted_out();
    story.x(map(), seconds(11), text("pending"), Cause::OwnForm);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("pending"));
    story.x(map(), seconds(12), text("opted_in"), Cause::OwnForm);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("opted_in"));
}

#[test]
fn an_act_in_the_same_quantum_does_not_answer() {
    let rules = consent_rules();
    let mut case = opted_out().case(&rules);
    case.acts.push(act(Actor::Own, 10, 99, "opted_in"));
    assert_eq!(golden_value(&case, "x"), text("opted_out"));
    case.acts.push(act(Actor::Own, 11, 99, "opted_in"));
    assert_eq!(golden_value(&case, "x"), text("opted_in"));
}

#[test]
fn a_loosening_counts_from_the_earlier_of_event_and_arrival() {
    let rules = consent_rules();
    let mut case = opted_out().case(&rules);
    case.acts.push(act(Actor::Own, 11, 9, "opted_in"));
    assert_eq!(golden_value(&case, "x"), text("opted_out"));
    // A form whose clock runs ahead: it arrived at 10, whatever it says.
    let mut story = opted_out();
    story
        .x(map(), seconds(11), text("pending"), Cause::OwnForm)
        .position
        .arrival = seconds(10);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("opted_out"));
}

#[test]
fn only_a_steward_lifts_a_legal_block() {
    let rules = consent_rules();
    let mut story = opted_out();
    story.x(erp(), seconds(20), text("legal_block"), Cause::Api);
    let mut case: Case = story.case(&rules);
    case.acts.push(act(Actor::Own, 30, 30, "opted_in"));
    assert_eq!(golden_value(&case, "x"), text("legal_block"));
    case.acts.push(ConsentAct {
        address: None,
        ..act(Actor::Steward, 31, 31, "opted_in")
    });
    assert_eq!(golden_value(&case, "x"), text("opted_in"));
}

#[test]
fn a_bounce_ends_with_a_new_address_and_an_opt_out_does_not() {
    let rules = consent_rules();
    let mut story = Story::default();
    story.change(map(), seconds(1), &[("email", text("a@b.eu"))]);
    story.x(map(), seconds(2), text("opted_in"), Cause::OwnForm);
    story.x(map(), seconds(3), text("bounced"), Cause::Unknown);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("bounced"));
    let mut opted_out = Story::default();
    opted_out.change(map(), seconds(1), &[("email", text("a@b.eu"))]);
    opted_out.x(map(), seconds(3), text("opted_out"), Cause::OwnForm);
    for story in [&mut story, &mut opted_out] {
        story.change(map(), seconds(9), &[("email", text("new@b.eu"))]);
    }
    assert_eq!(golden_value(&story.case(&rules), "x"), text("opted_in"));
    assert_eq!(
        golden_value(&opted_out.case(&rules), "x"),
        text("opted_out")
    );
}

#[test]
fn everybody_with_the_address_shares_the_restriction() {
    let rules = consent_rules();
    let mut story = Story::default();
    story.change(crm(), seconds(1), &[("email", text("a@b.eu"))]);
    story.x(crm(), seconds(2), text("opted_in"), Cause::OwnForm);
    let mut elsewhere = Story::default();
    elsewhere.change(stranger(), seconds(1), &[("email", text("a@b.eu"))]);
    elsewhere.x(stranger(), seconds(5), text("opted_out"), Cause::OwnForm);
    let mut case = story.case(&rules);
    case.others = elsewhere.facts.clone();
    assert_eq!(golden_value(&case, "x"), text("opted_out"));
    let mut moved = Story::default();
    moved.change(stranger(), seconds(1), &[("email", text("z@b.eu"))]);
    moved.x(stranger(), seconds(5), text("opted_out"), Cause::OwnForm);
    case.others = moved.facts;
    assert_eq!(golden_value(&case, "x"), text("opted_in"));
}

#[test]
fn consent_stands_above_a_lock() {
    let rules = consent_rules();
    let mut case = opted_out().case(&rules);
    case.locks.insert("x".into(), Lock::Value(text("opted_in")));
    assert_eq!(golden_value(&case, "x"), text("opted_out"));
}

#[test]
fn an_own_write_of_an_opt_out_needs_no_answer_of_its_own() {
    let rules = consent_rules();
    let mut story = opted_out();
    story.own(map(), seconds(11), &[("x", text("opted_out"))]);
    story.x(map(), seconds(12), text("opted_in"), Cause::OwnForm);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("opted_in"));
    assert_ne!(golden_value(&story.case(&rules), "x"), Value::Blank);
}

#[test]
fn after_an_unmerge_both_keep_the_restriction() {
    let rules = consent_rules();
    let mut story = Story::default();
    story.change(crm(), seconds(1), &[("email", text("a@b.eu"))]);
    story.x(crm(), seconds(2), text("opted_in"), Cause::OwnForm);
    let mut split_off = Story::default();
    split_off.change(stranger(), seconds(1), &[("email", text("z@b.eu"))]);
    split_off.x(stranger(), seconds(5), text("opted_out"), Cause::OwnForm);
    let mut case = story.case(&rules);
    case.formerly = split_off.facts;
    assert_eq!(golden_value(&case, "x"), text("opted_out"));
}

#[test]
fn an_act_on_another_address_or_without_a_word_answers_nothing() {
    let rules = consent_rules();
    let mut case = opted_out().case(&rules);
    case.acts.push(ConsentAct {
        address: Some(text("other@b.eu")),
        ..act(Actor::Own, 20, 20, "opted_in")
    });
    case.acts.push(act(Actor::Own, 21, 21, "unknown"));
    assert_eq!(golden_value(&case, "x"), text("opted_out"));
}

#[test]
fn a_strangers_bounce_counts_for_the_address_that_bounced_only() {
    let rules = consent_rules();
    let mut story = Story::default();
    story.change(crm(), seconds(1), &[("email", text("new@b.eu"))]);
    story.x(crm(), seconds(2), text("opted_in"), Cause::OwnForm);
    let elsewhere = |value| {
        let mut elsewhere = Story::default();
        elsewhere.change(stranger(), seconds(1), &[("email", text("a@b.eu"))]);
        elsewhere.x(stranger(), seconds(5), text(value), Cause::Unknown);
        elsewhere.change(stranger(), seconds(9), &[("email", text("new@b.eu"))]);
        elsewhere.facts
    };
    let mut case = story.case(&rules);
    case.others = elsewhere("bounced");
    assert_eq!(golden_value(&case, "x"), text("opted_in"));
    case.others = elsewhere("opted_out");
    assert_eq!(golden_value(&case, "x"), text("opted_out"));
}

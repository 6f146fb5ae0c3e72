use baton_core::{
    change::{Cause, Seen},
    rules::{ClearPolicy, Decay, Expr, FieldRule, Strategy, Trust, TrustSource},
    value::Value,
};
use baton_reference::{Lock, StewardChoice};

use crate::story::*;

#[test]
fn only_hears_one_source() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("map"), Cause::OwnForm);
    let only = Strategy::Only {
        source: "crm".into(),
    };
    assert_eq!(x_under(only, &story), text("crm"));
}

#[test]
fn latest_is_the_newest_value_of_that_field() {
    let mut story = Story::default();
    story.x(map(), seconds(2), text("map"), Cause::ListImport);
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Latest, &story), text("map"));
}

#[test]
fn fill_keeps_the_record_that_had_a_value_first_with_its_current_value() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("a"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("b"), Cause::ManualEdit);
    story.x(crm(), seconds(3), text("c"), Cause::ManualEdit);
    let ignore = rules_with_clear(Strategy::Fill, ClearPolicy::Ignore);
    assert_eq!(golden_value(&story.case(&ignore), "x"), text("c"));
    story.x(crm(), seconds(4), text(""), Cause::ManualEdit);
    assert_eq!(golden_value(&story.case(&ignore), "x"), text("c"));
    let propagate = rules_with_clear(Strategy::Fill, ClearPolicy::Propagate);
    assert_eq!(golden_value(&story.case(&propagate), "x"), text("b"));
}

#[test]
fn first_is_the_earliest_turn_ever_even_a_late_one() {
    let mut story = Story::default();
    story.x(crm(), seconds(5), text("crm"), Cause::ManualEdit);
    story.x(crm(), seconds(9), text("newer"), Cause::ManualEdit);
    story.x(map(), seconds(7), text("map"), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::First, &story), text("crm"));
    story.x(map(), seconds(3), text("late"), Cause::ListImport);
    assert_eq!(x_under(Strategy::First, &story), text("late"));
}

fn trust(decay: Decay, margin: i64) -> Strategy {
    let source = |max: i64| TrustSource {
        max: max.into(),
        min: 10.into(),
        period_days: 10,
        decay,
    };
    Strategy::Trust(Trust {
        sources: [("crm".into(), source(90)), ("map".into(), source(50))].into(),
        margin: margin.into(),
        doubtful: 30.into(),
    })
}

#[test]
fn trust_falls_with_age_as_its_decay_says() {
    // Judged on day 30: crm from day 24 is 6 days old; map from day 30 has its full 50.
    let mut story = Story::default();
    story.x(crm(), days(24), text("crm"), Cause::ManualEdit);
    story.x(map(), days(30), text("map"), Cause::ManualEdit);
    // Linear: 10 + 80 × 0.4 = 42 < 50.
    assert_eq!(x_under(trust(Decay::Linear, 0), &story), text("map"));
    // Fast, then slow: 10 + 80 × 0.16 = 22.8 < 50.
    assert_eq!(x_under(trust(Decay::FastThenSlow, 0), &story), text("map"));
    // Slow, then fast: 10 + 80 × 0.64 = 61.2 > 50.
    assert_eq!(x_under(trust(Decay::SlowThenFast, 0), &story), text("crm"));
    // Within 8 points of the best the earlier claim wins; within 7 it does not compete.
    assert_eq!(x_under(trust(Decay::Linear, 8), &story), text("crm"));
    assert_eq!(x_under(trust(Decay::Linear, 7), &story), text("map"));
}

#[test]
fn trust_looks_at_the_as_of_day_only() {
    let rules = rules(trust(Decay::Linear, 0));
    let mut story = Story::default();
    story.x(crm(), days(20), text("crm"), Cause::ManualEdit);
    story.x(map(), days(25), text("map"), Cause::ManualEdit);
    let mut case = story.case(&rules);
    // Day 25: crm 10 + 80 × 0.5 = 50, map 50: equal scores, the earlier value wins.
    case.as_of = days(25).plus(3_600_000);
    assert_eq!(golden_value(&case, "x"), text("crm"));
    // Day 26: crm 42, map 46.
    case.as_of = days(26);
    assert_eq!(golden_value(&case, "x"), text("map"));
    // Day 40: both have fallen to their floor of 10.
    case.as_of = days(40);
    assert_eq!(golden_value(&case, "x"), text("crm"));
}

#[test]
fn doubtful_values_lose_trust() {
    let mut story = Story::default();
    // 90 − 30 = 60 against 50, then two days older: 90 − 16 − 30 = 44.
    story
        .x(crm(), days(30), text("crm"), Cause::ManualEdit)
        .seen = Seen::Doubtful;
    story.x(map(), days(30), text("map"), Cause::ManualEdit);
    assert_eq!(x_under(trust(Decay::Linear, 0), &story), text("crm"));
    story.facts[0].time = days(28);
    assert_eq!(x_under(trust(Decay::Linear, 0), &story), text("map"));
}

#[test]
fn longest_counts_characters() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("Żółć"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("Rest"), Cause::ManualEdit);
    story.x(erp(), seconds(1), text("Best!"), Cause::Unknown);
    assert_eq!(x_under(Strategy::Longest, &story), text("Best!"));
}

#[test]
fn max_and_min_compare_by_type_and_blanks_lose() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), number(9), Cause::ManualEdit);
    story.x(map(), seconds(2), number(10), Cause::ManualEdit);
    story.x(erp(), seconds(3), number(5), Cause::ManualEdit);
    story.x(erp(), seconds(4), text(""), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Max, &story), number(10));
    assert_eq!(x_under(Strategy::Min, &story), number(9));
}

#[test]
fn union_keeps_an_element_whose_latest_add_is_not_before_its_latest_removal() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), set(&["a", "b"]), Cause::ManualEdit);
    story.x(map(), seconds(2), set(&["b", "c"]), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Union, &story), set(&["a", "b", "c"]));
    // Baton writes the union; the own write adds nothing, but a removal after it is known by it.
    story.own(map(), seconds(3), &[("x", set(&["a", "b", "c"]))]);
    story.x(map(), seconds(4), set(&["b", "c"]), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Union, &story), set(&["b", "c"]));
    // At the same floored instant the add stands.
    story.x(crm(), seconds(4).plus(500), set(&["b"]), Cause::ManualEdit);
    story.x(
        crm(),
        seconds(4).plus(900),
        set(&["a", "b"]),
        Cause::ManualEdit,
    );
    assert_eq!(x_under(Strategy::Union, &story), set(&["a", "b", "c"]));
}

#[test]
fn union_takes_no_restatement_for_an_add() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), set(&["a", "b"]), Cause::ManualEdit);
    story.x(map(), seconds(1), set(&["a", "b"]), Cause::ManualEdit);
    story.x(map(), seconds(2), set(&["b"]), Cause::ManualEdit);
    story.event(
        crm(),
        seconds(3),
        Cause::ManualEdit,
        &[("x", set(&["a", "b"]))],
    );
    assert_eq!(x_under(Strategy::Union, &story), set(&["b"]));
}

#[test]
fn counter_sums_deltas_that_came_with_a_before_image_each_once() {
    let mut story = Story::default();
    let delta = |story: &mut Story, record, at, before, after| {
        story
            .x(record, seconds(at), number(after), Cause::Api)
            .before = Some(number(before));
    };
    delta(&mut story, crm(), 1, 0, 5);
    delta(&mut story, map(), 1, 0, 5);
    delta(&mut story, map(), 2, 5, 3);
    // The same delta told by another event counts once.
    delta(&mut story, map(), 2, 5, 3);
    // No before-image, a snapshot, an own write: nothing.
    story.x(crm(), seconds(3), number(50), Cause::Api);
    story.snapshot(crm(), seconds(4), &[("x", number(60))]);
    story.own(crm(), seconds(5), &[("x", number(70))]);
    for fact in &mut story.facts {
        if fact.own || fact.told.by_reading() {
            fact.before = Some(number(1));
        }
    }
    assert_eq!(x_under(Strategy::Counter, &story), number(8));
}

#[test]
fn manual_waits_for_the_steward_with_the_earliest_value() {
    let rules = rules(Strategy::Manual {
        fallback: Some((10_000, Box::new(Strategy::Latest))),
    });
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(5), text("map"), Cause::ManualEdit);
    let mut case = story.case(&rules);
    case.as_of = seconds(14);
    assert_eq!(golden_value(&case, "x"), text("crm"));
    case.as_of = seconds(15);
    assert_eq!(golden_value(&case, "x"), text("map"));
    for (at, value) in [(20, "later"), (18, "earlier")] {
        case.choices.push(StewardChoice {
            name: "x".into(),
            at: seconds(at),
            values: vec![text(value)],
            record: None,
        });
    }
    assert_eq!(golden_value(&case, "x"), text("later"));
}

#[test]
fn derived_is_computed_from_golden_values() {
    let mut rules = rules(Strategy::Derived(Expr::Concat {
        parts: vec![
            Expr::Upper(Box::new(Expr::Field("given".into()))),
            Expr::Field("middle".into()),
            Expr::Coalesce(vec![
                Expr::Field("middle".into()),
                Expr::Domain(Box::new(Expr::Field("email".into()))),
            ]),
        ],
        separator: " ".into(),
    }));
    for field in ["given", "middle"] {
        rules
            .person
            .fields
            .insert(field.into(), FieldRule::default());
    }
    let mut story = Story::default();
    story.change(
        crm(),
        seconds(1),
        &[("given", text("Ada")), ("email", text("a@b.eu"))],
    );
    story.x(crm(), seconds(1), text("typed"), Cause::OwnForm);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("ADA b.eu"));
}

#[test]
fn a_circle_of_derived_fields_reads_as_blank() {
    let mut rules = rules(Strategy::Derived(Expr::Field("y".into())));
    let y = FieldRule {
        strategy: Strategy::Derived(Expr::Field("x".into())),
        ..FieldRule::default()
    };
    rules.person.fields.insert("y".into(), y);
    let case = Story::default().case(&rules);
    assert_eq!(golden_value(&case, "x"), Value::Blank);
}

#[test]
fn a_lock_always_wins() {
    let rules = rules(Strategy::Latest);
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("map"), Cause::OwnForm);
    let mut case = story.case(&rules);
    case.locks.insert("x".into(), Lock::Source("crm".into()));
    assert_eq!(golden_value(&case, "x"), text("crm"));
    case.locks.insert("x".into(), Lock::Value(text("locked")));
    assert_eq!(golden_value(&case, "x"), text("locked"));
}

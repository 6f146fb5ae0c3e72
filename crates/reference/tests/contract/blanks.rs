use baton_core::{
    change::{Cause, Seen},
    rules::{ClearPolicy, OnBlank, Strategy},
};

use crate::story::*;

#[test]
fn a_blank_snapshot_never_clears() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("kept"), Cause::ManualEdit);
    story.snapshot(crm(), seconds(2), &[("x", text(""))]);
    let rules = rules_with_clear(Strategy::Latest, ClearPolicy::Propagate);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("kept"));
    // The value that comes back is no new claim either.
    story.x(map(), seconds(3), text("map"), Cause::ManualEdit);
    story.snapshot(crm(), seconds(4), &[("x", text("kept"))]);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("map"));
}

#[test]
fn a_sentinel_counts_as_never_set() {
    let mut story = Story::default();
    story.x(map(), seconds(1), text("value"), Cause::ManualEdit);
    story
        .x(crm(), seconds(2), text("N/A"), Cause::ManualEdit)
        .seen = Seen::Sentinel;
    let rules = rules_with_clear(Strategy::Latest, ClearPolicy::Propagate);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("value"));
}

#[test]
fn a_blank_in_an_event_clears_only_after_an_observed_value() {
    let rules = rules(Strategy::Latest);
    let mut story = Story::default();
    story.x(map(), seconds(1), text("value"), Cause::ManualEdit);
    story.event(crm(), seconds(2), Cause::ManualEdit, &[("x", text(""))]);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("value"));
    // An own write is an observation too.
    story.own(crm(), seconds(3), &[("x", text("value"))]);
    story.event(crm(), seconds(4), Cause::ManualEdit, &[("x", text(""))]);
    assert_eq!(golden_value(&story.case(&rules), "x"), text(""));
}

#[test]
fn clear_policies_differ_by_cause() {
    let clears = |clear, cause| {
        let mut story = Story::default();
        story.x(crm(), seconds(1), text("a"), Cause::Unknown);
        story.x(crm(), seconds(2), text(""), cause);
        let rules = rules_with_clear(Strategy::Latest, clear);
        golden_value(&story.case(&rules), "x") == text("")
    };
    assert!(clears(ClearPolicy::Propagate, Cause::Api));
    assert!(clears(ClearPolicy::PropagateIfManual, Cause::ManualEdit));
    assert!(clears(ClearPolicy::PropagateIfManual, Cause::OwnForm));
    assert!(!clears(ClearPolicy::PropagateIfManual, Cause::SalesTool));
    assert!(!clears(ClearPolicy::Ignore, Cause::OwnForm));
    assert!(!clears(ClearPolicy::Hold, Cause::OwnForm));
}

#[test]
fn a_clear_held_by_the_mass_clear_guard_waits() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("a"), Cause::Unknown);
    story.x(crm(), seconds(2), text(""), Cause::ManualEdit).held = true;
    assert_eq!(x_under(Strategy::Latest, &story), text("a"));
}

#[test]
fn the_same_value_after_a_clear_is_a_new_claim() {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("a"), Cause::ManualEdit);
    story.x(crm(), seconds(2), text(""), Cause::ListImport);
    story.x(map(), seconds(3), text("b"), Cause::ManualEdit);
    story.x(crm(), seconds(4), text("a"), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Latest, &story), text("a"));
}

#[test]
fn a_first_observation_that_is_blank_claims_nothing() {
    let mut story = Story::default();
    story.x(map(), seconds(1), text("value"), Cause::ManualEdit);
    story.x(crm(), seconds(2), text(""), Cause::ManualEdit);
    assert_eq!(x_under(Strategy::Latest, &story), text("value"));
}

#[test]
fn priority_clears_falls_back_or_holds() {
    let priority = |on_blank| Strategy::Priority {
        sources: vec!["crm".into(), "map".into()],
        on_blank,
    };
    let mut story = Story::default();
    story.x(erp(), seconds(9), text("erp"), Cause::ManualEdit);
    assert_eq!(
        x_under(priority(OnBlank::Clear), &story),
        text(""),
        "erp is not in the list"
    );
    story.x(map(), seconds(8), text("map"), Cause::ManualEdit);
    assert_eq!(x_under(priority(OnBlank::Clear), &story), text("map"));
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    assert_eq!(x_under(priority(OnBlank::Clear), &story), text("crm"));
    story.x(crm(), seconds(2), text(""), Cause::ManualEdit);
    assert_eq!(x_under(priority(OnBlank::Clear), &story), text(""));
    assert_eq!(x_under(priority(OnBlank::Fallback), &story), text("map"));
    assert_eq!(x_under(priority(OnBlank::Hold), &story), text("crm"));
}

#[test]
fn hold_keeps_the_value_of_the_record_that_was_cleared() {
    let hold = Strategy::Priority {
        sources: vec!["crm".into(), "map".into()],
        on_blank: OnBlank::Hold,
    };
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("map"), Cause::ManualEdit);
    story.x(crm(), seconds(3), text(""), Cause::ManualEdit);
    assert_eq!(x_under(hold.clone(), &story), text("crm"));
    // Nothing to hold where the value had come from Baton: the next source is asked.
    let mut story = Story::default();
    story.own(crm(), seconds(1), &[("x", text("map"))]);
    story.x(map(), seconds(2), text("map"), Cause::ManualEdit);
    story.x(crm(), seconds(3), text(""), Cause::ManualEdit);
    assert_eq!(x_under(hold, &story), text("map"));
}

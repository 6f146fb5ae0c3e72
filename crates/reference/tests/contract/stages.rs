use baton_core::{
    change::Cause,
    id::Position,
    name::Name,
    rules::{OnTransition, Rules, Segment, Strategy},
};
use baton_reference::{Case, StageFact};

use crate::story::*;

/// Marketing decides below `mql`, sales from there on.
fn by_stage(on_transition: OnTransition) -> Rules {
    let only = |source: &str| Strategy::Only {
        source: source.into(),
    };
    rules(Strategy::ByStage {
        segments: vec![
            Segment {
                until: Some("mql".into()),
                strategy: only("map"),
            },
            Segment {
                until: None,
                strategy: only("crm"),
            },
        ],
        on_transition,
    })
}

fn enter(case: &mut Case, at: i64, stage: &str) {
    case.stages.push(StageFact {
        time: seconds(at),
        position: Position::default(),
        stage: Name::new(stage),
    });
}

fn both() -> Story {
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("crm"), Cause::ManualEdit);
    story.x(map(), seconds(2), text("map"), Cause::ManualEdit);
    story
}

#[test]
fn keep_leaves_the_value_until_the_new_stage_has_a_winner_of_its_own() {
    let rules = by_stage(OnTransition::Keep);
    let mut story = both();
    assert_eq!(golden_value(&story.case(&rules), "x"), text("map"));
    let mut case = story.case(&rules);
    enter(&mut case, 5, "mql");
    assert_eq!(golden_value(&case, "x"), text("map"));
    story.x(map(), seconds(6), text("map 2"), Cause::OwnForm);
    let mut case = story.case(&rules);
    enter(&mut case, 5, "mql");
    assert_eq!(golden_value(&case, "x"), text("map"));
    story.x(crm(), seconds(7), text("crm 2"), Cause::Unknown);
    let mut case = story.case(&rules);
    enter(&mut case, 5, "mql");
    assert_eq!(golden_value(&case, "x"), text("crm 2"));
}

#[test]
fn rejudge_puts_all_claims_under_the_present_stage() {
    let rules = by_stage(OnTransition::Rejudge);
    let mut case = both().case(&rules);
    assert_eq!(golden_value(&case, "x"), text("map"));
    enter(&mut case, 5, "mql");
    assert_eq!(golden_value(&case, "x"), text("crm"));
}

#[test]
fn a_claim_at_the_instant_of_the_transition_belongs_to_the_stage_before() {
    let rules = by_stage(OnTransition::Keep);
    let mut story = both();
    story.x(
        crm(),
        seconds(5).plus(900),
        text("crm 2"),
        Cause::ManualEdit,
    );
    let mut case = story.case(&rules);
    enter(&mut case, 5, "mql");
    assert_eq!(golden_value(&case, "x"), text("map"));
}

#[test]
fn going_back_a_stage_keeps_the_value_until_a_new_claim() {
    let rules = by_stage(OnTransition::Keep);
    let mut story = both();
    story.x(crm(), seconds(6), text("sales"), Cause::ManualEdit);
    let recycled = |story: &Story| {
        let mut case = story.case(&rules);
        enter(&mut case, 5, "mql");
        enter(&mut case, 5, "sql");
        enter(&mut case, 8, "nurture");
        golden_value(&case, "x")
    };
    assert_eq!(recycled(&story), text("sales"));
    story.x(map(), seconds(9), text("marketing"), Cause::ListImport);
    assert_eq!(recycled(&story), text("marketing"));
}

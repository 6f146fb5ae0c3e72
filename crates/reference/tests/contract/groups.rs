use baton_core::{
    change::{Cause, Seen},
    rules::{ClearPolicy, FieldRule, MappedField, ObjectMapping, Rules, Strategy},
    time::DAY,
    value::Value,
};

use baton_reference::Lock;

use crate::story::*;

type Fields = [(&'static str, Value); 3];

fn address(street: &str, city: &str, country: &str) -> Fields {
    [
        ("street", text(street)),
        ("city", text(city)),
        ("country", text(country)),
    ]
}

fn golden_address(rules: &Rules, story: &Story) -> [String; 3] {
    let case = story.case(rules);
    ["street", "city", "country"].map(|f| golden_value(&case, f).to_string())
}

/// The worked example of the semantics, with the import one to ten seconds after the edit.
#[test]
fn a_salespersons_address_survives_a_later_marketing_list_whole() {
    let mut rules = group_rules(Strategy::Latest);
    for group in rules.person.groups.values_mut() {
        group.protect_manual = Some(180 * DAY);
        group.requires = vec!["country".into()];
    }
    for after in 1..=10 {
        let mut story = Story::default();
        story.by(
            crm(),
            seconds(0),
            Cause::Unknown,
            &address("Old 1", "Oldtown", "DE"),
        );
        story.own(map(), seconds(5), &address("Old 1", "Oldtown", "DE"));
        let edit = [("street", text("New 2")), ("city", text("Newtown"))];
        story.by(crm(), seconds(100), Cause::ManualEdit, &edit);
        let list = address("List 3", "Listville", "US");
        story.event(map(), seconds(100 + after), Cause::ListImport, &list);
        assert_eq!(golden_address(&rules, &story), ["New 2", "Newtown", "DE"]);
    }
}

#[test]
fn without_protection_the_later_list_would_win_whole() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(100),
        Cause::ManualEdit,
        &address("New 2", "Newtown", "DE"),
    );
    story.by(
        map(),
        seconds(101),
        Cause::ListImport,
        &address("List 3", "", "US"),
    );
    assert_eq!(golden_address(&rules, &story), ["List 3", "", "US"]);
}

#[test]
fn members_not_in_the_change_come_from_what_the_user_saw_own_writes_included() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        map(),
        seconds(1),
        Cause::ManualEdit,
        &address("Map 1", "Mapton", "FR"),
    );
    story.own(crm(), seconds(2), &address("Map 1", "Mapton", "FR"));
    story.by(
        crm(),
        seconds(3),
        Cause::ManualEdit,
        &[("street", text("Map 12"))],
    );
    assert_eq!(golden_address(&rules, &story), ["Map 12", "Mapton", "FR"]);
}

#[test]
fn changes_with_one_exact_time_make_one_tuple() {
    let rules = group_rules(Strategy::First);
    let mut story = Story::default();
    for field in address("One 1", "Oneton", "IT") {
        story.by(crm(), seconds(1), Cause::ManualEdit, &[field]);
    }
    story.by(
        map(),
        seconds(1).plus(5),
        Cause::ListImport,
        &address("B", "B", "BE"),
    );
    assert_eq!(golden_address(&rules, &story), ["One 1", "Oneton", "IT"]);
}

#[test]
fn a_tuple_with_a_member_never_observed_is_ineligible_until_a_reading_completes_it() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(5),
        Cause::ManualEdit,
        &[("street", text("Half 1"))],
    );
    assert_eq!(golden_address(&rules, &story), ["", "", ""]);
    story.by(
        map(),
        seconds(4),
        Cause::ManualEdit,
        &address("Map 1", "Mapton", "FR"),
    );
    assert_eq!(golden_address(&rules, &story), ["Map 1", "Mapton", "FR"]);
    story.snapshot(crm(), seconds(6), &address("Half 1", "", ""));
    assert_eq!(golden_address(&rules, &story), ["Half 1", "", ""]);
    // The tuple is as old as its latest member's turn, not as the reading.
    story.by(
        map(),
        seconds(5),
        Cause::OwnForm,
        &[("street", text("Map 2"))],
    );
    assert_eq!(golden_address(&rules, &story), ["Map 2", "Mapton", "FR"]);
}

#[test]
fn a_late_observation_may_complete_a_tuple() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(5),
        Cause::ManualEdit,
        &[("street", text("S"))],
    );
    let rest = [("city", text("C")), ("country", text("AT"))];
    story.by(crm(), seconds(1), Cause::ListImport, &rest);
    assert_eq!(golden_address(&rules, &story), ["S", "C", "AT"]);
}

#[test]
fn a_member_that_the_system_does_not_map_does_not_make_a_tuple_incomplete() {
    let mut rules = group_rules(Strategy::Latest);
    let mut mapping = ObjectMapping::default();
    for field in ["street", "city"] {
        mapping
            .fields
            .insert(field.into(), MappedField::plain(field));
    }
    rules.systems.insert("crm".into(), system("crm", mapping));
    let mut story = Story::default();
    let both = [("street", text("S")), ("city", text("C"))];
    story.by(crm(), seconds(5), Cause::ManualEdit, &both);
    assert_eq!(golden_address(&rules, &story), ["S", "C", ""]);
}

#[test]
fn requires_makes_other_tuples_ineligible_unless_none_qualifies() {
    let mut rules = group_rules(Strategy::Latest);
    for group in rules.person.groups.values_mut() {
        group.requires = vec!["country".into()];
    }
    let mut story = Story::default();
    story.by(map(), seconds(9), Cause::ManualEdit, &address("M", "M", ""));
    assert_eq!(golden_address(&rules, &story), ["M", "M", ""]);
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    assert_eq!(golden_address(&rules, &story), ["C", "C", "CH"]);
}

#[test]
fn a_manual_turn_of_any_member_protects_the_group() {
    let mut rules = group_rules(Strategy::Latest);
    for group in rules.person.groups.values_mut() {
        group.protect_manual = Some(DAY);
    }
    let mut story = Story::default();
    story.by(crm(), seconds(1), Cause::Unknown, &address("C", "C", "CH"));
    // Part of a tuple that is itself never complete.
    story.by(erp(), seconds(2), Cause::ManualEdit, &[("city", text("E"))]);
    story.by(
        map(),
        seconds(3),
        Cause::Enrichment,
        &address("M", "M", "MT"),
    );
    assert_eq!(golden_address(&rules, &story), ["C", "C", "CH"]);
}

#[test]
fn a_whole_blank_tuple_is_a_clear_and_a_blank_member_is_a_value() {
    let mut rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.by(crm(), seconds(2), Cause::ListImport, &[("city", text(""))]);
    assert_eq!(golden_address(&rules, &story), ["C", "", "CH"]);
    let rest = [("street", text("")), ("country", text(""))];
    story.by(crm(), seconds(3), Cause::ListImport, &rest);
    assert_eq!(golden_address(&rules, &story), ["C", "", "CH"]);
    for group in rules.person.groups.values_mut() {
        group.clear = ClearPolicy::Propagate;
    }
    assert_eq!(golden_address(&rules, &story), ["", "", ""]);
}

#[test]
fn a_blank_snapshot_does_not_empty_a_member() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.snapshot(crm(), seconds(2), &address("C", "", "CH"));
    story.by(
        crm(),
        seconds(3),
        Cause::ManualEdit,
        &[("street", text("D"))],
    );
    assert_eq!(golden_address(&rules, &story), ["D", "C", "CH"]);
}

#[test]
fn a_tuple_with_an_invalid_member_drops_out() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.by(
        crm(),
        seconds(2),
        Cause::ManualEdit,
        &[("country", text("??"))],
    )[0]
    .seen = Seen::Invalid;
    story.by(
        crm(),
        seconds(3),
        Cause::ManualEdit,
        &[("street", text("D"))],
    );
    assert_eq!(golden_address(&rules, &story), ["C", "C", "CH"]);
}

#[test]
fn an_own_write_in_the_same_second_does_not_become_the_users_tuple() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.by(
        crm(),
        seconds(5),
        Cause::ManualEdit,
        &[("street", text("D"))],
    );
    story.own(crm(), seconds(5), &address("M", "M", "MT"));
    assert_eq!(golden_address(&rules, &story), ["D", "C", "CH"]);
}

#[test]
fn most_complete_counts_members() {
    let rules = group_rules(Strategy::MostComplete);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.by(
        map(),
        seconds(2),
        Cause::ManualEdit,
        &address("M", "", "MT"),
    );
    assert_eq!(golden_address(&rules, &story), ["C", "C", "CH"]);
}

#[test]
fn follow_takes_the_value_of_the_record_that_won_the_group() {
    let mut rules = group_rules(Strategy::Latest);
    let follow = FieldRule {
        strategy: Strategy::Follow { group: "g".into() },
        ..FieldRule::default()
    };
    rules.person.fields.insert("x".into(), follow);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.by(
        map(),
        seconds(2),
        Cause::ManualEdit,
        &address("M", "M", "MT"),
    );
    story.x(crm(), seconds(9), text("of crm"), Cause::ManualEdit);
    assert_eq!(golden_value(&story.case(&rules), "x"), text(""));
    story.x(map(), seconds(3), text("of map"), Cause::ManualEdit);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("of map"));
}

#[test]
fn a_cut_value_that_the_user_left_alone_stays_whole_in_the_tuple() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    let long = address("Map 1", "Llanfairpwllgwyngyll", "GB");
    story.by(map(), seconds(1), Cause::ManualEdit, &long);
    story.own(crm(), seconds(2), &address("Map 1", "Llanfair", "GB"));
    for fact in &mut story.facts {
        if fact.own && fact.value == text("Llanfair") {
            fact.renders = Some(text("Llanfairpwllgwyngyll"));
        }
    }
    let edit = address("Crm 2", "Llanfair", "GB");
    story.event(crm(), seconds(3), Cause::ManualEdit, &edit);
    let whole = ["Crm 2", "Llanfairpwllgwyngyll", "GB"];
    assert_eq!(golden_address(&rules, &story), whole);
    // Typed anew after another value, the short form is the user's.
    let retyped = [("city", text("Elsewhere"))];
    story.by(crm(), seconds(4), Cause::ManualEdit, &retyped);
    let again = [("city", text("Llanfair"))];
    story.by(crm(), seconds(5), Cause::ManualEdit, &again);
    assert_eq!(golden_address(&rules, &story), ["Crm 2", "Llanfair", "GB"]);
}

#[test]
fn a_tuple_is_as_new_as_the_event_that_took_a_members_turn_over() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.snapshot(crm(), seconds(5), &[("street", text("D"))]);
    story.by(crm(), seconds(6), Cause::ManualEdit, &[("city", text("E"))]);
    story.by(
        map(),
        seconds(7),
        Cause::ManualEdit,
        &address("M", "M", "MT"),
    );
    assert_eq!(golden_address(&rules, &story), ["M", "M", "MT"]);
    story.by(
        crm(),
        seconds(8),
        Cause::ManualEdit,
        &[("street", text("D"))],
    );
    assert_eq!(golden_address(&rules, &story), ["D", "E", "CH"]);
}

#[test]
fn a_lock_on_a_member_replaces_it_and_a_lock_to_a_source_takes_its_whole_tuple() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    story.by(
        crm(),
        seconds(1),
        Cause::ManualEdit,
        &address("C", "C", "CH"),
    );
    story.by(
        map(),
        seconds(2),
        Cause::ManualEdit,
        &address("M", "M", "MT"),
    );
    let mut case = story.case(&rules);
    case.locks.insert("city".into(), Lock::Value(text("L")));
    assert_eq!(golden_value(&case, "city"), text("L"));
    assert_eq!(golden_value(&case, "country"), text("MT"));
    case.locks = [("city".into(), Lock::Source("crm".into()))].into();
    assert_eq!(golden_value(&case, "country"), text("CH"));
}

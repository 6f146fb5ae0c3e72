use baton_core::{
    change::Cause,
    rules::{Condition, ConsentRule, Direction, MappedField, ObjectMapping, Strategy},
};
use baton_reference::{Case, Desired, LeftAlone, Link, desired, golden};

use crate::story::*;

fn mapped(change: impl Fn(&mut MappedField)) -> ObjectMapping {
    let mut field = MappedField::plain("x");
    change(&mut field);
    let mut mapping = ObjectMapping::default();
    mapping.fields.insert("X".into(), field);
    mapping
}

fn wanted(case: &Case, mapping: &ObjectMapping) -> Option<Desired> {
    desired(case, &golden(case), &crm(), mapping).remove("X")
}

fn typed(value: baton_core::value::Value) -> Story {
    let mut story = Story::default();
    story.x(map(), seconds(1), value, Cause::ManualEdit);
    story
}

#[test]
fn a_text_is_cut_to_the_targets_length() {
    let rules = rules(Strategy::Latest);
    let case = typed(text("Żółwiowo")).case(&rules).clone();
    let want = wanted(&case, &mapped(|f| f.max_length = Some(3)));
    assert_eq!(
        want.map(|w| (w.reads, w.vendor)),
        Some((text("Żół"), text("Żół")))
    );
}

#[test]
fn a_picklist_value_is_written_in_the_vendors_words_or_left_alone() {
    let rules = rules(Strategy::Latest);
    let closed = mapped(|f| {
        f.values = [("High".into(), "hot".into())].into();
        f.closed = true;
    });
    let story = typed(text("hot"));
    let want = wanted(&story.case(&rules), &closed);
    assert_eq!(
        want.map(|w| (w.reads, w.vendor)),
        Some((text("hot"), text("High")))
    );
    let story = typed(text("cold"));
    let want = wanted(&story.case(&rules), &closed);
    assert_eq!(
        want.and_then(|w| w.left_alone),
        Some(LeftAlone::NoSuchValue)
    );
}

#[test]
fn sets_are_joined_by_the_vendors_separator() {
    let rules = rules(Strategy::Latest);
    let story = typed(set(&["b", "a"]));
    let want = wanted(&story.case(&rules), &mapped(|f| f.separator = Some('|')));
    assert_eq!(want.map(|w| w.vendor), Some(text("a|b")));
}

#[test]
fn negated_fields_turn_round() {
    let rules = rules(Strategy::Latest);
    let story = typed(baton_core::value::Value::Bool(true));
    let want = wanted(&story.case(&rules), &mapped(|f| f.negate = true));
    assert_eq!(
        want.map(|w| w.vendor),
        Some(baton_core::value::Value::Bool(false))
    );
}

#[test]
fn a_blank_at_the_very_record_that_wins_is_left_alone() {
    let rules = rules(Strategy::Latest);
    let mut story = Story::default();
    story.x(crm(), seconds(1), text("value"), Cause::ManualEdit);
    story.snapshot(crm(), seconds(2), &[("x", text(""))]);
    let want = wanted(&story.case(&rules), &mapped(|_| ()));
    assert_eq!(
        want.and_then(|w| w.left_alone),
        Some(LeftAlone::BlankAtWinner)
    );
    // Another record's value is written over it.
    story.x(map(), seconds(3), text("other"), Cause::ManualEdit);
    let want = wanted(&story.case(&rules), &mapped(|_| ()));
    assert_eq!(
        want.map(|w| (w.reads, w.left_alone)),
        Some((text("other"), None))
    );
}

#[test]
fn a_required_field_is_not_blanked() {
    let rules = rules(Strategy::Latest);
    let mut story = typed(text("value"));
    story.x(map(), seconds(2), text(""), Cause::ManualEdit);
    let want = wanted(&story.case(&rules), &mapped(|f| f.required = true));
    assert_eq!(want.and_then(|w| w.left_alone), Some(LeftAlone::Required));
}

#[test]
fn nothing_is_wanted_where_the_filter_the_direction_or_the_link_forbids_it() {
    let rules = rules(Strategy::Latest);
    let case = typed(text("value")).case(&rules);
    let mut filtered = mapped(|_| ());
    assert!(wanted(&case, &filtered).is_some());
    filtered.filter = vec![Condition::Equals("x".into(), text("other"))];
    assert_eq!(wanted(&case, &filtered), None);
    assert_eq!(
        wanted(&case, &mapped(|f| f.direction = Direction::In)),
        None
    );
    let mut gone = case.clone();
    gone.links.insert(crm(), Link::Deleted);
    assert_eq!(wanted(&gone, &mapped(|_| ())), None);
}

#[test]
fn a_field_that_is_only_written_makes_no_claim() {
    let mut rules = rules(Strategy::Latest);
    let out = mapped(|f| f.direction = Direction::Out);
    rules.systems.insert("crm".into(), system("crm", out));
    let mut story = typed(text("map"));
    story.x(crm(), seconds(9), text("crm"), Cause::ManualEdit);
    assert_eq!(golden_value(&story.case(&rules), "x"), text("map"));
}

#[test]
fn consent_passes_every_filter() {
    let mut rules = rules(Strategy::Latest);
    rules.consents.push(ConsentRule {
        channel: "email".into(),
        field: "x".into(),
        address: "email".into(),
        states: [].into(),
    });
    let story = typed(text("opted_out"));
    let mut filtered = mapped(|_| ());
    filtered.filter = vec![Condition::Present("email".into())];
    let want = wanted(&story.case(&rules), &filtered);
    assert_eq!(want.map(|w| w.reads), Some(text("opted_out")));
}

#[test]
fn one_member_without_a_word_in_the_target_leaves_the_whole_group_alone() {
    let rules = group_rules(Strategy::Latest);
    let mut story = Story::default();
    let address = [
        ("street", text("S")),
        ("city", text("C")),
        ("country", text("FR")),
    ];
    story.change(map(), seconds(1), &address);
    let mut mapping = ObjectMapping::default();
    for field in ["street", "city", "country"] {
        mapping
            .fields
            .insert(field.into(), MappedField::plain(field));
    }
    if let Some(country) = mapping.fields.get_mut("country") {
        country.closed = true;
        country.values = [("Germany".into(), "DE".into())].into();
    }
    let case = story.case(&rules);
    let wanted = desired(&case, &golden(&case), &crm(), &mapping);
    assert_eq!(wanted["city"].left_alone, Some(LeftAlone::GroupRefused));
    assert_eq!(wanted["country"].left_alone, Some(LeftAlone::NoSuchValue));
}

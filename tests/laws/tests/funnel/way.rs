//! The way through the funnel, and what the systems hear of it.

use baton_core::time::{DAY, HOUR};

use crate::world::{known, lead, points, text};

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

//! L12: business time adds up, in every zone of the world, over every change of its clocks.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    lifecycle::calendar::{Calendar, Hours, Opening, Weekday},
    time::{DAY, HOUR, MINUTE, Millis},
};
use baton_reference::lifecycle::calendar::elapsed;
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use proptest::prelude::*;

/// From here on every zone's offset is whole minutes.
const FROM: &str = "1973-01-01T00:00:00Z";
const UNTIL: &str = "2040-01-01T00:00:00Z";

/// All zones, with the changes of their clocks.
fn zones() -> Vec<(String, Vec<Millis>)> {
    let database = TimeZoneDatabase::bundled();
    let from: Timestamp = FROM.parse().expect("an instant");
    let until: Timestamp = UNTIL.parse().expect("an instant");
    database
        .available()
        .map(|name| {
            let name = name.to_string();
            let zone = TimeZone::get(&name).expect("an available zone");
            let changes = zone
                .following(from)
                .map(|t| t.timestamp())
                .take_while(|at| *at < until)
                .map(|at| Millis(at.as_millisecond()))
                .collect();
            (name, changes)
        })
        .collect()
}

fn opening() -> impl Strategy<Value = Opening> {
    (0_u16..1440, 1_u16..=1440).prop_map(|(from, length)| Opening {
        from,
        until: from + length,
    })
}

fn weekday() -> impl Strategy<Value = Weekday> {
    (0_usize..7).prop_map(|nth| Weekday::ALL[nth])
}

/// Hours on some days, short and long, by day and by night, touching and overlapping; holidays around `near`.
fn hours(zone: String, near: Millis) -> impl Strategy<Value = Hours> {
    let today = i32::try_from(near.0.div_euclid(DAY)).expect("a day");
    let week = proptest::collection::btree_map(
        weekday(),
        proptest::collection::vec(opening(), 1..3),
        1..8,
    );
    let holidays = proptest::collection::btree_set(today - 5..today + 5, 0..3);
    (week, holidays).prop_map(move |(week, holidays)| Hours {
        zone: zone.clone(),
        week,
        holidays,
    })
}

/// A calendar, and instants on whole minutes around a change of its clocks.
fn around_a_change() -> impl Strategy<Value = (Hours, [Millis; 3])> {
    let zones = zones();
    let changing: Vec<_> = zones.into_iter().filter(|(_, c)| !c.is_empty()).collect();
    assert!(changing.len() > 300, "only {} zones change", changing.len());
    (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_flat_map(
        move |(zone, change)| {
            let (name, changes) = zone.get(&changing);
            let near = *change.get(changes);
            let instants = prop::array::uniform3(-4 * 24 * 60_i64..4 * 24 * 60);
            (hours(name.clone(), near), instants).prop_map(move |(hours, offsets)| {
                let mut instants = offsets.map(|minutes| near.plus(minutes * MINUTE));
                instants.sort_unstable();
                (hours, instants)
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn business_time_is_what_a_minute_by_minute_count_finds((hours, [a, _, c]) in around_a_change()) {
        let counted = elapsed(&hours, a, c);
        let calendar = Calendar::new(hours).expect("sound hours");
        prop_assert_eq!(calendar.elapsed(a, c), counted);
    }

    #[test]
    fn l12_business_time_adds_up(
        (hours, instants) in around_a_change(),
        exact in prop::array::uniform3(0..MINUTE),
        order in Just([0, 1, 2]).prop_shuffle(),
    ) {
        let calendar = Calendar::new(hours).expect("sound hours");
        let exact = [0, 1, 2].map(|i: usize| instants[i].plus(exact[i]));
        let [a, b, c] = order.map(|i: usize| exact[i]);
        prop_assert_eq!(
            calendar.elapsed(a, c),
            calendar.elapsed(a, b) + calendar.elapsed(b, c)
        );
    }

    #[test]
    fn no_more_business_time_passes_than_time((hours, [a, _, c]) in around_a_change()) {
        let calendar = Calendar::new(hours).expect("sound hours");
        let passed = calendar.elapsed(a, c);
        prop_assert!((0..=c.since(a)).contains(&passed));
    }

    #[test]
    fn after_is_the_first_instant_at_which_so_much_has_passed(
        (hours, [start, ..]) in around_a_change(),
        span in 1..40 * HOUR,
    ) {
        let calendar = Calendar::new(hours).expect("sound hours");
        let due = calendar.after(start, span);
        prop_assert_eq!(calendar.elapsed(start, due), span);
        prop_assert_eq!(calendar.elapsed(start, due.minus(1)), span - 1);
    }

    #[test]
    fn after_adds_up((hours, [start, ..]) in around_a_change(), one in 1..20 * HOUR, two in 1..20 * HOUR) {
        let calendar = Calendar::new(hours).expect("sound hours");
        let in_one = calendar.after(start, one + two);
        prop_assert_eq!(calendar.after(calendar.after(start, one), two), in_one);
    }

    #[test]
    fn nothing_passes_before_the_next_opening((hours, [start, ..]) in around_a_change()) {
        let calendar = Calendar::new(hours).expect("sound hours");
        let opens = calendar.opens(start);
        prop_assert!(opens >= start);
        prop_assert_eq!(calendar.elapsed(start, opens), 0);
        prop_assert_eq!(calendar.elapsed(start, opens.plus(1)), 1);
    }
}

/// The last change of every zone's clocks, each counted minute by minute over four days, with hours that touch the
/// usual times of a change by day and by night.
#[test]
fn every_zone_counts_right_over_a_change_of_its_clocks() {
    let always: Vec<Opening> = vec![
        Opening {
            from: 8 * 60,
            until: 17 * 60 + 30,
        },
        Opening {
            from: 22 * 60 + 15,
            until: 26 * 60 + 20,
        },
    ];
    let week: BTreeMap<_, _> = Weekday::ALL.iter().map(|d| (*d, always.clone())).collect();
    let mut changes_seen = 0;
    for (zone, changes) in zones() {
        let hours = Hours {
            zone: zone.clone(),
            week: week.clone(),
            holidays: BTreeSet::new(),
        };
        let calendar = Calendar::new(hours.clone()).expect("sound hours");
        // The two last, so that both directions of daylight saving are met.
        for change in changes.iter().rev().take(2) {
            let from = change.floor(MINUTE).minus(2 * DAY);
            let to = from.plus(4 * DAY);
            let counted = elapsed(&hours, from, to);
            assert_eq!(
                calendar.elapsed(from, to),
                counted,
                "{zone} around {change}"
            );
            changes_seen += 1;
        }
    }
    assert!(changes_seen > 600, "only {changes_seen} changes");
}

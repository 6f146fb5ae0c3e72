//! What would have been different under other rules.

use std::collections::BTreeMap;

use baton_core::{
    lifecycle::{
        difference::{Change, Counted, count, difference},
        fold::{Whereabouts, fold},
    },
    time::Millis,
};
use proptest::prelude::*;

use crate::{
    model::{editions, facts},
    world::{House, Story, hours, n, person},
};

const ALWAYS: Millis = Millis::UNTIMED;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn l10_the_same_rules_make_no_difference(facts in facts(40), editions in editions()) {
        let same = difference(person(), &facts, (&editions, &editions), ALWAYS, hours(1_200));
        prop_assert!(same.is_empty());
    }

    #[test]
    fn what_is_counted_since_an_instant_and_up_to_it_is_all(
        facts in facts(40),
        editions in editions(),
        hour in 0_i64..1_000,
    ) {
        let entry = Whereabouts::new(person(), &editions);
        let (_, whole) = fold(&entry, &facts, &editions, hours(1_200));
        let (_, until) = fold(&entry, &facts, &editions, hours(hour));
        let mut sum = count(&until, ALWAYS);
        for (what, times) in count(&whole, hours(hour)) {
            *sum.entry(what).or_default() += times;
        }
        prop_assert_eq!(sum, count(&whole, ALWAYS));
    }
}

#[test]
fn a_higher_threshold_would_have_handed_over_fewer_and_breached_less() {
    let (low, high) = (
        House::default(),
        House {
            threshold: 70,
            ..House::default()
        },
    );
    let mut story = Story::default();
    story.score(10, 60);
    let found = difference(
        person(),
        &story.facts,
        (&low.editions(), &high.editions()),
        ALWAYS,
        hours(200),
    );
    let gone = |what| {
        (
            what,
            Change {
                before: 1,
                after: 0,
            },
        )
    };
    let expected = BTreeMap::from([
        gone(Counted::HandedOver),
        gone(Counted::Entered(n("mql"))),
        gone(Counted::Entered(n("recycled"))),
        gone(Counted::Recycled(Some(n("no_response")))),
        gone(Counted::Breached(n("follow_up"))),
        (
            Counted::Entered(n("nurture")),
            Change {
                before: 0,
                after: 1,
            },
        ),
    ]);
    assert_eq!(found, expected);
}

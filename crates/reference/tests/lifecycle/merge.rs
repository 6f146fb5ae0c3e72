//! Merging people and taking them apart: always one stage each, nothing done twice, nothing done for the past.

use std::collections::BTreeSet;

use baton_core::{
    id::{Digest, EntityId, Kind},
    lifecycle::{
        fact::{Actor, Fact},
        fold::{Whereabouts, fold},
        funnel::{Body, Deed, Funnel},
        rules::Editions,
    },
    time::{DAY, MINUTE, Millis},
};
use proptest::prelude::*;

use crate::{
    model::{editions, facts},
    world::{House, Story, hours, n, open, person},
};

fn other() -> EntityId {
    EntityId {
        kind: Kind::Person,
        digest: Digest([2; 16]),
    }
}

/// The same facts under other ids.
fn of_other(facts: Vec<Fact>) -> Vec<Fact> {
    let renamed = |fact: Fact| Fact {
        event: Digest::of(&[b"other", &fact.event.0]),
        ..fact
    };
    facts.into_iter().map(renamed).collect()
}

struct Two {
    one: Funnel,
    two: Funnel,
    deeds: Vec<Deed>,
}

impl Two {
    fn new(editions: &Editions) -> Self {
        Self {
            one: Funnel::new(person(), editions),
            two: Funnel::new(other(), editions),
            deeds: Vec::new(),
        }
    }

    /// Each fact arrives at its time, to the person it names.
    fn play(&mut self, facts: &[(EntityId, Fact)], merged: bool, editions: &Editions) {
        for (of, fact) in facts {
            let at = fact.time;
            let funnel = if merged || *of == person() {
                &mut self.one
            } else {
                &mut self.two
            };
            funnel.take(*of, fact.clone(), editions);
            self.deeds.extend(funnel.settle(editions, at));
        }
    }
}

/// Facts of two people in the order of their times, cut in three by a merge and its undoing.
fn life() -> impl Strategy<Value = [Vec<(EntityId, Fact)>; 3]> {
    let day = 24 * 60_i64;
    (facts(30), facts(30), 0..30 * day, 0..10 * day).prop_map(|(mine, theirs, merge, length)| {
        let mut all: Vec<_> = mine
            .into_iter()
            .map(|f| (person(), f))
            .chain(of_other(theirs).into_iter().map(|f| (other(), f)))
            .collect();
        all.sort_by_key(|(_, f)| f.time);
        let merged = hours(0).plus(merge * MINUTE);
        let parted = merged.plus(length * MINUTE);
        let (before, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, f)| f.time < merged);
        let (during, after) = rest.into_iter().partition(|(_, f)| f.time < parted);
        [before, during, after]
    })
}

/// The instants of the merge and of its undoing.
fn cuts(life: &[Vec<(EntityId, Fact)>; 3]) -> (Millis, Millis) {
    let first = |facts: &[(EntityId, Fact)]| facts.first().map(|(_, f)| f.time);
    let end = hours(41 * 24);
    let parted = first(&life[2]).unwrap_or(end);
    (first(&life[1]).unwrap_or(parted), parted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn everybody_is_in_one_stage_and_every_deed_is_done_once(life in life(), editions in editions()) {
        let (merged, parted) = cuts(&life);
        let mut two = Two::new(&editions);
        two.play(&life[0], false, &editions);
        let before = two.deeds.len();
        let absorbed = two.two.clone();
        two.one.absorb(absorbed, merged, &editions);
        let from_merge = two.one.settle(&editions, merged);
        prop_assert!(from_merge.is_empty(), "nothing is done for the past: {:?}", from_merge);
        two.play(&life[1], true, &editions);
        for deed in &two.deeds[before..] {
            prop_assert!(deed.due > merged, "{:?}", deed);
        }
        two.two = two.one.split(other(), parted, &editions).expect("it was merged");
        two.play(&life[2], false, &editions);
        let ids: BTreeSet<_> = two.deeds.iter().map(|d| d.id).collect();
        prop_assert_eq!(ids.len(), two.deeds.len());
        for funnel in [&two.one, &two.two] {
            let (whereabouts, course) = funnel.course(&editions, hours(60 * 24));
            let last = course.steps.last().map(|s| s.to);
            prop_assert!(last.is_none_or(|to| to == whereabouts.stage));
        }
    }

    /// With summaries of what is old on both sides as well.
    #[test]
    fn a_part_that_is_taken_out_stands_where_it_would_have_stood_alone(
        life in life(),
        editions in editions(),
        sealed in any::<bool>(),
    ) {
        let (merged, parted) = cuts(&life);
        let mut two = Two::new(&editions);
        two.play(&life[0], false, &editions);
        let absorbed = two.two.clone();
        two.one.absorb(absorbed, merged, &editions);
        two.play(&life[1], true, &editions);
        if sealed {
            two.one.seal(parted.minus(5 * DAY), &editions);
        }
        two.two = two.one.split(other(), parted, &editions).expect("it was merged");
        two.play(&life[2], false, &editions);
        let as_of = hours(50 * 24);
        for (funnel, id) in [(&two.one, person()), (&two.two, other())] {
            let own = life.iter().flatten().filter(|(of, _)| *of == id).map(|(_, f)| f);
            let (alone, _) = fold(&Whereabouts::new(id, &editions), own, &editions, as_of);
            if alone.known {
                let now = funnel.course(&editions, as_of).0;
                prop_assert_eq!((now.stage, now.since), (alone.stage, alone.since));
            }
        }
    }
}

#[test]
fn a_merge_folds_the_union_of_the_facts() {
    let editions = House::default().editions();
    let mut two = Two::new(&editions);
    let mut mine = Story::default();
    mine.score(0, 10).claim(1, "sal");
    let mut theirs = Story::default();
    theirs.score(0, 5).act(60, Actor::Buyer, "reply");
    for fact in mine.facts {
        two.one.take(person(), fact, &editions);
    }
    for fact in of_other(theirs.facts) {
        two.two.take(other(), fact, &editions);
    }
    two.one.settle(&editions, hours(70));
    two.two.settle(&editions, hours(70));
    two.one.absorb(two.two, hours(70), &editions);
    // The other one's reply counts: four days from then on.
    assert_eq!(two.one.course(&editions, hours(70)).0.stage, n("sal"));
    let deeds = two.one.settle(&editions, hours(900));
    let recycled = deeds
        .iter()
        .find(|d| matches!(d.body, Body::Recycled { .. }));
    assert_eq!(recycled.map(|d| d.due), Some(hours(60 + 96)));
}

#[test]
fn what_was_done_before_a_merge_stays_and_its_number_is_not_given_again() {
    let editions = House::default().editions();
    let mut two = Two::new(&editions);
    let mut mine = Story::default();
    mine.score(0, 10).claim(1, "sal");
    let mut theirs = Story::default();
    theirs.score(0, 5).act(60, Actor::Buyer, "reply");
    theirs.deal(100, 1, open("sql", None));
    for fact in mine.facts {
        two.one.take(person(), fact, &editions);
    }
    let first = two.one.settle(&editions, hours(97));
    assert!(
        first
            .iter()
            .any(|d| matches!(d.body, Body::Recycled { .. }))
    );
    for fact in of_other(theirs.facts) {
        two.two.take(other(), fact, &editions);
    }
    two.two.settle(&editions, hours(100));
    two.one.absorb(two.two, hours(100), &editions);
    assert_eq!(
        two.one.settle(&editions, hours(100)),
        [],
        "nothing is undone"
    );
    let deeds = two.one.settle(&editions, hours(900));
    let episodes: Vec<u32> = deeds
        .iter()
        .filter_map(|d| match &d.body {
            Body::Recycled { closing, .. } => Some(closing.seat.episode),
            _ => None,
        })
        .collect();
    assert_eq!(episodes, [2]);
}

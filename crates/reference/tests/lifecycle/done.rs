//! L9 and L10: what is done because of a person's course is done once, late facts undo in the grace time only, and a
//! replay does the same again.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::Digest,
    lifecycle::{
        course::{Closed, Seat, Why},
        fact::{Actor, Fact, What},
        funnel::{Because, Body, Deed, Done, Funnel, Taken, Thing},
        rules::Editions,
    },
    time::{DAY, HOUR, MINUTE, Millis},
};
use proptest::prelude::*;

use crate::{
    model::{editions, facts},
    world::{House, Story, act, fact, hours, n, open, person, suppressed},
};

/// What the log has: a fact with its verdict, or a timer.
#[derive(Clone, PartialEq, Debug)]
enum Logged {
    Fact(Fact),
    Wake,
}

/// A live run: what was logged, what was done, and the state at the end.
struct Run {
    funnel: Funnel,
    log: Vec<(Millis, Logged)>,
    deeds: Vec<Deed>,
}

/// How the world treats a run.
#[derive(Clone, Debug)]
struct World {
    /// Facts with how long each is under way, in minutes; some come twice.
    arrivals: Vec<(Fact, i64)>,
    /// How late each timer is, in minutes.
    timer_lags: Vec<i64>,
    /// At which steps the process dies after the work and before the commit.
    crashes: BTreeSet<usize>,
    /// After how many days everything older is summed up.
    horizon: Option<i64>,
}

fn world() -> impl Strategy<Value = World> {
    let arrival = |facts: Vec<Fact>| {
        let delay = prop_oneof![
            6 => 0_i64..10,
            2 => 0..24 * 60_i64,
            2 => 0..9 * 24 * 60_i64,
        ];
        let times = prop_oneof![4 => Just(1_usize), 1 => Just(2)];
        let each = prop::collection::vec((delay.clone(), delay, times), facts.len());
        each.prop_map(move |each| {
            let mut arrivals = Vec::new();
            for (fact, (first, second, times)) in facts.iter().zip(each) {
                for delay in [first, second].into_iter().take(times) {
                    arrivals.push((fact.clone(), delay));
                }
            }
            arrivals.sort_by_key(|(fact, delay)| fact.time.plus(delay * MINUTE));
            arrivals
        })
    };
    (
        facts(40).prop_flat_map(arrival),
        prop::collection::vec(prop_oneof![3 => 0..30_i64, 1 => 0..3 * 24 * 60_i64], 12),
        prop::collection::btree_set(0_usize..120, 0..12),
        prop::option::of(Just(15)),
    )
        .prop_map(|(arrivals, timer_lags, crashes, horizon)| World {
            arrivals,
            timer_lags,
            crashes,
            horizon,
        })
}

impl World {
    fn run(&self, editions: &Editions) -> Run {
        let mut run = Run {
            funnel: Funnel::new(person(), editions),
            log: Vec::new(),
            deeds: Vec::new(),
        };
        let mut step = 0;
        let mut lags = self.timer_lags.iter().cycle();
        let end = hours(50 * 24);
        let mut arrivals = self.arrivals.iter().peekable();
        let mut now = hours(0);
        let mut lag = MINUTE * lags.next().expect("there are some");
        loop {
            let next = run.funnel.course(editions, now).1.next;
            let wake = next.map(|at| at.max(now).plus(lag));
            let arrival = arrivals
                .peek()
                .map(|(f, delay)| f.time.plus(delay * MINUTE));
            let wakes_first = match (wake, arrival) {
                (Some(wake), Some(arrival)) => wake < arrival,
                (wake, _) => wake.is_some(),
            };
            let (at, fact) = if wakes_first {
                lag = MINUTE * lags.next().expect("there are some");
                (wake.unwrap_or(end), None)
            } else if let Some((fact, delay)) = arrivals.next() {
                (fact.time.plus(delay * MINUTE), Some(fact))
            } else {
                return run;
            };
            if at > end {
                return run;
            }
            now = now.max(at);
            // What a process does that dies before its commit leaves no trace.
            if self.crashes.contains(&step) {
                let mut lost = run.funnel.clone();
                transact(&mut lost, fact, editions, now);
            }
            step += 1;
            let (logged, deeds) = transact(&mut run.funnel, fact, editions, now);
            run.log.push((now, logged));
            run.deeds.extend(deeds);
            if let Some(days) = self.horizon {
                run.funnel.seal(now.minus(days * DAY), editions);
            }
        }
    }
}

fn transact(
    funnel: &mut Funnel,
    fact: Option<&Fact>,
    editions: &Editions,
    at: Millis,
) -> (Logged, Vec<Deed>) {
    let logged = match fact {
        None => Logged::Wake,
        Some(fact) => {
            let mut fact = fact.clone();
            fact.effective = funnel.verdict(&fact, editions, at);
            funnel.take(person(), fact.clone(), editions);
            Logged::Fact(fact)
        }
    };
    (logged, funnel.settle(editions, at))
}

fn replay(log: &[(Millis, Logged)], editions: &Editions) -> (Funnel, Vec<Deed>) {
    let mut funnel = Funnel::new(person(), editions);
    let mut deeds = Vec::new();
    for (at, logged) in log {
        if let Logged::Fact(fact) = logged {
            funnel.take(person(), fact.clone(), editions);
        }
        deeds.extend(funnel.settle(editions, *at));
    }
    (funnel, deeds)
}

fn standing(done: &BTreeMap<Digest, Done>) -> BTreeSet<(Closed, Seat)> {
    done.values()
        .filter(|done| done.stands)
        .filter_map(|done| match &done.what {
            Thing::Recycle(kind, seat) => Some((*kind, seat.clone())),
            _ => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn l9_committed_recycles_are_the_distinct_keys(world in world(), editions in editions()) {
        let run = world.run(&editions);
        let mut keys = BTreeSet::new();
        let mut undone: BTreeMap<(Closed, Seat), u32> = BTreeMap::new();
        let mut committed = 0;
        for deed in &run.deeds {
            match &deed.body {
                Body::Recycled { closing, attempt } => {
                    committed += 1;
                    let seat = (closing.kind, closing.seat.clone());
                    prop_assert_eq!(*attempt, undone.get(&seat).copied().unwrap_or(0));
                    keys.insert((seat, *attempt));
                }
                Body::Undone { what: Thing::Recycle(kind, seat), .. } => {
                    *undone.entry((*kind, seat.clone())).or_default() += 1;
                }
                _ => {}
            }
        }
        prop_assert_eq!(committed, keys.len());
        let ids: BTreeSet<_> = run.deeds.iter().map(|deed| deed.id).collect();
        prop_assert_eq!(ids.len(), run.deeds.len(), "every deed has an id of its own");
    }

    #[test]
    fn what_stands_is_what_the_facts_ask_for(world in world(), editions in editions()) {
        let world = World { horizon: None, ..world };
        let run = world.run(&editions);
        let Some((at, _)) = run.log.last() else { return Ok(()) };
        let (_, course) = run.funnel.course(&editions, *at);
        let asked: BTreeSet<_> = course
            .closings
            .iter()
            .filter(|c| c.kind.is_recycling())
            .map(|c| (c.kind, c.seat.clone()))
            .collect();
        prop_assert_eq!(standing(run.funnel.done()), asked);
    }

    #[test]
    fn a_recycle_is_undone_within_the_grace_time_only(world in world(), editions in editions()) {
        let grace = House::default().grace_hours * HOUR;
        for deed in world.run(&editions).deeds {
            if let Body::Undone { what: Thing::Recycle(..), made, .. } = deed.body {
                prop_assert!(deed.at.since(made) <= grace);
            }
        }
    }

    #[test]
    fn l10_a_replay_does_the_same_again(world in world(), editions in editions()) {
        let world = World { horizon: None, ..world };
        let run = world.run(&editions);
        let (funnel, deeds) = replay(&run.log, &editions);
        prop_assert_eq!(deeds, run.deeds);
        prop_assert_eq!(funnel, run.funnel);
    }

    #[test]
    fn crashes_change_nothing(world in world(), editions in editions()) {
        let quiet = World { crashes: BTreeSet::new(), ..world.clone() };
        prop_assert_eq!(world.run(&editions).deeds, quiet.run(&editions).deeds);
    }

    #[test]
    fn summing_up_what_is_old_changes_nothing(world in world(), editions in editions()) {
        let whole = World { horizon: None, ..world.clone() };
        let summed = World { horizon: Some(15), ..world };
        prop_assert_eq!(summed.run(&editions).deeds, whole.run(&editions).deeds);
    }

    #[test]
    fn l2_a_fact_that_comes_twice_does_nothing_the_second_time(world in world(), editions in editions()) {
        let mut run = World { horizon: None, ..world }.run(&editions);
        let Some((at, _)) = run.log.last().cloned() else { return Ok(()) };
        for (_, logged) in run.log {
            if let Logged::Fact(fact) = logged {
                prop_assert_eq!(run.funnel.take(person(), fact, &editions), Taken::Duplicate);
            }
        }
        prop_assert_eq!(run.funnel.settle(&editions, at), []);
    }

    #[test]
    fn l1_any_order_of_the_facts_with_their_verdicts_gives_the_same_stage(
        world in world(),
        editions in editions(),
        seed in any::<prop::sample::Index>(),
    ) {
        let run = World { horizon: None, ..world }.run(&editions);
        let Some((at, _)) = run.log.last().cloned() else { return Ok(()) };
        let mut log = run.log.clone();
        log.rotate_left(seed.index(run.log.len()));
        log.reverse();
        let (funnel, _) = replay(&log, &editions);
        prop_assert_eq!(funnel.course(&editions, at), run.funnel.course(&editions, at));
    }
}

/// The handoff of an episode that never was had the same id when the episode came after all.
#[test]
fn a_handoff_that_was_undone_before_the_horizon_has_another_id_when_it_comes_again() {
    let editions = House::default().editions();
    let mut story = Story::default();
    // Ready at noon; and then it comes out that suppression had come before.
    story.score(10, 60).score(1_000, 70);
    let ready = story.facts[0].clone();
    let suppressed = |nth, hour, on| {
        let whose = baton_core::lifecycle::fact::Suppression::Person;
        crate::world::fact(nth, hours(hour), What::Suppressed { whose, on })
    };
    let mut funnel = Funnel::new(person(), &editions);
    let handoffs = |deeds: Vec<Deed>| -> Vec<Digest> {
        let handed = deeds.into_iter();
        handed
            .filter(|deed| matches!(deed.body, Body::HandedOver(_)))
            .map(|deed| deed.id)
            .collect()
    };
    funnel.take(person(), ready, &editions);
    let first = handoffs(funnel.settle(&editions, hours(11)));
    funnel.take(person(), suppressed(90, 9, true), &editions);
    funnel.settle(&editions, hours(12));
    funnel.seal(hours(500), &editions);
    funnel.take(person(), suppressed(91, 1_000, false), &editions);
    let again = handoffs(funnel.settle(&editions, hours(1_001)));
    assert_eq!((first.len(), again.len()), (1, 1));
    assert_ne!(first, again);
}

/// Ready on Tuesday at noon; recycled for want of an answer on Wednesday at hour 34.
fn unanswered() -> (Editions, Funnel, Vec<Fact>) {
    let editions = House::default().editions();
    let mut story = Story::default();
    story.score(10, 60);
    story.act(30, Actor::Sales, "call");
    (
        editions.clone(),
        Funnel::new(person(), &editions),
        story.facts,
    )
}

fn recycled(deeds: &[Deed]) -> Vec<u32> {
    deeds
        .iter()
        .filter_map(|deed| match deed.body {
            Body::Recycled { attempt, .. } => Some(attempt),
            _ => None,
        })
        .collect()
}

/// Clocks of which it is done that they were met, and when.
fn kept(deeds: &[Deed]) -> Vec<(Digest, Millis)> {
    deeds
        .iter()
        .filter_map(|deed| match &deed.body {
            Body::Kept(clock) => Some((clock.id, deed.due)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_promise_that_was_kept_is_told_once_and_taken_back_if_it_was_never_made() {
    let (editions, mut funnel, facts) = unanswered();
    for fact in facts {
        funnel.take(person(), fact, &editions);
    }
    let told = kept(&funnel.settle(&editions, hours(30)));
    let clock = funnel.course(&editions, hours(30)).1.clocks[0].id;
    assert_eq!(told, [(clock, hours(30))]);
    // An earlier touch is heard of: it was kept all the same.
    funnel.take(
        person(),
        fact(98, hours(28), act(Actor::Sales, "call")),
        &editions,
    );
    let deeds = funnel.settle(&editions, hours(31));
    assert_eq!((kept(&deeds), undone(&deeds)), (vec![], vec![]));
    // They had been out of marketing all along, so nothing was owed to them.
    funnel.take(person(), fact(99, hours(0), suppressed(true)), &editions);
    let deeds = funnel.settle(&editions, hours(32));
    let undone = undone(&deeds);
    assert!(
        undone.contains(&(&Thing::Kept { clock }, Because::Withdrawn)),
        "{undone:?}"
    );
}

/// What a system said for nothing is told, since somebody must look into it; and what a rule in shadow would have done is
/// recorded, since that is what it is tried for.
#[test]
fn what_moved_nobody_is_told_once_and_taken_back_if_it_was_nothing() {
    let house = House {
        shadow: true,
        ..House::default()
    };
    let editions = house.editions();
    let mut funnel = Funnel::new(person(), &editions);
    let mut story = Story::default();
    story.score(0, 10);
    story.deal(1, 1, open("sql", None));
    story.claim(2, "nurture");
    for fact in &story.facts {
        funnel.take(person(), fact.clone(), &editions);
    }
    let without_effect = |deeds: &[Deed]| -> Vec<Why> {
        let objections = deeds.iter().filter_map(|deed| match &deed.body {
            Body::WithoutEffect(objection) => Some(objection.why.clone()),
            _ => None,
        });
        objections.collect()
    };
    let illegal = Why::IllegalMove {
        from: n("sql"),
        to: n("nurture"),
    };
    let would_recycle = Why::Shadow {
        from: n("sql"),
        reason: n("no_response"),
    };
    let told = without_effect(&funnel.settle(&editions, hours(5 * 24)));
    assert_eq!(told, [illegal, would_recycle]);
    assert!(without_effect(&funnel.settle(&editions, hours(5 * 24 + 1))).is_empty());
    // Somebody had talked to them in time.
    funnel.take(
        person(),
        fact(99, hours(3 * 24), act(Actor::Sales, "call")),
        &editions,
    );
    let deeds = funnel.settle(&editions, hours(5 * 24 + 2));
    let taken_back = undone(&deeds);
    assert_eq!(taken_back.len(), 1, "{taken_back:?}");
    assert!(matches!(taken_back[0].0, Thing::WithoutEffect { .. }));
}

fn undone(deeds: &[Deed]) -> Vec<(&Thing, Because)> {
    deeds
        .iter()
        .filter_map(|deed| match &deed.body {
            Body::Undone { what, because, .. } => Some((what, *because)),
            _ => None,
        })
        .collect()
}

fn seat() -> Seat {
    Seat {
        episode: 1,
        from: n("mql"),
        reason: Some(n("no_response")),
    }
}

#[test]
fn what_is_known_before_the_timer_is_carried_out_prevents_it_whatever_the_lateness() {
    let (editions, mut funnel, facts) = unanswered();
    for fact in facts {
        funnel.take(person(), fact, &editions);
    }
    // The timer was due at hour 34; the process was down for ten days.
    assert!(recycled(&funnel.settle(&editions, hours(34 + 240))).is_empty());
}

#[test]
fn after_a_time_of_rest_what_fell_due_is_done_in_due_order_with_its_lateness() {
    let (editions, mut funnel, facts) = unanswered();
    funnel.take(person(), facts[0].clone(), &editions);
    let deeds = funnel.settle(&editions, hours(100));
    let dues: Vec<_> = deeds.iter().map(|deed| deed.due).collect();
    let mut sorted = dues.clone();
    sorted.sort();
    assert_eq!(dues, sorted);
    let last = deeds.last().expect("something was due");
    assert_eq!((last.due, last.lateness()), (hours(34), 66 * HOUR));
    assert_eq!(recycled(&deeds), [0]);
}

#[test]
fn a_touch_heard_of_in_the_grace_time_revokes_and_the_clock_was_met() {
    let (editions, mut funnel, facts) = unanswered();
    funnel.take(person(), facts[0].clone(), &editions);
    assert_eq!(recycled(&funnel.settle(&editions, hours(34))), [0]);
    let late = facts[1].clone();
    let at = hours(34 + 48);
    assert_eq!(funnel.verdict(&late, &editions, at), None);
    funnel.take(person(), late, &editions);
    let deeds = funnel.settle(&editions, at);
    let undone = undone(&deeds);
    assert!(undone.contains(&(
        &Thing::Recycle(Closed::Recycled, seat()),
        Because::Withdrawn
    )));
    let clock = funnel.course(&editions, at).1.clocks[0].id;
    assert!(undone.contains(&(&Thing::Breach { clock }, Because::MetReportedLate)));
    assert_eq!(kept(&deeds), [(clock, hours(30))]);
    assert_eq!(funnel.course(&editions, at).0.stage, n("mql"));
}

#[test]
fn a_touch_heard_of_after_the_grace_time_leaves_the_recycle_and_meets_the_clock() {
    let (editions, mut funnel, facts) = unanswered();
    funnel.take(person(), facts[0].clone(), &editions);
    funnel.settle(&editions, hours(34));
    let mut late = facts[1].clone();
    let at = hours(34 + 48).plus(1);
    late.effective = funnel.verdict(&late, &editions, at);
    assert_eq!(late.effective, Some(hours(35)));
    funnel.take(person(), late, &editions);
    let deeds = funnel.settle(&editions, at);
    let (whereabouts, course) = funnel.course(&editions, at);
    assert_eq!(whereabouts.stage, n("recycled"));
    let clock = course.clocks[0].id;
    assert_eq!(
        undone(&deeds),
        [(&Thing::Breach { clock }, Because::MetReportedLate)]
    );
    assert_eq!(kept(&deeds), [(clock, hours(30))]);
}

#[test]
fn the_same_recycle_again_after_a_revocation_is_another_attempt() {
    // The SDR's word that the buyer is not ready is taken back by an earlier one that it was not in review then.
    let editions = House {
        recycles_unanswered: false,
        ..House::default()
    }
    .editions();
    let mut funnel = Funnel::new(person(), &editions);
    let mut story = Story::default();
    story.score(0, 10).claim(1, "sal");
    for fact in &story.facts {
        funnel.take(person(), fact.clone(), &editions);
    }
    assert_eq!(recycled(&funnel.settle(&editions, hours(97))), [0]);
    // A call within the stall time, heard of an hour later: four days from then on.
    let mut call = Story::default();
    call.act(0, Actor::Sales, "call")
        .act(0, Actor::Sales, "call")
        .act(90, Actor::Sales, "call");
    funnel.take(person(), call.facts[2].clone(), &editions);
    let deeds = funnel.settle(&editions, hours(98));
    assert_eq!(undone(&deeds).len(), 2, "the move and the recycle");
    assert_eq!(recycled(&funnel.settle(&editions, hours(90 + 96))), [1]);
    let last = funnel.course(&editions, hours(200)).1.closings;
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].kind, last[0].seat.episode), (Closed::Recycled, 1));
}

#[test]
fn what_is_older_than_the_summary_changes_nothing() {
    let (editions, mut funnel, facts) = unanswered();
    funnel.take(person(), facts[0].clone(), &editions);
    funnel.settle(&editions, hours(40));
    funnel.seal(hours(40), &editions);
    assert_eq!(
        funnel.take(person(), facts[1].clone(), &editions),
        Taken::Beyond
    );
    assert_eq!(funnel.settle(&editions, hours(41)), []);
}

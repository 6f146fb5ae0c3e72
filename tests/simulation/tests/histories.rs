//! Simulated histories; `cargo run --release -p baton-simulation -- --seeds N` plays as many as wanted.

use std::collections::{BTreeMap, BTreeSet};

use baton_simulation::{Mishap, Plan, Sabotage, play};

const HISTORIES: u64 = 150;
const FUNNELS: u64 = 60;

/// Histories that were wrong once, each with what was wrong with it.
const REGRESSIONS: [(u64, &str); 17] = [
    (
        10,
        "a batch that waited passed for one that goes on where another worker had come to",
    ),
    (
        15,
        "an answer for somebody whom the restored store did not know made a person that blocked its record",
    ),
    (31, "the first batch of a partition was settled twice"),
    (
        34,
        "what a target showed of a record that was read was thrown away",
    ),
    (
        35,
        "what a write without an answer had left was taken for what an older, answered one had written",
    ),
    (
        85,
        "a value that the target cuts to what stood there was written for ever",
    ),
    (
        48,
        "a batch of a topic that was made anew meanwhile took the place of one of the new topic",
    ),
    (
        93,
        "an opt-out while a write was under way waited for its answer, and was undone",
    ),
    (
        205,
        "what others had settled was counted again with the next batch that waited",
    ),
    (
        3_632,
        "a value that the target had cut was believed as it was written, when it was written again",
    ),
    (
        3_539,
        "nothing showed that the target had cut a value to what stood there, and nobody looked",
    ),
    (
        5_159,
        "a cut value that was written again, where an answer was late",
    ),
    (
        7_204,
        "a value was cut to what a write that was answered late had left, and nobody looked",
    ),
    (
        7_301,
        "positions that were read before another worker's commit passed for wound back ones",
    ),
    (
        8_718,
        "an opt-out was not written because our own write was dated minutes ahead",
    ),
    (
        9_232,
        "a reading that was asked by a clock ahead passed for news of an opt-out after it",
    ),
    (
        9_260,
        "a record that a create had made passed for another person, whose first word bore no key",
    ),
];

#[test]
fn histories_with_faults_at_every_boundary_hold_all_laws() {
    let mut happened: BTreeSet<Mishap> = BTreeSet::new();
    for seed in 0..HISTORIES {
        let played = play(&Plan::of_seed(seed), None, false);
        assert!(
            played.wrong.is_empty(),
            "seed {seed}: {}\nagain: cargo run -p baton-simulation -- --seed {seed}",
            played.wrong.join("\n")
        );
        happened.extend(played.mishaps.keys());
    }
    for mishap in Mishap::ALL {
        assert!(happened.contains(&mishap), "never: {}", mishap.told());
    }
}

/// Months in the shipped funnel: whatever goes wrong, each thing is done once (L9), and everybody is where the facts say.
#[test]
fn l9_histories_in_a_funnel_do_everything_once() {
    let mut deeds: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..FUNNELS {
        let played = play(&Plan::of_seed(seed).in_a_funnel(), None, false);
        assert!(
            played.wrong.is_empty(),
            "seed {seed}: {}\nagain: cargo run -p baton-simulation -- --funnel --seed {seed}",
            played.wrong.join("\n")
        );
        for (kind, count) in played.deeds {
            *deeds.entry(kind).or_default() += count;
        }
    }
    for kind in ["transition", "handoff", "recycle", "breach", "undone"] {
        assert!(deeds.contains_key(kind), "never: {kind}; {deeds:?}");
    }
}

#[test]
fn histories_that_were_wrong_once_are_right() {
    for (seed, what) in REGRESSIONS {
        let wrong = play(&Plan::of_seed(seed), None, false).wrong;
        assert!(
            wrong.is_empty(),
            "seed {seed}, again: {what}\n{}",
            wrong.join("\n")
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        let (one, two) = (
            play(&Plan::of_seed(seed), None, true),
            play(&Plan::of_seed(seed), None, true),
        );
        assert_eq!(one, two, "seed {seed}");
        assert_ne!(
            one.trace,
            play(&Plan::of_seed(seed + 1), None, false).trace,
            "seed {seed}"
        );
    }
}

#[test]
fn every_mistake_that_is_made_on_purpose_is_noticed() {
    for sabotage in Sabotage::ALL {
        let plan = |seed| match sabotage {
            Sabotage::DeedsLost => Plan::of_seed(seed).in_a_funnel(),
            _ => Plan::of_seed(seed),
        };
        let noticed =
            (0..60).any(|seed| !play(&plan(seed), Some(sabotage), false).wrong.is_empty());
        assert!(noticed, "{sabotage:?} goes unnoticed");
    }
}

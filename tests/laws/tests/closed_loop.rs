//! L17, L4 and L5: a closed loop comes to rest, and nobody's entry is lost on the way.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use baton_core::id::Object;
use baton_laws::closed_loop::{ADDRESS, Scenario, World, play};

/// Histories that were wrong once, each with what was wrong with it.
const REGRESSIONS: [(u64, &str); 21] = [
    (
        15,
        "a create that failed was sent again under the same id, for ever",
    ),
    (36, "an old write of the same value passed for the last one"),
    (
        38,
        "a tagged event was taken for another write's and its value for a claim",
    ),
    (42, "the cut of a value in a tagged event became a claim"),
    (45, "a reading older than the newest event ordered it"),
    (
        46,
        "the next statement was Baton's own write and told nothing of what was before",
    ),
    (
        84,
        "somebody else's new record was taken for the echo of a create",
    ),
    (
        118,
        "what Baton wrote within the same second became part of a person's tuple",
    ),
    (
        129,
        "a write was matched as the rendering of the one before it",
    ),
    (
        195,
        "a rendering and its value within one second, in the wrong order",
    ),
    (
        243,
        "a value written exactly was read as the rendering of another",
    ),
    (290, "two systems that re-case each other's values"),
    (437, "a tagged event showed the write before its own"),
    (
        1229,
        "a value that Baton put back within the second passed for what stood before",
    ),
    (
        2512,
        "a create waited for a tuple to settle and woke without end",
    ),
    (
        3343,
        "the tagged event of a cut write passed for the state before it",
    ),
    (
        5884,
        "a write that no event showed stood before the records that did not show it yet",
    ),
    (
        7862,
        "two values of the next second, and the wrong one passed for what stood before",
    ),
    (
        9424,
        "a reading of the second of a write stood in for the write itself",
    ),
    (
        10191,
        "a create that was bound late came after later writes",
    ),
    (
        10740,
        "a write carried out later than its second of sending told the order of that second",
    ),
];

/// Histories that are still wrong: found, not yet mended. A history that is right again must leave this list. These lie
/// beyond those that every run plays; `BATON_SEEDS=12000` plays them too.
const OPEN: [u64; 4] = [4127, 4629, 7800, 9595];

const HISTORIES: u64 = 3_000;

fn wrong(seed: u64) -> Option<String> {
    let scenario = Scenario::of_seed(seed);
    match catch_unwind(AssertUnwindSafe(|| play(&scenario))) {
        Ok(Ok(_)) => None,
        Ok(Err(story)) => Some(story),
        Err(_) => Some(format!("{scenario}\nit panicked")),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_histories_come_to_rest_with_both_systems_equal_to_golden() {
    if let Some(seed) = number("BATON_SEED") {
        if let Some(story) = wrong(seed) {
            panic!("{story}");
        }
        return;
    }
    let histories = number("BATON_SEEDS").unwrap_or(HISTORIES);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let stories: BTreeMap<u64, Option<String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let seeds = (first..histories).step_by(threads as usize);
                scope.spawn(move || seeds.map(|seed| (seed, wrong(seed))).collect::<Vec<_>>())
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|w| w.join().expect("it only collects"))
            .collect()
    });
    let healed: Vec<u64> = OPEN
        .into_iter()
        .filter(|s| stories.get(s) == Some(&None))
        .collect();
    let failing: BTreeMap<u64, String> = stories
        .into_iter()
        .filter(|(seed, _)| !OPEN.contains(seed))
        .filter_map(|(seed, story)| Some((seed, story?)))
        .collect();
    if let Some(shortest) = failing.values().min_by_key(|story| story.len()) {
        let seeds: Vec<_> = failing.keys().take(60).collect();
        let faults: String = failing
            .iter()
            .take(60)
            .map(|(seed, story)| {
                let (_, faults) = story.split_once("\nwrong:\n").unwrap_or_default();
                format!("{seed}:\n{faults}\n")
            })
            .collect();
        panic!(
            "{} of {histories} histories are wrong: {seeds:?}\n{faults}\nthe shortest:\n{shortest}",
            failing.len()
        );
    }
    assert_eq!(
        healed, [0; 0],
        "these are right again: take them off the list"
    );
}

#[test]
fn histories_that_were_wrong_once_are_right() {
    for (seed, what) in REGRESSIONS {
        if let Some(story) = wrong(seed) {
            panic!("again: {what}\n{story}");
        }
    }
}

/// The salesperson's address against the later marketing list, with the import one to ten seconds after the edit.
#[test]
fn a_salespersons_address_survives_a_list_import_seconds_later_whole_and_in_both_systems() {
    let mut told = 0;
    for seed in 0..40 {
        for gap in [1_000, 1_700, 2_000, 5_000, 10_000] {
            let scenario = Scenario::worked_example(seed, gap);
            if let Err(story) = play(&scenario) {
                panic!("{story}");
            }
            let mut world = World::new(&scenario);
            world.run(&scenario).expect("it comes to rest");
            let person = world.person().expect("one person");
            for (member, value) in ADDRESS.iter().zip(["New 2", "Bonn", "DE"]) {
                assert_eq!(
                    person.golden_value((*member).into()).to_string(),
                    value,
                    "seed {seed}"
                );
                for (name, system) in &world.systems {
                    let id = world.id_in(name).expect("a record");
                    let record = system.record(Object::Contact, &id).expect("a record");
                    assert_eq!(
                        record.value(member),
                        value,
                        "seed {seed}: {member} in {name}"
                    );
                    told += 1;
                }
            }
        }
    }
    assert_eq!(told, 40 * 5 * 3 * 2);
}

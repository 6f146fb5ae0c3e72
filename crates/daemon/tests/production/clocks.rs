//! Clocks that jump and machines that do not agree on the time: everybody ends as if there were one good clock.

use std::{fs, path::PathBuf};

use crate::{
    ground::Ground,
    load::{
        self, Told, ends_as_undisturbed, ends_well, feed, rests_as_undisturbed,
        told_versions_are_whole, until_it_works,
    },
};

const MINUTE: i64 = 60_000;

/// A worker's clock, which is off by what stands in its file.
pub struct Off(PathBuf);

impl Off {
    pub fn new(ground: &Ground, worker: &str, by: i64) -> Self {
        let off = Self(ground.folder.path().join(format!("{worker}.clock")));
        off.set(by);
        off
    }

    pub fn set(&self, by: i64) {
        // Never half a number.
        let new = self.0.with_extension("new");
        fs::write(&new, by.to_string()).unwrap();
        fs::rename(new, &self.0).unwrap();
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_minutes_changes_nothing_with_nothing_installed() {
    let ground = Ground::embedded("clock");
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let off = Off::new(&ground, "one", 0);
    let mut worker = ground.start_with("one", admin, &[("BATON_CLOCK", off.path())]);
    let store = ground.store().await;
    let jumps = [10, 0, -10, -10, 5, -3].into_iter().cycle();
    for (number, (portion, minutes)) in load::write(&ground).iter().zip(jumps).enumerate() {
        feed(&ground, portion);
        until_it_works(&ground, &store).await;
        off.set(minutes * MINUTE);
        if number == 5 {
            // Whoever comes after a crash knows nothing of what the clock said before.
            worker.kill();
            worker = ground.start_with("one", admin, &[("BATON_CLOCK", off.path())]);
        }
    }
    off.set(0);
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    worker.wait_until_it_says("the machine's clock was set back");
    drop(store);
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_whose_clocks_differ_and_jump_end_as_one_with_a_good_clock() {
    let Some(mut ground) = Ground::find("clocks").await else {
        return;
    };
    ground.batch = 50;
    ground.notices_deaths_soon();
    let admins = ["one", "two"].map(|name| ground.configure(name, &load::rules()));
    ground.baton("one", &["migrate"]);
    let behind = Off::new(&ground, "one", 0);
    let ahead = Off::new(&ground, "two", 5 * MINUTE);
    let store = ground.store().await;
    let mut one = ground.start_with("one", admins[0], &[("BATON_CLOCK", behind.path())]);
    let two = ground.start_with("two", admins[1], &[("BATON_CLOCK", ahead.path())]);
    let jumps = [0, -10, 10].into_iter().cycle();
    for (number, (portion, minutes)) in load::write(&ground).iter().zip(jumps).enumerate() {
        feed(&ground, portion);
        until_it_works(&ground, &store).await;
        ahead.set((5 + minutes) * MINUTE);
        behind.set(-minutes * MINUTE);
        if number == 7 {
            // Perhaps it has the relay's lease: the other must not take it for alive because of its own clock.
            one.kill();
            one = ground.start_with("one", admins[0], &[("BATON_CLOCK", behind.path())]);
        }
    }
    // What was written when, nobody knows here: the target does not answer, and the two do not agree. So the target is
    // asked, and only what is known and told of people is compared.
    rests_as_undisturbed(&store).await;
    told_versions_are_whole(&ground, Told::Once);
    ends_well(one);
    ends_well(two);
}

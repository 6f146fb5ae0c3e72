//! The daemon is killed, hangs, leaves and comes back at random moments under load. The moments are chosen by what
//! has been settled, not by time; a failing history is repeated by its seed.

use std::net::SocketAddr;

use crate::{
    ground::Ground,
    load::{self, Chance, Told, ends_as_undisturbed, ends_well, feed, settled, until_settled},
    worker::Worker,
};

async fn killed_again_and_again(ground: Ground, seed: u64) {
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let store = ground.store().await;
    let mut chance = Chance::new(seed);
    let mut worker = ground.start("one", admin);
    let mut kills = 0;
    for portion in load::write(&ground) {
        feed(&ground, &portion);
        let more = 1 + chance.below(60);
        let wanted = (settled(&ground, &store).await + more).min(ground.fed());
        until_settled(&ground, &store, wanted).await;
        worker.kill();
        kills += 1;
        worker = ground.start("one", admin);
    }
    assert!(kills > 10, "{kills}");
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    drop(store);
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_ends_the_same_with_nothing_installed() {
    let mut ground = Ground::embedded("kills");
    ground.batch = 20;
    killed_again_and_again(ground, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_ends_the_same_on_kafka_and_postgresql() {
    let Some(mut ground) = Ground::find("kills").await else {
        return;
    };
    ground.batch = 20;
    ground.notices_deaths_soon();
    killed_again_and_again(ground, 8).await;
}

/// One of several workers.
enum Seat {
    Empty,
    Works(Worker),
    Hangs(Worker),
}

impl Seat {
    const fn works(&self) -> bool {
        matches!(self, Self::Works(_))
    }
}

/// Something happens to a worker; at least one other works all the time.
fn disturb(ground: &Ground, seats: &mut [(&str, SocketAddr, Seat); 3], chance: &mut Chance) {
    let at = chance.below(seats.len());
    let others = seats.iter().filter(|(_, _, seat)| seat.works()).count();
    let (name, admin, seat) = &mut seats[at];
    let how = chance.below(4);
    *seat = match std::mem::replace(seat, Seat::Empty) {
        Seat::Empty => Seat::Works(ground.start(name, *admin)),
        Seat::Hangs(worker) => {
            worker.signal("-CONT");
            Seat::Works(worker)
        }
        // It would be the last one.
        works @ Seat::Works(_) if others < 2 => works,
        Seat::Works(worker) => match how {
            0 => {
                assert!(worker.end().success());
                Seat::Empty
            }
            1 => {
                worker.kill();
                Seat::Empty
            }
            _ => {
                worker.signal("-STOP");
                Seat::Hangs(worker)
            }
        },
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_that_die_hang_leave_and_join_end_as_one_that_nothing_disturbs() {
    let Some(mut ground) = Ground::find("three").await else {
        return;
    };
    ground.batch = 20;
    ground.notices_deaths_soon();
    let mut seats = ["one", "two", "three"].map(|name| {
        let admin = ground.configure(name, &load::rules());
        (name, admin, Seat::Empty)
    });
    ground.baton("one", &["migrate"]);
    let store = ground.store().await;
    for (name, admin, seat) in &mut seats {
        *seat = Seat::Works(ground.start(name, *admin));
    }
    let mut chance = Chance::new(3);
    for portion in load::write(&ground) {
        feed(&ground, &portion);
        disturb(&ground, &mut seats, &mut chance);
        let more = 1 + chance.below(60);
        let wanted = (settled(&ground, &store).await + more).min(ground.fed());
        until_settled(&ground, &store, wanted).await;
    }
    for (name, admin, seat) in &mut seats {
        *seat = match std::mem::replace(seat, Seat::Empty) {
            Seat::Empty => Seat::Works(ground.start(name, *admin)),
            Seat::Hangs(worker) => {
                worker.signal("-CONT");
                Seat::Works(worker)
            }
            works @ Seat::Works(_) => works,
        };
    }
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    for (_, _, seat) in seats {
        if let Seat::Works(worker) = seat {
            ends_well(worker);
        }
    }
}

//! Several statements about one field within one second.

use crate::bench::{Bench, MAP, delta, reading, whole};

const NOBODY: [String; 0] = [];

#[test]
fn what_anothers_record_shows_of_a_write_in_the_same_second_is_no_claim_of_theirs() {
    let mut bench = Bench::new();
    bench.writes(MAP, "title", "Boss", (4_900, Some(5_000), 5_300));
    // Ann edited her nickname within the second of the write. Her event comes first.
    bench.hears(
        5_900,
        whole(MAP, 5_000, &[("title", "Boss"), ("nick", "Ann")]).by_somebody(),
    );
    bench.hears(6_000, whole(MAP, 5_000, &[("title", "Boss")]));
    assert_eq!(bench.claims(MAP, "title"), NOBODY);
    assert_eq!(bench.claims(MAP, "nick"), ["Ann"]);
}

#[test]
fn a_rendering_follows_its_write_at_the_same_exact_time_though_others_spoke_later_in_that_second() {
    let mut bench = Bench::new();
    bench.writes(MAP, "company", "Early Brook", (5_000, Some(5_221), 5_300));
    // A workflow re-cases at once. Ann edited her nickname at 5.644; hers comes first, the write's own event last.
    bench.hears(
        7_400,
        whole(MAP, 5_644, &[("company", "EARLY BROOK"), ("nick", "Ann")]),
    );
    bench.hears(7_600, whole(MAP, 5_221, &[("company", "EARLY BROOK")]));
    bench.hears(
        7_900,
        whole(MAP, 5_221, &[("company", "Early Brook")]).ours(),
    );
    bench.hears(8_200, reading(MAP, 5_644, &[("company", "EARLY BROOK")]));
    assert_eq!(bench.claims(MAP, "company"), NOBODY);
    assert_eq!(bench.believed(MAP, "company"), "EARLY BROOK");
}

#[test]
fn a_reading_of_an_older_version_is_not_the_last_word_on_what_a_sequence_puts_later() {
    let mut bench = Bench::new();
    let first = bench.sends(MAP, "title", "Boss", 5_000);
    bench.answers(5_250, &first, Some(5_235));
    bench.hears(5_300, reading(MAP, 5_235, &[("title", "Boss")]));
    bench.hears(6_000, whole(MAP, 5_235, &[("title", "Boss")]).seq(7));
    bench.hears(
        6_100,
        whole(MAP, 5_700, &[("title", "Chief")])
            .seq(8)
            .by_somebody(),
    );
    assert_eq!(bench.believed(MAP, "title"), "Chief");
    // Bob edits something else a second later.
    bench.hears(
        8_000,
        whole(MAP, 6_900, &[("title", "Chief"), ("nick", "Bob")])
            .seq(9)
            .by_somebody(),
    );
    assert_eq!(bench.claims(MAP, "title"), ["Chief"]);
}

#[test]
fn a_reading_of_an_exact_moment_orders_what_happened_at_that_moment() {
    let mut bench = Bench::new();
    bench.writes(MAP, "company", "Early Gate", (5_800, Some(5_917), 5_950));
    // Somebody edited something else before it within that second.
    bench.hears(6_700, whole(MAP, 5_429, &[("company", "")]));
    // Read before the events come: the workflow has re-cased it at the very moment of the write.
    bench.hears(6_750, reading(MAP, 5_917, &[("company", "EARLY GATE")]));
    bench.hears(7_300, whole(MAP, 5_917, &[("company", "Early Gate")]));
    bench.hears(7_310, whole(MAP, 5_917, &[("company", "EARLY GATE")]));
    bench.hears(7_340, reading(MAP, 5_917, &[("company", "EARLY GATE")]));
    assert_eq!(bench.claims(MAP, "company"), NOBODY);
    assert_eq!(bench.golden("company"), "Early Gate");
}

#[test]
fn a_rendering_follows_its_write_within_a_second_in_which_nothing_else_tells_their_order() {
    let mut bench = Bench::new();
    let write = bench.sends(MAP, "company", "Early Brook", 4_900);
    bench.hears(5_900, whole(MAP, 5_000, &[("company", "EARLY BROOK")]));
    bench.answers(5_950, &write, None);
    bench.hears(7_100, whole(MAP, 5_000, &[("company", "Early Brook")]));
    assert_eq!(bench.believed(MAP, "company"), "EARLY BROOK");
    assert_eq!(bench.claims(MAP, "company"), NOBODY);
}

#[test]
fn a_reading_from_before_the_only_event_of_a_second_comes_before_it() {
    let mut bench = Bench::new();
    bench.hears(3_100, delta(MAP, 3_000, &[("title", "Chief")]));
    // Read at 5.236, for whatever reason; the news of 5.681 comes later.
    bench.hears(6_000, reading(MAP, 5_236, &[("title", "Chief")]));
    bench.hears(7_500, delta(MAP, 5_681, &[("title", "Boss")]));
    assert_eq!(bench.believed(MAP, "title"), "Boss");
    assert_eq!(bench.claims(MAP, "title"), ["Chief", "Boss"]);
}

#[test]
fn of_several_readings_in_a_sequenced_second_only_the_last_is_the_last_word() {
    let mut bench = Bench::new();
    let write = bench.sends(MAP, "company", "Early Brook", 4_900);
    bench.answers(5_050, &write, Some(5_000));
    bench.hears(5_463, reading(MAP, 5_000, &[("company", "Early Brook")]));
    bench.hears(
        7_000,
        delta(MAP, 5_000, &[("company", "Early Brook")])
            .seq(3)
            .ours(),
    );
    // A workflow re-cased it within the second.
    bench.hears(
        7_700,
        delta(MAP, 5_000, &[("company", "EARLY BROOK")]).seq(4),
    );
    bench.hears(8_300, reading(MAP, 5_000, &[("company", "EARLY BROOK")]));
    assert_eq!(bench.claims(MAP, "company"), NOBODY);
    assert_eq!(bench.believed(MAP, "company"), "EARLY BROOK");
}

#[test]
fn a_reading_is_not_the_last_word_on_what_baton_wrote_after_it_in_the_same_second() {
    let mut bench = Bench::new();
    bench.hears(
        3_500,
        whole(MAP, 3_000, &[("title", "Old"), ("nick", "")]).seq(1),
    );
    bench.commands();
    // Ann's entry is read before her event comes; the write comes after the reading, in the same second.
    bench.hears(
        5_219,
        reading(MAP, 5_000, &[("title", "Chief"), ("nick", "")]),
    );
    bench.writes(MAP, "title", "Boss", (5_300, Some(5_000), 5_400));
    bench.hears(
        7_800,
        whole(MAP, 5_000, &[("title", "Boss"), ("nick", "")]).seq(3),
    );
    assert_eq!(bench.believed(MAP, "title"), "Boss");
    assert_eq!(bench.golden("title"), "Boss");
}

#[test]
fn a_reading_of_a_second_in_which_somebody_changed_a_field_to_that_tells_nothing_of_earlier_ones() {
    let mut bench = Bench::new();
    // Ann's entry comes first, then the event of the write, which was later in that second.
    let write = bench.sends(MAP, "title", "Cold", 4_900);
    bench.hears(5_000, delta(MAP, 5_000, &[("title", "Warm")]));
    bench.answers(5_100, &write, None);
    bench.hears(7_000, delta(MAP, 5_000, &[("title", "Cold")]));
    // A list changes it back.
    bench.hears(20_000, delta(MAP, 19_000, &[("title", "Warm")]));
    bench.hears(20_500, reading(MAP, 19_000, &[("title", "Warm")]));
    assert_eq!(bench.claims(MAP, "title"), ["Warm", "Warm"]);
    assert_eq!(bench.golden("title"), "Warm");
}

#[test]
fn a_named_persons_record_says_more_of_an_entry_than_the_automation_that_ran_beside_it() {
    let mut bench = Bench::new();
    bench.hears(
        5_100,
        whole(MAP, 5_000, &[("title", "Boss"), ("company", "BROOK")]),
    );
    bench.hears(
        8_900,
        whole(MAP, 5_000, &[("title", "Boss"), ("company", "Brook")]).by_somebody(),
    );
    let person = bench.person();
    let record = crate::bench::record(MAP);
    let track = baton_core::order::track(person, &record, "title".into(), &bench.rules);
    let turn = track
        .seats
        .iter()
        .find(|s| s.role == baton_core::order::Role::Turn);
    assert_eq!(
        turn.map(|t| t.cause),
        Some(baton_core::change::Cause::ManualEdit)
    );
}

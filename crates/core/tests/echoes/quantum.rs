//! Several statements about one field within one second.

use crate::bench::{Bench, MAP, reading, whole};

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

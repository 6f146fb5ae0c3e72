//! What events show of Baton's own writes.

use crate::bench::{Bench, MAP, whole};

const NOBODY: [String; 0] = [];

#[test]
fn a_tagged_record_claims_what_others_entered_where_baton_never_wrote() {
    let mut bench = Bench::new();
    // Baton writes the nickname; Ann entered the title just before, and the tagged event shows it first.
    bench.writes(MAP, "nick", "Ada", (4_900, Some(5_000), 5_300));
    bench.hears(
        5_500,
        whole(MAP, 5_000, &[("nick", "Ada"), ("title", "Boss")]).ours(),
    );
    assert_eq!(bench.claims(MAP, "title"), ["Boss"]);
    assert_eq!(bench.golden("title"), "Boss");
}

#[test]
fn a_tagged_record_of_one_write_does_not_pass_anothers_entry_for_an_earlier_write() {
    let mut bench = Bench::new();
    bench.writes(MAP, "title", "Boss", (4_900, Some(5_000), 5_300));
    bench.hears(5_500, whole(MAP, 5_000, &[("title", "Boss")]).ours());
    // Ann changes the title; in the same second Baton writes the nickname, and its tagged event comes first.
    bench.writes(MAP, "nick", "Ada", (6_900, Some(7_000), 7_300));
    bench.hears(
        7_500,
        whole(MAP, 7_000, &[("title", "Chief"), ("nick", "Ada")]).ours(),
    );
    assert_eq!(bench.claims(MAP, "title"), ["Chief"]);
    bench.hears(
        7_900,
        whole(MAP, 7_000, &[("title", "Chief"), ("nick", "")]).by_somebody(),
    );
    assert_eq!(bench.claims(MAP, "title"), ["Chief"]);
    assert_eq!(bench.golden("title"), "Chief");
}

#[test]
fn a_write_stands_at_its_own_stamp_though_a_later_tagged_event_shows_its_value() {
    let mut bench = Bench::new();
    bench.writes(MAP, "title", "Boss", (2_300, Some(2_457), 2_600));
    // Ann's edit of another field shows it; then a tagged event of another write does. Its own event is lost.
    bench.hears(
        4_500,
        whole(MAP, 3_361, &[("title", "Boss"), ("nick", "Ann")]).by_somebody(),
    );
    bench.writes(MAP, "company", "Brook", (4_900, Some(5_195), 5_300));
    bench.hears(
        6_500,
        whole(
            MAP,
            5_195,
            &[("title", "Boss"), ("nick", "Ann"), ("company", "Brook")],
        )
        .ours(),
    );
    assert_eq!(bench.claims(MAP, "title"), NOBODY);
}

#[test]
fn the_tagged_event_of_one_write_may_show_the_rendering_of_an_earlier_one() {
    let mut bench = Bench::new();
    bench.writes(MAP, "title", "105 Early house", (3_900, Some(5_943), 6_223));
    bench.writes(MAP, "nick", "Ada", (6_300, Some(7_176), 7_200));
    // The target cuts titles. The event of the second write shows that first.
    bench.hears(
        7_932,
        whole(MAP, 7_176, &[("title", "105 Early hous"), ("nick", "Ada")]).ours(),
    );
    bench.hears(
        8_905,
        whole(MAP, 5_943, &[("title", "105 Early hous")]).ours(),
    );
    assert_eq!(bench.claims(MAP, "title"), NOBODY);
    assert_eq!(bench.golden("title"), "105 Early house");
}

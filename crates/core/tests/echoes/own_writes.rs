//! What events show of Baton's own writes.

use baton_core::{change::Class, state::CommandKind, wire::ResultOutcome};

use crate::bench::{Bench, CRM, MAP, Says, delta, reading, whole};

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

#[test]
fn a_reading_of_a_later_moment_of_the_second_does_not_teach_how_a_write_is_rendered() {
    let mut bench = Bench::new();
    let write = bench.sends(MAP, "company", "Brook", 2_326);
    // A list changes it a third of a second after the write.
    bench.hears(3_913, delta(MAP, 3_913, &[("company", "Gate")]));
    bench.answers(4_820, &write, Some(3_566));
    bench.hears(9_850, reading(MAP, 3_913, &[("company", "Gate")]));
    assert_eq!(bench.claims(MAP, "company"), ["Gate"]);
    assert_eq!(bench.golden("company"), "Gate");
}

#[test]
fn what_a_writes_own_event_leaves_out_somebody_else_entered() {
    let mut bench = Bench::new();
    bench.hears(
        4_900,
        delta(CRM, 4_900, &[("title", "Boss"), ("nick", "Ada")]).by_somebody(),
    );
    let write = bench.update(MAP);
    bench.answers(5_300, &write, Some(5_000));
    // The write's own event: the title stood there already. Then Ann changes it, in the same second.
    bench.hears(6_000, delta(MAP, 5_000, &[("nick", "Ada")]));
    bench.hears(6_100, delta(MAP, 5_000, &[("title", "Chief")]));
    bench.hears(
        6_900,
        reading(MAP, 5_000, &[("title", "Chief"), ("nick", "Ada")]),
    );
    assert_eq!(bench.claims(MAP, "title"), ["Chief"]);
    assert_eq!(bench.golden("title"), "Chief");
}

#[test]
fn a_write_whose_event_is_lost_stands_where_a_named_persons_record_first_shows_it() {
    let mut bench = Bench::new();
    let write = bench.sends(MAP, "title", "107 Early Brook", 3_302);
    bench.answers(4_978, &write, None);
    // Ann's edit of the nickname shows the title as the target has cut it; a later write's tagged event does, too.
    bench.hears(
        7_276,
        whole(MAP, 4_164, &[("title", "107 Early Broo"), ("nick", "Ann")]).by_somebody(),
    );
    bench.writes(MAP, "company", "Brook", (7_300, None, 7_600));
    bench.hears(
        8_169,
        whole(
            MAP,
            7_400,
            &[
                ("title", "107 Early Broo"),
                ("nick", "Ann"),
                ("company", "Brook"),
            ],
        )
        .ours(),
    );
    assert_eq!(bench.claims(MAP, "title"), NOBODY);
    assert_eq!(bench.golden("title"), "107 Early Brook");
}

#[test]
fn what_happens_while_a_record_is_being_read_is_read_again() {
    let mut bench = Bench::new();
    let gap = |time| Says {
        class: Class::Gap,
        ..whole(MAP, time, &[])
    };
    bench.hears(5_000, gap(5_000));
    let read = bench.commands().remove(0);
    assert_eq!(read.kind, CommandKind::Read);
    // Ann's edit comes after the record was read and before the answer; its news is lost, too.
    bench.hears(5_200, gap(5_150));
    assert!(bench.commands().is_empty(), "one command at a time");
    bench.hears(5_300, reading(MAP, 5_000, &[("title", "Old")]));
    bench.answers(5_300, &read, Some(5_000));
    let again = bench.commands();
    assert!(
        again.iter().any(|c| c.kind == CommandKind::Read),
        "{again:?}"
    );
}

#[test]
fn a_command_that_is_decided_anew_after_the_store_was_put_back_is_another_command() {
    let decided = |arrives: i64, title: &'static str| {
        let mut bench = Bench::new();
        bench.hears(arrives, delta(CRM, 1_000, &[("title", title)]));
        bench.update(MAP).command_id
    };
    let first = decided(1_500, "Boss");
    assert_eq!(decided(1_500, "Boss"), first, "a repeat is the same");
    assert_ne!(decided(1_500, "Chief"), first, "other content");
    assert_ne!(
        decided(9_000, "Boss"),
        first,
        "the target may have been told something else since"
    );
}

#[test]
fn a_value_that_the_target_cuts_to_what_stood_there_is_not_written_for_ever() {
    for stamp in [None, Some(5_000)] {
        let mut bench = Bench::new();
        // Somebody typed the short form; then the salesperson's longer one wins.
        bench.hears(3_500, delta(MAP, 3_000, &[("title", "111 Early hous")]));
        bench.hears(
            4_900,
            delta(CRM, 4_900, &[("title", "111 Early house")]).by_somebody(),
        );
        let write = bench.update(MAP);
        bench.answers(5_300, &write, stamp);
        // The target cuts it, so that nothing has changed, and says so.
        bench.hears(6_500, whole(MAP, 5_000, &[("title", "111 Early hous")]));
        let writes = bench.commands().into_iter();
        let writes = writes.filter(|c| c.kind == CommandKind::Update);
        assert_eq!(writes.count(), 0, "{stamp:?}");
        assert_eq!(bench.golden("title"), "111 Early house");
        // What was typed first stays somebody's claim.
        assert_eq!(bench.claims(MAP, "title"), ["111 Early hous"]);
    }
}

#[test]
fn whoever_enters_again_what_was_cut_is_heard() {
    let mut bench = Bench::new();
    bench.hears(3_500, delta(MAP, 3_000, &[("title", "111 Early hous")]));
    bench.hears(
        4_900,
        delta(CRM, 4_900, &[("title", "111 Early house")]).by_somebody(),
    );
    let write = bench.update(MAP);
    bench.answers(5_300, &write, None);
    bench.hears(6_500, whole(MAP, 5_000, &[("title", "111 Early hous")]));
    bench.hears(
        9_500,
        delta(MAP, 9_000, &[("title", "Chief")]).by_somebody(),
    );
    bench.hears(
        12_500,
        delta(MAP, 12_000, &[("title", "111 Early hous")]).by_somebody(),
    );
    assert_eq!(bench.golden("title"), "111 Early hous");
}

/// Found by the simulation (seeds 3632 and 5159): nothing showed the second write, and it was believed as it was written.
#[test]
fn what_a_target_made_of_a_value_it_makes_of_it_again() {
    let mut bench = Bench::new();
    bench.writes(MAP, "title", "111 Early house", (1_000, Some(1_500), 1_700));
    bench.hears(1_800, whole(MAP, 1_500, &[("title", "111 Early hous")]));
    bench.writes(MAP, "title", "Chief", (5_000, Some(5_500), 5_700));
    bench.hears(5_800, whole(MAP, 5_500, &[("title", "Chief")]));
    bench.writes(MAP, "title", "111 Early house", (9_000, Some(9_500), 9_700));
    assert_eq!(bench.believed(MAP, "title"), "111 Early hous");
    assert_eq!(bench.commands(), []);
}

/// Found by the simulation (seeds 3539 and 7204): what the target made of the write stood there already, so that no event
/// came, and the write was believed as it was written.
#[test]
fn a_write_of_which_nothing_shows_what_the_target_made_is_read() {
    let mut bench = Bench::new();
    let short = [("title", "111 Early hous")];
    bench.hears(3_500, whole(MAP, 3_000, &short).by_somebody());
    bench.writes(MAP, "title", "111 Early house", (14_900, None, 15_300));
    let read = bench.commands().remove(0);
    assert_eq!(read.kind, CommandKind::Read);
    bench.hears(15_500, reading(MAP, 3_000, &short));
    bench.answers(15_500, &read, Some(3_000));
    assert_eq!(bench.believed(MAP, "title"), "111 Early hous");
    assert_eq!(bench.golden("title"), "111 Early house");
    assert_eq!(bench.commands(), []);
}

/// Found by the simulation (seed 9232).
#[test]
fn a_reading_that_a_clock_ahead_asked_for_says_nothing_of_what_came_after_its_answer() {
    let mut bench = Bench::new();
    bench.ahead = 5 * 60 * 1_000;
    let lost = Says {
        class: Class::Gap,
        ..whole(MAP, 5_000, &[])
    };
    bench.hears(5_000, lost);
    let read = bench.commands().remove(0);
    assert_eq!(read.kind, CommandKind::Read);
    bench.hears(6_000, reading(MAP, 5_000, &[("title", "Old")]));
    bench.answers(6_000, &read, Some(5_000));
    bench.commands();
    bench.ahead = 0;
    // Within one second, and nothing tells which came last.
    bench.hears(9_500, whole(MAP, 9_000, &[("title", "Boss")]));
    bench.hears(9_600, whole(MAP, 9_000, &[("title", "Chief")]));
    let commands = bench.commands();
    let asks = |c: &&baton_core::wire::Command| c.system.as_str() == MAP;
    assert_eq!(
        commands.iter().find(asks).map(|c| c.kind),
        Some(CommandKind::Read),
        "{commands:?}"
    );
}

/// Found by the closed loop (seed 581): the event passed for the later write, whose own event then was somebody's entry.
#[test]
fn the_tagged_event_of_an_earlier_write_that_shows_what_stood_is_not_that_of_a_later_one() {
    let mut bench = Bench::new();
    bench.writes(MAP, "nick", "Ada", (1_000, None, 1_500));
    bench.hears(2_000, whole(MAP, 1_200, &[("nick", "Ada")]).ours());
    let company = bench.sends(MAP, "company", "Brook", 7_600);
    // Ann changes the nickname in the second of that write, and the CRM changes it back.
    bench.hears(9_000, whole(MAP, 8_000, &[("nick", "Ann")]).by_somebody());
    bench.hears(9_100, delta(CRM, 9_050, &[("nick", "Bea")]).by_somebody());
    bench.hears(9_300, delta(CRM, 9_200, &[("nick", "Ada")]).by_somebody());
    bench.answers(9_400, &company, None);
    let nick = bench.update(MAP);
    let both = [("nick", "Ada"), ("company", "Brook")];
    bench.hears(10_100, whole(MAP, 8_000, &both).ours());
    bench.answers(10_500, &nick, None);
    bench.hears(12_900, whole(MAP, 10_000, &both).ours());
    assert_eq!(bench.claims(MAP, "nick"), ["Ann"]);
}

/// Found by the closed loop (seed 1348).
#[test]
fn what_stood_before_a_write_and_is_shown_by_a_named_persons_record_is_not_that_write() {
    let mut bench = Bench::new();
    let stood = ("company", "Early brook");
    bench.hears(3_500, delta(MAP, 3_000, &[stood]).by_somebody());
    bench.hears(
        8_500,
        whole(MAP, 8_000, &[stood, ("nick", "Ann")]).by_somebody(),
    );
    bench.writes(MAP, "company", "Early Brook", (9_200, None, 9_600));
    assert_eq!(bench.believed(MAP, "company"), "Early Brook");
}

/// Found by the closed loop (seed 11484): the records of the second before passed for a write that changed nothing, and the
/// write's own event then was somebody's entry.
#[test]
fn a_record_from_before_a_write_does_not_show_that_the_write_changed_nothing() {
    let mut bench = Bench::new();
    let cut = [("title", "105 Early yard")];
    bench.writes(MAP, "title", "105 Early yard lane", (1_000, None, 1_500));
    bench.hears(2_500, whole(MAP, 1_200, &cut));
    // Ann changes it, and before a reading finds that the CRM has changed it twice, to what it was.
    let lost = Says {
        class: Class::Gap,
        ..whole(MAP, 138_000, &[])
    };
    bench.commands();
    bench.hears(139_100, lost);
    let read = bench.commands().remove(0);
    let changed = |title| [("title", title)];
    bench.hears(139_600, delta(CRM, 139_500, &changed("Gate")).by_somebody());
    bench.hears(
        139_900,
        delta(CRM, 139_800, &changed("105 Early yard lane")).by_somebody(),
    );
    bench.hears(140_600, reading(MAP, 139_000, &changed("Brook")));
    bench.answers(140_600, &read, Some(139_000));
    let write = bench.update(MAP);
    bench.answers(141_400, &write, None);
    bench.hears(142_000, whole(MAP, 140_000, &cut));
    bench.hears(142_500, whole(MAP, 139_000, &cut));
    bench.hears(143_000, reading(MAP, 140_000, &cut));
    assert_eq!(bench.claims(MAP, "title"), ["Brook"]);
}

/// Found by the simulation (seed 1962): the write was carried out when it had been given up, and its event came before its
/// answer.
#[test]
fn a_write_that_was_given_up_and_is_answered_late_explains_what_came_before_the_answer() {
    let mut bench = Bench::new();
    bench.rules.timing.give_up = 60_000;
    let write = bench.sends(MAP, "title", "Boss", 1_000);
    bench.wakes(62_000);
    bench.hears(153_000, whole(MAP, 150_000, &[("title", "Boss")]));
    bench.answers(153_500, &write, None);
    assert_eq!(bench.claims(MAP, "title"), NOBODY);
}

/// Found by the simulation (seed 68): its own event was lost, and what somebody else changed soon after showed its value.
#[test]
fn a_write_of_which_the_target_does_not_know_what_became_may_have_been_made_until_it_is_given_up() {
    let mut bench = Bench::new();
    let write = bench.sends(MAP, "title", "Boss", 1_000);
    bench.answers_as(3_000, &write, ResultOutcome::Unknown, None);
    bench.hears(
        9_500,
        whole(MAP, 9_000, &[("title", "Boss"), ("nick", "Ann")]),
    );
    assert_eq!(bench.claims(MAP, "title"), NOBODY);
    assert_eq!(bench.claims(MAP, "nick"), ["Ann"]);
}

//! An opt-out stands, whatever Baton is writing meanwhile (L6). Found by the simulation (seed 93), once somebody opts out
//! in it while answers are late.

use baton_core::{
    change::Cause,
    rules::{ConsentRule, ConsentState, FieldRule, MappedField, Strategy},
};

use crate::bench::{Bench, CRM, MAP, Says, delta, reading, whole};

const MAIL: &str = "mail";

/// Ada has opted in herself, and Baton is just telling the CRM.
fn opting_in() -> (Bench, baton_core::wire::Command) {
    let mut bench = Bench::empty();
    let rules = &mut bench.rules;
    let field = FieldRule {
        strategy: Strategy::MostRestrictive,
        consent: Some("email".into()),
        ..FieldRule::default()
    };
    rules.person.fields.insert(MAIL.into(), field);
    let states = [
        ("opted_out", ConsentState::OptedOut),
        ("opted_in", ConsentState::OptedIn),
    ];
    rules.consents.push(ConsentRule {
        channel: "email".into(),
        field: MAIL.into(),
        address: "email".into(),
        states: states.map(|(word, state)| (word.into(), state)).into(),
    });
    for system in rules.systems.values_mut() {
        for mapping in system.objects.values_mut() {
            let mapped = MappedField::plain(MAIL);
            mapping.fields.insert(MAIL.into(), mapped);
        }
    }
    bench.hears(0, whole(CRM, 0, &[("email", "ada@example.com")]));
    bench.hears(0, whole(MAP, 0, &[("email", "ada@example.com")]));
    let form = Says {
        cause: Cause::OwnForm,
        ..delta(MAP, 1_000, &[(MAIL, "opted_in")]).by_somebody()
    };
    bench.hears(1_000, form);
    let command = bench.update(CRM);
    assert_eq!(command.fields[MAIL], "opted_in");
    (bench, command)
}

fn shows(time: i64, word: &'static str) -> Says {
    whole(CRM, time, &[("email", "ada@example.com"), (MAIL, word)])
}

#[test]
fn an_opt_out_between_a_write_and_its_answer_does_not_wait_for_the_answer() {
    for stamp in [None, Some(7_000)] {
        let (mut bench, command) = opting_in();
        bench.hears(4_000, shows(3_000, "opted_out"));
        assert_eq!(bench.golden(MAIL), "opted_out");
        bench.answers(8_000, &command, stamp);
        assert_eq!(bench.golden(MAIL), "opted_out", "answered");
        bench.hears(9_000, shows(7_000, "opted_in").ours());
        assert_eq!(bench.golden(MAIL), "opted_out", "shown");
        assert_eq!(bench.update(CRM).fields[MAIL], "opted_out");
    }
}

#[test]
fn an_opt_out_that_a_reading_finds_in_the_second_of_a_write_is_no_rendering_of_it() {
    let (mut bench, command) = opting_in();
    bench.answers(3_000, &command, Some(2_000));
    let found = reading(
        CRM,
        2_000,
        &[("email", "ada@example.com"), (MAIL, "opted_out")],
    );
    bench.hears(4_000, found);
    assert_eq!(bench.golden(MAIL), "opted_out");
}

#[test]
fn an_opt_out_that_the_event_of_a_write_shows_is_heard() {
    let (mut bench, command) = opting_in();
    bench.answers(3_000, &command, Some(2_100));
    bench.hears(4_000, shows(2_100, "opted_out").ours());
    assert_eq!(bench.golden(MAIL), "opted_out");
}

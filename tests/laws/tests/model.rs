//! The engine agrees with the naive reference, which was written from the contract and not from the engine.

use baton_core::{
    name::Name,
    rules::Rules,
    time::{DAY, HOUR, MINUTE, Millis},
    value::Value,
};
use baton_laws::{
    history::{Manner, Played, Plot, START, Step, ambiguous, case, history, play, shortest},
    world::{Dice, Taste, rules, seeds},
};
use baton_reference::golden;

/// What the two say differently, if anything.
fn difference(played: &Played, rules: &Rules, as_of: Millis) -> Option<(Name, String)> {
    let state = played.state()?;
    let case = case(&played.book.out.ledger, rules, as_of);
    let answers = golden(&case);
    let ambiguous = ambiguous(&case);
    for (field, rule) in rules
        .person
        .fields
        .iter()
        .filter(|(f, _)| !ambiguous.contains(*f))
    {
        let answer = answers.get(field);
        let expected = answer.map_or(Value::Blank, |a| a.value.clone());
        let got = state.golden.get(field).cloned().unwrap_or_default();
        let winner = answer.and_then(|a| a.winner.clone());
        let same_winner = rule.consent.is_some() || got.winner == winner;
        if got.value != expected || !same_winner {
            let group = rules
                .person
                .group_of
                .get(field)
                .map(|g| &rules.person.groups[g]);
            return Some((
                *field,
                format!(
                    "{field}: engine {:?} of {:?}, reference {expected:?} of {winner:?} ({})\n rule {rule:?}\n group {group:?}",
                    got.value,
                    got.winner,
                    answer.map_or("", |a| a.note.as_str()),
                ),
            ));
        }
    }
    None
}

fn show(steps: &[Step], field: Name, rules: &Rules) -> String {
    let mut shown = String::new();
    let group = rules.person.group_of.get(&field);
    for step in steps {
        let line = match step {
            Step::Comes(i) => format!(
                "{} {}:{} {:?} time {:?} seq {:?} {:?} {:?} origin {:?} {:?}\n",
                i.position.arrival.since(START),
                i.system,
                i.raw.id,
                i.raw.class,
                i.raw.time.map(|t| t.since(START)),
                i.raw.seq,
                i.raw.precision,
                i.raw.cause,
                i.raw.origin,
                i.raw
                    .fields
                    .iter()
                    .filter(|f| {
                        let name = Name::new(&f.name);
                        name == field
                            || rules
                                .person
                                .group_of
                                .get(&name)
                                .is_some_and(|g| Some(g) == group)
                            || field.as_str() == "consent" && f.name == "email"
                            || field.as_str() == "follower"
                    })
                    .map(|f| format!("{}={:?}<{:?}", f.name, f.value, f.before))
                    .collect::<Vec<_>>(),
            ),
            Step::Steward(at, act) => format!("{} {act:?}\n", at.since(START)),
        };
        shown.push_str(&line);
    }
    shown
}

fn agree(seed: u64, taste: Taste, plot: Plot, manner: Manner) {
    let mut dice = Dice::new(seed);
    let rules = rules(&mut dice, taste);
    let steps = history(&mut dice, &rules, plot);
    let end = steps.iter().map(Step::at).max().unwrap_or(START);
    let as_of = end.plus(*dice.pick(&[2 * MINUTE, HOUR, DAY, 40 * DAY, 400 * DAY]));
    let differs = |steps: &[Step]| {
        let played = play(steps, &rules, as_of, manner);
        difference(&played, &rules, as_of)
    };
    if let Some((field, _)) = differs(&steps) {
        let fewer = shortest(&steps, |s| differs(s).is_some_and(|(f, _)| f == field));
        let (_, what) = differs(&fewer).expect("still differs");
        panic!(
            "BATON_SEED={seed} as of {}: {what}\n cause ranks {:?} sources {:?} horizon {}\n{}",
            as_of.since(START),
            rules.cause_rank,
            rules.source_rank,
            rules.timing.horizon,
            show(&fewer, field, &rules),
        );
    }
}

#[test]
fn engine_and_reference_agree_on_random_histories() {
    for seed in seeds(&[], 1_500) {
        agree(seed, Taste::default(), Plot::default(), Manner::default());
    }
}

#[test]
fn engine_and_reference_agree_on_short_histories() {
    for seed in seeds(&[], 2_000) {
        let plot = Plot {
            length: 6,
            ..Plot::default()
        };
        agree(seed, Taste::default(), plot, Manner::default());
    }
}

#[test]
fn engine_and_reference_agree_where_targets_take_writes() {
    for seed in seeds(&[], 500) {
        let taste = Taste {
            writes: true,
            ..Taste::default()
        };
        let plot = Plot {
            echoes: false,
            ..Plot::default()
        };
        agree(seed, taste, plot, Manner { answers: true });
    }
}

#[test]
fn engine_and_reference_agree_where_clears_wait_or_are_held() {
    for seed in seeds(&[], 500) {
        let taste = Taste {
            guard: Some([0, 100][seed as usize % 2]),
            ..Taste::default()
        };
        agree(seed, taste, Plot::default(), Manner::default());
    }
}

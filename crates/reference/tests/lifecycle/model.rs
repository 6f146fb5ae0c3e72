//! The engine's fold agrees with the machine that looks at every tick.

use std::sync::Arc;

use baton_core::{
    id::Digest,
    lifecycle::{
        course::{Clock, Course, End},
        fact::{Actor, Ending, Fact, Standing, Suppression, What},
        fold::{Whereabouts, fold},
        rules::{Baseline, Beyond, CoolDown, Editions},
    },
    name::Name,
    time::{DAY, HOUR, MINUTE, Millis},
    value::Value,
};
use baton_reference::lifecycle::stage::{Line, play};
use proptest::prelude::*;

use crate::world::{House, STAGES, deal, fact, hours, n, open, person};

const DAYS: i64 = 40;

pub fn house() -> impl Strategy<Value = House> {
    let recycling = (
        prop_oneof![
            Just(Baseline::Reset),
            Just(Baseline::Halve),
            Just(Baseline::Keep)
        ],
        prop_oneof![
            Just(CoolDown::For(DAY)),
            Just(CoolDown::For(4 * DAY)),
            Just(CoolDown::Forever)
        ],
        0_usize..3,
        prop_oneof![
            Just(Beyond::Disqualify(n("exhausted"))),
            Just(Beyond::LongNurture(n("track_long")))
        ],
    );
    let times = (
        2_i64..5,
        0_i64..4,
        prop_oneof![Just(4_i64), Just(8), Just(12)],
    );
    (recycling, times, any::<bool>(), any::<bool>()).prop_map(
        |(
            (baseline, cool_down, most, beyond),
            (stall_days, protect_days, target_hours),
            shadow,
            recycles_unanswered,
        )| {
            House {
                baseline,
                cool_down,
                most,
                beyond,
                stall_days,
                protect_days,
                target_hours,
                shadow,
                recycles_unanswered,
                ..House::default()
            }
        },
    )
}

/// Two versions, the second from some day on.
pub fn editions() -> impl Strategy<Value = Editions> {
    (
        house(),
        prop::option::of((house(), 0..DAYS * 24, 30_i64..80)),
    )
        .prop_map(|(first, second)| {
            let mut editions = first.editions();
            if let Some((mut second, hour, threshold)) = second {
                second.version = "two";
                second.threshold = threshold;
                editions.activate(hours(hour), Arc::new(second.rules()));
            }
            editions
        })
}

fn stage() -> impl Strategy<Value = Name> {
    prop::sample::select(STAGES.to_vec()).prop_map(|(name, _)| n(name))
}

fn because(reason: Option<Name>) -> Ending {
    Ending {
        reason: reason.map(|reason| reason.as_str().into()),
        ..Ending::default()
    }
}

fn reason() -> impl Strategy<Value = Option<Name>> {
    prop::option::of(prop::sample::select(vec![
        n("timing"),
        n("wrong_person"),
        n("unheard_of"),
    ]))
}

pub fn what() -> impl Strategy<Value = What> {
    let acts = prop::sample::select(vec![
        (Actor::Buyer, "page_view"),
        (Actor::Buyer, "reply"),
        (Actor::Buyer, "demo_request"),
        (Actor::Buyer, "price_request"),
        (Actor::Sales, "call"),
        (Actor::Sales, "note"),
        (Actor::Automation, "auto_mail"),
        (Actor::Marketer, "note"),
    ]);
    let fields = prop::sample::select(vec![
        ("country", Value::text("DE")),
        ("country", Value::text("FR")),
        ("country", Value::text("AU")),
        ("country", Value::text("XX")),
        ("away", Value::Bool(true)),
        ("away", Value::Blank),
        ("consent", Value::text("opted_out")),
        ("consent", Value::text("opted_in")),
        ("bought", Value::Blank),
    ]);
    let bought = (-100..DAYS * 24).prop_map(|h| What::Field {
        field: n("bought"),
        value: Value::Time(hours(h)),
    });
    let closing = prop::option::of(0..DAYS * 24);
    let deals = (
        1_u8..3,
        prop_oneof![
            4 => (prop::sample::select(vec!["sql", "opportunity"]), closing)
                .prop_map(|(stage, closing)| open(stage, closing)),
            1 => Just(Standing::Won(Ending::default())),
            1 => reason().prop_map(|reason| Standing::Lost(because(reason))),
            1 => Just(Standing::Gone),
        ],
    );
    prop_oneof![
        8 => acts.prop_map(|(actor, kind)| crate::world::act(actor, kind)),
        6 => (0_i64..16).prop_map(|tens| What::Score((tens * 10).into())),
        5 => (prop::sample::select(vec![n("crm"), n("crm"), n("map")]), stage(), reason())
            .prop_map(|(system, stage, reason)| What::Claim { system, stage, reason }),
        5 => (prop::option::weighted(0.7, prop::bool::weighted(0.8)), prop::option::weighted(0.7, prop::bool::weighted(0.8)), reason())
            .prop_map(|(ready, willing, reason)| What::Qualified { ready, willing, reason }),
        4 => deals.prop_map(|(nth, standing)| What::Deal { deal: deal(nth), standing }),
        1 => (1_u8..3, prop::sample::select(vec!["call", "meeting", "reply"]), any::<bool>()).prop_map(|(nth, kind, counts)| {
            What::OfDeal { deal: deal(nth), kind: n(kind), actor: Actor::Sales, counts }
        }),
        2 => fields.prop_map(|(field, value)| What::Field { field: n(field), value }),
        1 => bought,
        1 => (any::<bool>(), any::<bool>()).prop_map(|(account, on)| What::Suppressed {
            whose: if account { Suppression::Account(Digest::default()) } else { Suppression::Person },
            on,
        }),
        1 => reason().prop_map(|reason| What::Returned { reason }),
        2 => Just(What::Delivered),
    ]
}

/// Facts at random minutes; an hour is one instant.
pub fn facts(most: usize) -> impl Strategy<Value = Vec<Fact>> {
    prop::collection::vec((0..DAYS * 24 * 60, what()), 1..most).prop_map(|list| {
        list.into_iter()
            .enumerate()
            .map(|(nth, (minute, what))| fact(nth as u64, hours(0).plus(minute * MINUTE), what))
            .collect()
    })
}

fn end(clock: &Clock) -> Option<(Millis, Line)> {
    let (at, end) = clock.end?;
    let how = match end {
        End::Met => "met",
        End::MetReportedLate => "met, reported late",
        End::Late => "late",
        End::Stopped => "stopped",
    };
    Some((at, Line::Ended(clock.name, how.into())))
}

/// What the engine says, in the reference's words.
fn lines(course: &Course) -> Vec<(Millis, Line)> {
    let mut lines = Vec::new();
    for step in &course.steps {
        let moved = Line::Moved {
            from: step.from,
            to: step.to,
            reason: step.reason,
            episode: step.episode,
            version: step.version.to_string(),
        };
        lines.push((step.at, moved));
    }
    for closing in &course.closings {
        let closed = Line::Closed {
            episode: closing.seat.episode,
            from: closing.seat.from,
            reason: closing.seat.reason,
            kind: closing.kind,
            open_deals: closing.open_deals.clone(),
        };
        lines.push((closing.at, closed));
    }
    for handoff in &course.handoffs {
        let episode = handoff.episode;
        lines.push((handoff.at, Line::HandedOver { episode }));
    }
    for clock in &course.clocks {
        let reminded = clock.reminded.iter();
        lines.extend(reminded.map(|(share, at)| (*at, Line::Reminded(clock.name, *share))));
        lines.extend(clock.breached.map(|at| (at, Line::Breached(clock.name))));
        let escalated = clock.escalated.iter();
        lines.extend(escalated.map(|(to, at)| (*at, Line::Escalated(clock.name, *to))));
        lines.extend(end(clock));
    }
    for nudge in &course.nudges {
        lines.push((nudge.at, Line::Nudged(nudge.action)));
    }
    let outcomes = course.outcomes.iter();
    lines.extend(outcomes.map(|o| (o.at, Line::Outcome(o.deal, o.won))));
    lines.extend(course.objections.iter().map(|o| (o.at, Line::Objected)));
    lines.sort();
    lines
}

fn agree(facts: &[Fact], editions: &Editions) -> Result<(), TestCaseError> {
    let as_of = hours(DAYS * 24 + 10 * 24);
    let (stage, mut expected) = play(facts, editions, as_of);
    expected.sort();
    let (whereabouts, course) = fold(
        &Whereabouts::new(person(), editions),
        facts,
        editions,
        as_of,
    );
    let found = lines(&course);
    for (found, expected) in found.iter().zip(&expected) {
        prop_assert_eq!(found, expected);
    }
    prop_assert_eq!(found.len(), expected.len(), "{:?}\n{:?}", found, expected);
    prop_assert_eq!(whereabouts.stage, stage);
    Ok(())
}

/// The machine of ticks let it go on an hour late.
#[test]
fn a_clock_that_is_paused_when_its_target_is_used_up_is_due_when_it_goes_on() {
    let at = |text: &str| Millis::parse(text).expect("an instant");
    let bought = What::Field {
        field: n("bought"),
        value: Value::Time(at("2026-11-01T13:00:00Z")),
    };
    let to_sales = What::Deal {
        deal: deal(1),
        standing: open("sql", None),
    };
    let facts = [
        fact(0, at("2026-11-03T12:00:00Z"), bought),
        fact(1, at("2026-10-29T16:00:00Z"), What::Delivered),
        // Before it the person came to sales.
        fact(2, at("2026-10-29T15:00:00Z"), to_sales),
    ];
    let house = House {
        target_hours: 12,
        stall_days: 30,
        ..House::default()
    };
    agree(&facts, &house.editions()).expect("both say the same");
    let entry = Whereabouts::new(person(), &house.editions());
    let (_, course) = fold(&entry, &facts, &house.editions(), hours(DAYS * 24));
    let breached = course.clocks.iter().find_map(|clock| clock.breached);
    assert_eq!(breached, Some(at("2026-11-03T13:00:00Z")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_fold_and_the_machine_of_ticks_agree(facts in facts(40), editions in editions()) {
        agree(&facts, &editions)?;
    }

    #[test]
    fn they_agree_on_busy_weeks(facts in facts(120), house in house()) {
        agree(&facts, &house.editions())?;
    }

    /// Everybody is in exactly one stage at all times.
    #[test]
    fn each_step_begins_where_the_last_one_ended(facts in facts(60), editions in editions()) {
        let entry = Whereabouts::new(person(), &editions);
        let (end, course) = fold(&entry, &facts, &editions, hours(DAYS * 24));
        let mut stage = entry.stage;
        let mut at = Millis::UNTIMED;
        for step in &course.steps {
            prop_assert_eq!(step.from, stage);
            prop_assert!(step.at >= at);
            (stage, at) = (step.to, step.at);
        }
        prop_assert_eq!(end.stage, stage);
    }

    /// L1: neither order nor repetition matters.
    #[test]
    fn l1_the_order_of_arrival_does_not_matter(
        (facts, shuffled) in facts(40).prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        editions in editions(),
    ) {
        let entry = Whereabouts::new(person(), &editions);
        let as_of = hours(DAYS * 24);
        prop_assert_eq!(fold(&entry, &facts, &editions, as_of), fold(&entry, &shuffled, &editions, as_of));
    }

    /// What was folded into a summary goes on as if nothing had been summed up.
    #[test]
    fn a_summary_stands_for_the_facts_it_was_made_of(
        facts in facts(40),
        editions in editions(),
        hour in 0..DAYS * 24,
    ) {
        let entry = Whereabouts::new(person(), &editions);
        let (cut, as_of) = (hours(hour), hours(DAYS * 24 + 5 * 24));
        let (old, young): (Vec<_>, Vec<_>) =
            facts.iter().partition(|f| f.time.floor(HOUR) <= cut);
        let (summary, before) = fold(&entry, old, &editions, cut);
        let (end, after) = fold(&summary, young, &editions, as_of);
        let (whole_end, whole) = fold(&entry, &facts, &editions, as_of);
        prop_assert_eq!(end, whole_end);
        let steps: Vec<_> = before.steps.into_iter().chain(after.steps).collect();
        prop_assert_eq!(steps, whole.steps);
    }

    /// The next instant is told: nothing happens by time alone before it.
    #[test]
    fn nothing_happens_before_the_next_instant(facts in facts(30), editions in editions(), hour in 0..DAYS * 24) {
        let entry = Whereabouts::new(person(), &editions);
        let (_, course) = fold(&entry, &facts, &editions, hours(hour));
        let until = course.next.map_or(hours(DAYS * 48), |next| next.minus(1));
        let activated = editions.next(hours(hour)).map_or(until, |at| until.min(at.minus(1)));
        if activated >= hours(hour) {
            let (_, later) = fold(&entry, &facts, &editions, activated);
            prop_assert_eq!(&course.steps, &later.steps);
            prop_assert_eq!(&course.objections, &later.objections);
            prop_assert_eq!(&course.clocks, &later.clocks);
        }
    }
}

//! Laws that the reference itself must keep on random histories.

use baton_core::{
    change::{Cause, Seen},
    id::RecordKey,
    name::Name,
    rules::{
        ClearPolicy, Decay, OnBlank, OnTransition, Rules, Segment, Strategy, Trust, TrustSource,
    },
    value::Value,
};
use baton_reference::{Case, Fact, StageFact, Told, golden};
use proptest::{prelude::*, strategy::Strategy as _};

use crate::story::*;

const FIELDS: [&str; 4] = ["x", "street", "city", "country"];

/// Small worlds, so that histories meet: three records, four fields, four values, five seconds.
fn fact() -> impl proptest::strategy::Strategy<Value = Fact> {
    let what = (0..3_usize, 0..4_usize, 0..5_usize, any::<bool>());
    let when = (0..5_000_i64, 0..3_u64, 0..4_usize);
    let how = (0..7_usize, 0..4_usize, 0..5_u8);
    (what, when, how).prop_map(
        |((record, field, value, own), (time, seq, told), (cause, before, seen))| {
            let record: RecordKey = [crm(), map(), erp()][record].clone();
            let values = ["", "a", "b", "a;b", "c"].map(text);
            let time = seconds(0).plus(time / 100 * 100);
            let event = baton_core::id::Digest::default();
            let mut fact = Fact::new(
                record,
                FIELDS[field].into(),
                values[value].clone(),
                time,
                event,
            );
            fact.seq = seq;
            fact.own = own;
            fact.cause = Cause::ALL[cause];
            fact.told = [Told::Delta, Told::Event, Told::Snapshot, Told::ReadBack][told];
            fact.before = (before < 3).then(|| values[before].clone());
            match (fact.value.is_blank(), fact.told) {
                (true, Told::Delta) => fact.seen = Seen::Cleared,
                (true, Told::Event) => fact.seen = Seen::BlankInEvent,
                (true, _) => fact.seen = Seen::BlankInSnapshot,
                (false, _) if seen == 0 => fact.seen = Seen::Doubtful,
                (false, _) if seen == 1 => fact.seen = Seen::Invalid,
                (false, _) => {}
            }
            fact
        },
    )
}

/// A history: each fact an event of its own, arriving in the order of the list.
fn history() -> impl proptest::strategy::Strategy<Value = Vec<Fact>> {
    prop::collection::vec(fact(), 0..24).prop_map(|mut facts| {
        for (nth, fact) in (1_u64..).zip(&mut facts) {
            fact.event = baton_core::id::Digest::of(&[&nth.to_le_bytes()]);
            fact.position.log = nth;
            fact.position.arrival = seconds(1_000);
        }
        facts
    })
}

fn strategies() -> Vec<Strategy> {
    let trusted = |max: i64| TrustSource {
        max: max.into(),
        min: 0.into(),
        period_days: 60,
        decay: Decay::FastThenSlow,
    };
    let priority = |on_blank| Strategy::Priority {
        sources: vec!["map".into(), "crm".into()],
        on_blank,
    };
    let segments = || {
        vec![
            Segment {
                until: Some("mql".into()),
                strategy: Strategy::Latest,
            },
            Segment {
                until: None,
                strategy: Strategy::Only {
                    source: "crm".into(),
                },
            },
        ]
    };
    let by_stage = |on_transition| Strategy::ByStage {
        segments: segments(),
        on_transition,
    };
    vec![
        priority(OnBlank::Clear),
        priority(OnBlank::Fallback),
        priority(OnBlank::Hold),
        Strategy::Only {
            source: "map".into(),
        },
        Strategy::Latest,
        Strategy::Fill,
        Strategy::First,
        Strategy::Trust(Trust {
            sources: [("crm".into(), trusted(80)), ("map".into(), trusted(75))].into(),
            margin: 6.into(),
            doubtful: 20.into(),
        }),
        Strategy::MostComplete,
        Strategy::Longest,
        Strategy::Max,
        Strategy::Min,
        Strategy::Union,
        Strategy::Counter,
        Strategy::MostRestrictive,
        by_stage(OnTransition::Keep),
        by_stage(OnTransition::Rejudge),
        Strategy::Manual { fallback: None },
    ]
}

/// Every strategy, for the field `x` and for the group.
fn all_rules(clear: ClearPolicy, protect: Option<i64>) -> Vec<Rules> {
    let mut all = Vec::new();
    for strategy in strategies() {
        let mut rules = group_rules(strategy.clone());
        for group in rules.person.groups.values_mut() {
            group.clear = clear;
            group.protect_manual = protect;
        }
        let single = rules_with_clear(strategy, clear);
        for (name, mut field) in single.person.fields {
            field.protect_manual = protect;
            rules.person.fields.insert(name, field);
        }
        all.push(rules);
    }
    all
}

fn clear_policy() -> impl proptest::strategy::Strategy<Value = ClearPolicy> {
    prop::sample::select(vec![
        ClearPolicy::Propagate,
        ClearPolicy::PropagateIfManual,
        ClearPolicy::Ignore,
        ClearPolicy::Hold,
    ])
}

fn case<'r>(rules: &'r Rules, facts: &[Fact]) -> Case<'r> {
    let mut case = Case::new(
        rules,
        baton_core::id::Kind::Person,
        facts.to_vec(),
        days(30),
    );
    for (at, stage) in [(1, "nurture"), (3, "mql")] {
        case.stages.push(StageFact {
            time: seconds(at),
            position: Default::default(),
            stage: Name::new(stage),
        });
    }
    case
}

/// The same later by a second than everything else.
fn afterwards(facts: &[Fact], change: impl Fn(&mut Fact)) -> Vec<Fact> {
    let mut more = facts.to_vec();
    for record in [crm(), map(), erp()] {
        let nth = 1_000 + more.len() as u64;
        let event = baton_core::id::Digest::of(&[&nth.to_le_bytes()]);
        let mut fact = Fact::new(record, "x".into(), Value::Blank, seconds(6), event);
        fact.position.log = nth;
        change(&mut fact);
        more.push(fact);
    }
    more
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn neither_order_nor_repetition_matters(
        (facts, shuffled) in history().prop_flat_map(|facts| {
            let mut twice = facts.clone();
            twice.extend(facts.clone());
            (Just(facts), Just(twice).prop_shuffle())
        }),
        clear in clear_policy(),
        protect in prop::option::of(500..3_000_i64),
    ) {
        for rules in all_rules(clear, protect) {
            let (one, other) = (golden(&case(&rules, &facts)), golden(&case(&rules, &shuffled)));
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn a_blank_snapshot_never_clears_a_field(facts in history(), clear in clear_policy()) {
        let more = afterwards(&facts, |f| {
            f.told = Told::Snapshot;
            f.seen = Seen::BlankInSnapshot;
        });
        for rules in all_rules(clear, None) {
            prop_assert_eq!(golden(&case(&rules, &facts)), golden(&case(&rules, &more)));
        }
    }

    #[test]
    fn an_own_write_after_all_else_changes_nothing(facts in history(), clear in clear_policy()) {
        let more = afterwards(&facts, |f| {
            f.own = true;
            f.seen = Seen::Value;
            f.value = text("z");
        });
        for rules in all_rules(clear, None) {
            prop_assert_eq!(golden(&case(&rules, &facts)), golden(&case(&rules, &more)));
        }
    }

    #[test]
    fn a_winner_said_what_it_won_with(facts in history(), clear in clear_policy()) {
        for rules in all_rules(clear, None) {
            for (field, answer) in golden(&case(&rules, &facts)) {
                if let Some(winner) = answer.winner
                    && !answer.value.is_blank()
                {
                    let said = facts.iter().any(|f| {
                        f.record == winner && f.field == field && f.stands() == answer.value
                    });
                    prop_assert!(said);
                }
            }
        }
    }
}

//! Random rules over three systems, and the dice that everything random here is thrown with.

use std::collections::BTreeMap;

use baton_core::{
    change::{Cause, Format},
    id::{Kind, Object},
    name::Name,
    rules::{
        ClearPolicy, ConsentRule, ConsentState, CreatePolicy, Decay, DeletePolicy, Direction, Expr,
        FieldRule, FieldType, GroupRule, MappedField, ObjectMapping, OnBlank, OnTransition, Rules,
        Segment, Strategy, System, Trust, TrustSource,
    },
    time::{DAY, HOUR, SECOND},
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Reproducible chance.
pub struct Dice(ChaCha8Rng);

impl Dice {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number of 0 to `n` − 1.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// From `from` to `to`, both included.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        self.0.random_range(from..=to)
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// One of a list that is not empty.
    pub fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    pub fn word(&mut self, list: &[&'static str]) -> &'static str {
        list[self.below(list.len())]
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        list.shuffle(&mut self.0);
    }
}

/// The seeds a law is tried with: kept regressions first, then `count` fresh ones; or just the one in `BATON_SEED`.
#[must_use]
pub fn seeds(kept: &[u64], count: u64) -> Vec<u64> {
    match std::env::var("BATON_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
    {
        Some(seed) => vec![seed],
        None => kept.iter().copied().chain(0..count).collect(),
    }
}

pub const SYSTEMS: [&str; 3] = ["crm", "map", "erp"];
pub const STAGES: [&str; 4] = ["new", "nurture", "mql", "sql"];
/// Fields of their own whose rules are random.
pub const FIELDS: [&str; 6] = ["f0", "f1", "f2", "f3", "f4", "f5"];
pub const GROUP: [&str; 3] = ["street", "city", "zip"];

/// What a world is made of, besides chance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taste {
    /// Fields are written to the targets, not only read.
    pub writes: bool,
    /// Records are created in the systems that lack a person.
    pub creates: bool,
    /// Clears wait for the mass-clear guard; with a limit of 0 all are held.
    pub guard: Option<u32>,
}

/// Rules for people: random strategies and modifiers for [`FIELDS`] and the group `address`, a derived and a
/// following field, consent.
#[must_use]
pub fn rules(dice: &mut Dice, taste: Taste) -> Rules {
    let mut rules = Rules {
        version: "laws".into(),
        cause_rank: [0, 1, 2, 3, 4, 5, 6],
        source_rank: SYSTEMS.iter().map(|s| Name::new(s)).collect(),
        stages: STAGES.iter().map(|s| Name::new(s)).collect(),
        ..Rules::default()
    };
    dice.shuffle(&mut rules.source_rank);
    if dice.chance(25) {
        dice.shuffle(&mut rules.cause_rank);
    }
    if dice.chance(20) {
        rules.timing.horizon = 2 * DAY;
    }
    match taste.guard {
        Some(records) => rules.mass_clear.records = records,
        None => rules.mass_clear.window = 0,
    }
    for field in FIELDS {
        let kind = *dice.pick(&[
            FieldType::Text,
            FieldType::Country,
            FieldType::Number,
            FieldType::MultiSelect,
        ]);
        let rule = FieldRule {
            kind,
            strategy: strategy(dice, kind, false, 0),
            clear: clear(dice),
            protect_manual: protection(dice),
            sentinels: ["n/a".into()].into(),
            ..FieldRule::default()
        };
        rules.person.fields.insert(field.into(), rule);
    }
    group(dice, &mut rules);
    readers(dice, &mut rules);
    identity(&mut rules);
    for name in SYSTEMS {
        let system = system(dice, name, &rules, taste);
        rules.systems.insert(name.into(), system);
    }
    rules
}

fn group(dice: &mut Dice, rules: &mut Rules) {
    for field in GROUP {
        rules
            .person
            .fields
            .insert(field.into(), plain(FieldType::Text));
        rules.person.group_of.insert(field.into(), "address".into());
    }
    let group = GroupRule {
        fields: GROUP.iter().map(|f| Name::new(f)).collect(),
        strategy: strategy(dice, FieldType::Text, true, 0),
        clear: clear(dice),
        protect_manual: protection(dice),
        requires: if dice.chance(40) {
            vec!["zip".into()]
        } else {
            Vec::new()
        },
    };
    rules.person.groups.insert("address".into(), group);
}

/// Fields that read other golden values.
fn readers(dice: &mut Dice, rules: &mut Rules) {
    let field = |name: &str| Expr::Field(name.into());
    let exprs = [
        Expr::Concat {
            parts: vec![
                field("f0"),
                field("city"),
                Expr::Literal(baton_core::value::Value::text("!")),
            ],
            separator: " ".into(),
        },
        Expr::Coalesce(vec![field("f1"), Expr::Upper(Box::new(field("f2")))]),
        Expr::Sum(vec![field("f2"), field("f3")]),
        Expr::Domain(Box::new(field("email"))),
    ];
    let derived = |expr: &Expr| FieldRule {
        strategy: Strategy::Derived(expr.clone()),
        ..FieldRule::default()
    };
    let first = dice.pick(&exprs).clone();
    rules
        .person
        .fields
        .insert("d_first".into(), derived(&first));
    let chained = Expr::Lower(Box::new(field("d_first")));
    rules
        .person
        .fields
        .insert("a_chained".into(), derived(&chained));
    let follow = FieldRule {
        strategy: Strategy::Follow {
            group: "address".into(),
        },
        clear: clear(dice),
        ..FieldRule::default()
    };
    rules.person.fields.insert("follower".into(), follow);
}

fn identity(rules: &mut Rules) {
    rules
        .person
        .fields
        .insert("email".into(), plain(FieldType::Email));
    rules
        .person
        .fields
        .insert("key".into(), plain(FieldType::Text));
    rules.identity.keys.insert(Kind::Person, vec!["key".into()]);
    rules.identity.email = Some("email".into());
    let consent = FieldRule {
        strategy: Strategy::MostRestrictive,
        consent: Some("email".into()),
        ..FieldRule::default()
    };
    rules.person.fields.insert("consent".into(), consent);
    rules.consents.push(ConsentRule {
        channel: "email".into(),
        field: "consent".into(),
        address: "email".into(),
        states: ConsentState::ALL
            .into_iter()
            .map(|s| (s.as_str().into(), s))
            .collect(),
    });
}

fn plain(kind: FieldType) -> FieldRule {
    FieldRule {
        kind,
        ..FieldRule::default()
    }
}

fn system(dice: &mut Dice, name: &str, rules: &Rules, taste: Taste) -> System {
    // The third system has no tag, so Baton only reads it: nothing there can be an echo.
    let tagged = name != "erp";
    let mut mapping = ObjectMapping {
        vendor: "contact".into(),
        admit: true,
        create: if tagged && taste.creates {
            CreatePolicy::Always
        } else {
            CreatePolicy::Never
        },
        ..ObjectMapping::default()
    };
    for field in rules.person.fields.keys() {
        // One system may know a group only in part.
        if name == "erp" && field.as_str() == "zip" && dice.chance(30) {
            continue;
        }
        let mut mapped = MappedField::plain(*field);
        if !tagged || !taste.writes {
            mapped.direction = Direction::In;
        }
        mapping.fields.insert(field.as_str().into(), mapped);
    }
    let lead = ObjectMapping {
        vendor: "lead".into(),
        create: CreatePolicy::Never,
        ..mapping.clone()
    };
    System {
        name: name.into(),
        format: Format::Baton,
        origin_tag: tagged.then(|| "baton".into()),
        integration_users: Default::default(),
        default_cause: Cause::Unknown,
        causes: BTreeMap::new(),
        actor_causes: BTreeMap::new(),
        actor_default: None,
        objects: [(Object::Contact, mapping), (Object::Lead, lead)].into(),
        vocabularies: BTreeMap::new(),
        acks: true,
        reads: false,
        region: None,
        zone: None,
        skew: 0,
        delete: *dice.pick(&[DeletePolicy::Flag, DeletePolicy::Flag, DeletePolicy::Detach]),
    }
}

fn clear(dice: &mut Dice) -> ClearPolicy {
    *dice.pick(&[
        ClearPolicy::Propagate,
        ClearPolicy::PropagateIfManual,
        ClearPolicy::Ignore,
        ClearPolicy::Hold,
    ])
}

fn protection(dice: &mut Dice) -> Option<i64> {
    let span = *dice.pick(&[SECOND, HOUR, 180 * DAY]);
    dice.chance(35).then_some(span)
}

/// A random strategy that makes sense for the type.
pub fn strategy(dice: &mut Dice, kind: FieldType, group: bool, depth: usize) -> Strategy {
    let source = |dice: &mut Dice| Name::new(SYSTEMS[dice.below(3)]);
    match dice.below(if depth == 0 { 20 } else { 16 }) {
        0 | 1 => {
            let mut sources: Vec<Name> = SYSTEMS.iter().map(|s| Name::new(s)).collect();
            dice.shuffle(&mut sources);
            sources.truncate(1 + dice.below(3));
            let on_blank = *dice.pick(&[OnBlank::Clear, OnBlank::Fallback, OnBlank::Hold]);
            Strategy::Priority { sources, on_blank }
        }
        2 => Strategy::Only {
            source: source(dice),
        },
        3 => Strategy::Fill,
        4 => Strategy::First,
        5 | 6 => Strategy::Trust(trust(dice)),
        7 => Strategy::MostComplete,
        8 => Strategy::Longest,
        9 => Strategy::Max,
        10 => Strategy::Min,
        11 | 12 if kind == FieldType::MultiSelect => Strategy::Union,
        11 | 12 if kind == FieldType::Number => Strategy::Counter,
        13 | 14 => Strategy::Manual {
            fallback: dice.chance(60).then(|| {
                let after = *dice.pick(&[HOUR, DAY, 30 * DAY]);
                (after, Box::new(strategy(dice, kind, group, depth + 2)))
            }),
        },
        16..=18 => Strategy::ByStage {
            segments: segments(dice, kind, group),
            on_transition: *dice.pick(&[
                OnTransition::Keep,
                OnTransition::Keep,
                OnTransition::Rejudge,
            ]),
        },
        _ => Strategy::Latest,
    }
}

fn segments(dice: &mut Dice, kind: FieldType, group: bool) -> Vec<Segment> {
    let mut segments = Vec::new();
    for until in ["nurture", "mql", "sql"] {
        if dice.chance(50) {
            segments.push(Segment {
                until: Some(until.into()),
                strategy: strategy(dice, kind, group, 1),
            });
        }
    }
    segments.push(Segment {
        until: None,
        strategy: strategy(dice, kind, group, 1),
    });
    segments
}

fn trust(dice: &mut Dice) -> Trust {
    let mut sources = BTreeMap::new();
    for system in SYSTEMS {
        if dice.chance(85) {
            let source = TrustSource {
                max: dice.between(20, 100).into(),
                min: dice.between(0, 20).into(),
                period_days: u32::try_from(dice.between(1, 90)).unwrap_or(1),
                decay: *dice.pick(&[Decay::Linear, Decay::FastThenSlow, Decay::SlowThenFast]),
            };
            sources.insert(system.into(), source);
        }
    }
    Trust {
        sources,
        margin: (*dice.pick(&[0, 5, 30])).into(),
        doubtful: (*dice.pick(&[0, 10, 50])).into(),
    }
}

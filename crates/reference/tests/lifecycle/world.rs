//! A funnel to play with: the contract's stages, one system of each side, and what may differ from house to house.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use baton_core::{
    id::{Digest, EntityId, Kind, Position},
    lifecycle::{
        calendar::{Calendar, Hours, Opening, Weekday},
        fact::{Act, Actor, Fact, Standing, Suppression, What},
        predicate::Predicate,
        rules::{
            Acts, AfterLost, Baseline, Beyond, ClockRule, Consequence, CoolDown, Editions,
            FunnelRules, GreatestAge, Landmarks, Mode, Phase, Ready, Reason, Recycling, Signal,
            StageRule, Stall,
        },
        words::Tells,
    },
    name::Name,
    time::{DAY, HOUR, Millis},
    value::Value,
};

/// Tuesday, five days before the clocks of Berlin go back.
pub const START: &str = "2026-10-20T00:00:00Z";

pub fn start() -> Millis {
    Millis::parse(START).expect("an instant")
}

pub fn hours(n: i64) -> Millis {
    start().plus(n * HOUR)
}

pub fn person() -> EntityId {
    entity(Kind::Person, 1)
}

pub fn deal(nth: u8) -> EntityId {
    entity(Kind::Deal, nth)
}

fn entity(kind: Kind, nth: u8) -> EntityId {
    EntityId {
        kind,
        digest: Digest([nth; 16]),
    }
}

pub fn n(name: &str) -> Name {
    Name::new(name)
}

fn names(list: &[&str]) -> BTreeSet<Name> {
    list.iter().copied().map(Name::new).collect()
}

/// What differs from house to house.
#[derive(Clone, Debug)]
pub struct House {
    pub version: &'static str,
    pub threshold: i64,
    pub baseline: Baseline,
    pub cool_down: CoolDown,
    pub most: usize,
    pub beyond: Beyond,
    pub stall_days: i64,
    pub shadow: bool,
    pub protect_days: i64,
    pub target_hours: i64,
    pub recycles_unanswered: bool,
    pub grace_hours: i64,
}

impl Default for House {
    fn default() -> Self {
        Self {
            version: "one",
            threshold: 50,
            baseline: Baseline::Reset,
            cool_down: CoolDown::For(5 * DAY),
            most: 3,
            beyond: Beyond::Disqualify(n("exhausted")),
            stall_days: 4,
            shadow: false,
            protect_days: 3,
            target_hours: 8,
            recycles_unanswered: true,
            grace_hours: 48,
        }
    }
}

pub const STAGES: [(&str, u8); 12] = [
    ("new", 0),
    ("nurture", 1),
    ("recycled", 2),
    ("mql", 3),
    ("sdr_review", 4),
    ("sal", 5),
    ("sql", 6),
    ("opportunity", 7),
    ("won", 8),
    ("lost", 8),
    ("customer", 9),
    ("disqualified", 10),
];

pub const SALES_ACTS: [&str; 3] = ["call", "meeting", "note"];

fn acts(kinds: &[&str], actors: &[Actor]) -> Acts {
    Acts {
        kinds: names(kinds),
        actors: actors.iter().copied().collect(),
    }
}

impl House {
    pub fn editions(&self) -> Editions {
        Editions::new(HOUR, Arc::new(self.rules()))
    }

    pub fn rules(&self) -> FunnelRules {
        FunnelRules {
            version: self.version.into(),
            stages: STAGES
                .into_iter()
                .map(|(name, rank)| (n(name), self.stage(name, rank)))
                .collect(),
            landmarks: Landmarks {
                entry: n("new"),
                nurture: n("nurture"),
                recycled: n("recycled"),
                ready: n("mql"),
                review: n("sdr_review"),
                accepted: n("sal"),
                opportunity: n("opportunity"),
                won: n("won"),
                lost: n("lost"),
                customer: n("customer"),
                disqualified: n("disqualified"),
            },
            edges: [
                ("mql", "recycled"),
                ("sdr_review", "recycled"),
                ("sal", "recycled"),
                ("sql", "recycled"),
                ("opportunity", "recycled"),
                ("won", "opportunity"),
                ("customer", "opportunity"),
                ("lost", "nurture"),
                ("lost", "opportunity"),
                ("lost", "won"),
                ("won", "lost"),
                ("disqualified", "nurture"),
                ("sal", "nurture"),
            ]
            .into_iter()
            .map(|(from, to)| (n(from), n(to)))
            .collect(),
            nurture: Predicate::Not(Box::new(Predicate::OneOf(
                n("consent"),
                [Value::text("opted_out")].into(),
            ))),
            ready: self.ready(),
            recycling: self.recycling(),
            disqualify: vec![(
                Predicate::OneOf(n("country"), [Value::text("XX")].into()),
                n("embargo"),
            )],
            after_lost: BTreeMap::from([
                (n("timing"), AfterLost::Nurture(n("track_timing"))),
                (n("wrong_person"), AfterLost::Disqualify),
            ]),
            protect_closing_within: self.protect_days * DAY,
            clocks: self.clocks(),
            tells: Tells::default(),
            calendars: BTreeMap::from([
                (n("berlin"), Arc::new(berlin())),
                (n("nights"), Arc::new(nights())),
            ]),
        }
    }

    fn stage(&self, name: &str, rank: u8) -> StageRule {
        let worked = (3..=7).contains(&rank);
        let stall = ["sal", "sql", "opportunity"].contains(&name);
        let mode = if self.shadow && name == "sql" {
            Mode::Shadow
        } else {
            Mode::Live
        };
        StageRule {
            rank,
            phase: match rank {
                0..=2 => Phase::Nurtured,
                3..=7 => Phase::Worked,
                _ => Phase::Ended,
            },
            claimed_by: if name == "mql" {
                BTreeSet::new()
            } else if worked || rank > 7 || name == "recycled" {
                names(&["crm"])
            } else {
                names(&["crm", "map"])
            },
            stall: stall.then(|| Stall {
                scope: if name == "sql" {
                    Predicate::Not(Box::new(Predicate::Within(n("bought"), 9 * DAY)))
                } else {
                    Predicate::Always
                },
                after: self.stall_days * DAY,
                by: acts(
                    &["call", "meeting", "note", "reply", "auto_mail"],
                    &[Actor::Sales, Actor::Buyer, Actor::Automation],
                ),
                reason: n("no_response"),
                reengage: Some((50, n("ask_again"))),
                mode,
            }),
            age: (name == "sal").then(|| GreatestAge {
                scope: Predicate::Not(Box::new(Predicate::OneOf(
                    n("country"),
                    [Value::text("AU")].into(),
                ))),
                after: 3 * self.stall_days * DAY,
                reason: n("timing"),
                mode: Mode::Live,
            }),
        }
    }

    fn ready(&self) -> Ready {
        Ready {
            definition: "1".into(),
            threshold: self.threshold.into(),
            fit: Predicate::All(vec![
                Predicate::Not(Box::new(Predicate::OneOf(
                    n("country"),
                    [Value::text("FR")].into(),
                ))),
                Predicate::Not(Box::new(Predicate::Within(n("bought"), 6 * DAY))),
            ]),
            consent: Predicate::Not(Box::new(Predicate::OneOf(
                n("consent"),
                [Value::text("opted_out")].into(),
            ))),
            acceleration: names(&["demo_request", "price_request"]),
            in_cool_down: names(&["demo_request"]),
            engagement: acts(
                &["page_view", "reply", "demo_request", "price_request"],
                &[Actor::Buyer],
            ),
            told: 2,
        }
    }

    fn recycling(&self) -> Recycling {
        let reasons = [
            ("not_ready", self.cool_down),
            ("not_willing", CoolDown::For(2 * DAY)),
            ("no_response", self.cool_down),
            ("timing", CoolDown::For(3 * DAY)),
            ("returned", CoolDown::For(DAY)),
            ("wrong_person", CoolDown::Forever),
        ];
        Recycling {
            reasons: reasons
                .into_iter()
                .map(|(name, cool_down)| {
                    let track = n(&format!("track_{name}"));
                    (n(name), Reason { track, cool_down })
                })
                .collect(),
            not_ready: n("not_ready"),
            not_willing: n("not_willing"),
            returned: n("returned"),
            baseline: self.baseline,
            grace: self.grace_hours * HOUR,
            most: self.most,
            window: 365 * DAY,
            beyond: self.beyond,
        }
    }

    fn clocks(&self) -> BTreeMap<Name, ClockRule> {
        let follow_up = ClockRule {
            scope: Predicate::Always,
            mode: Mode::Live,
            start: vec![Signal::Enters(n("mql"))],
            stop: vec![
                Signal::Act(acts(&SALES_ACTS, &[Actor::Sales])),
                Signal::Qualified,
            ],
            touches: 1,
            pause: Some(Predicate::OneOf(n("away"), [Value::Bool(true)].into())),
            target: self.target_hours * HOUR,
            calendars: vec![(
                Predicate::OneOf(n("country"), [Value::text("AU")].into()),
                n("nights"),
            )],
            calendar: n("berlin"),
            reminders: vec![50, 75],
            escalation: vec![(2 * HOUR, n("team_lead")), (9 * HOUR, n("head_of_sales"))],
            consequence: if self.recycles_unanswered {
                Consequence::Recycle(n("no_response"))
            } else {
                Consequence::Reassign(n("pool"))
            },
        };
        let follow_through = ClockRule {
            scope: Predicate::Not(Box::new(Predicate::Suppressed)),
            mode: if self.shadow {
                Mode::Shadow
            } else {
                Mode::Live
            },
            start: vec![Signal::Enters(n("sal"))],
            stop: vec![
                Signal::Act(acts(&SALES_ACTS, &[Actor::Sales])),
                Signal::Enters(n("opportunity")),
                Signal::Enters(n("disqualified")),
            ],
            touches: 3,
            pause: None,
            target: 4 * self.target_hours * HOUR,
            calendars: Vec::new(),
            calendar: n("nights"),
            reminders: vec![75],
            escalation: vec![(HOUR, n("team_lead"))],
            consequence: Consequence::Alert,
        };
        let first_touch = ClockRule {
            scope: Predicate::Always,
            mode: Mode::Live,
            start: vec![Signal::Delivered],
            stop: vec![Signal::Act(acts(&SALES_ACTS, &[Actor::Sales]))],
            touches: 1,
            pause: Some(Predicate::Within(n("bought"), 2 * DAY)),
            target: self.target_hours * HOUR,
            calendars: Vec::new(),
            calendar: n("berlin"),
            reminders: Vec::new(),
            escalation: Vec::new(),
            consequence: Consequence::Alert,
        };
        BTreeMap::from([
            (n("follow_up"), follow_up),
            (n("follow_through"), follow_through),
            (n("first_touch"), first_touch),
        ])
    }
}

/// Nine to five on weekdays; the last Friday of October is free.
fn berlin() -> Calendar {
    let day = vec![Opening {
        from: 9 * 60,
        until: 17 * 60,
    }];
    let free = Millis::parse("2026-10-30T00:00:00Z").expect("an instant");
    Calendar::new(Hours {
        zone: "Europe/Berlin".into(),
        week: Weekday::ALL[..5]
            .iter()
            .map(|d| (*d, day.clone()))
            .collect(),
        holidays: BTreeSet::from([i32::try_from(free.0 / DAY).expect("a day")]),
    })
    .expect("a sound calendar")
}

/// Ten to six over night, all days.
fn nights() -> Calendar {
    let night = vec![Opening {
        from: 22 * 60,
        until: 30 * 60,
    }];
    Calendar::new(Hours {
        zone: "Europe/Berlin".into(),
        week: Weekday::ALL.iter().map(|d| (*d, night.clone())).collect(),
        holidays: BTreeSet::new(),
    })
    .expect("a sound calendar")
}

/// A person's facts, one after the other.
#[derive(Default)]
pub struct Story {
    pub facts: Vec<Fact>,
}

impl Story {
    pub fn at(&mut self, hour: i64, what: What) -> &mut Self {
        let nth = self.facts.len() as u64 + 1;
        self.facts.push(fact(nth, hours(hour), what));
        self
    }

    pub fn act(&mut self, hour: i64, actor: Actor, kind: &str) -> &mut Self {
        self.at(hour, act(actor, kind))
    }

    pub fn score(&mut self, hour: i64, points: i64) -> &mut Self {
        self.at(hour, What::Score(points.into()))
    }

    pub fn claim(&mut self, hour: i64, stage: &str) -> &mut Self {
        self.at(
            hour,
            What::Claim {
                system: n("crm"),
                stage: n(stage),
                reason: None,
            },
        )
    }

    pub fn qualified(&mut self, hour: i64, ready: bool, willing: bool) -> &mut Self {
        self.at(
            hour,
            What::Qualified {
                ready: Some(ready),
                willing: Some(willing),
                reason: None,
            },
        )
    }

    pub fn field(&mut self, hour: i64, field: &str, value: Value) -> &mut Self {
        self.at(
            hour,
            What::Field {
                field: n(field),
                value,
            },
        )
    }

    pub fn deal(&mut self, hour: i64, nth: u8, standing: Standing) -> &mut Self {
        self.at(
            hour,
            What::Deal {
                deal: deal(nth),
                standing,
            },
        )
    }
}

pub fn open(stage: &str, closing: Option<i64>) -> Standing {
    Standing::Open {
        stage: n(stage),
        closing: closing.map(hours),
        starts: None,
    }
}

/// The person itself.
pub fn suppressed(on: bool) -> What {
    What::Suppressed {
        whose: Suppression::Person,
        on,
    }
}

pub fn act(actor: Actor, kind: &str) -> What {
    What::Act(Act {
        kind: n(kind),
        actor,
        category: n(if actor == Actor::Buyer {
            "web"
        } else {
            "sales"
        }),
        content: None,
        campaign: None,
    })
}

pub fn fact(nth: u64, time: Millis, what: What) -> Fact {
    Fact {
        event: Digest::of(&[&nth.to_be_bytes()]),
        time,
        seq: 0,
        position: Position {
            arrival: time,
            log: nth,
        },
        effective: None,
        what,
    }
}

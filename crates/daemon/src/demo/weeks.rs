//! The months after the day: people who walk through the funnel. Each has a part to play, and the parts say beforehand
//! where everybody must stand at the end, and what must have happened on the way.

use std::collections::BTreeMap;

use baton_core::time::{DAY, HOUR, MINUTE, Millis};
use baton_sandbox::{
    Actor, System,
    day::{Side, person},
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{states, summary::Funnel};
use crate::{engine::Engine, funnel::Report};

/// 2026-10-19T14:00:00Z, a Monday, ten in the morning in New York; the clocks go back twelve days later, and on the
/// fourth Thursday of November nobody works.
const MONDAY: Millis = Millis(1_792_418_400_000);

/// Long enough for three ways through the funnel with a cool-down of thirty days each.
const SPAN: i64 = 150 * DAY;

/// What somebody's way through the funnel is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Has too few points.
    Nurtured,
    /// Is ready, and nobody calls.
    Unanswered,
    /// Is accepted by sales, and no deal comes of it.
    Accepted,
    /// Is called, and it is not the right time.
    Refused,
    /// Is in review, and nobody talks to them.
    Stalled,
    /// The same; but somebody had talked to them, and the CRM tells of it late.
    Revoked,
    /// Comes back so often that it is enough.
    Limit,
    /// Buys.
    Won,
    /// Does not buy: it is too early.
    Lost,
}

impl Part {
    pub const ALL: [Self; 9] = [
        Self::Nurtured,
        Self::Unanswered,
        Self::Accepted,
        Self::Refused,
        Self::Stalled,
        Self::Revoked,
        Self::Limit,
        Self::Won,
        Self::Lost,
    ];

    /// What must have come of it: the stage, recycles that were committed, of these revoked, and broken promises.
    #[must_use]
    pub const fn end(self) -> (&'static str, u64, u64, u64) {
        match self {
            Self::Nurtured => ("nurture", 0, 0, 0),
            Self::Unanswered => ("mql", 0, 0, 1),
            Self::Accepted | Self::Refused | Self::Stalled => ("recycled", 1, 0, 0),
            Self::Revoked => ("recycled", 2, 1, 0),
            Self::Limit => ("disqualified", 3, 0, 0),
            Self::Won => ("won", 0, 0, 0),
            Self::Lost => ("nurture", 0, 0, 0),
        }
    }

    /// Promises of the teams to each other that must have been kept: a call in time, and that sales kept at it.
    #[must_use]
    pub const fn kept(self) -> u64 {
        match self {
            Self::Nurtured | Self::Unanswered | Self::Limit => 0,
            Self::Refused | Self::Stalled | Self::Revoked => 1,
            Self::Accepted | Self::Won | Self::Lost => 2,
        }
    }

    /// What marketing must know of their deal in the end.
    const fn outcome(self) -> Option<&'static str> {
        match self {
            Self::Won => Some("won"),
            Self::Lost => Some("lost"),
            _ => None,
        }
    }

    const fn least(self) -> u64 {
        match self {
            Self::Revoked | Self::Limit | Self::Won | Self::Lost => 1,
            _ => 2,
        }
    }
}

/// Something that happens in these months.
#[derive(Clone, Debug)]
pub struct Step {
    pub at: Millis,
    pub email: String,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    /// Marketing gets to know somebody.
    Known { first: &'static str, last: String },
    /// Somebody writes into that system's record of the person.
    Writes {
        side: Side,
        values: Vec<(&'static str, Value)>,
    },
    /// Sales makes a contact of the lead, with a deal.
    Converts,
    /// That deal ends.
    Ends { won: bool, reason: &'static str },
    /// Somebody did something then, of which that system tells now.
    Did {
        side: Side,
        kind: &'static str,
        by: &'static str,
        then: Millis,
    },
}

/// The script, and how many play each part.
pub struct Weeks {
    pub steps: Vec<Step>,
    pub parts: BTreeMap<Part, u64>,
    /// What marketing must know of people's deals, by address.
    pub outcomes: BTreeMap<String, &'static str>,
    pub end: Millis,
}

impl Weeks {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0066_756e_6e65_6c00);
        let mut weeks = Self {
            steps: Vec::new(),
            parts: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            end: MONDAY.plus(SPAN),
        };
        let mut number = 0;
        for part in Part::ALL {
            let many = part.least() + rng.random_range(0..3);
            weeks.parts.insert(part, many);
            for _ in 0..many {
                number += 1;
                // On a working day of the first week, in the morning.
                let begins = MONDAY
                    .plus(rng.random_range(0..5) * DAY)
                    .plus(rng.random_range(0..90) * MINUTE);
                let email = format!("funnel{number}@weeks.example");
                weeks.play(part, &email, number, begins);
                let outcome = part.outcome().map(|outcome| (email, outcome));
                weeks.outcomes.extend(outcome);
            }
        }
        weeks.steps.sort_by_key(|step| step.at);
        weeks
    }

    fn step(&mut self, at: Millis, email: &str, what: What) {
        let email = email.to_owned();
        self.steps.push(Step { at, email, what });
    }

    fn writes(&mut self, at: Millis, email: &str, side: Side, values: &[(&'static str, Value)]) {
        let values = values.to_vec();
        self.step(at, email, What::Writes { side, values });
    }

    fn did(&mut self, at: Millis, email: &str, kind: &'static str, by: &'static str, then: Millis) {
        let side = if by == "sales" { Side::Crm } else { Side::Map };
        let what = What::Did {
            side,
            kind,
            by,
            then,
        };
        self.step(at, email, what);
    }

    fn play(&mut self, part: Part, email: &str, number: u32, begins: Millis) {
        let known = What::Known {
            first: "Ida",
            last: format!("Weeks{number}"),
        };
        self.step(begins, email, known);
        let ready = begins.plus(HOUR);
        let points = |n: u32| ("points", json!(n));
        if part == Part::Nurtured {
            return self.writes(ready, email, Side::Map, &[points(60)]);
        }
        self.writes(ready, email, Side::Map, &[points(120)]);
        if part == Part::Unanswered {
            return;
        }
        // Two hours later somebody calls.
        let call = ready.plus(2 * HOUR);
        if part == Part::Limit {
            return self.come_back_too_often(email, ready);
        }
        self.did(call, email, "call_connected", "sales", call);
        let review = call.plus(10 * MINUTE);
        let working = [("Status", json!("Working - Contacted"))];
        self.writes(review, email, Side::Crm, &working);
        match part {
            Part::Accepted => {
                let found = [
                    ("Sales_Ready__c", json!(true)),
                    ("Sales_Willing__c", json!(true)),
                ];
                let accepted = review.plus(HOUR);
                self.writes(accepted, email, Side::Crm, &found);
                // Five touches within ten working days, then one every three weeks: busy, and no deal.
                for day in [1, 4, 5, 6, 7, 27, 48] {
                    let at = accepted.plus(day * DAY);
                    self.did(at, email, "meeting", "sales", at);
                }
            }
            Part::Won | Part::Lost => {
                let found = [
                    ("Sales_Ready__c", json!(true)),
                    ("Sales_Willing__c", json!(true)),
                ];
                let accepted = review.plus(HOUR);
                self.writes(accepted, email, Side::Crm, &found);
                self.step(accepted.plus(DAY), email, What::Converts);
                // The follow-through is over when somebody is no longer only accepted.
                let won = part == Part::Won;
                let reason = if won { "best price" } else { "timing" };
                let ends = What::Ends { won, reason };
                self.step(accepted.plus(30 * DAY), email, ends);
            }
            Part::Refused => {
                let found = [
                    ("Sales_Ready__c", json!(false)),
                    ("Sales_Reason__c", json!("timing")),
                ];
                self.writes(review.plus(HOUR), email, Side::Crm, &found);
            }
            Part::Revoked => {
                let then = review.plus(10 * DAY);
                // The day after it was recycled.
                let told = review.plus(14 * DAY + 20 * HOUR);
                self.did(told, email, "call_connected", "sales", then);
            }
            _ => {}
        }
    }

    /// Ready, given back within two hours, and ready again once the thirty days are over; four times.
    fn come_back_too_often(&mut self, email: &str, ready: Millis) {
        let mut at = ready;
        for round in 1..=4_u32 {
            if round > 1 {
                self.did(at.minus(HOUR), email, "form_fill", "buyer", at.minus(HOUR));
                let points = [("points", json!(120 * round))];
                self.writes(at, email, Side::Map, &points);
            }
            let back = [
                ("Status", json!("Nurturing")),
                ("Sales_Reason__c", json!("no_response")),
            ];
            self.writes(at.plus(2 * HOUR), email, Side::Crm, &back);
            // Five weeks later, the same time of a working day.
            at = at.plus(35 * DAY);
        }
    }
}

/// Who writes in a system by hand.
#[must_use]
pub fn hand(side: Side) -> Actor {
    Actor::human(match side {
        Side::Crm => "Sam Sales",
        Side::Map => "Mia Marketing",
    })
}

/// The funnel's figures of these months, and where they are not what the parts that people played must come to.
///
/// # Errors
/// When the store cannot be read.
pub async fn judge(weeks: &Weeks, engine: &Engine, map: &System) -> anyhow::Result<Funnel> {
    let active = engine.active();
    let Some(setup) = active.rules.funnel.as_deref() else {
        return Ok(Funnel::default());
    };
    let since = weeks.steps.first().map_or(weeks.end, |step| step.at);
    let report = Report::read(&engine.store, setup, since, engine.clock.now()).await?;
    let mut stands: BTreeMap<String, u64> = BTreeMap::new();
    for state in states(&engine.store).await? {
        let own = state.funnel.filter(|_| state.merged_into.is_none());
        if let Some(funnel) = own {
            *stands
                .entry(funnel.present().stage.to_string())
                .or_default() += 1;
        }
    }
    let (mut recycled, mut revoked, mut breaches, mut kept) = (0, 0, 0, 0);
    let mut played: BTreeMap<&str, u64> = BTreeMap::new();
    for (part, many) in &weeks.parts {
        let (stage, back, undone, broken) = part.end();
        *played.entry(stage).or_default() += many;
        recycled += back * many;
        revoked += undone * many;
        breaches += broken * many;
        kept += part.kept() * many;
    }
    let mut differences = Vec::new();
    let mut expect = |what: String, is: u64, should: u64| {
        if is != should {
            differences.push(format!("{what}: {is}, and should be {should}"));
        }
    };
    let stages: BTreeMap<String, u64> = report
        .stages
        .iter()
        .map(|figures| (figures.stage.to_string(), figures.people))
        .collect();
    let everybody = stands.values().sum();
    expect(
        "people told of".to_owned(),
        stages.values().sum(),
        everybody,
    );
    for (stage, told) in &stages {
        let people = stands.get(stage).copied().unwrap_or(0);
        expect(format!("people told to be in {stage}"), *told, people);
        // Everybody who plays no part is where the day has left them: marketing's, and never sales'.
        if !matches!(stage.as_str(), "new" | "nurture") {
            let should = played.get(stage.as_str()).copied().unwrap_or(0);
            expect(format!("people in {stage}"), people, should);
        }
    }
    let mut told = 0;
    for (email, outcome) in &weeks.outcomes {
        let record = person(map, Side::Map, std::slice::from_ref(email));
        let record = record.and_then(|(object, id)| map.record(object, &id));
        told += u64::from(record.is_some_and(|r| r.value("last_deal_outcome") == *outcome));
    }
    let ended = u64::try_from(weeks.outcomes.len()).unwrap_or(u64::MAX);
    expect(
        "deals of which marketing knows how they ended".to_owned(),
        told,
        ended,
    );
    let keys = report.recycle_keys;
    expect("recycled".to_owned(), report.recycled, recycled);
    expect("distinct keys of recycles".to_owned(), keys, recycled);
    expect("revoked".to_owned(), report.revoked, revoked);
    expect("broken promises".to_owned(), report.breaches, breaches);
    expect("promises that were kept".to_owned(), report.kept, kept);
    Ok(Funnel {
        stages,
        recycled: report.recycled,
        recycle_keys: keys,
        revoked: report.revoked,
        breaches: report.breaches,
        differences,
    })
}

//! What is told of the funnel: one person's way through it under the shipped rules, and the messages of it.

use std::{path::PathBuf, sync::Arc};

use baton::{cli::sound, engine::Active};
use baton_core::{
    book::{OutBody, OutTopic},
    effects::Effects,
    id::{Digest, EntityId, Kind, Position},
    lifecycle::{
        fact::{Act, Actor, Fact, Standing, What},
        funnel::Funnel,
        setup::Setup,
    },
    state::State,
    time::{DAY, HOUR, Millis},
    value::Value,
    wire::{Lifecycle, LifecycleMessage, Trigger},
};
use serde_json::Value as Json;

/// A Monday, ten o'clock in New York.
const MONDAY: &str = "2026-03-02T15:00:00Z";

fn setup() -> Arc<Setup> {
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let loaded = baton_config::load(&shipped).unwrap();
    let (rules, settings, texts) = sound(loaded).unwrap_or_else(|unsound| panic!("{unsound}"));
    let active = Active::new(rules, settings, texts).unwrap();
    active.rules.funnel.clone().unwrap()
}

/// One person under rules, and what was told of it.
struct Played {
    setup: Arc<Setup>,
    state: State,
    told: Effects,
    facts: u8,
}

impl Played {
    fn new() -> Self {
        let setup = setup();
        let mut state = State::new(EntityId {
            kind: Kind::Person,
            digest: Digest([1; 16]),
        });
        state.funnel = Some(Box::new(Funnel::new(state.id, &setup.editions)));
        Self {
            setup,
            state,
            told: Effects::default(),
            facts: 0,
        }
    }

    /// Something happened so many hours after the Monday, and is heard of at once.
    fn happens(&mut self, hours: i64, what: What) {
        self.is_heard(hours, hours, what);
    }

    fn is_heard(&mut self, hours: i64, at: i64, what: What) {
        self.facts += 1;
        let at = monday().plus(at * HOUR);
        let fact = Fact {
            event: Digest([self.facts; 16]),
            time: monday().plus(hours * HOUR),
            seq: 0,
            position: Position::new(at, 0, 0, u64::from(self.facts)),
            effective: None,
            what,
        };
        let editions = &self.setup.editions;
        let funnel = self.state.funnel.as_mut().unwrap();
        funnel.take(self.state.id, fact, editions);
        self.settle(at);
    }

    fn passes(&mut self, hours: i64) {
        self.settle(monday().plus(hours * HOUR));
    }

    fn settle(&mut self, at: Millis) {
        let editions = &self.setup.editions;
        let deeds = self.state.funnel.as_mut().unwrap().settle(editions, at);
        for deed in deeds {
            self.told.deed(&self.state, &deed, &self.setup);
        }
    }

    fn messages(&self) -> Vec<&LifecycleMessage> {
        let messages = self.told.messages.iter().map(|message| {
            assert_eq!(message.topic, OutTopic::Lifecycle);
            assert_eq!(message.key.to_string(), self.state.id.to_string());
            match &message.body {
                OutBody::Lifecycle(told) => &**told,
                other => panic!("{other:?}"),
            }
        });
        messages.collect()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.messages().iter().map(|m| m.told.kind()).collect()
    }
}

fn monday() -> Millis {
    Millis::parse(MONDAY).unwrap()
}

fn act(kind: &str, actor: Actor) -> What {
    What::Act(Act {
        kind: kind.into(),
        actor,
        category: "conversations".into(),
        content: Some("the price list".into()),
        campaign: Some("spring".into()),
    })
}

fn field(name: &str, value: &str) -> What {
    What::Field {
        field: name.into(),
        value: Value::text(value),
    }
}

/// A person that everything happens to: ready, unanswered for too long, accepted, silent, given back, heard of late,
/// a customer in the end.
fn whole_way() -> Played {
    let mut played = Played::new();
    played.happens(0, field("email", "ann@example.com"));
    played.happens(0, field("company", "Example"));
    played.happens(1, act("demo_request", Actor::Buyer));
    // The rest of this day and two more: reminders, the breach, and both steps of its escalation.
    played.passes(5 * 24);
    played.happens(
        5 * 24,
        What::Qualified {
            ready: Some(true),
            willing: Some(true),
            reason: None,
        },
    );
    // Thirty days of silence.
    played.passes(40 * 24);
    // A meeting of before that is heard of in the grace time.
    played.is_heard(30 * 24, 36 * 24 - 1, act("meeting", Actor::Sales));
    let deal = EntityId {
        kind: Kind::Deal,
        digest: Digest([2; 16]),
    };
    played.happens(
        41 * 24,
        What::Deal {
            deal,
            standing: Standing::Won { reason: None },
        },
    );
    played
}

/// The first message of each kind.
pub fn one_of_each_kind() -> Vec<(&'static str, Json)> {
    let mut first: Vec<(&'static str, Json)> = Vec::new();
    for message in whole_way().messages() {
        let kind = message.told.kind();
        if !first.iter().any(|(known, _)| *known == kind) {
            first.push((kind, serde_json::to_value(message).unwrap()));
        }
    }
    first
}

#[test]
fn everything_that_is_done_in_the_funnel_is_told_and_fits_its_schema() {
    let schemas = baton::cli::message_schemas();
    let validator = jsonschema::validator_for(&schemas["lifecycle"]).unwrap();
    let mut kinds: Vec<&str> = Vec::new();
    for (kind, body) in one_of_each_kind() {
        let wrong: Vec<String> = validator
            .iter_errors(&body)
            .map(|e| e.to_string())
            .collect();
        assert!(wrong.is_empty(), "{kind}: {wrong:?}\n{body:#}");
        assert_eq!(body["kind"], kind);
        let read: LifecycleMessage = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), body);
        kinds.push(kind);
    }
    kinds.sort_unstable();
    let all = [
        "breach",
        "escalation",
        "handoff",
        "outcome",
        "recycle",
        "reengage",
        "reminder",
        "transition",
        "undone",
    ];
    assert_eq!(kinds, all);
}

#[test]
fn a_message_of_the_funnel_holds_no_value_of_a_field() {
    for (kind, body) in one_of_each_kind() {
        let text = body.to_string();
        assert!(!text.contains("ann@example.com"), "{kind}: {text}");
        assert!(!text.contains("Example"), "{kind}: {text}");
    }
}

#[test]
fn a_transition_says_which_fact_or_which_time_brought_it_about() {
    let played = whole_way();
    let mut triggers = Vec::new();
    for message in played.messages() {
        if let Lifecycle::Transition {
            from, to, trigger, ..
        } = &message.told
        {
            let by = match trigger {
                Trigger::Fact {
                    what, name, whose, ..
                } => {
                    let words = [name, whose].into_iter().flatten();
                    let words: Vec<&str> = words.map(|word| word.as_str()).collect();
                    format!("{} {}", what.as_deref().unwrap(), words.join(" "))
                }
                Trigger::Time { what, .. } => format!("time: {what}"),
                Trigger::Rules => "rules".to_owned(),
            };
            triggers.push(format!("{from} → {to}: {}", by.trim_end()));
        }
    }
    let expected = [
        "new → nurture: field email",
        "nurture → mql: activity demo_request buyer",
        "mql → sdr_review: review",
        "sdr_review → sal: review",
        "sal → recycled: time: stall",
        "sal → won: deal",
    ];
    assert_eq!(triggers, expected);
}

#[test]
fn what_is_taken_back_names_the_message_that_told_of_it() {
    let played = whole_way();
    let messages = played.messages();
    let mut taken_back = Vec::new();
    for message in &messages {
        if let Lifecycle::Undone {
            what, undoes, made, ..
        } = &message.told
        {
            let told = messages.iter().find(|m| Some(m.id) == *undoes).unwrap();
            assert_eq!(told.told.kind(), what.kind);
            assert_eq!(told.at, *made);
            taken_back.push(&*what.kind);
        }
    }
    assert!(taken_back.contains(&"recycle"), "{taken_back:?}");
    assert!(taken_back.contains(&"transition"), "{taken_back:?}");
}

#[test]
fn what_was_carried_out_late_says_by_how_much() {
    let mut played = Played::new();
    played.happens(0, field("email", "ann@example.com"));
    played.happens(0, field("company", "Example"));
    played.happens(1, act("demo_request", Actor::Buyer));
    let told = played.messages().len();
    played.passes(30);
    let messages = played.messages();
    let late = &messages[told..];
    assert!(played.kinds().contains(&"breach"));
    for message in late {
        assert_eq!(message.lateness_ms, message.at.since(message.due));
        assert!(message.lateness_ms > 0, "{message:?}");
        assert_eq!(message.at, monday().plus(DAY + 6 * HOUR));
    }
}

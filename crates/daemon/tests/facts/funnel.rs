//! What is told of the funnel: one person's way through it under the shipped rules, the messages of it, and the figures.

use std::{path::PathBuf, process::Command, sync::Arc};

use baton::{cli::sound, engine::Active, funnel::Report};
use baton_core::{
    book::{Book, Entry, OutBody, OutTopic, Place, Placing},
    effects::Effects,
    id::{Digest, EntityId, Kind, Position},
    lifecycle::{
        fact::{Act, Actor, Ending, Fact, Standing, What},
        funnel::Funnel,
        setup::Setup,
    },
    state::State,
    time::{DAY, HOUR, Millis},
    value::Value,
    wire::{Lifecycle, LifecycleMessage, Trigger},
};
use baton_store::{Batch, Options, Store, testing};
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
    // Sales keeps at it, as it promised.
    for hour in 1..=5 {
        played.happens(5 * 24 + hour, act("call", Actor::Sales));
    }
    // Thirty days of silence.
    played.passes(40 * 24);
    // A meeting of before that is heard of in the grace time.
    played.is_heard(30 * 24, 40 * 24 + 10, act("meeting", Actor::Sales));
    let deal = EntityId {
        kind: Kind::Deal,
        digest: Digest([2; 16]),
    };
    played.happens(
        41 * 24,
        What::Deal {
            deal,
            standing: Standing::Won(Ending {
                reason: Some("best price".into()),
                amount: Some(4200.into()),
                campaign: Some("701".into()),
            }),
        },
    );
    // No way leads from a customer back to nurture.
    let nurture = What::Claim {
        system: "crm".into(),
        stage: "nurture".into(),
        reason: None,
    };
    played.happens(41 * 24 + 1, nurture);
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
        "kept",
        "outcome",
        "recycle",
        "reengage",
        "reminder",
        "transition",
        "undone",
        "without_effect",
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

/// A store that took in what was told, and where the person stood after it.
async fn stored(played: &Played) -> (Store, tempfile::TempDir) {
    let (store, folder) = testing::sqlite_store(&Options::default()).await.unwrap();
    keep(played, &store).await;
    (store, folder)
}

/// Puts into a store what is told of a person to whom everything happens.
pub async fn fill(store: &Store) {
    keep(&whole_way(), store).await;
}

async fn keep(played: &Played, store: &Store) {
    let mut at: Vec<Millis> = played.messages().iter().map(|m| m.at).collect();
    at.dedup();
    let last = at.last().copied();
    for at in at {
        let mut book = Book::default();
        if Some(at) == last {
            let entry = Entry {
                state: played.state.clone(),
                version: 0,
                dirty: true,
            };
            book.entities.insert(played.state.id, entry);
        }
        let messages = played.told.messages.iter();
        book.out.messages = messages.filter(|m| m.at == at).cloned().collect();
        let funnel = played.state.funnel.as_ref().unwrap();
        let (stands, _) = funnel.course(&played.setup.editions, at);
        let place = Place {
            stage: stands.stage,
            since: stands.since,
            episode: stands.episode.map(|episode| episode.number),
        };
        let placing = Placing {
            at,
            place: Some(place),
        };
        book.out.placings.insert(played.state.id, placing);
        store.commit(&mut book, &Batch::default()).await.unwrap();
    }
}

fn people(report: &Report, stage: &str) -> (u64, u64, u64, u64) {
    let found = report.stages.iter().find(|s| s.stage == stage.into());
    let found = found.unwrap();
    (found.people, found.entered, found.left, found.forward)
}

#[tokio::test]
async fn the_figures_are_those_of_what_was_told() {
    let played = whole_way();
    let (store, _folder) = stored(&played).await;
    let end = monday().plus(42 * DAY);
    let report = Report::read(&store, &played.setup, monday(), end)
        .await
        .unwrap();
    // Everything that the one person went through and that stands; the return was taken back.
    assert_eq!(people(&report, "new"), (0, 1, 1, 1));
    assert_eq!(people(&report, "nurture"), (0, 1, 1, 1));
    assert_eq!(people(&report, "mql"), (0, 1, 1, 1));
    assert_eq!(people(&report, "sal"), (0, 1, 1, 1));
    assert_eq!(people(&report, "recycled"), (0, 0, 0, 0));
    assert_eq!(people(&report, "won"), (1, 1, 0, 0));
    assert_eq!((report.recycled, report.recycle_keys), (1, 1));
    assert_eq!(report.revoked, 1);
    assert!(report.recycles.is_empty());
    assert_eq!(report.handoffs, 1);
    let told = |kind: &str| played.kinds().iter().filter(|k| **k == kind).count() as u64;
    let taken_back: u64 = report.clocks.values().map(|c| c.taken_back).sum();
    assert_eq!(report.breaches + taken_back, told("breach"));
    assert!(report.breaches > 0);
    assert_eq!(report.kept, told("kept"));
    assert!(report.kept > 0);
    assert_eq!(report.without_effect, 1);
    assert_eq!(report.leaked, 0);
    assert_eq!(report.late.made + report.late.taken_back, 0);
    let sal = report.stages.iter().find(|s| s.stage == "sal".into());
    assert_eq!(sal.unwrap().median_time, Some(36 * DAY));
}

#[tokio::test]
async fn the_figures_of_a_past_moment_are_those_of_then_and_name_what_was_heard_of_later() {
    let played = whole_way();
    let (store, _folder) = stored(&played).await;
    // The return of the 35th day was carried out on the 40th, and taken back after a meeting of before was heard of.
    let before = monday().plus(39 * DAY);
    let report = Report::read(&store, &played.setup, monday(), before)
        .await
        .unwrap();
    assert_eq!(people(&report, "sal"), (1, 1, 0, 0));
    assert_eq!((report.recycled, report.revoked), (0, 0));
    assert!(report.late.made > 0);
    // Nobody has been in touch in time.
    let third_day = monday().plus(3 * DAY);
    let report = Report::read(&store, &played.setup, monday(), third_day)
        .await
        .unwrap();
    assert_eq!(people(&report, "mql"), (1, 1, 0, 0));
}

/// What a command says of a store in which everything has happened to one person.
async fn said(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("baton.db");
    let store = Store::open_sqlite(&file, &Options::default())
        .await
        .unwrap();
    store.migrate().await.unwrap();
    keep(&whole_way(), &store).await;
    store.close().await;
    let done = Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(args)
        .arg("--data")
        .arg(folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let wrong = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{wrong}");
    String::from_utf8(done.stdout).unwrap()
}

const ANN: &str = "person-01010101010101010101010101010101";
const END: &str = "2026-04-13T15:00:00Z";

fn holds(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

#[tokio::test]
async fn the_funnel_is_shown_in_figures() {
    let args = ["funnel", "--since", MONDAY, "--at", END];
    let shown = said(&args).await;
    holds(
        &shown,
        &[
            "The funnel at 2026-04-13 15:00 UTC",
            "won",
            "sal → won",
            "Back to nurture: 1, 1 of them taken back",
            "Handed to sales: 1. Promises kept: 1, broken: 1",
            "follow up: 0 kept, 1 broken",
            "follow through: 1 kept, 0 broken",
            "Without effect: 1. The rules do not allow them, or only watch",
        ],
    );
    let json = said(&[&args[..], &["--json"]].concat()).await;
    let json: Json = serde_json::from_str(&json).unwrap();
    assert_eq!(json["recycled"], 1);
    assert_eq!(json["recycle_keys"], 1);
    assert_eq!(json["clocks"]["follow_up"]["breaches"], 1);
    assert_eq!(json["clocks"]["follow_through"]["kept"], 1);
    assert_eq!(json["kept"], 1);
    let by = said(&[&args[..], &["--by", "country"]].concat()).await;
    holds(&by, &["country", "(blank)       1"]);
}

#[tokio::test]
async fn why_somebody_is_where_they_are_is_told_in_words() {
    let told = said(&["why-stage", ANN]).await;
    holds(
        &told,
        &[
            "won since 2026-04-12 15:00 UTC",
            "new → nurture: email changed",
            "nurture → mql: demo request by the buyer",
            "an act of their own that is enough by itself",
            "mql → sdr review: sales said what it found out in review",
            "sal → recycled: nothing that counts happened for too long",
            "for no response; taken back at 2026-04-12 01:00 UTC",
            "sal → won: a deal changed",
        ],
    );
    let json = said(&["why-stage", ANN, "--json"]).await;
    let json: Json = serde_json::from_str(&json).unwrap();
    assert_eq!(json["stage"], "won");
    assert_eq!(json["moves"][0]["message"]["to"], "nurture");
}

#[tokio::test]
async fn what_was_owed_to_somebody_and_whether_it_was_kept_is_told() {
    let told = said(&["clocks", ANN]).await;
    holds(
        &told,
        &[
            "follow up: broken; done 3 d 23 h too late",
            "8 h of working time by the calendar office",
            "reminded at 50 %, 2026-03-02 20:00 UTC",
            "sdr lead was told, 2026-03-03 20:00 UTC",
            "follow through: kept, 2026-03-07 20:00 UTC",
            "5 of 5 acts that count",
        ],
    );
    let json = said(&["clocks", ANN, "--json"]).await;
    let json: Json = serde_json::from_str(&json).unwrap();
    assert_eq!(json["clocks"][0]["name"], "follow_up");
    assert_eq!(json["clocks"][0]["end"], "late");
}

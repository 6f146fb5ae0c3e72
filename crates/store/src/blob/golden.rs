//! Golden files: what was stored once stays readable, and means the same.
//!
//! A changed type fails here: raise [`FORMAT`](super::FORMAT), teach `decode` to read the old form, and keep the old
//! files beside new ones, which `BATON_BLESS=1 cargo test -p baton-store golden` writes.
//!
//! A state may get a new part without that ([`super::state`]), which old files do not have.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
};

use baton_core::{
    book::{LedgerRow, Parked, ParkedCode},
    change::{Cause, Change, Class, FieldChange, Origin, Outcome, Seen, Verdicts},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::Input,
    lifecycle::{
        fact::{Act, Actor, Fact, Standing, Suppression, What},
        funnel::Funnel,
    },
    rules::ConsentState,
    state::{
        Absorbed, Cell, CommandKind, ConsentTurn, Delivery, Event, FieldHistory, Golden, Guarded,
        History, Intent, IntentEnd, Link, LinkStatusFact, Lock, LockOn, Obs, Outstanding,
        PendingCreate, ReadReason, Refused, Restated, Ruling, SealedAs, StageFact, State, Written,
    },
    time::{DAY, Millis},
    value::Value,
};

use super::{BlobError, decode, decode_row, decode_state, encode, encode_row, encode_state};

fn blesses() -> bool {
    std::env::var("BATON_BLESS").is_ok_and(|v| v == "1")
}

struct Files {
    name: &'static str,
    blob: PathBuf,
    meaning: PathBuf,
}

impl Files {
    fn of(name: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        Self {
            name,
            blob: folder.join(format!("{name}.blob")),
            meaning: folder.join(format!("{name}.txt")),
        }
    }

    /// What was stored is read, and means what it meant.
    fn read<T: Debug>(&self, decode: impl Fn(&[u8]) -> Result<T, BlobError>) -> (Vec<u8>, T) {
        let name = self.name;
        let bytes = std::fs::read(&self.blob).expect("the golden file is there");
        if blesses() {
            // A type that is laid out otherwise is told otherwise.
            let read = decode(&bytes).expect("the golden file can be read");
            std::fs::write(&self.meaning, format!("{read:#?}\n"))
                .expect("golden files can be written");
        }
        let meaning = std::fs::read_to_string(&self.meaning).expect("the golden file is there");
        let read = decode(&bytes).unwrap_or_else(|e| {
            panic!(
                "{name}: what was stored cannot be read any more ({e:?}); see the top of this file"
            )
        });
        assert_eq!(
            format!("{read:#?}\n"),
            meaning,
            "{name}: what was stored has another meaning; see the top of this file"
        );
        (bytes, read)
    }

    /// The same, and it is still written in this form.
    fn check<T: Debug>(
        &self,
        sample: &T,
        encode: impl Fn(&T) -> Result<Vec<u8>, BlobError>,
        decode: impl Fn(&[u8]) -> Result<T, BlobError>,
    ) {
        if blesses() {
            let bytes = encode(sample).expect("the sample can be encoded");
            std::fs::write(&self.blob, bytes).expect("golden files can be written");
        }
        let (bytes, read) = self.read(decode);
        assert_eq!(
            encode(&read).ok().as_deref(),
            Some(bytes.as_slice()),
            "{}: it is written in another form; see the top of this file",
            self.name
        );
    }
}

fn person(byte: u8) -> EntityId {
    EntityId {
        kind: Kind::Person,
        digest: Digest([byte; 16]),
    }
}

fn record() -> RecordKey {
    RecordKey::new("crm", Object::Contact, "0035g00000XyZabAAB")
}

fn position() -> Position {
    Position::new(Millis(1_764_000_000_000), 1, 2, 3)
}

fn turn() -> ConsentTurn {
    ConsentTurn {
        channel: "email".into(),
        address: Digest([3; 16]),
        time: Millis(1_764_000_000_000),
        state: ConsentState::OptedOut,
        own_act: true,
        steward: false,
        record: record(),
        event: Digest([4; 16]),
    }
}

fn change() -> Change {
    let field = |field: &str, value, seen| FieldChange {
        field: field.into(),
        value,
        seen,
        before: Some(Value::text("Basel")),
    };
    Change {
        record: record(),
        class: Class::Delta,
        time: Millis(1_764_000_000_123),
        seq: 9,
        position: position(),
        event: Digest([5; 16]),
        cause: Cause::ListImport,
        actor: Some("userId:45678".into()),
        origin: Origin::Other,
        fields: vec![
            field("city", Value::text("Zürich"), Seen::Value),
            field("phone", Value::Blank, Seen::Cleared),
        ],
        verdicts: Verdicts {
            entity: Some(person(1)),
            beyond: vec!["city".into()],
            may_match: vec![1, 2],
            ..Verdicts::default()
        },
    }
}

fn history() -> History {
    let mut history = History::default();
    history.events.push(Event {
        event: Digest([5; 16]),
        time: Millis(1_764_000_000_123),
        seq: 9,
        position: position(),
        read_back: false,
        by_reading: true,
        delta: true,
        cause: Cause::OwnForm,
        actor: Some("A D".into()),
        origin: Origin::Unsaid,
        may_match: vec![7],
    });
    let values = [
        Value::Blank,
        Value::Bool(true),
        "12.50".parse().map_or(Value::Blank, Value::Number),
        Value::Date(20_000),
        Value::Time(Millis(1)),
        Value::text("Zürich"),
        Value::Set(vec!["a".into(), "b".into()]),
    ];
    let cells = values.into_iter().map(|value| Cell {
        value,
        seen: Seen::Value,
        before: None,
    });
    let of_field = FieldHistory {
        cells: cells.collect(),
        obs: [Obs {
            event: 0,
            cell: 5,
            sealed: SealedAs::Turn,
        }]
        .into(),
        ..FieldHistory::default()
    };
    history.fields.insert("city".into(), of_field);
    let mut again = Restated::by(0);
    again.take(0);
    history.restate(again);
    history
}

fn delivery() -> Delivery {
    let written = Written {
        value: Value::text("Zürich"),
        answered: Some(Value::text("ZURICH")),
        refused: false,
    };
    let mut delivery = Delivery {
        intents: vec![Intent {
            number: 1,
            command: Digest([6; 16]),
            fields: [("city".into(), written)].into_iter().collect(),
            golden_version: 3,
            sent: Millis(5),
            answered: Some(position()),
            stamp: Some(Millis(6)),
            end: IntentEnd::Done,
        }],
        next_intent: 2,
        outstanding: Some(Outstanding {
            command: Digest([7; 16]),
            kind: CommandKind::Read,
            intent: None,
            sent: Millis(7),
        }),
        read_wanted: Some(ReadReason::Gap),
        ..Delivery::default()
    };
    let refused = Refused {
        value: Value::text("x"),
        reason: "too long".into(),
        at: Millis(8),
    };
    delivery.refused.insert("city".into(), refused);
    delivery
}

fn state() -> State {
    let mut state = State::new(person(1));
    let mut link = Link::default();
    let fact = LinkStatusFact::ConvertedTo(Object::Contact, "003".into());
    link.facts.insert((Millis(1), position(), fact));
    state.links.insert(record(), link);
    state.histories.insert(record(), Box::new(history()));
    let golden = Golden {
        value: Value::text("Zürich"),
        winner: Some(record()),
        since: Some(Millis(1)),
        event: Some(Digest([5; 16])),
        rule_version: "0123456789abcdef".into(),
        ..Golden::default()
    };
    state.golden = std::sync::Arc::new([("city".into(), golden)].into_iter().collect());
    state.golden_version = 3;
    let lock = Lock {
        on: LockOn::Source("crm".into()),
        reason: "agreed".to_owned(),
        by: "steward".to_owned(),
        at: Millis(1),
        expires: None,
    };
    state.locks.insert("city".into(), lock);
    state.stages.insert(StageFact {
        time: Millis(1),
        position: position(),
        stage: "mql".into(),
    });
    state.shared_consent.insert(turn());
    state.deliveries.insert(record(), Box::new(delivery()));
    state.merged_into = Some(person(2));
    state.provenance.insert(record(), person(2));
    state.wake = Some(Millis(1_765_000_000_000));
    state
}

#[test]
fn golden_state_in_postcard() {
    let (_, read) = Files::of("state-1").read(decode_state);
    assert_eq!(read, state());
}

/// Something in every part of a state, of a delivery and of what they are made of.
#[test]
fn golden_state_in_numbers() {
    let mut state = state();
    let other = RecordKey::new("map", Object::Lead, "17");
    state.links.insert(other.clone(), Link::default());
    state
        .histories
        .insert(other.clone(), Box::new(many_observations()));
    let told = Golden {
        value: Value::text("Zürich"),
        winner: Some(other.clone()),
        decided: true,
        rule_version: "0123456789abcdef".into(),
        ..Golden::default()
    };
    let golden = [
        (
            "city",
            Golden {
                since: Some(Millis(1)),
                event: Some(Digest([5; 16])),
                ..told.clone()
            },
        ),
        ("phone", told.clone()),
        (
            "title",
            Golden {
                value: Value::Blank,
                ..told
            },
        ),
    ];
    let golden = golden.map(|(name, golden)| (name.into(), golden));
    state.golden = std::sync::Arc::new(golden.into_iter().collect());
    state.deliveries.insert(other, Box::new(busy_delivery()));
    let ruling = Ruling {
        value: Value::Date(1),
        by: "steward".to_owned(),
        at: Millis(2),
    };
    state.rulings.insert("birthday".into(), ruling.clone());
    let create = PendingCreate {
        object: Object::Lead,
        command: Digest([9; 16]),
        sent: Millis(3),
        fields: [("city".into(), Value::text("Zürich"))].into(),
        stopped: Some((1, "no".into())),
        golden_version: 1,
        failures: 2,
        again_at: Some(Millis(4)),
    };
    state.creates.insert("erp".into(), create);
    let guarded = Guarded {
        record: record(),
        fields: vec!["phone".into()],
        until: Millis(5),
        held: Some(true),
    };
    state.guarded.insert(Digest([5; 16]), guarded);
    state.sealed_before = Millis(1_763_000_000_000);
    let absorbed = Absorbed {
        into: person(1),
        locks: state.locks.clone(),
        rulings: [("birthday".into(), ruling)].into(),
        stages: state.stages.clone(),
    };
    state.absorbed.insert(person(3), absorbed);
    state.erased = Some(Millis(6));
    state.archived = true;
    state.settling.insert("address".into(), Millis(7));
    state.due.insert("address".into(), Millis(8));
    let files = Files::of("state-3");
    files.check(&state, encode_state, decode_state);
    assert_eq!(files.read(decode_state).1, state);
}

/// Observations that skip and come back, of contents that skip and come back; events with and without everything.
fn many_observations() -> History {
    let mut history = history();
    let first = history.events[0].clone();
    for number in 0..20_u8 {
        history.add(Event {
            event: Digest([number; 16]),
            time: first.time.plus(1_000 * i64::from(number)),
            seq: 0,
            position: Position::new(Millis(1_764_000_000_500), 200, 3, u64::from(number)),
            read_back: true,
            by_reading: false,
            delta: false,
            actor: None,
            origin: Origin::Ours,
            may_match: Vec::new(),
            ..first.clone()
        });
    }
    history.events[3].time = Millis::UNTIMED;
    history.write_all_out();
    let contents = [(1, 0), (2, 1), (3, 1), (20, 0), (7, 4), (8, 6)];
    let sealed = [
        SealedAs::Open,
        SealedAs::Turn,
        SealedAs::Same,
        SealedAs::Own,
    ];
    if let Some(city) = history.fields.get_mut(&"city".into()) {
        let obs = contents.into_iter().zip(sealed.into_iter().cycle());
        let obs = obs.map(|((event, cell), sealed)| Obs {
            event,
            cell,
            sealed,
        });
        city.obs.extend(obs);
        city.cells.push(Cell {
            value: "12.5".parse().map_or(Value::Blank, Value::Number),
            seen: Seen::Doubtful,
            before: Some(Box::new(Value::Bool(false))),
        });
    }
    history
}

fn busy_delivery() -> Delivery {
    let mut delivery = delivery();
    let intent = &delivery.intents[0];
    let mut refused = intent.clone();
    refused.number = 2;
    refused.answered = None;
    refused.stamp = None;
    refused.end = IntentEnd::Unknown;
    for (_, written) in &mut refused.fields {
        written.answered = None;
        written.refused = true;
    }
    delivery.outstanding = Some(Outstanding {
        command: intent.command,
        kind: CommandKind::Create,
        intent: Some(0),
        sent: Millis(7),
    });
    delivery.intents.push(refused);
    let city = "city".into();
    let rendering = (Value::text("Zürich"), Value::text("ZURICH"));
    delivery.renderings.insert(city, rendering);
    delivery.contested.insert(city, Millis(9));
    delivery.held.insert(city, Millis(10));
    delivery
        .writes
        .insert(city, [(Millis(11), Digest([10; 16]))].into());
    delivery.reverts.insert(city, vec![Millis(12)]);
    delivery.read_again = Some(ReadReason::Untimed);
    delivery.last_read = Some((Millis(13), Millis(14)));
    delivery.refused_record = Some((1, "no".into()));
    delivery.pending.insert(city);
    delivery.deleted = true;
    delivery.retry = Some((1, Millis(15)));
    delivery
}

/// Two people who are one now, in the middle of things: facts of every kind, some of them sealed, things done,
/// and clocks that run.
fn funnel() -> Box<Funnel> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let loaded = baton_config::load(&folder).expect("the shipped configuration is there");
    let setup = loaded.rules.and_then(|rules| rules.funnel);
    let setup = setup.expect("the shipped configuration has a funnel");
    let editions = &setup.editions;
    let start = Millis(1_772_463_600_000);
    let mut funnel = Funnel::new(person(1), editions);
    let mut other = Funnel::new(person(2), editions);
    for (day, what) in (0_i64..).zip(facts()) {
        let at = start.plus(day * DAY);
        let fact = Fact {
            event: Digest::of(&[&day.to_be_bytes()]),
            time: at,
            seq: 1,
            position: Position::new(at, 1, 2, 3),
            effective: None,
            what,
        };
        if day == 2 {
            other.take(person(2), fact.clone(), editions);
        }
        funnel.take(person(1), fact, editions);
        drop(funnel.settle(editions, at));
    }
    let late = Fact {
        event: Digest([12; 16]),
        time: start.plus(3 * DAY),
        seq: 0,
        position: Position::new(start.plus(70 * DAY), 0, 0, 0),
        effective: Some(start.plus(60 * DAY)),
        what: facts().remove(2),
    };
    let at = start.plus(70 * DAY);
    drop(funnel.settle(editions, at));
    funnel.take(person(1), late, editions);
    funnel.seal(start.plus(3 * DAY), editions);
    drop(funnel.settle(editions, at));
    funnel.absorb(other, at, editions);
    Box::new(funnel)
}

fn facts() -> Vec<What> {
    let text = |field: &str, text| What::Field {
        field: field.into(),
        value: Value::text(text),
    };
    vec![
        text("email", "ann@example.com"),
        text("company", "Zürich AG"),
        What::Act(Act {
            kind: "demo_request".into(),
            actor: Actor::Buyer,
            category: "requests".into(),
            content: Some("the price list".into()),
            campaign: Some("spring".into()),
        }),
        What::Delivered,
        What::Qualified {
            ready: Some(true),
            willing: Some(true),
            reason: Some("timing".into()),
        },
        What::Score("12.5".parse().unwrap_or_default()),
        What::Deal {
            deal: person(9),
            standing: Standing::Open {
                stage: "opportunity".into(),
                closing: Some(Millis(1_776_463_600_000)),
            },
        },
        What::Claim {
            system: "crm".into(),
            stage: "sql".into(),
            reason: None,
        },
        What::Suppressed {
            whose: Suppression::Account,
            on: true,
        },
        What::Returned {
            reason: Some("timing".into()),
        },
        What::Deal {
            deal: person(8),
            standing: Standing::Lost {
                reason: Some("budget".into()),
            },
        },
        What::Deal {
            deal: person(7),
            standing: Standing::Won { reason: None },
        },
        What::Deal {
            deal: person(8),
            standing: Standing::Gone,
        },
    ]
}

/// What was stored before there was a funnel has none; and a state with one is read as it was written.
#[test]
fn golden_state_with_a_funnel() {
    let mut state = State::new(person(1));
    if blesses() {
        state.funnel = Some(funnel());
    }
    Files::of("state-4").check(&state, encode_state, decode_state);
    for before in ["state-1", "state-3"] {
        let (_, read) = Files::of(before).read(decode_state);
        assert!(read.funnel.is_none(), "{before}");
    }
    let (_, read) = Files::of("state-4").read(decode_state);
    assert!(read.funnel.is_some());
}

/// The state that a merge brings stands in the ledger, its funnel behind it.
#[test]
fn golden_ledger_row_of_a_merge() {
    let row = |funnel| LedgerRow {
        entity: person(2),
        at: Millis(1_764_000_000_500),
        input: Input::Absorb(Box::new(State { funnel, ..state() })),
        outcome: Outcome::Applied,
        rule_version: "0123456789abcdef".into(),
    };
    let brought = |row: LedgerRow| match row.input {
        Input::Absorb(state) => *state,
        other => panic!("{other:?}"),
    };
    // As it was before there was a funnel: the serialised row and nothing else.
    Files::of("merge-1").check(&row(None), encode, decode_row);
    let (_, before) = Files::of("merge-1").read(decode_row);
    assert_eq!(brought(before), state());
    let with = blesses().then(funnel);
    Files::of("merge-2").check(&row(with), encode_row, decode_row);
    let (bytes, with) = Files::of("merge-2").read(decode_row);
    assert!(brought(with).funnel.is_some());
    let plain = super::unpacked(&bytes).expect("a blob");
    let torn = [&[super::PLAIN], &plain[..plain.len() - 1]].concat();
    assert!(decode_row(&torn).is_err());
}

#[test]
fn golden_ledger_row() {
    let row = LedgerRow {
        entity: person(1),
        at: Millis(1_764_000_000_500),
        input: Input::Change(change()),
        outcome: Outcome::Late,
        rule_version: "0123456789abcdef".into(),
    };
    Files::of("ledger-1").check(&row, encode_row, decode_row);
}

#[test]
fn golden_parked() {
    let parked = Parked {
        id: Digest([8; 16]),
        code: ParkedCode::SharedKey,
        at: Millis(1),
        entity: Some(person(1)),
        record: Some(record()),
        field: Some("email".into()),
        candidates: vec![person(1), person(2)],
        why: "two people came to share an address".to_owned(),
        change: Some(change()),
    };
    Files::of("parked-1").check(&parked, encode, decode);
}

#[test]
fn golden_consent_turns() {
    let turns = std::collections::BTreeSet::from([turn()]);
    Files::of("consent-1").check(&turns, encode, decode);
}

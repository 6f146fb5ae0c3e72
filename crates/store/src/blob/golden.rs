//! Golden files: what was stored once stays readable, and means the same.
//!
//! A changed type fails here. Before the first release: `BATON_BLESS=1 cargo test -p baton-store golden` writes the
//! files anew. After it: raise [`FORMAT`](super::FORMAT), teach `decode` to read the old form, and keep the old
//! files beside new ones.

use std::{fmt::Debug, path::Path};

use baton_core::{
    book::{LedgerRow, Parked, ParkedCode},
    change::{Cause, Change, Class, FieldChange, Origin, Outcome, Seen, Verdicts},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::Input,
    rules::ConsentState,
    state::{
        Cell, CommandKind, ConsentTurn, Delivery, Event, FieldHistory, Golden, History, Intent,
        IntentEnd, Link, LinkStatusFact, Lock, LockOn, Obs, Outstanding, ReadReason, Refused,
        Restated, SealedAs, StageFact, State, Written,
    },
    time::Millis,
    value::Value,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{decode, encode};

fn check<T: Serialize + DeserializeOwned + Debug>(name: &str, sample: &T) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (blob, text) = (
        folder.join(format!("{name}.blob")),
        folder.join(format!("{name}.txt")),
    );
    if std::env::var("BATON_BLESS").is_ok_and(|v| v == "1") {
        let bytes = encode(sample).expect("the sample can be encoded");
        std::fs::write(&blob, bytes).expect("golden files can be written");
        std::fs::write(&text, format!("{sample:#?}\n")).expect("golden files can be written");
    }
    let bytes = std::fs::read(&blob).expect("the golden file is there");
    let meaning = std::fs::read_to_string(&text).expect("the golden file is there");
    let read: T = decode(&bytes).unwrap_or_else(|e| {
        panic!("{name}: what was stored cannot be read any more ({e:?}); see the top of this file")
    });
    assert_eq!(
        format!("{read:#?}\n"),
        meaning,
        "{name}: what was stored has another meaning; see the top of this file"
    );
    assert_eq!(
        encode(&read).ok().as_deref(),
        Some(bytes.as_slice()),
        "{name}: it is written in another form; see the top of this file"
    );
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
            fields: [("city".into(), written)].into(),
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

#[test]
fn golden_state() {
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
    check("state-1", &state);
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
    check("ledger-1", &row);
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
    check("parked-1", &parked);
}

#[test]
fn golden_consent_turns() {
    check("consent-1", &std::collections::BTreeSet::from([turn()]));
}

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
    change::Outcome,
    id::{Digest, Object, Position, RecordKey},
    input::Input,
    lifecycle::fact::{Act, Actor, Fact, What},
    state::{Absorbed, Golden, Guarded, Link, PendingCreate, Ruling, State},
    time::Millis,
    value::Value,
};

mod samples;

use super::{BlobError, decode, decode_row, decode_state, encode, encode_row, encode_state};
use samples::{busy_delivery, change, funnel, many_observations, person, record, state, turn};

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

/// What was stored before there was a funnel has none; and a state with one is read as it was written.
#[test]
fn golden_state_with_a_funnel() {
    for before in ["state-1", "state-3"] {
        let (_, read) = Files::of(before).read(decode_state);
        assert!(read.funnel.is_none(), "{before}");
    }
    let mut state = State::new(person(1));
    if blesses() {
        state.funnel = Some(funnel());
    }
    Files::of("state-5").check(&state, encode_state, decode_state);
    let (_, read) = Files::of("state-5").read(decode_state);
    assert!(read.funnel.is_some());
    // What people did stood among the other facts first. Written anew it stands apart, and means the same.
    let (bytes, before) = Files::of("state-4").read(decode_state);
    assert!(before.funnel.is_some());
    let anew = encode_state(&before).expect("a state can be written");
    assert_ne!(anew, bytes);
    assert_eq!(decode_state(&anew).expect("it can be read"), before);
}

#[test]
fn acts_of_every_shape_are_read_as_they_were_written() {
    let texts = [None, Some("a page"), Some("another page")];
    let mut acts = Vec::new();
    for (number, actor) in (0_u8..).zip(Actor::ALL.repeat(6)) {
        let some = |every: u8| number % every == 0;
        acts.push(Fact {
            event: Digest([number; 16]),
            time: Millis(1_772_463_600_000 - i64::from(number) * 977),
            seq: u64::from(number % 4),
            position: Position::new(Millis(1_772_463_700_000), 1, 2, number.into()),
            effective: some(3).then_some(Millis(1_772_463_800_000)),
            what: What::Act(Act {
                kind: if some(2) { "call" } else { "visit" }.into(),
                actor,
                category: if some(5) { "talks" } else { "website" }.into(),
                content: texts[usize::from(number % 3)].map(Into::into),
                campaign: texts[usize::from(number / 3 % 3)].map(Into::into),
            }),
        });
    }
    let mut state = state();
    let mut known = funnel();
    known.put_back(acts);
    state.funnel = Some(known);
    let bytes = encode_state(&state).expect("a state can be written");
    assert_eq!(decode_state(&bytes).expect("it can be read"), state);
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

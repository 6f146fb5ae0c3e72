//! What golden files are made of: something of everything that is stored.

use std::path::Path;

use baton_core::{
    change::{Cause, Change, Class, FieldChange, Origin, Seen, Verdicts},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    lifecycle::fact::{Act, Actor, Ending, Fact, Standing, Suppression, What},
    lifecycle::funnel::Funnel,
    rules::ConsentState,
    state::{
        Cell, CommandKind, ConsentTurn, Delivery, Event, FieldHistory, Golden, History, Intent,
        IntentEnd, Link, LinkStatusFact, Lock, LockOn, Obs, Outstanding, ReadReason, Refused,
        Restated, SealedAs, StageFact, State, Written,
    },
    time::{DAY, Millis},
    value::Value,
};

pub fn person(byte: u8) -> EntityId {
    EntityId {
        kind: Kind::Person,
        digest: Digest([byte; 16]),
    }
}

pub fn record() -> RecordKey {
    RecordKey::new("crm", Object::Contact, "0035g00000XyZabAAB")
}

pub fn position() -> Position {
    Position::new(Millis(1_764_000_000_000), 1, 2, 3)
}

pub fn turn() -> ConsentTurn {
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

pub fn change() -> Change {
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

pub fn history() -> History {
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

pub fn delivery() -> Delivery {
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

pub fn state() -> State {
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

/// Observations that skip and come back, of contents that skip and come back; events with and without everything.
pub fn many_observations() -> History {
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

pub fn busy_delivery() -> Delivery {
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
pub fn funnel() -> Box<Funnel> {
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

pub fn facts() -> Vec<What> {
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
                starts: Some("Webinars".into()),
            },
        },
        What::Claim {
            system: "crm".into(),
            stage: "sql".into(),
            reason: None,
        },
        What::Suppressed {
            whose: Suppression::Account(Digest::default()),
            on: true,
        },
        What::Returned {
            reason: Some("timing".into()),
        },
        What::Deal {
            deal: person(8),
            standing: Standing::Lost(Ending {
                reason: Some("budget".into()),
                amount: Some("5000.5".parse().unwrap_or_default()),
                campaign: Some("701".into()),
            }),
        },
        What::Deal {
            deal: person(7),
            standing: Standing::Won(Ending::default()),
        },
        What::Deal {
            deal: person(8),
            standing: Standing::Gone,
        },
        What::OfDeal {
            deal: person(9),
            kind: "meeting".into(),
            actor: Actor::Sales,
            counts: true,
        },
    ]
}

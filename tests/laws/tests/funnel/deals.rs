//! Deals and the people in them: whatever comes in first, all of them hear the same.

use std::{collections::BTreeMap, sync::LazyLock};

use baton_core::{
    book::{Book, Item},
    change::{Cause, Change, Class, FieldChange, Origin, Seen, Verdicts},
    id::{Digest, Kind, Object, Position, RecordKey},
    lifecycle::{course::Course, fact::Actor, fold::Whereabouts},
    name::Name,
    rules::{FieldType, Rules},
    time::{DAY, HOUR, Millis},
    value::Value,
};
use baton_laws::world::seeds;
use rand::{
    RngExt, SeedableRng,
    seq::{IndexedRandom, SliceRandom},
};
use rand_chacha::ChaCha8Rng;

use crate::world::{SHIPPED, World, points, start, text};

const DAYS: i64 = 25;

/// The shipped rules, with deals that name several people.
static SEVERAL: LazyLock<Rules> = LazyLock::new(|| {
    let mut rules = SHIPPED.clone();
    let deal = rules.entity_mut(Kind::Deal);
    deal.fields.get_mut(&Name::new("contact")).unwrap().kind = FieldType::MultiSelect;
    rules
});

fn contact(nth: usize) -> RecordKey {
    RecordKey::new("crm", Object::Contact, ["003A", "003B", "003C"][nth])
}

fn deal(nth: usize) -> RecordKey {
    RecordKey::new("crm", Object::Deal, ["006A", "006B"][nth])
}

fn change(
    nth: u32,
    record: RecordKey,
    time: Millis,
    class: Class,
    fields: &[(&str, Value)],
) -> Change {
    Change {
        record,
        class,
        time,
        seq: 0,
        position: Position::new(time.plus(u32::into(nth)), 0, 0, u64::from(nth)),
        event: Digest::of(&[b"something", &nth.to_be_bytes()]),
        cause: Cause::ManualEdit,
        actor: None,
        origin: Origin::Other,
        fields: fields
            .iter()
            .map(|(field, value)| FieldChange {
                field: Name::new(field),
                value: value.clone(),
                seen: if value.is_blank() {
                    Seen::Cleared
                } else {
                    Seen::Value
                },
                before: None,
            })
            .collect(),
        verdicts: Verdicts::default(),
    }
}

/// Some of them; never nobody: a clear waits for the guard against many of them, so it is heard when time has passed.
fn people(rng: &mut ChaCha8Rng) -> Value {
    let all: Vec<_> = (0..3).map(|nth| contact(nth).id).collect();
    let some = rng.random_range(1..=3);
    let mut some: Vec<_> = all.sample(rng, some).cloned().collect();
    some.sort();
    Value::Set(some)
}

/// What is said of a contact or a deal at first.
fn begins(nth: u32, record: RecordKey, time: Millis, rng: &mut ChaCha8Rng) -> Change {
    if record.object == Object::Deal {
        let fields = [
            ("contact", people(rng)),
            ("stage", text("Proposal")),
            ("closed", Value::Bool(false)),
            ("close_date", Value::Date(20_760)),
        ];
        return change(nth, record, time, Class::Delta, &fields);
    }
    let email = text(&format!("{}@example.com", record.id));
    let fields = [
        ("email", email),
        ("company", text("Analytical")),
        ("lead_score", points(120)),
    ];
    change(nth, record, time, Class::Delta, &fields)
}

/// What is said of them, or done by them, later.
fn goes_on(nth: u32, rng: &mut ChaCha8Rng) -> Change {
    let time = start().plus(rng.random_range(1..DAYS * 24) * HOUR);
    let of_deal = deal(rng.random_range(0..2));
    let who = contact(rng.random_range(0..3));
    let said = |record, fields: &[(&str, Value)]| change(nth, record, time, Class::Delta, fields);
    match rng.random_range(0..10) {
        0 | 1 => said(of_deal, &[("contact", people(rng))]),
        2 => {
            let (won, reason) = (
                rng.random_bool(0.5),
                ["timing", "price"].choose(rng).unwrap(),
            );
            let fields = [
                ("closed", Value::Bool(true)),
                ("outcome", Value::Bool(won)),
                ("reason", text(reason)),
            ];
            said(of_deal, &fields)
        }
        3 => said(of_deal, &[("closed", Value::Bool(false))]),
        4 => said(of_deal, &[("amount", points(rng.random_range(1..4) * 100))]),
        5 => said(who, &[("status", text("working"))]),
        _ => {
            let kinds = [
                ("call_connected", Actor::Sales),
                ("reply", Actor::Buyer),
                ("email_open", Actor::Buyer),
            ];
            let (kind, actor) = *kinds.choose(rng).unwrap();
            let act = World::act(kind, actor);
            change(nth, who, time, act, &[])
        }
    }
}

/// The same in another order, in which the first word on each record is the first: entities are called after it, and who
/// is not known does nothing.
fn otherwise(changes: &[Change], rng: &mut ChaCha8Rng) -> Vec<Change> {
    let mut shuffled = changes.to_vec();
    shuffled.extend(changes.sample(rng, 3).cloned());
    shuffled.shuffle(rng);
    let begun = |done: &[Change], record: &RecordKey| done.iter().any(|c| c.record == *record);
    let first = |change: &Change| {
        changes
            .iter()
            .find(|c| c.record == change.record)
            .unwrap()
            .event
            == change.event
    };
    let mut done: Vec<Change> = Vec::new();
    while !shuffled.is_empty() {
        let next = shuffled
            .iter()
            .position(|c| first(c) || begun(&done, &c.record));
        done.push(shuffled.remove(next.unwrap()));
    }
    done
}

fn end() -> Millis {
    start().plus((DAYS + 1) * DAY)
}

type Heard = BTreeMap<RecordKey, (Whereabouts, Course)>;

/// Where everybody stands when all of this has come in, in this order.
fn stand(changes: &[Change], rules: &Rules) -> (Heard, BTreeMap<RecordKey, Vec<(Name, Value)>>) {
    let mut book = Book::default();
    for change in changes {
        book.settle(Item::Change(change.clone()), rules, end());
    }
    let setup = rules.funnel.as_deref().unwrap();
    let mut heard = BTreeMap::new();
    let mut golden = BTreeMap::new();
    for record in (0..3).map(contact) {
        let state = &book.entities[&book.links[&record]].state;
        let funnel = state.funnel.as_deref().unwrap();
        heard.insert(record.clone(), funnel.course(&setup.editions, end()));
        let values = state
            .golden
            .iter()
            .map(|(field, golden)| (*field, golden.value.clone()))
            .filter(|(_, value)| !value.is_blank());
        golden.insert(record, values.collect());
    }
    (heard, golden)
}

/// Two deals, three people.
fn story(rng: &mut ChaCha8Rng) -> Vec<Change> {
    let records: Vec<RecordKey> = (0..3).map(contact).chain((0..2).map(deal)).collect();
    let mut changes: Vec<Change> = Vec::new();
    for (nth, record) in (0_u32..).zip(records) {
        let time = start().plus(i64::from(nth) * 60_000);
        changes.push(begins(nth, record, time, rng));
    }
    let many = rng.random_range(3..16);
    let mut more: Vec<Change> = (10..10 + many).map(|nth| goes_on(nth, rng)).collect();
    more.sort_by_key(|change| change.time);
    changes.extend(more);
    changes
}

#[test]
fn it_does_not_matter_whether_a_deal_or_its_people_come_first_nor_in_which_order_they_go_on() {
    let mut stages = std::collections::BTreeSet::new();
    for seed in seeds(&[], 200) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let changes = story(&mut rng);
        let (heard, golden) = stand(&changes, &SEVERAL);
        for (_, course) in heard.values() {
            stages.extend(course.steps.iter().map(|step| step.to));
        }
        for _ in 0..3 {
            let others = otherwise(&changes, &mut rng);
            let (there, golden_there) = stand(&others, &SEVERAL);
            for (record, (now, course)) in &heard {
                let (then, way) = &there[record];
                assert_eq!(course.steps, way.steps, "seed {seed}: {record}");
                assert_eq!(course, way, "seed {seed}: {record}");
                assert_eq!(now, then, "seed {seed}: {record}");
            }
            assert_eq!(golden, golden_there, "seed {seed}");
        }
    }
    let reached = |stage: &str| stages.iter().any(|s| s.as_str() == stage);
    assert!(
        reached("won") && reached("lost") && reached("opportunity"),
        "{stages:?}"
    );
}

/// Two contacts in one deal, one of whom talks to sales, and when the other one goes back for silence.
fn stalled(named: [Value; 2], talks: i64) -> Millis {
    let setup = SEVERAL.funnel.as_deref().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let hour = |hours: i64| start().plus(hours * HOUR);
    let mut changes: Vec<Change> = (0..2)
        .map(|nth| begins(u32::try_from(nth).unwrap(), contact(nth), start(), &mut rng))
        .collect();
    let [at_first, later] = named;
    let opens = [
        ("contact", at_first),
        ("stage", text("Proposal")),
        ("closed", Value::Bool(false)),
    ];
    changes.push(change(2, deal(0), hour(1), Class::Delta, &opens));
    changes.push(change(
        3,
        deal(0),
        hour(10 * 24),
        Class::Delta,
        &[("contact", later)],
    ));
    let act = World::act("call_connected", Actor::Sales);
    changes.push(change(4, contact(1), hour(talks), act, &[]));
    let mut book = Book::default();
    for change in &changes {
        book.settle(
            Item::Change(change.clone()),
            &SEVERAL,
            change.position.arrival,
        );
    }
    let funnel = book.entities[&book.links[&contact(0)]]
        .state
        .funnel
        .as_deref()
        .unwrap();
    let (_, course) = funnel.course(&setup.editions, hour(100 * 24));
    let recycled = course
        .steps
        .iter()
        .find(|step| step.to.as_str() == "recycled");
    recycled.unwrap().at
}

#[test]
fn what_one_person_of_a_deal_does_counts_for_the_others_while_they_are_in_it_together() {
    let ids = |several: &[usize]| Value::Set(several.iter().map(|nth| contact(*nth).id).collect());
    let (alone, both) = (ids(&[0]), ids(&[0, 1]));
    let after = |hours: i64| start().plus(hours * HOUR);
    // Forty-five days from the deal on, or from the call on.
    let silent = after(1 + 45 * 24);
    let called = |at: i64| after(at + 45 * 24);
    assert_eq!(stalled([both.clone(), both.clone()], 120), called(120));
    assert_eq!(
        stalled([alone.clone(), alone.clone()], 120),
        silent,
        "nobody else is in it"
    );
    assert_eq!(
        stalled([alone.clone(), both.clone()], 120),
        silent,
        "who joins later did it before"
    );
    assert_eq!(stalled([alone, both.clone()], 300), called(300));
    assert_eq!(
        stalled([both.clone(), ids(&[0])], 300),
        silent,
        "who has left is not in it"
    );
    assert_eq!(stalled([both, ids(&[0])], 120), called(120));
}

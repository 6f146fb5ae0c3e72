//! L3 of groups, where several whole records of one second come in: no tuple is claimed that no record ever had.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, path::PathBuf, sync::LazyLock};

use baton_config::load;
use baton_core::{
    apply::apply,
    change::{Cause, Change, Class, FieldChange, Origin, Seen, Verdicts},
    claim::{Claims, Content},
    id::{Digest, EntityId, Kind, Object, Position, RecordKey},
    input::Input,
    name::Name,
    rules::Rules,
    state::State,
    time::Millis,
    value::Value,
};
use baton_laws::world::seeds;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

static SHIPPED: LazyLock<Rules> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    load(&root.join("config")).unwrap().rules.unwrap()
});

const MEMBERS: [&str; 5] = ["street", "city", "state", "postal_code", "country"];

type Address = [&'static str; 5];

const PARADE: Address = ["223 North Parade", "Berlin", "", "10142", "DE"];
const ORCHARD: Address = ["143 Orchard Way", "Leeds", "", "LS3 4AB", "GB"];
const WEAVER: Address = ["198 Weaver Street", "Hamburg", "", "20090", "DE"];
const TOWER: Address = ["1 Tower Street", "Leeds", "", "LS9 1AB", "GB"];

fn record() -> RecordKey {
    RecordKey::new("map", Object::Contact, "14")
}

/// The whole record, as it was after something happened in that second.
fn shows(nth: u64, second: i64, address: Address, cause: Cause) -> Change {
    let time = Millis::parse("2026-03-16T08:25:00Z")
        .unwrap()
        .plus(second * 1_000);
    let fields = MEMBERS
        .iter()
        .zip(address)
        .map(|(member, text)| FieldChange {
            field: Name::new(member),
            value: if text.is_empty() {
                Value::Blank
            } else {
                Value::text(text)
            },
            seen: if text.is_empty() {
                Seen::BlankInEvent
            } else {
                Seen::Value
            },
            before: None,
        });
    Change {
        record: record(),
        class: Class::Event,
        time,
        seq: 0,
        position: Position::new(time.plus(2_000), 0, 0, nth),
        event: Digest::of(&[b"shown", &nth.to_be_bytes()]),
        cause,
        actor: None,
        origin: Origin::Other,
        fields: fields.collect(),
        verdicts: Verdicts::default(),
    }
}

/// The tuples that are claimed after these, with their causes.
fn claimed(changes: &[Change]) -> Vec<(Vec<String>, Cause)> {
    let mut state = State::new(EntityId::derive(Kind::Person, &record(), Digest::default()));
    let at = changes.iter().map(|change| change.position.arrival).max();
    for change in changes {
        apply(
            &mut state,
            &Input::Change(change.clone()),
            &SHIPPED,
            at.unwrap(),
        );
    }
    let group = &SHIPPED.entity(Kind::Person).groups[&Name::new("address")];
    let claims = Claims::of_group(&state, group, &SHIPPED);
    let turns = claims.records.iter().flat_map(|record| &record.turns);
    turns
        .map(|turn| {
            let Content::Tuple(values) = &turn.content else {
                unreachable!("a group's claims are tuples");
            };
            // In the order of the test.
            let of = |member: &&str| {
                let at = group.fields.iter().position(|f| *f == Name::new(member));
                match values[at.unwrap()] {
                    Value::Text(text) => text.to_string(),
                    _ => String::new(),
                }
            };
            (MEMBERS.iter().map(of).collect(), turn.cause)
        })
        .collect()
}

#[test]
fn a_country_that_comes_back_in_the_next_second_is_not_joined_with_the_street_of_another_one() {
    // A write of another field shows the address that stood there; in the same second a list brings another one, and in
    // a later second a third, of the first one's country.
    let changes = [
        shows(0, 54, PARADE, Cause::ListImport),
        shows(1, 55, PARADE, Cause::Unknown),
        shows(2, 55, ORCHARD, Cause::ListImport),
        shows(3, 57, WEAVER, Cause::ListImport),
    ];
    let all = claimed(&changes);
    let orchard: Vec<String> = ORCHARD.map(str::to_owned).into();
    let of_street: Vec<_> = all
        .iter()
        .filter(|(tuple, _)| tuple[0] == ORCHARD[0])
        .collect();
    assert_eq!(of_street, [&(orchard, Cause::ListImport)]);
}

#[test]
fn no_tuple_is_claimed_that_no_record_ever_had() {
    let addresses = [PARADE, ORCHARD, WEAVER, TOWER];
    let known: BTreeSet<Vec<String>> = addresses.map(|a| a.map(str::to_owned).into()).into();
    let mut tuples = 0;
    for seed in seeds(&[], 500) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut second = 0;
        let many = rng.random_range(2..9);
        let changes: Vec<Change> = (0..many)
            .map(|nth| {
                second += rng.random_range(0..2);
                let cause = [Cause::ListImport, Cause::ManualEdit, Cause::Unknown];
                let (address, cause) = (addresses.choose(&mut rng), cause.choose(&mut rng));
                shows(nth, second, *address.unwrap(), *cause.unwrap())
            })
            .collect();
        for (tuple, _) in claimed(&changes) {
            assert!(known.contains(&tuple), "seed {seed}: {tuple:?}");
            tuples += 1;
        }
    }
    assert!(tuples > 1_000, "{tuples}");
}

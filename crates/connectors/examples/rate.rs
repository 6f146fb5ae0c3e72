//! The engine alone, from bytes to decision, in memory: a rough rate to profile by. `baton bench core` is the real one.
use baton_connectors::{Item as Decoded, Message, decode};
use baton_core::{
    book::{Book, Incoming, Item},
    change::{Cause, Format},
    id::{Digest, Object, Position},
    name::Name,
    normalise::normalise,
    rules::*,
    time::{DAY, Millis},
};
use rand::{Rng, RngExt as _, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FIELDS: [&str; 20] = [
    "email",
    "first_name",
    "last_name",
    "title",
    "company",
    "street",
    "city",
    "state",
    "postal_code",
    "country",
    "phone",
    "mobile",
    "industry",
    "website",
    "description",
    "lead_source",
    "status",
    "department",
    "owner",
    "score",
];

fn rules() -> Rules {
    let mut rules = Rules {
        version: "bench".into(),
        cause_rank: [0, 1, 2, 3, 4, 5, 6],
        ..Rules::default()
    };
    let mut person = EntityRules::default();
    for field in FIELDS {
        person.fields.insert(field.into(), FieldRule::default());
    }
    let address = ["street", "city", "state", "postal_code", "country"];
    for f in address {
        person.group_of.insert(f.into(), "address".into());
    }
    person.groups.insert(
        "address".into(),
        GroupRule {
            fields: address.iter().map(|f| Name::new(f)).collect(),
            strategy: Strategy::Latest,
            clear: ClearPolicy::default(),
            protect_manual: Some(180 * DAY),
            requires: vec!["country".into()],
        },
    );
    person.fields.insert(
        "email".into(),
        FieldRule {
            kind: FieldType::Email,
            ..FieldRule::default()
        },
    );
    rules.person = person;
    rules.identity.email = Some("email".into());
    for name in ["crm", "map"] {
        let mut mapping = ObjectMapping {
            vendor: "contact".into(),
            admit: true,
            ..ObjectMapping::default()
        };
        for field in FIELDS {
            mapping
                .fields
                .insert(field.into(), MappedField::plain(field));
        }
        rules.systems.insert(
            name.into(),
            System {
                name: name.into(),
                format: Format::Baton,
                origin_tag: None,
                integration_users: Default::default(),
                default_cause: Cause::Unknown,
                causes: Default::default(),
                actor_causes: Default::default(),
                actor_default: None,
                objects: [(Object::Contact, mapping)].into(),
                vocabularies: Default::default(),
                acks: true,
                reads: true,
                region: None,
                zone: None,
                skew: 0,
                delete: DeletePolicy::Flag,
            },
        );
        rules.source_rank.push(name.into());
    }
    rules
}

/// CPU time of this process so far; the wall is not to be trusted on a busy machine.
fn cpu() -> std::time::Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    let nanos = text
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("nanoseconds");
    std::time::Duration::from_nanos(nanos)
}

fn main() {
    let people: usize = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(100_000);
    let changes: usize = std::env::args()
        .nth(2)
        .and_then(|a| a.parse().ok())
        .unwrap_or(200_000);
    let rules = rules();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut values: Vec<Vec<String>> = (0..people)
        .map(|p| {
            FIELDS
                .iter()
                .enumerate()
                .map(|(i, f)| {
                    if i == 0 {
                        format!("person{p}@example.com")
                    } else {
                        format!("{f} value number {} of {p}", i)
                    }
                })
                .collect()
        })
        .collect();
    let payload = |p: usize, v: &Vec<String>, time: i64| {
        let mut s = format!(
            "{{\"object\":\"contact\",\"id\":\"c{p}\",\"class\":\"event\",\"time\":{time},\"actor\":\"user-7\",\"cause\":\"manual_edit\",\"fields\":{{"
        );
        for (i, f) in FIELDS.iter().enumerate() {
            if i > 0 {
                s.push(',');
            }
            s.push_str(&format!("\"{f}\":\"{}\"", v[i]));
        }
        s.push_str("}}");
        s
    };
    let mut book = Book::default();
    let start = 1_800_000_000_000_i64;
    let mut clock = start;
    let step = |book: &mut Book, bytes: &[u8], n: u64, clock: i64| {
        let items = decode(
            Format::Baton,
            &Message {
                key: None,
                value: Some(bytes),
                object: None,
            },
        )
        .expect("decodes");
        for (index, item) in items.into_iter().enumerate() {
            let Decoded::Change(raw) = item else {
                panic!("refused")
            };
            let incoming = Incoming {
                system: "crm".into(),
                format: Format::Baton,
                raw,
                position: Position::new(Millis(clock + 5), 0, 0, n),
                index: index as u32,
                message: Digest::default(),
            };
            let change = normalise(&incoming, &rules).expect("normal");
            book.settle(Item::Change(change), &rules, Millis(clock + 5));
        }
        if book.out.ledger.len() > 1_000 {
            book.out = Default::default();
        }
    };
    for p in 0..people {
        let bytes = payload(p, &values[p], clock);
        step(&mut book, bytes.as_bytes(), p as u64, clock);
        clock += 1;
    }
    let mut stream = Vec::new();
    for _ in 0..changes {
        let p = (rng.next_u64() % people as u64) as usize;
        for _ in 0..rng.random_range(1..=3) {
            let f = rng.random_range(1..20);
            values[p][f] = format!("changed {} to be something", rng.random_range(0..1_000_000));
        }
        clock += 10;
        stream.push((payload(p, &values[p], clock), clock));
    }
    println!("payload {} bytes", stream[0].0.len());
    let begun = cpu();
    for (n, (bytes, at)) in stream.iter().enumerate() {
        step(&mut book, bytes.as_bytes(), (people + n) as u64, *at);
    }
    let took = (cpu() - begun);
    println!(
        "{} changes in {:?}: {:.0}/s, {:.2} µs each",
        changes,
        took,
        changes as f64 / took.as_secs_f64(),
        took.as_micros() as f64 / changes as f64
    );
    let begun = cpu();
    for (n, (bytes, at)) in stream.iter().enumerate() {
        let items = decode(
            Format::Baton,
            &Message {
                key: None,
                value: Some(bytes.as_bytes()),
                object: None,
            },
        )
        .expect("decodes");
        for item in items {
            let Decoded::Change(raw) = item else { panic!() };
            let incoming = Incoming {
                system: "crm".into(),
                format: Format::Baton,
                raw,
                position: Position::new(Millis(*at + 5), 0, 0, n as u64),
                index: 0,
                message: Digest::default(),
            };
            std::hint::black_box(normalise(&incoming, &rules).expect("normal"));
        }
    }
    println!(
        "decode+normalise {:.2} µs",
        (cpu() - begun).as_micros() as f64 / changes as f64
    );
    let begun = cpu();
    for (bytes, _) in &stream {
        std::hint::black_box(
            decode(
                Format::Baton,
                &Message {
                    key: None,
                    value: Some(bytes.as_bytes()),
                    object: None,
                },
            )
            .expect("decodes"),
        );
    }
    println!(
        "decode {:.2} µs",
        (cpu() - begun).as_micros() as f64 / changes as f64
    );
}

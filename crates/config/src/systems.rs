//! The connected systems: how they speak, what they map, what their deletes do.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    change::{Cause, Format},
    id::{Kind, Object},
    name::Name,
    rules::{Condition, CreatePolicy, DeletePolicy, FieldType, System},
};
use compact_str::CompactString;

use crate::{
    codes::Code,
    condition::typed,
    mapping::{MappedObject, scalar},
    names::World,
    problem::{Problems, Span},
    regions,
    strategy::{Sends, decimal},
    tree::{Node, Table},
};

/// What the vendors call things.
#[derive(Default)]
pub(crate) struct Vocabularies {
    objects: BTreeMap<Format, BTreeMap<Object, MappedObject>>,
    causes: BTreeMap<Format, BTreeMap<CompactString, Cause>>,
}

/// A system with the places a problem may point at.
pub(crate) struct Lowered {
    pub system: System,
    pub objects: BTreeMap<Object, MappedObject>,
    pub certain: bool,
}

/// Reads every `vocabularies/<format>.toml`.
pub(crate) fn vocabularies(
    tables: &BTreeMap<Format, Table>,
    world: &World,
    problems: &mut Problems,
) -> Vocabularies {
    let mut all = Vocabularies::default();
    for (format, table) in tables {
        all.causes.insert(*format, causes(table, "causes"));
        let objects = all.objects.entry(*format).or_default();
        for object in Object::ALL {
            if let Some(table) = table.table(object.as_str()) {
                objects.insert(object, MappedObject::read(object, table, world, problems));
            }
        }
    }
    // These speak Baton's own language unless a file says otherwise.
    for format in [Format::Baton, Format::Csv, Format::Cloudevents] {
        let objects = all.objects.entry(format).or_default();
        for object in Object::ALL {
            objects
                .entry(object)
                .or_insert_with(|| MappedObject::canonical(object, world));
        }
    }
    all
}

/// Reads every system.
pub(crate) fn read(
    root: &Table,
    world: &World,
    vocabularies: &Vocabularies,
    problems: &mut Problems,
) -> BTreeMap<Name, Lowered> {
    let mut systems = BTreeMap::new();
    for (name, entry) in root.each("systems") {
        if let Some(table) = entry.value.as_table() {
            let lowered = system(Name::new(name), table, world, vocabularies, problems);
            systems.insert(Name::new(name), lowered);
        }
    }
    systems
}

/// What the systems send, for rules that name them.
pub(crate) fn sends(systems: &BTreeMap<Name, Lowered>) -> Sends {
    let mut sends = Sends::default();
    for (name, lowered) in systems {
        if !lowered.certain {
            sends.uncertain.insert(*name);
        }
        let has_before = matches!(
            lowered.system.format,
            Format::Marketo | Format::Debezium | Format::Baton | Format::Cloudevents
        );
        if has_before {
            sends.before.insert(*name);
        }
        for (object, mapped) in &lowered.objects {
            let fields = sends.fields.entry((*name, object.kind())).or_default();
            fields.extend(mapped.sent());
        }
    }
    sends
}

fn system(
    name: Name,
    table: &Table,
    world: &World,
    vocabularies: &Vocabularies,
    problems: &mut Problems,
) -> Lowered {
    let format = table.text("format").and_then(|(f, _)| Format::parse(f));
    let known = format.and_then(|f| vocabularies.objects.get(&f));
    let mut certain = format.is_some() && !table.get("objects").is_some_and(Node::is_bad);
    let mut objects: BTreeMap<Object, MappedObject> = BTreeMap::new();
    if table.has("objects") {
        for (word, entry) in table.each("objects") {
            let (Some(object), Some(said)) = (Object::parse(word), entry.value.as_table()) else {
                certain = false;
                continue;
            };
            let base = known.and_then(|v| v.get(&object));
            let described = said.has("vendor") && said.has("fields");
            if base.is_none() && !described && format.is_some() {
                problems.report(
                    Code::ObjectIncomplete,
                    entry.key,
                    format!("nothing says what `{name}` calls its {object} and its fields"),
                );
                certain = false;
                continue;
            }
            let mut mapped = base.cloned().unwrap_or_else(|| MappedObject {
                certain: true,
                ..MappedObject::default()
            });
            mapped.overlay(object, said, true, world, problems);
            mapped.check_written_once(problems);
            objects.insert(object, mapped);
        }
    } else if let Some(known) = known {
        objects.clone_from(known);
    }
    certain = certain && objects.values().all(|o| o.certain);
    let system = lower(name, format, table, &objects, world, vocabularies, problems);
    Lowered {
        system,
        objects,
        certain,
    }
}

fn lower(
    name: Name,
    format: Option<Format>,
    table: &Table,
    objects: &BTreeMap<Object, MappedObject>,
    world: &World,
    vocabularies: &Vocabularies,
    problems: &mut Problems,
) -> System {
    let compact = |key: &str| table.text(key).map(|(text, _)| CompactString::from(text));
    let cause = |key: &str| table.text(key).and_then(|(word, _)| Cause::parse(word));
    // The words of every format are understood, for a payload may be handed over in any; the system's own format
    // knows better than others, and the system best.
    let mut words: BTreeMap<CompactString, Cause> = BTreeMap::new();
    let own_words = format.and_then(|f| vocabularies.causes.get(&f));
    for more in vocabularies.causes.values().chain(own_words) {
        words.extend(more.iter().map(|(word, cause)| (word.clone(), *cause)));
    }
    words.extend(causes(table, "causes"));
    let mut lowered: BTreeMap<_, _> = objects.iter().map(|(o, m)| (*o, m.lower())).collect();
    for (object, mapping) in &mut lowered {
        let said = table
            .table("objects")
            .and_then(|objects| objects.table(object.as_str()));
        let Some(said) = said else { continue };
        mapping.admit = said.bool("admit").unwrap_or(true);
        mapping.create = match said.text("create").map(|(word, _)| word) {
            Some("always") => CreatePolicy::Always,
            Some("sales_ready") => CreatePolicy::SalesReady,
            _ => CreatePolicy::Never,
        };
        let walks = world.funnel && object.kind() == Kind::Person;
        if mapping.create == CreatePolicy::SalesReady
            && !walks
            && let Some((_, span)) = said.text("create")
        {
            let message = if world.funnel {
                format!("`{object}` is no person: none would ever be created")
            } else {
                format!("there is no funnel: no `{object}` would ever be created")
            };
            problems.report(Code::SalesReadyNever, span, message);
        }
        mapping.filter = said
            .get("filter")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|node| condition(*object, node, world, problems))
            .collect();
    }
    let mut others: BTreeMap<_, BTreeMap<_, _>> = vocabularies
        .objects
        .iter()
        .map(|(format, objects)| {
            let objects = objects.iter().map(|(o, m)| (*o, m.lower())).collect();
            (*format, objects)
        })
        .collect();
    // The core reads CSV and Baton's own form with the system's own mapping and Baton's names beside it; a cloud
    // event may carry either as well.
    others.retain(|format, _| !matches!(format, Format::Csv | Format::Baton));
    let events = others.entry(Format::Cloudevents).or_default();
    for (object, mapped) in objects {
        events.insert(*object, mapped.lower_with_canonical(*object, world));
    }
    for theirs in others.values_mut() {
        for (object, mapping) in theirs {
            // Whether a record may make a new person is the system's choice, whatever it arrives in.
            if let Some(mine) = lowered.get(object) {
                mapping.admit = mine.admit;
                mapping.create = mine.create;
                mapping.filter.clone_from(&mine.filter);
            }
        }
    }
    System {
        name,
        format: format.unwrap_or(Format::Baton),
        origin_tag: compact("origin_tag"),
        integration_users: table
            .texts("integration_users")
            .into_iter()
            .map(|(user, _)| user.into())
            .collect::<BTreeSet<_>>(),
        default_cause: cause("default_cause").unwrap_or_default(),
        causes: words,
        actor_causes: causes(table, "actors"),
        actor_default: cause("actor_cause"),
        objects: lowered,
        vocabularies: others,
        acks: table.text("acks").is_none_or(|(word, _)| word != "none"),
        reads: table.bool("reads").unwrap_or(true),
        region: region(table, problems),
        zone: zone(table, problems),
        skew: table.duration("skew").unwrap_or(0),
        delete: match table.text("delete").map(|(word, _)| word) {
            Some("propagate") => DeletePolicy::Propagate,
            Some("detach") => DeletePolicy::Detach,
            _ => DeletePolicy::Flag,
        },
    }
}

/// Words or users and their causes, case-folded.
fn causes(table: &Table, key: &str) -> BTreeMap<CompactString, Cause> {
    table
        .each(key)
        .filter_map(|(word, entry)| {
            let cause = Cause::parse(entry.value.as_text()?)?;
            Some((word.to_lowercase().into(), cause))
        })
        .collect()
}

fn region(table: &Table, problems: &mut Problems) -> Option<CompactString> {
    let (text, span) = table.text("region")?;
    if regions::is_region(text) {
        return Some(text.into());
    }
    problems
        .report(
            Code::UnknownRegion,
            span,
            format!("there is no country code `{text}`"),
        )
        .suggest(regions::meant(text));
    None
}

pub(crate) fn zone(table: &Table, problems: &mut Problems) -> Option<CompactString> {
    let (text, span) = table.text("zone")?;
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    if bundled.get(text).is_ok() {
        return Some(text.into());
    }
    let names: Vec<String> = bundled.available().map(|n| n.to_string()).collect();
    problems.unknown(
        Code::UnknownZone,
        span,
        "time zone",
        text,
        names.iter().map(String::as_str),
    );
    None
}

fn condition(
    object: Object,
    node: &Node,
    world: &World,
    problems: &mut Problems,
) -> Option<Condition> {
    let table = node.as_table()?;
    let (name, span) = table.text("field")?;
    let field = world.field(object.kind(), name, span, problems)?;
    let tests: Vec<&str> = ["present", "equals", "not_equals", "at_least"]
        .into_iter()
        .filter(|test| table.has(test))
        .collect();
    let [test] = tests.as_slice() else {
        let at = tests
            .get(1)
            .and_then(|test| table.entry(test))
            .map_or(span, |entry| entry.key);
        let message = if tests.is_empty() {
            format!("the condition on `{field}` has no test")
        } else {
            format!("the condition on `{field}` has several tests")
        };
        problems.report(Code::FilterTest, at, message);
        return None;
    };
    let declared = world
        .declared(object.kind(), field.as_str())
        .filter(|d| d.certain)?;
    let entry = table.entry(test)?;
    let mut unfit = |span: Span, message: String| {
        problems.report(Code::FilterTest, span, message);
        None
    };
    match *test {
        "present" if table.bool("present") == Some(true) => Some(Condition::Present(field)),
        "present" if entry.value.is_bad() => None,
        "present" => unfit(entry.value.span, "`present = false` tests nothing".into()),
        "at_least" => {
            if !matches!(declared.kind, FieldType::Number | FieldType::Integer) {
                return unfit(
                    entry.key,
                    format!("`at_least` on `{field}`, which is no number"),
                );
            }
            Some(Condition::AtLeast(field, decimal(table, "at_least")?))
        }
        test => {
            let text = scalar(&entry.value)?;
            if !declared.values.is_empty() && !declared.values.contains(&text) {
                problems.unknown(
                    Code::FilterValue,
                    entry.value.span,
                    &format!("value of `{field}`"),
                    &text,
                    declared.values.iter().map(String::as_str),
                );
                return None;
            }
            let Some(value) = typed(declared.kind, &text) else {
                problems.report(
                    Code::FilterValue,
                    entry.value.span,
                    format!("`{text}` can be no value of `{field}`"),
                );
                return None;
            };
            Some(if test == "equals" {
                Condition::Equals(field, value)
            } else {
                Condition::NotEquals(field, value)
            })
        }
    }
}

//! Vendor fields and the Baton fields they carry: a vocabulary per format, and what a system says over it.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::Object,
    name::Name,
    rules::{Direction, FieldType, MappedField, ObjectMapping, Part},
};
use compact_str::CompactString;

use crate::{
    codes::Code,
    names::World,
    problem::{Problems, Span},
    strategy::type_name,
    tree::{self, Entry, Table},
};

/// One vendor field with the places a problem may point at.
#[derive(Clone)]
pub(crate) struct Mapped {
    pub spec: MappedField,
    /// The vendor's name.
    pub key: Span,
    pub max_length: Option<Span>,
    pub required: Option<Span>,
    pub aliases: Vec<String>,
    /// A system's own, over its vocabulary.
    pub own: bool,
}

/// One object of a vocabulary or of a system.
#[derive(Clone, Default)]
pub(crate) struct MappedObject {
    pub vendor: String,
    pub modified_field: Option<String>,
    pub deleted_field: Option<String>,
    pub actor_field: Option<String>,
    pub fields: BTreeMap<String, Mapped>,
    pub parts: Vec<(Part, Name)>,
    /// Nothing in it was wrong: what it lacks is lacking.
    pub certain: bool,
}

impl MappedObject {
    pub fn read(object: Object, table: &Table, world: &World, problems: &mut Problems) -> Self {
        let mut mapped = Self {
            certain: true,
            ..Self::default()
        };
        mapped.overlay(object, table, false, world, problems);
        mapped.check_written_once(problems);
        mapped
    }

    /// Baton's own names for everything, as the `baton` and `csv` formats use them.
    pub fn canonical(object: Object, world: &World) -> Self {
        let fields = world
            .field_names(object.kind())
            .map(|name| {
                let mapped = Mapped {
                    spec: MappedField::plain(name),
                    key: Span::default(),
                    max_length: None,
                    required: None,
                    aliases: Vec::new(),
                    own: false,
                };
                (name.to_owned(), mapped)
            })
            .collect();
        Self {
            vendor: object.as_str().into(),
            fields,
            certain: true,
            ..Self::default()
        }
    }

    /// Adds what `table` says to what is there; `own` if a system says it.
    pub fn overlay(
        &mut self,
        object: Object,
        table: &Table,
        own: bool,
        world: &World,
        problems: &mut Problems,
    ) {
        let text = |key: &str| table.text(key).map(|(text, _)| text.to_owned());
        if let Some(vendor) = text("vendor") {
            self.vendor = vendor;
        }
        self.modified_field = text("modified_field").or_else(|| self.modified_field.take());
        self.deleted_field = text("deleted_field").or_else(|| self.deleted_field.take());
        self.actor_field = text("actor_field").or_else(|| self.actor_field.take());
        for node in table
            .get("parts")
            .map(tree::Node::items)
            .unwrap_or_default()
        {
            match node
                .as_table()
                .and_then(|t| part(object, t, world, problems))
            {
                Some(part) => self.parts.push(part),
                None => self.certain = false,
            }
        }
        if table.get("fields").is_some_and(tree::Node::is_bad) {
            self.certain = false;
        }
        for (vendor, entry) in table.each("fields") {
            match &entry.value.kind {
                tree::Kind::Bool(false) => {
                    if self.fields.remove(vendor).is_none() {
                        problems.unknown(
                            Code::UnknownField,
                            entry.key,
                            "field of the vocabulary",
                            vendor,
                            self.fields.keys().map(String::as_str),
                        );
                    }
                }
                tree::Kind::Bool(true) => {
                    problems
                        .report(Code::WrongType, entry.value.span, "`true` maps to nothing")
                        .fix("Write the Baton field, or `false` to leave this field out.");
                }
                _ => match field(object, vendor, entry, world, problems) {
                    Some(mapped) => {
                        let mapped = Mapped { own, ..mapped };
                        self.fields.insert(vendor.to_owned(), mapped);
                    }
                    None => self.certain = false,
                },
            }
        }
    }

    /// Two vendor fields written from one Baton field would undo each other.
    pub fn check_written_once(&self, problems: &mut Problems) {
        let mut written: BTreeMap<Name, (&str, Span)> = BTreeMap::new();
        let mut fields: Vec<(&String, &Mapped)> = self.fields.iter().collect();
        // What a system adds is what clashes with its vocabulary, not the other way round.
        fields.sort_by_key(|(_, mapped)| (mapped.own, mapped.key));
        for (vendor, mapped) in fields {
            if mapped.spec.direction == Direction::In {
                continue;
            }
            match written.get(&mapped.spec.field) {
                Some((first, _)) => {
                    problems.report(
                        Code::MappedTwice,
                        mapped.key,
                        format!(
                            "`{vendor}` and `{first}` are both written from `{}`",
                            mapped.spec.field
                        ),
                    );
                }
                None => {
                    written.insert(mapped.spec.field, (vendor, mapped.key));
                }
            }
        }
    }

    /// Baton fields that this object sends.
    pub fn sent(&self) -> BTreeSet<Name> {
        self.fields
            .values()
            .filter(|m| m.spec.direction != Direction::Out)
            .map(|m| m.spec.field)
            .chain(self.parts.iter().map(|(_, field)| *field))
            .collect()
    }

    pub fn maps(&self, field: Name) -> bool {
        self.fields.values().any(|m| m.spec.field == field)
            || self.parts.iter().any(|(_, of)| *of == field)
    }

    /// As the core wants it; aliases become fields that are only read.
    pub fn lower(&self) -> ObjectMapping {
        let mut fields = BTreeMap::new();
        for mapped in self.fields.values() {
            for alias in &mapped.aliases {
                let spec = MappedField {
                    direction: Direction::In,
                    required: false,
                    ..mapped.spec.clone()
                };
                fields.insert(CompactString::from(alias.as_str()), spec);
            }
        }
        for (vendor, mapped) in &self.fields {
            fields.insert(CompactString::from(vendor.as_str()), mapped.spec.clone());
        }
        for (part, field) in &self.parts {
            let spec = MappedField {
                direction: Direction::In,
                ..MappedField::plain(*field)
            };
            fields.insert(part.field.clone(), spec);
        }
        let compact = |text: &Option<String>| text.as_deref().map(CompactString::from);
        ObjectMapping {
            vendor: self.vendor.as_str().into(),
            fields,
            deleted_field: compact(&self.deleted_field),
            modified_field: compact(&self.modified_field),
            actor_field: compact(&self.actor_field),
            admit: true,
            parts: self.parts.iter().map(|(part, _)| part.clone()).collect(),
            ..ObjectMapping::default()
        }
    }

    /// What this system's records may look like in a CSV file or in Baton's own form: its own names, and Baton's for
    /// everything, canonical picklist values included.
    pub fn lower_with_canonical(&self, object: Object, world: &World) -> ObjectMapping {
        let mut mapping = self.lower();
        for spec in mapping.fields.values_mut() {
            let canonical: Vec<CompactString> = spec.values.values().cloned().collect();
            for value in canonical {
                spec.values.entry(value.clone()).or_insert(value);
            }
        }
        for name in world.field_names(object.kind()) {
            mapping
                .fields
                .entry(name.into())
                .or_insert_with(|| MappedField {
                    direction: Direction::In,
                    ..MappedField::plain(name)
                });
        }
        mapping
    }
}

/// A row of another table, and the Baton field it holds.
fn part(
    object: Object,
    table: &Table,
    world: &World,
    problems: &mut Problems,
) -> Option<(Part, Name)> {
    let compact = |key: &str| table.text(key).map(|(text, _)| CompactString::from(text));
    let (name, span) = table.text("field")?;
    let field = world.field(object.kind(), name, span, problems)?;
    let vendor = compact("vendor")?;
    let part = Part {
        // No vendor's own name looks like this.
        field: format!("{vendor}[{field}]").into(),
        vendor,
        owner: compact("owner")?,
        when: table
            .each("when")
            .filter_map(|(column, entry)| Some((column.into(), scalar(&entry.value)?.into())))
            .collect(),
        value: compact("value")?,
    };
    Some((part, field))
}

fn field(
    object: Object,
    vendor: &str,
    entry: &Entry,
    world: &World,
    problems: &mut Problems,
) -> Option<Mapped> {
    let kind = object.kind();
    let key = entry.key;
    let table = match &entry.value.kind {
        tree::Kind::Text(name) => {
            let field = world.field(kind, name, entry.value.span, problems)?;
            return Some(Mapped {
                spec: MappedField::plain(field),
                key,
                max_length: None,
                required: None,
                aliases: Vec::new(),
                own: false,
            });
        }
        tree::Kind::Table(table) => table,
        _ => return None,
    };
    let (name, span) = table.text("field")?;
    let field = world.field(kind, name, span, problems)?;
    let mut spec = MappedField::plain(field);
    spec.direction = match table.text("direction").map(|(word, _)| word) {
        Some("in") => Direction::In,
        Some("out") => Direction::Out,
        _ => Direction::Both,
    };
    let flag = |key: &str| table.bool(key).unwrap_or(false);
    spec.closed = flag("closed");
    spec.required = flag("required");
    spec.negate = flag("negate");
    spec.epoch_millis = flag("epoch_millis");
    spec.max_length = table.int("max_length");
    let place = |key: &str| table.entry(key).map(|e| e.value.span);
    let declared = world.declared(kind, field.as_str()).filter(|d| d.certain);
    if let Some(declared) = declared.filter(|d| !d.doubted) {
        check_form(table, &spec, declared.kind, problems);
    }
    spec.separator = table
        .text("separator")
        .and_then(|(text, _)| text.chars().next());
    let allowed = declared.map_or(&[][..], |d| d.values.as_slice());
    spec.write = chosen(table, problems);
    spec.values = values(table, &spec, allowed, problems);
    let mut aliases = Vec::new();
    for (alias, span) in table.texts("aliases") {
        if alias == vendor {
            problems.report(
                Code::DuplicateEntry,
                span,
                format!("`{alias}` is the field's own name"),
            );
        } else {
            aliases.push(alias.to_owned());
        }
    }
    Some(Mapped {
        key,
        max_length: place("max_length").filter(|_| spec.max_length.is_some()),
        required: place("required").filter(|_| spec.required),
        spec,
        aliases,
        own: false,
    })
}

/// Settings that only make sense for some types.
fn check_form(table: &Table, spec: &MappedField, kind: FieldType, problems: &mut Problems) {
    let of = type_name(kind);
    let mut misplaced = |key: &str, code: Code, fits: bool| {
        if let Some(entry) = table.entry(key).filter(|e| !fits && !e.value.is_bad()) {
            let message = format!("`{key}` on `{}`, which is of type {of}", spec.field);
            problems.report(code, entry.key, message);
        }
    };
    let textual = matches!(
        kind,
        FieldType::Text
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Country
            | FieldType::MultiSelect
            | FieldType::Reference
    );
    misplaced("max_length", Code::LengthOfNonText, textual);
    misplaced(
        "negate",
        Code::FormNonType,
        !spec.negate || kind == FieldType::Boolean,
    );
    misplaced(
        "epoch_millis",
        Code::FormNonType,
        !spec.epoch_millis || matches!(kind, FieldType::Date | FieldType::Instant),
    );
    let one = table
        .text("separator")
        .is_none_or(|(text, _)| text.chars().count() == 1);
    misplaced(
        "separator",
        Code::SeparatorNonList,
        one && kind == FieldType::MultiSelect,
    );
}

/// Which of several vendor values is written; each must stand in the value map with that meaning.
fn chosen(table: &Table, problems: &mut Problems) -> BTreeMap<CompactString, CompactString> {
    let mut map = BTreeMap::new();
    for (canonical, entry) in table.each("write") {
        let Some(vendor) = scalar(&entry.value) else {
            continue;
        };
        let means = table
            .table("values")
            .and_then(|values| values.get(&vendor))
            .map(scalar);
        if means == Some(Some(canonical.to_owned())) {
            map.insert(canonical.into(), vendor.into());
        } else {
            problems.report(
                Code::WriteUnknown,
                entry.value.span,
                format!("`{vendor}` does not mean `{canonical}` in `values`"),
            );
        }
    }
    map
}

/// The value map, judged against the field's canonical values.
fn values(
    table: &Table,
    spec: &MappedField,
    allowed: &[String],
    problems: &mut Problems,
) -> BTreeMap<CompactString, CompactString> {
    let mut map = BTreeMap::new();
    let mut written: BTreeSet<String> = BTreeSet::new();
    let mut whole = true;
    let mut entries: Vec<(&str, &Entry)> = table.each("values").collect();
    entries.sort_by_key(|(_, entry)| entry.key);
    for (vendor, entry) in entries {
        let Some(canonical) = scalar(&entry.value) else {
            whole = false;
            continue;
        };
        let known = allowed.is_empty() || allowed.contains(&canonical);
        let canonical = if known {
            canonical
        } else {
            let meant = problems.unknown(
                Code::PicklistUnknownValue,
                entry.value.span,
                &format!("value of `{}`", spec.field),
                &canonical,
                allowed.iter().map(String::as_str),
            );
            match meant {
                Some(meant) => meant.to_owned(),
                None => {
                    whole = false;
                    continue;
                }
            }
        };
        let again = !written.insert(canonical.clone());
        let chosen = table.table("write").is_some_and(|w| w.has(&canonical));
        if again && !chosen && spec.direction != Direction::In {
            problems.report(
                Code::PicklistDuplicate,
                entry.key,
                format!("`{vendor}` is a second vendor value for `{canonical}`"),
            );
        }
        map.insert(vendor.into(), canonical.into());
    }
    let lacking: Vec<&str> = allowed
        .iter()
        .filter(|value| !written.contains(*value))
        .map(String::as_str)
        .collect();
    if let Some(entry) = table.entry("values")
        && whole
        && !lacking.is_empty()
        && spec.direction != Direction::In
        && !entry.value.is_bad()
    {
        problems
            .report(
                Code::PicklistUnmapped,
                entry.key,
                format!(
                    "no vendor value for {} of `{}`",
                    lacking.join(", "),
                    spec.field
                ),
            )
            .fix(format!(
                "Add `\"…\" = \"{}\"`, or set direction = \"in\".",
                lacking.first().copied().unwrap_or_default()
            ));
    }
    map
}

/// A scalar as text, the way canonical values are written.
pub(crate) fn scalar(node: &tree::Node) -> Option<String> {
    match &node.kind {
        tree::Kind::Text(text) => Some(text.clone()),
        tree::Kind::Integer(n) => Some(n.to_string()),
        tree::Kind::Float(text) => Some(text.clone()),
        tree::Kind::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

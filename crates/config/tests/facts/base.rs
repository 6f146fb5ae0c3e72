//! A small whole configuration that the tests put their mistakes into.

use std::{collections::BTreeMap, path::PathBuf};

use baton_config::{Environment, Loaded, load_from};

use crate::funnel_base::{HOLIDAYS, funnel_for};

/// How the base names its stages where there is no funnel.
const STAGES: &str = "[stages]\norder = [\"new\", \"nurture\", \"mql\", \"sql\", \"won\"]\n";

/// Two systems, a few fields of each type. Nothing in it is wrong.
pub const BASE: &str = r#"
[stages]
order = ["new", "nurture", "mql", "sql", "won"]

[ranks]
sources = ["crm", "map"]

[identity]
email = "email"

[systems.crm]
format = "salesforce"

[systems.crm.objects.contact]
vendor = "Contact"

[systems.crm.objects.contact.fields]
FirstName = "first_name"
LastName = { field = "last_name", required = true }
Email = "email"
City = "city"
Country = "country"
Phone = "phone"
MobilePhone = "mobile"
Score = "score"
Status = { field = "status", direction = "in" }
OptOut = "opt_out"

[systems.crm.objects.account]
vendor = "Account"
fields = { Name = "name" }

[systems.map]
format = "mautic"

[systems.map.objects.contact]
vendor = "contact"

[systems.map.objects.contact.fields]
firstname = "first_name"
lastname = "last_name"
email = "email"
city = "city"
country = "country"
phone = "phone"
mobile = "mobile"
points = "score"

[account.fields.name]

[deal.fields.name]
"#;

/// Fields of the base, each left out where an example defines it.
const FIELDS: [(&str, &str); 10] = [
    ("first_name", ""),
    ("last_name", ""),
    ("email", "type = \"email\"\n"),
    ("city", ""),
    ("country", "type = \"country\"\n"),
    ("phone", "type = \"phone\"\n"),
    ("mobile", "type = \"phone\"\n"),
    ("score", "type = \"integer\"\n"),
    (
        "status",
        "type = \"picklist\"\nvalues = [\"open\", \"working\", \"done\"]\n",
    ),
    ("opt_out", "type = \"boolean\"\n"),
];

/// The base with the fields that `example` does not define itself.
pub fn base_for(example: &str) -> String {
    let mut text = BASE.to_owned();
    for (name, body) in FIELDS {
        let header = format!("[person.fields.{name}]");
        let dotted = format!("[person.fields.{name}.");
        if !example.contains(&header) && !example.contains(&dotted) {
            text.push_str(&format!("\n{header}\n{body}"));
        } else if !body.is_empty() && !example.contains("type =") {
            // The example says something about a field whose type stands in the base.
            text.push_str(&format!("\n{header}\n{body}"));
        }
    }
    text
}

pub fn environment() -> Environment {
    [(
        "KAFKA_PASSWORD".to_owned(),
        "postgres://db/baton".to_owned(),
    )]
    .into()
}

/// Loads files given by name.
pub fn load_files(files: &[(&str, &str)]) -> Loaded {
    let files: BTreeMap<PathBuf, &str> = files
        .iter()
        .map(|(name, text)| (PathBuf::from(name), *text))
        .collect();
    load_from(&files, &environment())
}

/// The base with one more file; where that speaks of the funnel, with a funnel.
pub fn with(example: &str) -> Loaded {
    let base = base_for(example);
    if !example.contains("[lifecycle") {
        return load_files(&[("base.toml", &base), ("example.toml", example)]);
    }
    load_files(&[
        ("base.toml", &base.replace(STAGES, "")),
        ("funnel.toml", &funnel_for(example)),
        ("holidays/germany.toml", HOLIDAYS),
        ("example.toml", example),
    ])
}

/// `line:column code` of every problem in `example.toml`.
pub fn places(loaded: &Loaded) -> Vec<String> {
    loaded
        .problems
        .iter()
        .map(|p| format!("{}:{}:{} {}", p.file, p.line, p.column, p.code))
        .collect()
}

pub fn rules_with(example: &str) -> baton_core::rules::Rules {
    let loaded = with(example);
    assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
    loaded.rules.unwrap()
}

//! Many mistakes at once: each is reported once, at its own place, and hides no other.

use crate::base::{load_files, places};

/// Twenty-four mistakes of different kinds; `#!` marks where each must be found.
const WRONG: &str = r#"[stages]
order = ["new", "nurture", "mql", "sql", "won"]

[timing]
quantm = "1s"                        #! 1 unknown-key
horizon = "30 days"                  #! 11 bad-duration

[ranks]
sources = ["crm", "mapp"]            #! 19 unknown-system

[identity]
email = "email"

[systems.crm]
format = "salesforce"
zone = "Europe/Berln"                #! 8 unknown-zone
default_cause = "list-import"        #! 17 unknown-cause

[systems.crm.objects.contact]
vendor = "Contact"

[systems.crm.objects.contact.fields]
FirstName = "first_name"
LastName = "lastname"                #! 12 unknown-field
Email = "email"
City = "city"
Country = "country"
Rating = { field = "status", values = { Cold = "open", Hot = "dun" } }  #! 62 picklist-unknown-value
Age = { field = "age", max_length = 3 }  #! 24 length-of-non-text

[systems.map]
format = "mautik"                    #! 10 unknown-format
region = "USA"                       #! 10 unknown-region

[systems.map.objects.contact]
vendor = "contact"
fields = { firstname = "first_name", lastname = "last_name", email = "email", city = "city", country = "country" }
create = "allways"                   #! 10 unknown-choice

[person.fields.first_name]
rule = "lastest"                     #! 8 unknown-strategy

[person.fields.last_name]
rule = { only = "crn" }              #! 17 unknown-system

[person.fields.email]
type = "e-mail"                      #! 8 unknown-type
protect_manual_for = "-3d"           #! 22 duration-out-of-range

[person.fields.city]

[person.fields.country]
type = "country"

[person.fields.age]
type = "integer"
rule = "union"                       #! 8 strategy-wrong-type
personal = "yes"                     #! 12 wrong-type

[person.fields.status]
type = "picklist"
values = ["open", "done"]
rule = { by_stage = { until = "new", then = "fill", after = "latest" } }  #! 31 stage-unreachable

[person.fields.greeting]
rule = { derived = "conact(salutation, first_name)" }  #! 21 expression-function

[person.fields.salutation]

[person.groups.place]
fields = ["city", "country"]
requires = ["email"]                 #! 13 requires-outsider

[person.groups.region]
fields = ["country", "greeter"]      #! 11 overlapping-groups

[person.fields.greeter]

[kafka.client]
"sasl.password" = "hunter2"          #! 19 secret-inline
"group.id" = "mine"                  #! 1 kafka-setting-owned

[admin]
bind = "0.0.0.0:9464"                #! 8 admin-exposed

[daemon]
batch_messages = 0                   #! 18 number-out-of-range
"#;

fn expected(text: &str, file: &str) -> Vec<String> {
    text.lines()
        .zip(1..)
        .filter_map(|(line, number)| {
            let (_, mark) = line.split_once("#! ")?;
            let (column, code) = mark.split_once(' ')?;
            Some(format!("{file}:{number}:{column} {code}"))
        })
        .collect()
}

#[test]
fn every_one_of_many_mistakes_is_found_once_at_its_place() {
    let loaded = load_files(&[("wrong.toml", WRONG)]);
    let wanted = expected(WRONG, "wrong.toml");
    assert!(wanted.len() >= 20);
    assert_eq!(places(&loaded), wanted, "{:#?}", loaded.problems);
    assert!(loaded.rules.is_none() && loaded.settings.is_none());
    for problem in &loaded.problems {
        assert!(!problem.message.is_empty() && !problem.why.is_empty() && !problem.fix.is_empty());
        assert!(!problem.message.contains("hunter2"));
    }
}

#[test]
fn a_name_that_is_defined_nowhere_is_one_problem_however_often_it_stands() {
    let loaded = load_files(&[(
        "a.toml",
        "[identity]\nemail = \"mail\"\n[identity.keys]\nperson = [\"mail\"]\n\
         [systems.crm]\nformat = \"baton\"\nobjects.contact = { vendor = \"c\", fields = { a = \"mail\" } }\n\
         [person.fields.other]\n",
    )]);
    assert_eq!(places(&loaded), ["a.toml:2:9 unknown-field"]);
    assert!(loaded.problems[0].message.contains("2 more places"));
}

#[test]
fn a_broken_file_does_not_hide_what_is_wrong_in_another() {
    let loaded = load_files(&[
        ("a.toml", &crate::base::base_for("")),
        (
            "b.toml",
            "[timing]\nquantum = \n[mass_clear]\nrecords = -1\n",
        ),
        ("c.toml", "[daemon]\nroles = [\"engin\"]\n"),
    ]);
    assert_eq!(
        places(&loaded),
        [
            "b.toml:2:10 toml-syntax",
            "b.toml:4:11 number-out-of-range",
            "c.toml:2:10 unknown-role"
        ]
    );
    assert_eq!(loaded.problems[2].suggestion.as_deref(), Some("engine"));
}

#[test]
fn json_has_exactly_the_published_members() {
    let loaded = load_files(&[("wrong.toml", WRONG)]);
    let json = serde_json::to_value(&loaded.problems).unwrap();
    for problem in json.as_array().unwrap() {
        let keys: Vec<&String> = problem.as_object().unwrap().keys().collect();
        let mut wanted = [
            "file",
            "line",
            "column",
            "code",
            "message",
            "why",
            "fix",
            "suggestion",
        ];
        wanted.sort_unstable();
        let mut keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, wanted);
    }
}

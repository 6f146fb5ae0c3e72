//! What stewards write becomes the rules that are meant.

use std::collections::BTreeMap;

use baton_core::{
    change::{Cause, Format},
    id::Object,
    name::Name,
    rules::{
        ClearPolicy, Condition, ConsentState, CreatePolicy, Decay, Direction, Expr, OnBlank,
        OnTransition, Segment, Strategy, Trust, TrustSource,
    },
    time::{DAY, MINUTE},
    value::Value,
};

use crate::base::{load_files, rules_with, with};

fn rule(text: &str) -> Strategy {
    let rules = rules_with(&format!("[person.fields.first_name]\n{text}\n"));
    rules.person.fields[&Name::new("first_name")]
        .strategy
        .clone()
}

fn only(source: &str) -> Strategy {
    Strategy::Only {
        source: source.into(),
    }
}

#[test]
fn plain_strategies_are_their_names() {
    for (word, strategy) in [
        ("latest", Strategy::Latest),
        ("fill", Strategy::Fill),
        ("first", Strategy::First),
        ("most_complete", Strategy::MostComplete),
        ("longest", Strategy::Longest),
        ("manual", Strategy::Manual { fallback: None }),
    ] {
        assert_eq!(rule(&format!("rule = \"{word}\"")), strategy);
    }
    for (kind, word, strategy) in [
        ("integer", "max", Strategy::Max),
        ("date", "min", Strategy::Min),
        ("multi_select", "union", Strategy::Union),
    ] {
        let text = format!("type = \"{kind}\"\nrule = \"{word}\"");
        assert_eq!(rule(&text), strategy);
    }
}

#[test]
fn priority_keeps_its_order_and_its_answer_to_blanks() {
    assert_eq!(
        rule("rule = { priority = [\"map\", \"crm\"], on_blank = \"hold\" }"),
        Strategy::Priority {
            sources: vec!["map".into(), "crm".into()],
            on_blank: OnBlank::Hold
        }
    );
}

#[test]
fn trust_has_points_per_system() {
    let text = "[person.fields.first_name.rule]\nmargin = 2.5\ndoubtful = 10\n\
        [person.fields.first_name.rule.trust]\n\
        crm = { max = 90, min = 20.5, period = \"365d\", decay = \"fast_then_slow\" }\n\
        map = { max = 60, min = 0, period = \"26w\" }\n";
    let rules = rules_with(text);
    let source = |max: &str, min: &str, period_days, decay| TrustSource {
        max: max.parse().unwrap(),
        min: min.parse().unwrap(),
        period_days,
        decay,
    };
    assert_eq!(
        rules.person.fields[&Name::new("first_name")].strategy,
        Strategy::Trust(Trust {
            sources: BTreeMap::from([
                ("crm".into(), source("90", "20.5", 365, Decay::FastThenSlow)),
                ("map".into(), source("60", "0", 182, Decay::Linear)),
            ]),
            margin: "2.5".parse().unwrap(),
            doubtful: "10".parse().unwrap(),
        })
    );
}

#[test]
fn by_stage_has_as_many_stretches_as_are_written() {
    let two = rule(
        "rule = { by_stage = { until = \"mql\", then = { only = \"map\" }, after = { only = \"crm\" } } }",
    );
    assert_eq!(
        two,
        Strategy::ByStage {
            segments: vec![
                Segment {
                    until: Some("mql".into()),
                    strategy: only("map")
                },
                Segment {
                    until: None,
                    strategy: only("crm")
                },
            ],
            on_transition: OnTransition::Keep
        }
    );
    let three = rule(
        "rule.by_stage.segments = [{ until = \"mql\", then = { only = \"map\" } }, { until = \"sql\", then = \"latest\" }]\n\
         rule.by_stage.after = { only = \"crm\" }\n\
         rule.by_stage.on_transition = \"rejudge\"",
    );
    let Strategy::ByStage {
        segments,
        on_transition,
    } = three
    else {
        panic!("{three:?}");
    };
    assert_eq!(segments.len(), 3);
    assert_eq!(segments[1].until, Some("sql".into()));
    assert_eq!(on_transition, OnTransition::Rejudge);
}

#[test]
fn manual_falls_back_after_its_time() {
    assert_eq!(
        rule("rule = { manual = { after = \"14d\", then = \"latest\" } }"),
        Strategy::Manual {
            fallback: Some((14 * DAY, Box::new(Strategy::Latest)))
        }
    );
}

#[test]
fn expressions_are_read_inside_out() {
    let field = |name: &str| Expr::Field(name.into());
    for (text, expr) in [
        (
            "'concat(last_name, \", \", first_name)'",
            Expr::Concat {
                parts: vec![
                    field("last_name"),
                    Expr::Literal(Value::text(", ")),
                    field("first_name"),
                ],
                separator: "".into(),
            },
        ),
        (
            "'join(\" \", first_name, last_name)'",
            Expr::Concat {
                parts: vec![field("first_name"), field("last_name")],
                separator: " ".into(),
            },
        ),
        (
            "\"coalesce(mobile, phone)\"",
            Expr::Coalesce(vec![field("mobile"), field("phone")]),
        ),
        (
            "\"upper(domain(email))\"",
            Expr::Upper(Box::new(Expr::Domain(Box::new(field("email"))))),
        ),
        (
            "\"sum(score, 1.5)\"",
            Expr::Sum(vec![
                field("score"),
                Expr::Literal(Value::Number("1.5".parse().unwrap())),
            ]),
        ),
    ] {
        let rules = rules_with(&format!(
            "[person.fields.made]\nrule = {{ derived = {text} }}\n"
        ));
        assert_eq!(
            rules.person.fields[&Name::new("made")].strategy,
            Strategy::Derived(expr)
        );
    }
}

#[test]
fn the_address_group_of_the_contract_parses_exactly() {
    let rules = rules_with(
        "[person.groups.place]\nfields = [\"city\", \"country\"]\nrule = \"latest\"\nrequires = [\"country\"]\nprotect_manual_for = \"180d\"\n",
    );
    let group = &rules.person.groups[&Name::new("place")];
    assert_eq!(group.fields, ["city".into(), "country".into()] as [Name; 2]);
    assert_eq!(group.requires, ["country".into()] as [Name; 1]);
    assert_eq!(group.strategy, Strategy::Latest);
    assert_eq!(group.protect_manual, Some(180 * DAY));
    assert_eq!(
        rules.person.group_of.get(&Name::new("city")),
        Some(&Name::new("place"))
    );
}

#[test]
fn fields_that_fill_or_come_first_ignore_clears_unless_told_otherwise() {
    for (text, policy) in [
        ("rule = \"fill\"", ClearPolicy::Ignore),
        ("rule = \"first\"", ClearPolicy::Ignore),
        ("rule = \"latest\"", ClearPolicy::PropagateIfManual),
        ("rule = \"fill\"\nclear = \"hold\"", ClearPolicy::Hold),
    ] {
        let rules = rules_with(&format!("[person.fields.first_name]\n{text}\n"));
        assert_eq!(
            rules.person.fields[&Name::new("first_name")].clear,
            policy,
            "{text}"
        );
    }
}

#[test]
fn sentinels_are_compared_without_case_and_come_from_the_defaults() {
    let rules = rules_with(
        "[person.defaults]\nsentinels = [\"N/A\"]\n[person.fields.nick]\n[person.fields.nack]\nsentinels = [\"[Not Provided]\"]\n",
    );
    let of = |name: &str| {
        let fields = &rules.person.fields[&Name::new(name)];
        fields.sentinels.iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("nick"), ["n/a"]);
    assert_eq!(of("nack"), ["[not provided]"]);
    assert!(of("score").is_empty(), "a number has no fillers");
}

#[test]
fn consent_names_its_channel_in_the_field() {
    let rules = rules_with(
        "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
    );
    let field = &rules.person.fields[&Name::new("opt_out")];
    assert_eq!(field.consent, Some("email".into()));
    assert_eq!(field.strategy, Strategy::MostRestrictive);
    assert_eq!(rules.consents[0].states["true"], ConsentState::OptedOut);
}

#[test]
fn systems_overlay_their_vocabulary() {
    let vocabulary = "[contact]\nvendor = \"Contact\"\nmodified_field = \"Stamp\"\n[contact.fields]\nA = \"first_name\"\nB = { field = \"last_name\", aliases = [\"Name.B\"] }\nC = \"city\"\n";
    let rest = "[systems.crm]\nformat = \"salesforce\"\n[systems.crm.objects.contact]\ncreate = \"always\"\nadmit = false\n\
        [systems.crm.objects.contact.fields]\nC = false\nD = \"city\"\n\
        [systems.all]\nformat = \"salesforce\"\n\
        [identity]\nemail = \"email\"\n[person.fields]\nfirst_name = {}\nlast_name = {}\ncity = {}\nemail = { type = \"email\" }\n";
    let loaded = load_files(&[
        ("a.toml", rest),
        ("vocabularies/salesforce.toml", vocabulary),
    ]);
    assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
    let rules = loaded.rules.unwrap();
    let crm = rules.object("crm".into(), Object::Contact).unwrap();
    let fields: Vec<_> = crm.fields.keys().map(|k| k.as_str()).collect();
    assert_eq!(fields, ["A", "B", "D", "Name.B"]);
    assert_eq!(crm.fields["Name.B"].direction, Direction::In);
    assert_eq!(crm.modified_field.as_deref(), Some("Stamp"));
    assert_eq!(crm.create, CreatePolicy::Always);
    assert!(!crm.admit);
    let all = rules.object("all".into(), Object::Contact).unwrap();
    assert!(all.fields.contains_key("C"), "another system is untouched");
    assert!(all.admit);
}

#[test]
fn a_payload_of_another_format_is_read_by_that_formats_vocabulary() {
    let loaded = load_files(&[
        (
            "a.toml",
            "[systems.crm]\nformat = \"salesforce\"\n[identity]\nemail = \"email\"\n[person.fields.email]\ntype = \"email\"\n",
        ),
        (
            "vocabularies/salesforce.toml",
            "[contact]\nvendor = \"Contact\"\nfields = { Email = \"email\" }\n",
        ),
        (
            "vocabularies/marketo.toml",
            "[lead]\nvendor = \"lead\"\nfields = { emailAddress = \"email\" }\n",
        ),
    ]);
    let rules = loaded.rules.unwrap();
    let crm = &rules.systems[&Name::new("crm")];
    let marketo = crm.mapping(Format::Marketo, Object::Lead).unwrap();
    assert!(marketo.fields.contains_key("emailAddress"));
}

#[test]
fn a_system_that_speaks_batons_own_language_maps_every_field() {
    let rules = rules_with("[systems.events]\nformat = \"baton\"\n");
    let contact = rules.object("events".into(), Object::Contact).unwrap();
    assert_eq!(contact.fields.len(), rules.person.fields.len());
}

#[test]
fn causes_are_case_folded_and_ranked() {
    let rules = rules_with(
        "[systems.events]\nformat = \"baton\"\ndefault_cause = \"api\"\nactor_cause = \"manual_edit\"\ncauses = { CRM_UI = \"manual_edit\" }\nactors = { \"List Import\" = \"list_import\" }\n\
         [ranks]\ncauses = [\"manual_edit\", \"own_form\", \"sales_tool\", \"enrichment\", \"list_import\", \"api\", \"unknown\"]\n",
    );
    let system = &rules.systems[&Name::new("events")];
    assert_eq!(system.causes["crm_ui"], Cause::ManualEdit);
    assert_eq!(system.actor_causes["list import"], Cause::ListImport);
    assert_eq!(system.default_cause, Cause::Api);
    assert_eq!(system.actor_default, Some(Cause::ManualEdit));
    assert_eq!(rules.rank_of_cause(Cause::ManualEdit), 0);
    assert_eq!(rules.rank_of_cause(Cause::OwnForm), 1);
}

#[test]
fn filters_are_typed_by_their_field() {
    let rules = rules_with(
        "[systems.crm.objects.contact]\nfilter = [{ field = \"opt_out\", equals = false }, { field = \"score\", at_least = 50 }, { field = \"email\", present = true }, { field = \"country\", not_equals = \"US\" }]\n",
    );
    let filter = &rules.object("crm".into(), Object::Contact).unwrap().filter;
    assert_eq!(
        *filter,
        [
            Condition::Equals("opt_out".into(), Value::Bool(false)),
            Condition::AtLeast("score".into(), 50.into()),
            Condition::Present("email".into()),
            Condition::NotEquals("country".into(), Value::text("US")),
        ]
    );
}

#[test]
fn timing_and_settings_are_read() {
    let loaded = with(
        "[timing]\nquantum = \"2s\"\ngive_up = \"1h 30m\"\n[daemon]\nbatch_bytes = \"1MiB\"\nroles = [\"relay\"]\n[kafka]\nbootstrap = \"a:9092,b:9092\"\n[kafka.client]\n\"sasl.password\" = { env = \"KAFKA_PASSWORD\" }\n\"linger.ms\" = 5\n",
    );
    let rules = loaded.rules.unwrap();
    assert_eq!(rules.timing.quantum, 2_000);
    assert_eq!(rules.timing.give_up, 90 * MINUTE);
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.daemon.batch_bytes, 1 << 20);
    assert_eq!(settings.daemon.roles.len(), 1);
    assert_eq!(settings.kafka.bootstrap.as_deref(), Some("a:9092,b:9092"));
    assert_eq!(settings.kafka.client["linger.ms"].reveal(), "5");
    assert_eq!(
        settings.topics.systems[&Name::new("crm")].changes,
        "baton.crm.changes"
    );
    let printed = format!("{settings:?}");
    assert!(!printed.contains("postgres://db/baton"), "{printed}");
}

#[test]
fn version_is_the_content_of_the_rule_files_alone() {
    let base = crate::base::base_for("");
    let version = |files: &[(&str, &str)]| load_files(files).rules.unwrap().version;
    let first = version(&[
        ("base.toml", &base),
        ("run.toml", "[topics]\npartitions = 4\n"),
    ]);
    let other_settings = version(&[
        ("base.toml", &base),
        ("run.toml", "[topics]\npartitions = 8\n"),
    ]);
    let other_rules = version(&[
        ("base.toml", &base),
        ("run.toml", "[timing]\nquantum = \"2s\"\n"),
    ]);
    assert_eq!(first.len(), 12);
    assert_eq!(first, other_settings);
    assert_ne!(first, other_rules);
}

#[test]
fn a_row_of_another_table_is_a_field_of_its_owner() {
    use baton_core::{
        book::Incoming,
        change::{Class, RawChange},
        id::{Digest, Position},
        normalise::normalise,
        time::Millis,
        value::Raw,
    };
    let rules = rules_with(
        "[systems.erp]\nformat = \"debezium\"\n[systems.erp.objects.contact]\nvendor = \"party\"\nfields = { name = \"first_name\" }\n\
         [[systems.erp.objects.contact.parts]]\nvendor = \"mechanism\"\nowner = \"party\"\nwhen = { type = \"email\" }\nvalue = \"value\"\nfield = \"email\"\n",
    );
    let row = |kind: &str, class: Class| {
        let mut raw = RawChange::new("77", class);
        raw.object = Some("mechanism".into());
        raw.time = Some(Millis(1_000));
        raw.push("party", Raw::Number("2".into()));
        raw.push("type", Raw::text(kind));
        raw.push("value", Raw::text("Ada@Example.com"));
        let incoming = Incoming {
            system: "erp".into(),
            format: Format::Debezium,
            raw,
            position: Position::new(Millis(2_000), 0, 0, 0),
            index: 0,
            message: Digest::default(),
        };
        normalise(incoming, &rules).unwrap()
    };
    let email = row("email", Class::Event);
    assert_eq!(email.record.id, "2");
    assert_eq!(email.class, Class::Event);
    assert_eq!(email.fields.len(), 1);
    assert_eq!(email.fields[0].field, Name::new("email"));
    assert_eq!(email.fields[0].value, Value::text("ada@example.com"));
    assert_eq!(row("fax", Class::Event).class, Class::Tombstone);
    assert_eq!(row("email", Class::Delete).class, Class::Tombstone);
}

#[test]
fn words_for_causes_come_from_vocabularies_and_the_system_knows_best() {
    let loaded = load_files(&[
        (
            "a.toml",
            "[systems.crm]\nformat = \"salesforce\"\ncauses = { IMPORT = \"api\" }\n[identity]\nemail = \"email\"\n[person.fields.email]\ntype = \"email\"\n",
        ),
        (
            "vocabularies/hubspot.toml",
            "[causes]\nIMPORT = \"list_import\"\nCRM_UI = \"manual_edit\"\n",
        ),
    ]);
    assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
    let rules = loaded.rules.unwrap();
    let causes = &rules.systems[&Name::new("crm")].causes;
    assert_eq!(causes["import"], Cause::Api);
    assert_eq!(causes["crm_ui"], Cause::ManualEdit);
}

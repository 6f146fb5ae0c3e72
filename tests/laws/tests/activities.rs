//! What vendors say people did becomes acts as the shipped funnel speaks of them.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeMap, fs, path::PathBuf, sync::LazyLock};

use baton_config::{Environment, load, load_from};
use baton_connectors::{Item, Message, decode};
use baton_core::{
    book::Incoming,
    change::{Change, Class, Format},
    id::{Digest, Position},
    normalise::normalise,
    rules::Rules,
    time::Millis,
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

static SHIPPED: LazyLock<Rules> =
    LazyLock::new(|| load(&root().join("config")).unwrap().rules.unwrap());

fn payload(format: Format, name: &str) -> String {
    let folder = root().join("crates/connectors/tests/payloads");
    fs::read_to_string(folder.join(format.as_str()).join(format!("{name}.json"))).unwrap()
}

/// The changes of a message of a system whose own format need not be this one.
fn changes(
    system: &str,
    format: Format,
    text: &str,
    object: Option<&str>,
    rules: &Rules,
) -> Vec<Change> {
    let message = Message {
        value: Some(text.as_bytes()),
        object,
        ..Message::default()
    };
    let items = decode(format, &message).unwrap();
    let raws = items.into_iter().filter_map(|item| match item {
        Item::Change(raw) => Some(raw),
        Item::Refused(_) => None,
    });
    raws.enumerate()
        .map(|(index, raw)| {
            let incoming = Incoming {
                system: system.into(),
                format,
                raw,
                position: Position::new(Millis(1_800_000_000_000), 0, 0, 0),
                index: u32::try_from(index).unwrap(),
                message: Digest::default(),
            };
            normalise(incoming, rules).unwrap()
        })
        .collect()
}

/// Each activity in a line.
fn told(changes: &[Change]) -> Vec<String> {
    let said = |change: &Change| match &change.class {
        Class::Act(act) => Some(format!(
            "{} {}: {} by {}, under {}, about {}, from {}",
            change.record.object.as_str(),
            change.record.id,
            act.kind,
            act.actor.as_str(),
            act.category,
            act.content.as_deref().unwrap_or("nothing"),
            act.campaign.as_deref().unwrap_or("nothing"),
        )),
        Class::Activity { kind } => Some(format!("{}: {kind}, which is nothing", change.record.id)),
        _ => None,
    };
    changes.iter().filter_map(said).collect()
}

fn acts(format: Format, name: &str, object: Option<&str>) -> Vec<String> {
    let system = if format == Format::Salesforce {
        "crm"
    } else {
        "map"
    };
    told(&changes(
        system,
        format,
        &payload(format, name),
        object,
        &SHIPPED,
    ))
}

#[test]
fn calls_meetings_and_finished_tasks_of_salesforce_are_acts_of_sales() {
    assert_eq!(
        acts(
            Format::Salesforce,
            "a_logged_call_is_an_activity_of_the_lead_it_was_with",
            None
        ),
        [
            "lead 00Q5f00003LeAdAEAV: call_connected by sales, under conversations, about Called about the pilot, from nothing"
        ]
    );
    assert_eq!(
        acts(
            Format::Salesforce,
            "a_task_that_gets_done_counts_where_the_stream_is_enriched_with_the_person",
            None
        ),
        [
            "contact 0035f00002AbCdEAAV: call by sales, under conversations, about Call back, from nothing"
        ]
    );
    assert_eq!(
        acts(
            Format::Salesforce,
            "a_meeting_counts_when_it_is_made_and_for_whom_it_names",
            None
        ),
        [
            "contact 0035f00002AbCdEAAV: meeting by sales, under conversations, about Demo, from nothing"
        ]
    );
}

#[test]
fn a_task_that_is_read_is_the_same_act_as_the_one_that_was_told() {
    let events = |name| {
        let text = payload(Format::Salesforce, name);
        let changes = changes("crm", Format::Salesforce, &text, None, &SHIPPED);
        changes
            .iter()
            .map(|change| change.event)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        events("a_logged_call_is_an_activity_of_the_lead_it_was_with"),
        events("tasks_that_are_read_are_the_activities_they_were_told_as")
    );
}

#[test]
fn engagements_of_hubspot_are_acts_of_each_of_their_contacts() {
    assert_eq!(
        acts(
            Format::Hubspot,
            "engagements_are_activities_of_each_of_their_contacts",
            None
        ),
        [
            "contact 61: call_connected by sales, under conversations, about nothing, from nothing",
            "contact 62: call_connected by sales, under conversations, about nothing, from nothing",
            "contact 61: reply by buyer, under conversations, about Re: the pilot, from nothing",
            "contact 62: note by sales, under conversations, about nothing, from nothing",
        ]
    );
    assert_eq!(
        acts(
            Format::Hubspot,
            "calls_that_are_read_with_their_contacts_are_activities",
            Some("calls")
        ),
        ["contact 61: call_connected by sales, under conversations, about Pilot, from nothing"]
    );
}

#[test]
fn what_buyers_do_in_marketo_is_read_by_the_number_of_its_type() {
    assert_eq!(
        acts(Format::Marketo, "what_people_do_claims_nothing", None),
        [
            "lead 785: form_fill by buyer, under forms, about Contact us, from nothing",
            "lead 785: email_open by buyer, under e-mail, about Newsletter, from nothing",
            "785: 46, which is nothing",
            "lead 785: event by buyer, under events, about Webinar, from Webinar",
        ]
    );
}

#[test]
fn what_buyers_do_in_mautic_is_read_by_its_event() {
    assert_eq!(
        acts(Format::Mautic, "opens_clicks_and_forms_claim_nothing", None),
        [
            "contact 11: email_open by buyer, under e-mail, about News, from nothing",
            "contact 11: page_view by buyer, under website, about Pricing, from nothing",
            "contact 11: form_fill by buyer, under forms, about Demo, from nothing",
            "11: email_on_send, which is nothing",
        ]
    );
}

/// The shipped configuration with one more line for the CRM.
fn with(line: &str) -> Rules {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for folder in ["", "vocabularies", "holidays"] {
        for entry in fs::read_dir(root().join("config").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ext| ext == "toml") {
                let name = PathBuf::from(folder).join(path.file_name().unwrap());
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let systems = files.get_mut(&PathBuf::from("systems.toml")).unwrap();
    *systems = systems.replace("[systems.crm]\n", &format!("[systems.crm]\n{line}\n"));
    let loaded = load_from(&files, &Environment::default());
    assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
    loaded.rules.unwrap()
}

#[test]
fn what_a_program_or_baton_did_is_nobodys_attention() {
    let text = payload(
        Format::Salesforce,
        "a_logged_call_is_an_activity_of_the_lead_it_was_with",
    );
    let first = |text: &str| {
        let changes = changes("crm", Format::Salesforce, text, None, &SHIPPED);
        told(&changes).remove(0)
    };
    let by_flow = text.replace("0055f000005mc66AAA", "005BT2ZBJ38WUMCYO4");
    assert!(first(&by_flow).contains("call_connected by automation"));
    let by_baton = text.replace("client=SfdcInternalAPI", "client=baton");
    assert!(first(&by_baton).contains("call_connected by baton"));
}

#[test]
fn a_systems_own_words_go_over_its_vocabulary() {
    let rules = with(
        "activities = { \"Event:Event\" = [{ when = { Subject = \"demo\" }, kind = \"demo_request\", by = \"buyer\" }, { kind = \"meeting\", by = \"sales\" }] }",
    );
    let text = payload(
        Format::Salesforce,
        "a_meeting_counts_when_it_is_made_and_for_whom_it_names",
    );
    let changes = changes("crm", Format::Salesforce, &text, None, &rules);
    assert_eq!(
        told(&changes),
        [
            "contact 0035f00002AbCdEAAV: demo_request by buyer, under requests, about nothing, from nothing"
        ]
    );
}

#[test]
fn in_batons_own_form_an_activity_is_called_by_the_rules_own_name() {
    let text = r#"{"object":"contact","id":"1","class":"activity","kind":"meeting","time":"2026-03-16T09:00:00Z","fields":{"by":"sales","content":"Pilot"}}"#;
    let changes = changes("map", Format::Baton, text, None, &SHIPPED);
    assert_eq!(
        told(&changes),
        ["contact 1: meeting by sales, under conversations, about Pilot, from nothing"]
    );
}

#[test]
fn without_a_funnel_activities_stay_as_they_came() {
    let rules = Rules {
        funnel: None,
        ..SHIPPED.clone()
    };
    let text = payload(Format::Mautic, "opens_clicks_and_forms_claim_nothing");
    let changes = changes("map", Format::Mautic, &text, None, &rules);
    assert!(
        changes
            .iter()
            .all(|change| matches!(change.class, Class::Activity { .. }))
    );
}

//! Every captured sample goes through `split` and `decode`. They lie beside the checkout; without them these tests
//! say so loudly and the fixtures of the same shapes (`tests/fixtures`) stand in.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{fs, path::PathBuf};

use baton_connectors::{Item, Message, decode, split};
use baton_core::{
    change::{Class, Format, RawChange},
    id::Object,
    value::Raw,
};

fn folder() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let near = root.ancestors().skip(2).find_map(|up| {
        ["../shared/samples", "shared/samples"]
            .iter()
            .map(|path| up.join(path))
            .find(|path| path.is_dir())
    });
    if near.is_none() {
        eprintln!(
            "SKIPPED: no folder ../shared/samples beside the checkout; only the fixtures were tested"
        );
    }
    near
}

fn all(file: &str, format: Format, object: Option<&str>) -> Option<Vec<Item>> {
    let bytes = fs::read(folder()?.join(file)).unwrap();
    let mut items = Vec::new();
    for payload in split(format, &bytes) {
        let message = Message {
            key: payload.key.as_deref(),
            value: payload.value.as_deref(),
            object: payload.object.as_deref().or(object),
            ..Message::default()
        };
        items.extend(decode(format, &message).unwrap());
    }
    Some(items)
}

fn changes(file: &str, format: Format, object: Option<&str>) -> Option<Vec<RawChange>> {
    let items = all(file, format, object)?;
    Some(
        items
            .into_iter()
            .map(|item| match item {
                Item::Change(change) => change,
                Item::Refused(e) => panic!("{file}: {e}"),
            })
            .collect(),
    )
}

fn value<'c>(change: &'c RawChange, name: &str) -> Option<&'c Raw> {
    change
        .fields
        .iter()
        .find(|f| f.name == name)
        .map(|f| &f.value)
}

#[test]
fn every_sample_is_read_without_a_refusal_but_the_vendors_own() {
    let Some(folder) = folder() else { return };
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let system = name.split('-').next().unwrap();
        let Some(format) = Format::parse(system) else {
            continue;
        };
        files += 1;
        for item in all(&name, format, Some("lead")).unwrap() {
            if let Item::Refused(e) = item {
                assert_eq!(e.code.as_str(), "vendor-error", "{name}: {e}");
                assert!(name.contains("response"), "{name}: {e}");
            }
        }
    }
    assert!(files >= 24, "{files} samples");
}

#[test]
fn the_lead_conversion_makes_three_records_and_clears_nothing() {
    let file = "salesforce-cdc-lead-conversion-tx.json";
    let Some(changes) = changes(file, Format::Salesforce, None) else {
        return;
    };
    assert_eq!(changes.len(), 5);
    assert!(changes.iter().flat_map(|c| &c.fields).all(|f| !f.cleared));
    let objects: Vec<_> = changes
        .iter()
        .map(|c| c.object.as_deref().unwrap())
        .collect();
    assert_eq!(
        objects,
        ["Account", "Contact", "Opportunity", "Lead", "Lead"]
    );
    let contact = &changes[1];
    assert_eq!(value(contact, "Name.FirstName"), Some(&Raw::text("Brenda")));
    assert_eq!(value(contact, "MailingAddress.City"), Some(&Raw::Null));
    assert_eq!(value(contact, "OtherAddress"), None);
    assert!(changes[4].fields.iter().all(|f| f.value != Raw::Null));
    let to = vec![
        (Object::Contact, "0035f00002EztxDAAR".into()),
        (Object::Account, "0015f00002JUX1JAAX".into()),
        (Object::Deal, "0065f00000UloqVAAR".into()),
    ];
    // Before what else the lead says, so that its values are judged as the contact's.
    assert_eq!(changes[3].class, Class::Convert { to });
    assert!(changes.windows(2).all(|w| w[0].seq <= w[1].seq));
    assert_eq!(contact.origin.as_deref(), Some("SfdcInternalAPI"));
}

#[test]
fn the_account_update_carries_the_three_named_fields_only() {
    let file = "salesforce-pubsub-account-update.json";
    let Some(changes) = changes(file, Format::Salesforce, None) else {
        return;
    };
    let [change] = &changes[..] else {
        panic!("{changes:?}")
    };
    let names: Vec<_> = change.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "BillingAddress.City",
            "BillingAddress.State",
            "LastModifiedDate"
        ]
    );
    assert_eq!(change.class, Class::Delta);
}

#[test]
fn the_captured_tables_give_rows_deletes_and_tombstones_but_no_markers() {
    let file = "debezium-3.6.3-postgres-tryton-party.jsonl";
    let Some(changes) = changes(file, Format::Debezium, None) else {
        return;
    };
    let count = |class: &Class| changes.iter().filter(|c| c.class == *class).count();
    assert_eq!(count(&Class::Snapshot), 2);
    assert_eq!(count(&Class::Event), 5);
    assert_eq!(count(&Class::Delete), 2);
    assert_eq!(count(&Class::Tombstone), 2);
    assert_eq!(changes.len(), 11);
    let renamed = changes
        .iter()
        .find(|c| value(c, "name") == Some(&Raw::text("Grace H.")));
    let field = renamed.unwrap().fields.iter().find(|f| f.name == "name");
    assert_eq!(field.unwrap().before, Some(Raw::text("Grace Hopper")));
    let tables = ["party_party", "party_contact_mechanism"];
    assert!(
        changes
            .iter()
            .all(|c| tables.contains(&c.object.as_deref().unwrap()))
    );
}

#[test]
fn the_espocrm_lead_converts_once_and_its_versions_rise() {
    let file = "espocrm-8.4.2-webhook-002.json";
    let Some(changes) = changes(file, Format::Espocrm, Some("Lead")) else {
        return;
    };
    let seqs: Vec<_> = changes.iter().map(|c| c.seq).collect();
    assert_eq!(seqs, [Some(2), Some(3), Some(3)]);
    assert!(matches!(&changes[1].class, Class::Convert { to } if to.len() == 3));
    assert!(changes[1].time.is_some());
}

#[test]
fn raw_bodies_say_the_same_as_their_captures() {
    let Some(folder) = folder() else { return };
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = name.strip_suffix(".raw") else {
            continue;
        };
        let format = Format::parse(stem.split('-').next().unwrap()).unwrap();
        assert_eq!(
            all(&name, format, None),
            all(&format!("{stem}.json"), format, None)
        );
    }
}

#[test]
fn the_mautic_points_change_has_its_before_image_and_nothing_stale() {
    let file = "mautic-5.1.0-003-lead_points_change.json";
    let Some(changes) = changes(file, Format::Mautic, None) else {
        return;
    };
    let [change] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(change.fields.len(), 1);
    assert_eq!(change.fields[0].value, Raw::Number("15".into()));
    assert_eq!(change.fields[0].before, Some(Raw::Number("0".into())));
}

//! The vendors' payloads, made in code in the shape in which they come.

use std::fmt::Write as _;

use baton_core::{change::Format, id::Object, time::Millis};
use serde_json::{Map, Value, json};

use super::people::{FIELDS, Touch};

/// A message on its way into the log.
pub struct Sent {
    pub text: String,
    pub arrival: Millis,
}

const PLAIN: [&str; 20] = FIELDS;

const SALESFORCE: [&str; 20] = [
    "Email",
    "Name.FirstName",
    "Name.LastName",
    "Title",
    "Company",
    "Address.Street",
    "Address.City",
    "Address.State",
    "Address.PostalCode",
    "Address.Country",
    "Phone",
    "MobilePhone",
    "Industry",
    "Website",
    "Description",
    "LeadSource",
    "Status",
    "Department__c",
    "OwnerId",
    "Score__c",
];

const HUBSPOT: [&str; 20] = [
    "email",
    "firstname",
    "lastname",
    "jobtitle",
    "company",
    "address",
    "city",
    "state",
    "zip",
    "country",
    "phone",
    "mobilephone",
    "industry",
    "website",
    "message",
    "hs_lead_source",
    "hs_lead_status",
    "department",
    "hubspot_owner_id",
    "hubspotscore",
];

const MARKETO: [&str; 20] = [
    "email",
    "firstName",
    "lastName",
    "title",
    "company",
    "address",
    "city",
    "state",
    "postalCode",
    "country",
    "phone",
    "mobilePhone",
    "industry",
    "website",
    "description",
    "leadSource",
    "leadStatus",
    "department",
    "leadOwner",
    "urgency",
];

const MAUTIC: [&str; 20] = [
    "email",
    "firstname",
    "lastname",
    "position",
    "company",
    "address1",
    "city",
    "state",
    "zipcode",
    "country",
    "phone",
    "mobile",
    "industry",
    "website",
    "description",
    "lead_source",
    "status",
    "department",
    "account_owner",
    "rating",
];

const ESPOCRM: [&str; 20] = [
    "emailAddress",
    "firstName",
    "lastName",
    "title",
    "accountName",
    "addressStreet",
    "addressCity",
    "addressState",
    "addressPostalCode",
    "addressCountry",
    "phoneNumber",
    "phoneNumberMobile",
    "industry",
    "website",
    "description",
    "source",
    "status",
    "department",
    "assignedUserName",
    "score",
];

/// The vendor's names of [`FIELDS`], in their order.
pub const fn names(format: Format) -> &'static [&'static str; 20] {
    match format {
        Format::Salesforce => &SALESFORCE,
        Format::Hubspot => &HUBSPOT,
        Format::Marketo => &MARKETO,
        Format::Mautic => &MAUTIC,
        Format::Espocrm => &ESPOCRM,
        Format::Debezium | Format::Cloudevents | Format::Csv | Format::Baton => &PLAIN,
    }
}

/// The vendor's name of the records.
pub const fn object(format: Format) -> &'static str {
    match format {
        Format::Salesforce => "Lead",
        Format::Marketo => "lead",
        Format::Espocrm => "Contact",
        Format::Debezium => "party",
        _ => "contact",
    }
}

/// What Baton takes the records for.
pub const fn kind(format: Format) -> Object {
    match format {
        Format::Salesforce | Format::Marketo => Object::Lead,
        _ => Object::Contact,
    }
}

/// The id of a person's record.
pub fn id(format: Format, person: usize) -> String {
    match format {
        Format::Salesforce => format!("00Q{person:012}AAA"),
        Format::Espocrm => format!("6b02a55{person:010x}"),
        // These have numbers.
        Format::Hubspot | Format::Marketo | Format::Mautic | Format::Debezium => {
            (person + 1).to_string()
        }
        _ => format!("c{person}"),
    }
}

/// Whole records in the canonical form: how the benchmark lets a system's people come into being.
pub fn introductions(format: Format, touches: &[Touch]) -> Vec<Sent> {
    touches
        .iter()
        .map(|touch| sent(touch, canonical(format, touch)))
        .collect()
}

/// The changes as the vendor sends them, as many in one message as is usual.
pub fn messages(format: Format, touches: &[Touch]) -> Vec<Sent> {
    let together = match format {
        // Webhooks and pages of up to …
        Format::Hubspot => 100,
        Format::Marketo => 300,
        Format::Mautic | Format::Espocrm => 10,
        // As `ingest` splits a file.
        Format::Csv => 100,
        _ => 1,
    };
    let one_each =
        |of: &dyn Fn(&Touch) -> String| touches.iter().map(|t| sent(t, of(t))).collect::<Vec<_>>();
    let batches = |of: &dyn Fn(&[Touch]) -> String| {
        touches
            .chunks(together)
            .filter_map(|some| Some(sent(some.last()?, of(some))))
            .collect::<Vec<_>>()
    };
    match format {
        Format::Baton => one_each(&|t| canonical(format, t)),
        Format::Salesforce => one_each(&salesforce),
        Format::Debezium => one_each(&debezium),
        Format::Cloudevents => one_each(&cloudevent),
        Format::Hubspot => batches(&hubspot),
        Format::Marketo => batches(&marketo),
        Format::Mautic => batches(&mautic),
        Format::Espocrm => batches(&espocrm),
        Format::Csv => batches(&csv),
    }
}

const fn sent(touch: &Touch, text: String) -> Sent {
    Sent {
        text,
        arrival: touch.arrival(),
    }
}

/// The change in the canonical form.
pub fn canonical(format: Format, touch: &Touch) -> String {
    let mut text = format!(
        r#"{{"object":"{}","id":"{}","class":"event","time":{},"actor":"user-7","cause":"manual_edit","fields":{{"#,
        kind(format).as_str(),
        id(format, touch.person),
        touch.time
    );
    for (at, (field, value)) in FIELDS.iter().zip(&touch.values).enumerate() {
        let comma = if at > 0 { "," } else { "" };
        // Writing to a string cannot fail; the values hold nothing that JSON escapes.
        let _ = write!(text, r#"{comma}"{field}":"{value}""#);
    }
    text.push_str("}}");
    text
}

/// What somebody did, in the canonical form.
pub fn act(format: Format, touch: &Touch, act: &str) -> String {
    format!(
        r#"{{"object":"{}","id":"{}","class":"activity","time":{},"kind":"{act}","fields":{{"by":"buyer"}}}}"#,
        kind(format).as_str(),
        id(format, touch.person),
        touch.time
    )
}

/// What changed, by the vendor's names.
fn changed(format: Format, touch: &Touch) -> impl Iterator<Item = (&'static str, &str, &str)> {
    touch.changed.iter().map(move |(field, before)| {
        let after = touch.values[*field].as_str();
        (names(format)[*field], before.as_str(), after)
    })
}

/// The whole record, by the vendor's names.
fn whole(format: Format, touch: &Touch) -> impl Iterator<Item = (&'static str, &str)> {
    names(format)
        .iter()
        .copied()
        .zip(touch.values.iter().map(String::as_str))
}

fn stamp(touch: &Touch) -> String {
    Millis(touch.time).to_string()
}

fn salesforce(touch: &Touch) -> String {
    let format = Format::Salesforce;
    let mut body = Map::new();
    let mut names = Vec::new();
    for (name, _, after) in changed(format, touch) {
        names.push(name);
        match name.split_once('.') {
            Some((outer, inner)) => {
                let member = body.entry(outer).or_insert_with(|| json!({}));
                if let Value::Object(member) = member {
                    member.insert(inner.into(), after.into());
                }
            }
            None => {
                body.insert(name.into(), after.into());
            }
        }
    }
    names.push("LastModifiedDate");
    body.insert("LastModifiedDate".into(), stamp(touch).into());
    body.insert(
        "ChangeEventHeader".into(),
        json!({
            "entityName": "Lead", "recordIds": [id(format, touch.person)], "changeType": "UPDATE",
            "changeOrigin": "com/salesforce/api/soap/60.0;client=SfdcInternalAPI/",
            "transactionKey": format!("000c1e5b-{:08x}", touch.sequence), "sequenceNumber": 1,
            "commitTimestamp": touch.time, "commitNumber": 1_000_000 + touch.sequence,
            "commitUser": "005000000000001AAA", "nulledFields": [], "diffFields": [], "changedFields": names
        }),
    );
    Value::Object(body).to_string()
}

/// One event for each property: they are counted as changes as they come, so only the first property is told.
fn hubspot(touches: &[Touch]) -> String {
    let events: Vec<Value> = touches
        .iter()
        .flat_map(|touch| changed(Format::Hubspot, touch).take(1).map(move |c| (touch, c)))
        .map(|(touch, (name, _, after))| {
            json!({
                "appId": 1_160_452, "attemptNumber": 0, "changeSource": "CRM_UI", "eventId": touch.sequence,
                "objectId": touch.person + 1, "occurredAt": touch.time, "portalId": 62_515, "propertyName": name,
                "propertyValue": after, "sourceId": "userId:45678", "subscriptionId": 2_321,
                "subscriptionType": "contact.propertyChange"
            })
        })
        .collect();
    Value::Array(events).to_string()
}

fn marketo(touches: &[Touch]) -> String {
    let changes: Vec<Value> = touches
        .iter()
        .map(|touch| {
            let fields: Vec<Value> = changed(Format::Marketo, touch)
                .enumerate()
                .map(|(at, (name, before, after))| {
                    json!({"id": at + 1, "name": name, "newValue": after, "oldValue": before})
                })
                .collect();
            json!({
                "id": touch.sequence, "marketoGUID": touch.sequence.to_string(), "leadId": touch.person + 1,
                "activityDate": stamp(touch), "activityTypeId": 13, "campaignId": 1_022, "fields": fields,
                "attributes": [
                    {"name": "Reason", "value": "Changed in the lead's page"},
                    {"name": "Source", "value": "User interface"}
                ]
            })
        })
        .collect();
    json!({"requestId": "a9ae#148add1e53d", "success": true, "nextPageToken": "GIYDAOBN", "moreResult": false, "result": changes})
        .to_string()
}

fn mautic(touches: &[Touch]) -> String {
    let groups = |touch: &Touch| {
        let mut core = Map::new();
        let mut all = Map::new();
        for (at, (name, value)) in whole(Format::Mautic, touch).enumerate() {
            core.insert(
                name.into(),
                json!({"id": at + 1, "label": name, "alias": name, "type": "text", "group": "core",
                       "value": value, "normalizedValue": value}),
            );
            all.insert(name.into(), value.into());
        }
        json!({"core": core, "social": [], "personal": [], "professional": [], "all": all})
    };
    let events: Vec<Value> = touches
        .iter()
        .map(|touch| {
            json!({
                "contact": {
                    "id": touch.person + 1, "isPublished": true, "dateAdded": "2026-11-22T07:55:33+00:00",
                    "dateModified": stamp(touch), "createdBy": 1, "createdByUser": "A D", "modifiedBy": 1,
                    "modifiedByUser": "A D", "points": 5, "owner": null, "tags": [], "doNotContact": [], "stage": null,
                    "fields": groups(touch)
                },
                "timestamp": stamp(touch)
            })
        })
        .collect();
    json!({"mautic.lead_post_save_update": events}).to_string()
}

fn espocrm(touches: &[Touch]) -> String {
    let entities: Vec<Value> = touches
        .iter()
        .map(|touch| {
            let mut entity: Map<String, Value> = changed(Format::Espocrm, touch)
                .map(|(name, _, after)| (name.to_owned(), after.into()))
                .collect();
            entity.insert("id".into(), id(Format::Espocrm, touch.person).into());
            entity.insert("modifiedById".into(), "6b02a55ec4f3970d3".into());
            entity.insert("modifiedByName".into(), "Admin".into());
            entity.insert("followersIds".into(), json!([]));
            entity.insert("followersNames".into(), json!({}));
            entity.insert("versionNumber".into(), touch.sequence.into());
            Value::Object(entity)
        })
        .collect();
    Value::Array(entities).to_string()
}

fn debezium(touch: &Touch) -> String {
    let row = |changed: bool| {
        let mut row: Map<String, Value> = whole(Format::Debezium, touch)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        if !changed {
            for (name, before, _) in self::changed(Format::Debezium, touch) {
                row.insert(name.into(), before.into());
            }
        }
        row.insert("id".into(), (touch.person + 1).into());
        row
    };
    json!({
        "before": row(false), "after": row(true), "op": "u", "ts_ms": touch.time + 1,
        "source": {
            "version": "3.6.3.Final", "connector": "postgresql", "name": "crm", "ts_ms": touch.time, "snapshot": "false",
            "db": "crm", "sequence": "[null,\"49546584\"]", "schema": "public", "table": "party",
            "txId": touch.sequence, "lsn": 49_546_584 + touch.sequence, "xmin": null
        },
        "transaction": {"id": touch.sequence.to_string(), "total_order": 1, "data_collection_order": 1}
    })
    .to_string()
}

fn cloudevent(touch: &Touch) -> String {
    let fields: Map<String, Value> = changed(Format::Cloudevents, touch)
        .map(|(name, _, after)| (name.to_owned(), after.into()))
        .collect();
    json!({
        "specversion": "1.0", "type": "com.example.contact.updated.v2", "source": "/crm",
        "subject": format!("contact/{}", id(Format::Cloudevents, touch.person)), "time": stamp(touch),
        "id": format!("event-{}", touch.sequence), "datacontenttype": "application/json", "data": {"fields": fields}
    })
    .to_string()
}

fn csv(touches: &[Touch]) -> String {
    let mut text = format!("id,{}\n", FIELDS.join(","));
    for touch in touches {
        let id = id(Format::Csv, touch.person);
        let _ = writeln!(text, "{id},{}", touch.values.join(","));
    }
    text
}

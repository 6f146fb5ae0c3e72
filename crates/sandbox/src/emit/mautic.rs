//! Mautic webhook bodies: the whole contact, one-second times, nothing about what changed or which program wrote.

use serde_json::{Map, Value, json};

use super::{Happening, Kind, shown_name};
use crate::{
    By, Habits, text,
    vocabulary::{MAUTIC_CORE, MAUTIC_DO_NOT_EMAIL},
};

const POINTS: &str = "points";

pub fn events(habits: &Habits, what: &Happening<'_>) -> Vec<Value> {
    let timestamp = text::php(what.stamp);
    let contact = contact(habits, what);
    let post = |event: &str, extra: Value| {
        let mut entry = Map::new();
        entry.insert("contact".into(), contact.clone());
        if let Value::Object(extra) = extra {
            entry.extend(extra);
        }
        entry.insert("timestamp".into(), timestamp.clone().into());
        json!({ (format!("mautic.{event}")): [entry] })
    };
    let id = number(what.id);
    match &what.kind {
        Kind::Create => vec![post("lead_post_save_new", Value::Null)],
        // There is no merge event: the loser is deleted, the winner saved.
        Kind::Delete | Kind::MergedInto { .. } => {
            vec![post("lead_post_delete", json!({ "id": id }))]
        }
        Kind::Gap => Vec::new(),
        Kind::Undelete | Kind::Convert { .. } => vec![post("lead_post_save_update", Value::Null)],
        Kind::Update | Kind::Merged { .. } => {
            let mut out = Vec::new();
            let own = |field: &str| field == POINTS || field == MAUTIC_DO_NOT_EMAIL;
            if what.changed.is_empty() || what.changed.keys().any(|field| !own(field)) {
                out.push(post("lead_post_save_update", Value::Null));
            }
            if let Some((before, after)) = what.changed.get(POINTS) {
                let points = json!({"points": {"old_points": or_zero(before), "new_points": or_zero(after)}});
                out.push(post("lead_points_change", points));
            }
            if let Some((before, after)) = what.changed.get(MAUTIC_DO_NOT_EMAIL) {
                let change = json!({
                    "channel": "email",
                    "old_status": status(before),
                    "new_status": status(after),
                });
                out.push(post("lead_channel_subscription_changed", change));
            }
            out
        }
    }
}

fn contact(habits: &Habits, what: &Happening<'_>) -> Value {
    let record = what.record;
    let modified = what.kind != Kind::Create;
    let (created_by, created_user) = user(habits, &record.created_by);
    let (modified_by, modified_user) = if modified {
        user(habits, what.by)
    } else {
        (Value::Null, Value::Null)
    };
    let added = text::php(text::stamp(record.created, habits.stamps));
    let blocked: Vec<Value> = reason(record.value(MAUTIC_DO_NOT_EMAIL))
        .map(|reason| {
            json!({"id": number(what.id), "reason": reason, "comments": "", "channel": "email", "channelId": null})
        })
        .into_iter()
        .collect();
    json!({
        "isPublished": true,
        "dateAdded": added,
        "dateModified": modified.then(|| text::php(what.stamp)),
        "createdBy": created_by,
        "createdByUser": created_user,
        "modifiedBy": modified_by,
        "modifiedByUser": modified_user,
        "id": number(what.id),
        "points": or_zero(record.value(POINTS)),
        "color": null,
        "fields": {
            "core": core(what),
            "social": {},
            "personal": [],
            "professional": [],
        },
        "lastActive": null,
        "owner": null,
        "ipAddresses": [],
        "tags": [],
        "utmtags": [],
        "stage": null,
        "dateIdentified": added,
        "preferredProfileImage": null,
        "doNotContact": blocked,
        "frequencyRules": [],
    })
}

/// Built-in fields first, then those that the installation added.
fn core(what: &Happening<'_>) -> Map<String, Value> {
    let built_in = MAUTIC_CORE
        .iter()
        .map(|(alias, label, kind)| (*alias, *label, *kind, true));
    let added = what
        .record
        .fields
        .keys()
        .map(String::as_str)
        .filter(|field| {
            !field.contains('.') && MAUTIC_CORE.iter().all(|(alias, ..)| alias != field)
        })
        .map(|field| (field, field, "text", false));
    let mut core = Map::new();
    for (place, (alias, label, kind, fixed)) in built_in.chain(added).enumerate() {
        let value = match (alias, what.record.value(alias)) {
            (POINTS, value) => or_zero(value),
            (_, value) => value.clone(),
        };
        let normalized = if value.is_null() {
            Value::from("")
        } else {
            value.clone()
        };
        let field = json!({
            "id": (place + 1).to_string(),
            "label": label,
            "alias": alias,
            "type": kind,
            "group": "core",
            "object": "lead",
            "is_fixed": if fixed { "1" } else { "0" },
            "properties": "a:0:{}",
            "default_value": if alias == POINTS { Value::from("0") } else { Value::Null },
            "value": value,
            "normalizedValue": normalized,
        });
        core.insert(alias.to_owned(), field);
    }
    core
}

/// User number and name; nobody where the installation does not say or the vendor's automation acted.
fn user(habits: &Habits, by: &By) -> (Value, Value) {
    if !habits.names_actors || *by == By::Workflow {
        return (Value::Null, Value::Null);
    }
    let name = shown_name(habits, by);
    // Users have small numbers; people who write by hand come after the built-in ones.
    let number = match by {
        By::Baton { .. } => 2,
        By::Import { .. } => 3,
        By::Form => 4,
        By::Api | By::Workflow => 5,
        By::Human { name } => {
            10 + name
                .bytes()
                .fold(0_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 990)
        }
    };
    (number.into(), name.into())
}

fn number(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| id.into(), Value::from)
}

fn or_zero(points: &Value) -> Value {
    if text::is_blank(points) {
        0.into()
    } else {
        points.clone()
    }
}

/// The number that Mautic gives to a reason not to contact.
fn reason(status: &Value) -> Option<u8> {
    match status.as_str()? {
        "unsubscribed" => Some(1),
        "bounced" => Some(2),
        "manual" => Some(3),
        _ => None,
    }
}

fn status(value: &Value) -> &str {
    value.as_str().unwrap_or("contactable")
}

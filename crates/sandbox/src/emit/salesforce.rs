//! Salesforce change data capture, as JSON: every field of the object is there, null unless it changed, and only
//! `nulledFields` says what was cleared.

use baton_core::time::Millis;
use serde_json::{Map, Value, json};

use super::{Happening, Kind, shown_name};
use crate::{By, Habits, text, vocabulary};

/// Commit numbers begin somewhere far from 0, as in a real org.
const FIRST_COMMIT: u64 = 11_000_000_000_000;

pub fn event(habits: &Habits, what: &Happening<'_>) -> Value {
    let updates = matches!(
        what.kind,
        Kind::Update | Kind::Merged { .. } | Kind::Convert { .. }
    );
    let path = |field: &String| match vocabulary::salesforce_place(what.object, field) {
        (Some(compound), member) => format!("{compound}.{member}"),
        (None, field) => field.to_owned(),
    };
    let mut changed: Vec<String> = Vec::new();
    let mut nulled: Vec<String> = Vec::new();
    if updates {
        changed = what
            .changed
            .keys()
            .map(path)
            .chain(["LastModifiedDate".to_owned()])
            .collect();
        nulled = what
            .changed
            .iter()
            .filter(|(_, (_, after))| text::is_blank(after))
            .map(|(f, _)| path(f))
            .collect();
    }
    let user = user(habits, what.by);
    let mut body = Map::new();
    body.insert(
        "ChangeEventHeader".into(),
        json!({
            "entityName": vocabulary::salesforce_entity(what.object),
            "recordIds": [what.id],
            "changeType": change_type(&what.kind),
            "changeOrigin": origin(habits, what.by),
            "transactionKey": format!("{:08x}-0000-4000-8000-{:012x}", what.stamp.0 / 1_000, what.transaction),
            "sequenceNumber": what.in_transaction,
            "commitTimestamp": what.stamp.0,
            "commitNumber": FIRST_COMMIT + what.transaction,
            "commitUser": user,
            "nulledFields": nulled,
            "diffFields": [],
            "changedFields": changed,
        }),
    );
    match &what.kind {
        Kind::Delete | Kind::Gap => return body.into(),
        Kind::MergedInto { winner } => {
            if habits.tells_merges {
                body.insert("MasterRecordId".into(), winner.as_str().into());
            }
            return body.into();
        }
        _ => {}
    }
    let undeleted = what.kind == Kind::Undelete;
    for field in vocabulary::salesforce_fields(what.object) {
        place(&mut body, what, field, Value::Null);
    }
    if undeleted {
        for (field, value) in &what.record.fields {
            place(&mut body, what, field, value.clone());
        }
    }
    for (field, (_, after)) in what.changed {
        place(&mut body, what, field, shown(field, after));
    }
    if what.kind == Kind::Create {
        body.insert("CreatedDate".into(), what.stamp.0.into());
        body.insert("CreatedById".into(), user.clone().into());
        body.insert("LastModifiedById".into(), user.into());
    }
    body.insert("LastModifiedDate".into(), what.stamp.0.into());
    body.into()
}

/// Puts a value where change data capture has it. A compound none of whose members changed is null itself.
fn place(body: &mut Map<String, Value>, what: &Happening<'_>, field: &str, value: Value) {
    let (compound, member) = vocabulary::salesforce_place(what.object, field);
    let Some(compound) = compound else {
        body.insert(member.to_owned(), value);
        return;
    };
    let touched = matches!(what.kind, Kind::Create | Kind::Undelete)
        || what
            .changed
            .keys()
            .any(|changed| vocabulary::salesforce_place(what.object, changed).0 == Some(compound));
    let holder = body.entry(compound.to_owned()).or_insert(Value::Null);
    if touched {
        if holder.is_null() {
            *holder = Value::Object(Map::new());
        }
        if let Value::Object(members) = holder {
            members.insert(member.to_owned(), value);
        }
    }
}

const fn change_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Create => "CREATE",
        Kind::Update | Kind::Merged { .. } | Kind::Convert { .. } => "UPDATE",
        Kind::Delete | Kind::MergedInto { .. } => "DELETE",
        Kind::Undelete => "UNDELETE",
        Kind::Gap => "GAP_UPDATE",
    }
}

/// The program that wrote, with its client name where it gave one. Automation has none.
fn origin(habits: &Habits, by: &By) -> String {
    match by {
        By::Human { .. } => "com/salesforce/api/soap/60.0;client=SfdcInternalAPI/".to_owned(),
        By::Import { .. } => "com/salesforce/api/bulk/60.0;client=DataLoader".to_owned(),
        By::Form => "com/salesforce/api/rest/60.0;client=WebToLead".to_owned(),
        By::Api => "com/salesforce/api/rest/60.0;client=OtherIntegration".to_owned(),
        By::Baton { .. } => match &habits.origin_tag {
            Some(tag) => format!("com/salesforce/api/rest/60.0;client={tag}"),
            None => "com/salesforce/api/rest/60.0".to_owned(),
        },
        By::Workflow => String::new(),
    }
}

fn user(habits: &Habits, by: &By) -> String {
    match by {
        _ if !habits.names_actors => String::new(),
        By::Baton { .. } => habits.integration_user.clone(),
        by => vocabulary::user_id(shown_name(habits, by)),
    }
}

/// Dates are milliseconds in change events, though the REST interface takes and gives ISO dates.
fn shown(field: &str, value: &Value) -> Value {
    let date = value.as_str().filter(|_| field.ends_with("Date"));
    date.and_then(|day| Millis::parse(&format!("{day}T00:00:00Z")))
        .map_or_else(|| value.clone(), |at| at.0.into())
}

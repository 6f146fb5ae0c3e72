//! Baton's own canonical form of a change.

use serde_json::{Map, Value, json};

use super::{Happening, Kind, shown_name, whole};
use crate::{By, Events, Habits, text};

/// The change, or nothing where another event tells it: a merge is told by the winner's.
pub fn event(habits: &Habits, what: &Happening<'_>) -> Option<Value> {
    let class = match &what.kind {
        Kind::MergedInto { .. } => return None,
        Kind::Create | Kind::Update => match habits.events {
            Events::Delta => "delta",
            Events::Whole => "event",
        },
        Kind::Delete => "delete",
        Kind::Undelete => "undelete",
        Kind::Merged { .. } => "merge",
        Kind::Convert { .. } => "convert",
        Kind::Gap => "gap",
    };
    let mut out = Map::new();
    out.insert("object".into(), what.object.as_str().into());
    out.insert("id".into(), what.id.into());
    out.insert("class".into(), class.into());
    out.insert(
        "time".into(),
        text::rfc3339(what.stamp, habits.stamps).into(),
    );
    out.insert("event_id".into(), format!("e{}", what.sequence).into());
    if habits.sequences {
        out.insert("seq".into(), what.sequence.into());
    }
    if habits.names_causes
        && let Some(cause) = cause(what.by)
    {
        out.insert("cause".into(), cause.into());
    }
    // The vendor's automation is nobody, and so is a visitor with a form.
    let somebody = !matches!(what.by, By::Workflow | By::Form);
    if habits.names_actors && somebody {
        out.insert("actor".into(), shown_name(habits, what.by).into());
    }
    if let (Some(tag), By::Baton { .. }) = (&habits.origin_tag, what.by) {
        out.insert("origin".into(), tag.as_str().into());
    }
    match &what.kind {
        Kind::Merged { losers } => {
            out.insert("losers".into(), json!(losers));
        }
        Kind::Convert { to } => {
            let to: Vec<Value> = to
                .iter()
                .map(|(object, id)| json!({"object": object.as_str(), "id": id}))
                .collect();
            out.insert("to".into(), to.into());
        }
        _ => {}
    }
    if !matches!(what.kind, Kind::Gap | Kind::Delete) {
        let whole_record = habits.events == Events::Whole;
        let fields: Map<String, Value> = if whole_record {
            whole(habits, what.object, what.record)
                .into_iter()
                .collect()
        } else {
            what.changed
                .iter()
                .map(|(field, (_, after))| (field.clone(), after.clone()))
                .collect()
        };
        out.insert("fields".into(), fields.into());
        let cleared: Vec<&str> = what
            .changed
            .iter()
            .filter(|(_, (_, after))| after.is_null())
            .map(|(field, _)| field.as_str())
            .collect();
        if !whole_record && !cleared.is_empty() {
            out.insert("cleared".into(), json!(cleared));
        }
        if habits.before_images {
            let before: Map<String, Value> = what
                .changed
                .iter()
                .map(|(field, (before, _))| (field.clone(), before.clone()))
                .collect();
            out.insert("before".into(), before.into());
        }
    }
    Some(out.into())
}

const fn cause(by: &By) -> Option<&'static str> {
    match by {
        By::Human { .. } => Some("manual_edit"),
        By::Form => Some("own_form"),
        By::Import { .. } => Some("list_import"),
        By::Api | By::Baton { .. } => Some("api"),
        By::Workflow => None,
    }
}

//! Puts what happened into the vendor's own words.

mod canonical;
mod mautic;
mod salesforce;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
mod tests;

use baton_core::{id::Object, time::Millis};
use serde_json::Value;

use crate::{
    By, Dialect, Fields, Habits, Record,
    system::Changed,
    vocabulary::{self, MAUTIC_CORE, MAUTIC_DO_NOT_EMAIL},
};

/// What kind of thing happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    Create,
    Update,
    Delete,
    Undelete,
    /// This record survived a merge.
    Merged {
        losers: Vec<String>,
    },
    /// This record lost one.
    MergedInto {
        winner: String,
    },
    Convert {
        to: Vec<(Object, String)>,
    },
    /// Something the vendor does not tell.
    Gap,
}

/// One thing that happened to one record, and all an emitter may tell of it.
pub struct Happening<'a> {
    pub kind: Kind,
    pub object: Object,
    pub id: &'a str,
    /// As it stands afterwards.
    pub record: &'a Record,
    pub changed: &'a Changed,
    /// In the system's precision.
    pub stamp: Millis,
    /// Rises with every event of the system.
    pub sequence: u64,
    /// Rises with every transaction of the system.
    pub transaction: u64,
    /// Place within the transaction, from 1.
    pub in_transaction: u32,
    pub by: &'a By,
}

/// The messages that the vendor sends about it; none where it keeps silent.
pub fn payloads(habits: &Habits, what: &Happening<'_>) -> Vec<Vec<u8>> {
    let messages = match habits.dialect {
        Dialect::Salesforce => vec![salesforce::event(habits, what)],
        Dialect::Mautic => mautic::events(habits, what),
        Dialect::Baton => canonical::event(habits, what).into_iter().collect(),
    };
    messages
        .iter()
        .map(|message| message.to_string().into_bytes())
        .collect()
}

/// The whole record as the vendor's interface shows it: every field of the object, blank ones as null. Members of
/// Salesforce compounds come under all names they have: alone, within the compound, and as the interface joins them.
pub fn whole(habits: &Habits, object: Object, record: &Record) -> Fields {
    let blank = |fields: &mut dyn Iterator<Item = &str>| -> Fields {
        fields
            .map(|field| (field.to_owned(), Value::Null))
            .collect()
    };
    let mut shown = match habits.dialect {
        Dialect::Salesforce => blank(&mut vocabulary::salesforce_fields(object).iter().copied()),
        Dialect::Mautic => {
            let mut shown = blank(&mut MAUTIC_CORE.iter().map(|(alias, ..)| *alias));
            shown.insert("points".into(), 0.into());
            shown.insert(MAUTIC_DO_NOT_EMAIL.into(), Value::Null);
            shown
        }
        Dialect::Baton => {
            let schema = habits.schema.get(&object).into_iter().flatten();
            blank(&mut schema.map(String::as_str))
        }
    };
    shown.extend(
        record
            .fields
            .iter()
            .map(|(field, value)| (field.clone(), value.clone())),
    );
    if habits.dialect == Dialect::Salesforce {
        let spelled: Vec<(String, Value)> = shown
            .iter()
            .flat_map(|(field, value)| {
                vocabulary::salesforce_spellings(object, field).map(|name| (name, value.clone()))
            })
            .collect();
        shown.extend(spelled);
    }
    shown
}

/// The name that somebody appears under where a vendor shows names.
fn shown_name<'a>(habits: &'a Habits, by: &'a By) -> &'a str {
    match by {
        By::Human { name } => name,
        By::Form => vocabulary::FORM_NAME,
        By::Import { .. } => vocabulary::IMPORT_NAME,
        By::Workflow => vocabulary::AUTOMATION_NAME,
        By::Api => vocabulary::API_NAME,
        By::Baton { .. } => &habits.integration_user,
    }
}

//! What people, lists and stewards do in a history.

use std::fmt;

use baton_core::{name::Name, time::Millis, value::Value};
use baton_sandbox::{Actor, Fields};

/// One deed at one instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Act {
    pub at: Millis,
    pub deed: Deed,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Deed {
    /// A record comes to be; each system has one at most.
    Create {
        system: &'static str,
        actor: Actor,
        fields: Fields,
    },
    Edit {
        system: &'static str,
        actor: Actor,
        fields: Fields,
    },
    /// The person enters a stage, told by the CRM.
    Stage(&'static str),
    /// A steward decides a `manual` field.
    Rule {
        field: Name,
        value: Value,
    },
    /// A steward locks a field on a value.
    Lock {
        field: Name,
        value: Value,
    },
    Unlock {
        field: Name,
    },
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |actor: &Actor| match actor {
            Actor::Human { name } => name.clone(),
            Actor::Form => "a form".to_owned(),
            Actor::Import { .. } => "an import".to_owned(),
            Actor::Workflow => "a workflow".to_owned(),
            Actor::Api => "an integration".to_owned(),
        };
        match &self.deed {
            Deed::Create {
                system,
                actor,
                fields,
            } => {
                write!(f, "{} creates in {system}: {}", who(actor), show(fields))
            }
            Deed::Edit {
                system,
                actor,
                fields,
            } => {
                write!(f, "{} edits in {system}: {}", who(actor), show(fields))
            }
            Deed::Stage(stage) => write!(f, "stage {stage}"),
            Deed::Rule { field, value } => write!(f, "a steward decides {field} = {value}"),
            Deed::Lock { field, value } => write!(f, "a steward locks {field} = {value}"),
            Deed::Unlock { field } => write!(f, "a steward unlocks {field}"),
        }
    }
}

/// Fields on one line.
#[must_use]
pub fn show(fields: &Fields) -> String {
    let each: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    each.join(" ")
}

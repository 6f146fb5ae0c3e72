//! What a system does not let happen, and why.

use std::{collections::BTreeMap, fmt};

use baton_core::id::Object;

use super::System;
use crate::{Fields, text};

/// Why a system did not do what somebody asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// No living record has this id.
    NotFound { object: Object, id: String },
    /// The lead was converted; the contact is to be changed instead.
    Converted { id: String },
    /// Fields that the vendor's validation refuses, each with the reason.
    Fields(BTreeMap<String, String>),
    /// Another living record has the same e-mail address.
    Duplicate { object: Object, id: String },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { object, id } => {
                write!(f, "ENTITY_IS_DELETED: there is no {object} {id}")
            }
            Self::Converted { id } => {
                write!(
                    f,
                    "CANNOT_UPDATE_CONVERTED_LEAD: lead {id} was converted; change its contact"
                )
            }
            Self::Fields(fields) => {
                let names: Vec<&str> = fields.keys().map(String::as_str).collect();
                write!(
                    f,
                    "FIELD_CUSTOM_VALIDATION_EXCEPTION: refused fields {}",
                    names.join(", ")
                )
            }
            Self::Duplicate { object, .. } => {
                write!(
                    f,
                    "DUPLICATES_DETECTED: another {object} has this e-mail address"
                )
            }
        }
    }
}

impl std::error::Error for Refused {}

impl System {
    /// Whether a record can be written to.
    pub(super) fn writable(&self, object: Object, id: &str) -> Result<(), Refused> {
        match self.record(object, id) {
            Some(record) if !record.converted_to.is_empty() => {
                Err(Refused::Converted { id: id.to_owned() })
            }
            Some(record) if record.is_living() => Ok(()),
            _ => Err(Refused::NotFound {
                object,
                id: id.to_owned(),
            }),
        }
    }

    /// Fields whose values do not pass, with the reasons. `create` asks for the required ones, too.
    pub(super) fn refused_fields(
        &self,
        object: Object,
        values: &Fields,
        create: bool,
    ) -> BTreeMap<String, String> {
        let mut refused = BTreeMap::new();
        for (name, value) in values {
            let field = self.kept_as(object, name);
            if let Some(reason) = self.habits.refuses.get(&field) {
                refused.insert(name.clone(), reason.clone());
            }
            let length = value.as_str().map_or(0, |text| text.chars().count());
            if self
                .habits
                .too_long
                .get(&field)
                .is_some_and(|most| length > *most)
            {
                refused.insert(name.clone(), "STRING_TOO_LONG".to_owned());
            }
        }
        for field in self.habits.required.get(&object).into_iter().flatten() {
            // The refusal names the field as the writer spelt it.
            let given = values
                .iter()
                .find(|(name, _)| self.kept_as(object, name) == *field);
            match given {
                Some((name, value)) if text::is_blank(value) => {
                    refused.insert(name.clone(), "REQUIRED_FIELD_MISSING".to_owned());
                }
                None if create => {
                    refused.insert(field.clone(), "REQUIRED_FIELD_MISSING".to_owned());
                }
                _ => {}
            }
        }
        refused
    }

    /// Another living record of the object with the e-mail address of `values`.
    pub(super) fn duplicate_of(&self, object: Object, values: &Fields) -> Option<String> {
        let unique = self.habits.unique.as_ref()?;
        let value = values.get(unique)?;
        self.find(object, unique, value).map(str::to_owned)
    }
}

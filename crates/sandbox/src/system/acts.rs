//! What people, forms, imports and automation do in a system.

use baton_core::{id::Object, time::Millis};
use serde_json::{Value, json};

use super::{Actor, Changed, Record, Refused, System};
use crate::{By, Dialect, Fields, KnownEmail, What, emit::Kind, text};

/// The records that a lead became.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Converted {
    pub contact: String,
    pub account: String,
    pub deal: Option<String>,
}

/// The deal that a conversion opens.
#[derive(Clone, PartialEq, Debug)]
pub struct NewDeal {
    /// The vendor's fields of the deal, its name among them; the account is filled in.
    pub fields: Fields,
}

impl System {
    /// Makes a record and returns its id. Where the system takes a known e-mail address for an update, that
    /// record is changed and its id returned.
    ///
    /// # Errors
    /// [`Refused`] as the habits say: refused fields, missing required fields, a known e-mail address.
    pub fn create(
        &mut self,
        at: Millis,
        actor: &Actor,
        object: Object,
        values: Fields,
    ) -> Result<String, Refused> {
        self.tick(at);
        let by = By::from(actor);
        let refused = self.refused_fields(object, &values, true);
        if !refused.is_empty() {
            return Err(Refused::Fields(refused));
        }
        match (self.duplicate_of(object, &values), self.habits.known_email) {
            (None, _) | (_, KnownEmail::Allowed) => Ok(self.insert(&by, object, values)),
            (Some(id), KnownEmail::Updates) => {
                self.write(&by, object, &id, values);
                Ok(id)
            }
            (Some(id), KnownEmail::Refused | KnownEmail::RefusedWithId) => {
                Err(Refused::Duplicate { object, id })
            }
        }
    }

    /// Changes fields of a record; null or empty text clears. An act that changes nothing leaves no trace unless
    /// the habits say otherwise.
    ///
    /// # Errors
    /// [`Refused`] if there is no such living record, the lead was converted or a field does not pass.
    pub fn edit(
        &mut self,
        at: Millis,
        actor: &Actor,
        object: Object,
        id: &str,
        values: Fields,
    ) -> Result<(), Refused> {
        self.tick(at);
        self.writable(object, id)?;
        let refused = self.refused_fields(object, &values, false);
        if !refused.is_empty() {
            return Err(Refused::Fields(refused));
        }
        self.write(&By::from(actor), object, id, values);
        Ok(())
    }

    /// Deletes a record softly.
    ///
    /// # Errors
    /// [`Refused::NotFound`] if no living record has this id.
    pub fn delete(
        &mut self,
        at: Millis,
        actor: &Actor,
        object: Object,
        id: &str,
    ) -> Result<(), Refused> {
        self.tick(at);
        self.remove(&By::from(actor), object, id)
    }

    /// Brings a softly deleted record back.
    ///
    /// # Errors
    /// [`Refused::NotFound`] if no deleted record has this id.
    pub fn undelete(
        &mut self,
        at: Millis,
        actor: &Actor,
        object: Object,
        id: &str,
    ) -> Result<(), Refused> {
        self.tick(at);
        let by = By::from(actor);
        match self.records.get_mut(&(object, id.to_owned())) {
            Some(record) if record.deleted => record.deleted = false,
            _ => {
                return Err(Refused::NotFound {
                    object,
                    id: id.to_owned(),
                });
            }
        }
        self.touch(&by, object, id);
        self.note(object, id, &by, What::Undeleted);
        self.transaction += 1;
        self.announce(Kind::Undelete, &by, object, id, &Changed::new(), 1);
        Ok(())
    }

    /// Makes a contact of a lead, with its account (a new one unless `account` names one) and, if wanted, a deal;
    /// all in one transaction. The contact takes the lead's values over.
    ///
    /// # Errors
    /// [`Refused`] if there is no such lead, it was converted before, or `account` is no living account.
    pub fn convert(
        &mut self,
        at: Millis,
        actor: &Actor,
        lead: &str,
        account: Option<&str>,
        deal: Option<NewDeal>,
    ) -> Result<Converted, Refused> {
        self.tick(at);
        self.writable(Object::Lead, lead)?;
        if let Some(account) = account {
            self.writable(Object::Account, account)?;
        }
        let by = By::from(actor);
        let lead_fields = self
            .record(Object::Lead, lead)
            .map(|r| r.fields.clone())
            .unwrap_or_default();
        let dialect = self.habits.dialect;
        self.transaction += 1;
        let mut step = 0;
        let account = match account {
            Some(account) => account.to_owned(),
            None => {
                step += 1;
                self.insert_quietly(
                    &by,
                    Object::Account,
                    account_of(dialect, &lead_fields),
                    step,
                )
            }
        };
        let mut contact_fields = contact_of(dialect, &lead_fields);
        contact_fields.insert(account_field(dialect).to_owned(), account.clone().into());
        step += 1;
        let contact = self.insert_quietly(&by, Object::Contact, contact_fields, step);
        let deal = deal.map(|mut deal| {
            step += 1;
            deal.fields
                .insert(account_field(dialect).to_owned(), account.clone().into());
            self.insert_quietly(&by, Object::Deal, deal.fields, step)
        });
        let mut to = vec![
            (Object::Contact, contact.clone()),
            (Object::Account, account.clone()),
        ];
        to.extend(deal.iter().map(|deal| (Object::Deal, deal.clone())));
        let marks = conversion_marks(dialect, self.now, &contact, &account, deal.as_deref());
        let changed = self.put(&by, Object::Lead, lead, marks);
        self.touch(&by, Object::Lead, lead);
        if let Some(record) = self.records.get_mut(&(Object::Lead, lead.to_owned())) {
            record.converted_to.clone_from(&to);
        }
        self.note(Object::Lead, lead, &by, What::Converted { to: to.clone() });
        self.announce(
            Kind::Convert { to },
            &by,
            Object::Lead,
            lead,
            &changed,
            step + 1,
        );
        self.tick(self.now);
        Ok(Converted {
            contact,
            account,
            deal,
        })
    }

    /// Merges records of one object: the winner keeps its values and takes the first loser's where it has none;
    /// the losers are gone.
    ///
    /// # Errors
    /// [`Refused`] if one of them is no living record.
    pub fn merge(
        &mut self,
        at: Millis,
        actor: &Actor,
        object: Object,
        winner: &str,
        losers: &[&str],
    ) -> Result<(), Refused> {
        self.tick(at);
        for id in losers.iter().chain([&winner]) {
            self.writable(object, id)?;
        }
        let by = By::from(actor);
        self.transaction += 1;
        let mut filled = Fields::new();
        let mut step = 0;
        for loser in losers {
            if let Some(record) = self.records.get_mut(&(object, (*loser).to_owned())) {
                record.merged_into = Some(winner.to_owned());
                for (field, value) in &record.fields {
                    filled.entry(field.clone()).or_insert_with(|| value.clone());
                }
            }
            self.touch(&by, object, loser);
            step += 1;
            let lost = Kind::MergedInto {
                winner: winner.to_owned(),
            };
            self.announce(lost, &by, object, loser, &Changed::new(), step);
        }
        if let Some(record) = self.record(object, winner) {
            filled.retain(|field, value| {
                text::is_blank(record.value(field)) && !text::is_blank(value)
            });
        }
        let changed = self.put(&by, object, winner, filled);
        self.touch(&by, object, winner);
        let losers: Vec<String> = losers.iter().map(|id| (*id).to_owned()).collect();
        self.note(
            object,
            winner,
            &by,
            What::Merged {
                losers: losers.clone(),
            },
        );
        self.announce(
            Kind::Merged { losers },
            &by,
            object,
            winner,
            &changed,
            step + 1,
        );
        self.schedule_workflows(object, winner, &changed);
        self.tick(self.now);
        Ok(())
    }

    pub(super) fn remove(&mut self, by: &By, object: Object, id: &str) -> Result<(), Refused> {
        match self.records.get_mut(&(object, id.to_owned())) {
            Some(record) if record.is_living() => record.deleted = true,
            _ => {
                return Err(Refused::NotFound {
                    object,
                    id: id.to_owned(),
                });
            }
        }
        self.touch(by, object, id);
        self.note(object, id, by, What::Deleted);
        self.transaction += 1;
        self.announce(Kind::Delete, by, object, id, &Changed::new(), 1);
        Ok(())
    }

    /// Makes a record in a transaction of its own.
    pub(super) fn insert(&mut self, by: &By, object: Object, values: Fields) -> String {
        self.transaction += 1;
        let id = self.insert_quietly(by, object, values, 1);
        self.tick(self.now);
        id
    }

    /// Makes a record as one step of a transaction; its workflows wait for the end of it.
    fn insert_quietly(
        &mut self,
        by: &By,
        object: Object,
        values: Fields,
        in_transaction: u32,
    ) -> String {
        let id = self.fresh_id(object);
        let record = Record {
            fields: Fields::new(),
            created: self.now,
            modified: self.now,
            created_by: by.clone(),
            modified_by: by.clone(),
            deleted: false,
            merged_into: None,
            converted_to: Vec::new(),
        };
        self.records.insert((object, id.clone()), record);
        self.note(object, &id, by, What::Created);
        let changed = self.put(by, object, &id, values);
        self.announce(Kind::Create, by, object, &id, &changed, in_transaction);
        self.schedule_workflows(object, &id, &changed);
        id
    }
}

const fn account_field(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Salesforce => "AccountId",
        Dialect::Mautic | Dialect::Baton => "account_id",
    }
}

const ADDRESS: [&str; 5] = ["Street", "City", "State", "PostalCode", "Country"];

fn account_of(dialect: Dialect, lead: &Fields) -> Fields {
    let mut account = Fields::new();
    let mut take = |from: &str, to: String| {
        if let Some(value) = lead.get(from) {
            account.insert(to, value.clone());
        }
    };
    if dialect == Dialect::Salesforce {
        take("Company", "Name".to_owned());
        ADDRESS
            .iter()
            .for_each(|member| take(member, format!("BillingAddress.{member}")));
        ["Phone", "Website", "Industry"]
            .iter()
            .for_each(|same| take(same, (*same).to_owned()));
    } else {
        take("company", "name".to_owned());
    }
    account
}

fn contact_of(dialect: Dialect, lead: &Fields) -> Fields {
    if dialect != Dialect::Salesforce {
        return lead.clone();
    }
    let same = [
        "Salutation",
        "FirstName",
        "LastName",
        "Title",
        "Phone",
        "MobilePhone",
        "Fax",
        "Email",
        "LeadSource",
        "Description",
        "HasOptedOutOfEmail",
        "DoNotCall",
    ];
    lead.iter()
        .filter_map(|(field, value)| {
            let name = if ADDRESS.contains(&field.as_str()) {
                format!("MailingAddress.{field}")
            } else if same.contains(&field.as_str()) {
                field.clone()
            } else {
                return None;
            };
            Some((name, value.clone()))
        })
        .collect()
}

/// What the vendor writes into the lead itself when it is converted.
fn conversion_marks(
    dialect: Dialect,
    at: Millis,
    contact: &str,
    account: &str,
    deal: Option<&str>,
) -> Fields {
    if dialect != Dialect::Salesforce {
        return Fields::new();
    }
    let day = text::rfc3339(at, baton_core::change::Precision::Day);
    let mut marks = crate::fields([
        ("Status", json!("Closed - Converted")),
        ("IsConverted", json!(true)),
        ("ConvertedDate", json!(day.get(..10).unwrap_or_default())),
        ("ConvertedContactId", json!(contact)),
        ("ConvertedAccountId", json!(account)),
    ]);
    if let Some(deal) = deal {
        marks.insert("ConvertedOpportunityId".to_owned(), Value::from(deal));
    }
    marks
}

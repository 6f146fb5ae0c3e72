//! Carries a step out in the two systems.

use baton_core::{id::Object, time::Millis};
use serde_json::{Value, json};

use super::{Act, Address, Property, Side, Step};
use crate::{Actor, Fields, NewDeal, Refused, System, vocabulary::MAUTIC_DO_NOT_EMAIL};

/// What became of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Played {
    Done,
    /// The system did not let it happen.
    Refused(Refused),
    /// Nobody of that name is there (yet, or any more).
    Nobody,
}

/// The vendor's field of a property, where the object has one.
#[must_use]
pub const fn vendor_field(side: Side, object: Object, property: Property) -> Option<&'static str> {
    let contact = matches!(object, Object::Contact);
    Some(match (side, property) {
        (Side::Crm, Property::FirstName) => "FirstName",
        (Side::Crm, Property::LastName) => "LastName",
        (Side::Crm, Property::Email) => "Email",
        (Side::Crm, Property::Phone) => "Phone",
        (Side::Crm, Property::Title) => "Title",
        (Side::Crm, Property::Company) => {
            if contact {
                return None;
            }
            "Company"
        }
        (Side::Crm, Property::Street) => {
            if contact {
                "MailingAddress.Street"
            } else {
                "Street"
            }
        }
        (Side::Crm, Property::City) => {
            if contact {
                "MailingAddress.City"
            } else {
                "City"
            }
        }
        (Side::Crm, Property::State) => {
            if contact {
                "MailingAddress.State"
            } else {
                "State"
            }
        }
        (Side::Crm, Property::PostalCode) => {
            if contact {
                "MailingAddress.PostalCode"
            } else {
                "PostalCode"
            }
        }
        (Side::Crm, Property::Country) => {
            if contact {
                "MailingAddress.Country"
            } else {
                "Country"
            }
        }
        (Side::Crm, Property::LeadSource) => "LeadSource",
        (Side::Crm, Property::NoEmail) => "HasOptedOutOfEmail",
        (Side::Crm, Property::Score) | (Side::Map, Property::LeadSource) => return None,
        (Side::Map, Property::FirstName) => "firstname",
        (Side::Map, Property::LastName) => "lastname",
        (Side::Map, Property::Email) => "email",
        (Side::Map, Property::Phone) => "phone",
        (Side::Map, Property::Title) => "position",
        (Side::Map, Property::Company) => "company",
        (Side::Map, Property::Street) => "address1",
        (Side::Map, Property::City) => "city",
        (Side::Map, Property::State) => "state",
        (Side::Map, Property::PostalCode) => "zipcode",
        (Side::Map, Property::Country) => "country",
        (Side::Map, Property::Score) => "points",
        (Side::Map, Property::NoEmail) => MAUTIC_DO_NOT_EMAIL,
    })
}

/// Plays one step. The systems answer with messages when they are asked for them ([`System::due`]).
pub fn play(step: &Step, crm: &mut System, map: &mut System) -> Played {
    let (at, actor) = (step.at, &step.actor);
    let done = match &step.act {
        Act::Company { name, address } => crm
            .create(at, actor, Object::Account, company(name, address))
            .map(drop),
        Act::Enter {
            side,
            object,
            values,
        } => {
            let fields = entry(*side, *object, values, crm);
            pick(*side, crm, map)
                .create(at, actor, *object, fields)
                .map(drop)
        }
        Act::Write {
            side,
            emails,
            values,
        } => {
            let system = pick(*side, crm, map);
            let Some((object, id)) = person(system, *side, emails) else {
                return Played::Nobody;
            };
            system.edit(at, actor, object, &id, fields(*side, object, values))
        }
        Act::Convert {
            emails,
            deal,
            amount,
            close,
        } => {
            return convert(
                at,
                actor,
                crm,
                emails,
                &[
                    ("Name", json!(deal)),
                    ("Amount", json!(amount)),
                    ("CloseDate", json!(close)),
                    ("StageName", json!("Prospecting")),
                ],
            );
        }
        Act::Deal { name, stage } => {
            let Some(id) = crm
                .find(Object::Deal, "Name", &json!(name))
                .map(str::to_owned)
            else {
                return Played::Nobody;
            };
            let mut values = crate::fields([("StageName", json!(stage))]);
            if let Some(won) = stage.strip_prefix("Closed ") {
                values.insert("IsClosed".to_owned(), true.into());
                values.insert("IsWon".to_owned(), (won == "Won").into());
            }
            crm.edit(at, actor, Object::Deal, &id, values)
        }
        Act::Merge { winner, loser } => {
            let (Some((kept, winner)), Some((gone, loser))) = (
                person(crm, Side::Crm, winner),
                person(crm, Side::Crm, loser),
            ) else {
                return Played::Nobody;
            };
            if kept != gone {
                return Played::Nobody;
            }
            crm.merge(at, actor, kept, &winner, &[&loser])
        }
        Act::Delete { side, emails } => {
            let system = pick(*side, crm, map);
            let Some((object, id)) = person(system, *side, emails) else {
                return Played::Nobody;
            };
            system.delete(at, actor, object, &id)
        }
    };
    done.map_or_else(Played::Refused, |()| Played::Done)
}

fn convert(
    at: Millis,
    actor: &Actor,
    crm: &mut System,
    emails: &[String],
    deal: &[(&str, Value)],
) -> Played {
    let Some((Object::Lead, lead)) = person(crm, Side::Crm, emails) else {
        return Played::Nobody;
    };
    let company = crm
        .record(Object::Lead, &lead)
        .map(|r| r.value("Company").clone());
    let account =
        company.and_then(|name| crm.find(Object::Account, "Name", &name).map(str::to_owned));
    let fields = deal
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    match crm.convert(
        at,
        actor,
        &lead,
        account.as_deref(),
        Some(NewDeal { fields }),
    ) {
        Ok(_) => Played::Done,
        Err(refused) => Played::Refused(refused),
    }
}

const fn pick<'a>(side: Side, crm: &'a mut System, map: &'a mut System) -> &'a mut System {
    match side {
        Side::Crm => crm,
        Side::Map => map,
    }
}

/// The living record of a person, under any of their addresses; in the CRM the contact before the lead.
#[must_use]
pub fn person(system: &System, side: Side, emails: &[String]) -> Option<(Object, String)> {
    let objects: &[Object] = match side {
        Side::Crm => &[Object::Contact, Object::Lead],
        Side::Map => &[Object::Contact],
    };
    let field = vendor_field(side, Object::Contact, Property::Email)?;
    objects.iter().find_map(|object| {
        let of = |email: &String| system.find(*object, field, &json!(email));
        emails
            .iter()
            .find_map(of)
            .map(|id| (*object, id.to_owned()))
    })
}

fn fields(side: Side, object: Object, values: &[(Property, Value)]) -> Fields {
    values
        .iter()
        .filter_map(|(property, value)| {
            vendor_field(side, object, *property).map(|field| (field.to_owned(), value.clone()))
        })
        .collect()
}

fn entry(side: Side, object: Object, values: &[(Property, Value)], crm: &System) -> Fields {
    let mut entry = fields(side, object, values);
    if (side, object) == (Side::Crm, Object::Lead) {
        entry.insert("Status".to_owned(), "Open - Not Contacted".into());
    }
    if (side, object) == (Side::Crm, Object::Contact) {
        let company = values
            .iter()
            .find(|(property, _)| *property == Property::Company);
        if let Some(account) = company.and_then(|(_, name)| crm.find(Object::Account, "Name", name))
        {
            entry.insert("AccountId".to_owned(), account.into());
        }
    }
    entry
}

fn company(name: &str, address: &Address) -> Fields {
    crate::fields([
        ("Name", json!(name)),
        ("BillingAddress.Street", json!(address.street)),
        ("BillingAddress.City", json!(address.city)),
        ("BillingAddress.State", json!(address.state)),
        ("BillingAddress.PostalCode", json!(address.postal_code)),
        ("BillingAddress.Country", json!(address.country)),
    ])
}

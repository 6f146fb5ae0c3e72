//! Names that the vendors give to objects, fields and users, as the shipped configuration knows them.

use baton_core::id::Object;
use serde_json::Value;

/// The name that Baton's writes appear under where a vendor shows names.
pub const INTEGRATION_NAME: &str = "Baton Sync";
/// The name that list imports appear under where a vendor shows names.
pub const IMPORT_NAME: &str = "List Import";
/// The name that forms appear under where a vendor shows names.
pub const FORM_NAME: &str = "Form Submission";
/// The name of the vendor's own automation.
pub const AUTOMATION_NAME: &str = "Automated Process";
/// The name of other integrations.
pub const API_NAME: &str = "Other Integration";

/// The Salesforce user of Baton's writes; [`user_id`] of the same name.
pub const INTEGRATION_USER: &str = "005BT00LXQ2XJG1AAA";

/// The Salesforce user id of a person or integration by its name: always the same for one name.
#[must_use]
pub fn user_id(name: &str) -> String {
    if name == INTEGRATION_NAME {
        return INTEGRATION_USER.to_owned();
    }
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    long_id("005", hash % 36_u64.pow(10))
}

/// An 18-character Salesforce id: prefix of the object, number in base 36, case check (all capitals here).
pub(crate) fn long_id(prefix: &str, number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const CHECKS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mut digits = [b'0'; 10];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    let short: Vec<u8> = prefix.bytes().chain(*b"BT").chain(digits).collect();
    let check = short.chunks(5).map(|five| {
        let bits = five
            .iter()
            .rev()
            .fold(0, |bits, c| bits << 1 | usize::from(c.is_ascii_uppercase()));
        // Five characters make five bits, hence an index below 32.
        CHECKS[bits]
    });
    short.iter().copied().chain(check).map(char::from).collect()
}

pub(crate) const fn salesforce_prefix(object: Object) -> &'static str {
    match object {
        Object::Lead => "00Q",
        Object::Contact => "003",
        Object::Account => "001",
        Object::Deal => "006",
    }
}

#[must_use]
pub const fn salesforce_entity(object: Object) -> &'static str {
    match object {
        Object::Lead => "Lead",
        Object::Contact => "Contact",
        Object::Account => "Account",
        Object::Deal => "Opportunity",
    }
}

/// The fields of a Salesforce object, in the names of the shipped configuration, its custom ones among them.
#[must_use]
pub const fn salesforce_fields(object: Object) -> &'static [&'static str] {
    match object {
        Object::Lead => &[
            "Salutation",
            "FirstName",
            "LastName",
            "Title",
            "Company",
            "Street",
            "City",
            "State",
            "PostalCode",
            "Country",
            "Phone",
            "MobilePhone",
            "Fax",
            "Email",
            "Website",
            "Description",
            "LeadSource",
            "Status",
            "Industry",
            "Rating",
            "HasOptedOutOfEmail",
            "IsConverted",
            "ConvertedDate",
            "ConvertedAccountId",
            "ConvertedContactId",
            "ConvertedOpportunityId",
            "DoNotCall",
            "OwnerId",
            "Lead_Score__c",
            "Interests__c",
            "Sales_Ready__c",
            "Sales_Willing__c",
            "Sales_Reason__c",
            "Sales_Handoff__c",
            "Start_Campaign__c",
        ],
        Object::Contact => &[
            "AccountId",
            "Salutation",
            "FirstName",
            "LastName",
            "MailingAddress.Street",
            "MailingAddress.City",
            "MailingAddress.State",
            "MailingAddress.PostalCode",
            "MailingAddress.Country",
            "Phone",
            "Fax",
            "MobilePhone",
            "Email",
            "Title",
            "Department",
            "LeadSource",
            "Description",
            "HasOptedOutOfEmail",
            "DoNotCall",
            "Birthdate",
            "OwnerId",
            "Lead_Score__c",
            "Interests__c",
            "Sales_Ready__c",
            "Sales_Willing__c",
            "Sales_Reason__c",
            "Sales_Handoff__c",
            "Start_Campaign__c",
        ],
        Object::Account => &[
            "Name",
            "Type",
            "BillingAddress.Street",
            "BillingAddress.City",
            "BillingAddress.State",
            "BillingAddress.PostalCode",
            "BillingAddress.Country",
            "Phone",
            "Fax",
            "Website",
            "Industry",
            "AnnualRevenue",
            "NumberOfEmployees",
            "Description",
            "AccountSource",
            "No_Marketing__c",
            "OwnerId",
        ],
        Object::Deal => &[
            "AccountId",
            "Name",
            "Description",
            "StageName",
            "Amount",
            "Probability",
            "CloseDate",
            "Type",
            "NextStep",
            "LeadSource",
            "IsClosed",
            "IsWon",
            "CampaignId",
            "ContactId",
            "OwnerId",
            "Loss_Reason__c",
            "Start_Campaign__c",
        ],
    }
}

/// Where change data capture puts a field: the compound it is a member of, if any, and its name there.
pub(crate) fn salesforce_place(object: Object, field: &str) -> (Option<&str>, &str) {
    match (object, field) {
        (Object::Lead | Object::Contact, "Salutation" | "FirstName" | "LastName") => {
            (Some("Name"), field)
        }
        (Object::Lead, "Street" | "City" | "State" | "PostalCode" | "Country") => {
            (Some("Address"), field)
        }
        _ => field
            .split_once('.')
            .map_or((None, field), |(compound, member)| (Some(compound), member)),
    }
}

/// The other names of a field that the sandbox keeps: within its compound, and as the REST interface joins them.
pub(crate) fn salesforce_spellings(object: Object, field: &str) -> impl Iterator<Item = String> {
    let place = match salesforce_place(object, field) {
        (Some(compound), member) => Some((compound, member)),
        (None, _) => None,
    };
    let within = place.map(|(compound, member)| format!("{compound}.{member}"));
    let joined = place.map(|(compound, member)| {
        let prefix = compound.strip_suffix("Address").unwrap_or_default();
        format!("{prefix}{member}")
    });
    within.into_iter().chain(joined)
}

/// The name under which the sandbox keeps a field: the spellings of the REST interface and of change data capture
/// are one field.
pub(crate) fn salesforce_kept_as(object: Object, field: &str) -> String {
    const MEMBERS: [&str; 5] = ["Street", "City", "State", "PostalCode", "Country"];
    let flat = match object {
        Object::Lead => field
            .strip_prefix("Address.")
            .or_else(|| field.strip_prefix("Name.")),
        Object::Contact => field.strip_prefix("Name."),
        Object::Account | Object::Deal => None,
    };
    if let Some(flat) = flat {
        return flat.to_owned();
    }
    let compound = match object {
        Object::Contact => "Mailing",
        Object::Account => "Billing",
        Object::Lead | Object::Deal => return field.to_owned(),
    };
    match field.strip_prefix(compound) {
        Some(member) if MEMBERS.contains(&member) => format!("{compound}Address.{member}"),
        _ => field.to_owned(),
    }
}

/// Country codes and the names that picklists hold for them.
pub(crate) const COUNTRIES: [(&str, &str); 4] = [
    ("DE", "Germany"),
    ("FR", "France"),
    ("GB", "United Kingdom"),
    ("US", "United States"),
];

/// One built-in contact field of Mautic: alias, label, type.
pub(crate) const MAUTIC_CORE: [(&str, &str, &str); 22] = [
    ("title", "Title", "lookup"),
    ("firstname", "First Name", "text"),
    ("lastname", "Last Name", "text"),
    ("company", "Primary company", "text"),
    ("position", "Position", "text"),
    ("email", "Email", "email"),
    ("mobile", "Mobile", "tel"),
    ("phone", "Phone", "tel"),
    ("points", "Points", "number"),
    ("fax", "Fax", "tel"),
    ("address1", "Address Line 1", "text"),
    ("address2", "Address Line 2", "text"),
    ("city", "City", "text"),
    ("state", "State", "region"),
    ("zipcode", "Zip Code", "text"),
    ("country", "Country", "country"),
    ("preferred_locale", "Preferred Locale", "locale"),
    ("timezone", "Preferred Timezone", "timezone"),
    ("last_active", "Date Last Active", "datetime"),
    ("attribution_date", "Attribution Date", "datetime"),
    ("attribution", "Attribution", "number"),
    ("website", "Website", "url"),
];

/// The record field in which the sandbox keeps why not to contact by e-mail: `unsubscribed`, `bounced`, `manual` or
/// nothing. Its webhooks show it as Mautic does, in the contact's `doNotContact` list and in an event of its own.
pub const MAUTIC_DO_NOT_EMAIL: &str = "doNotContact.email";

/// What stands after somebody wrote `value` into it: a plain yes means unsubscribed, a plain no removes the entry.
pub(crate) fn mautic_do_not_contact(value: &Value) -> Value {
    let status = match value {
        Value::Bool(true) => "unsubscribed",
        Value::String(text) => match text.as_str() {
            "" | "0" | "false" | "contactable" => return Value::Null,
            "bounced" => "bounced",
            "manual" => "manual",
            _ => "unsubscribed",
        },
        Value::Number(reason) => match reason.as_u64() {
            Some(0) => return Value::Null,
            Some(2) => "bounced",
            Some(3) => "manual",
            _ => "unsubscribed",
        },
        _ => return Value::Null,
    };
    status.into()
}

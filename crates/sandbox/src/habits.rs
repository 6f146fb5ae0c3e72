//! What one instance of a vendor's system does to values, to messages and to those who wait for answers.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{change::Precision, id::Object};

use crate::vocabulary;

/// The habits of one system. [`Habits::faithful`] has none of the bad ones; set what a test is about.
///
/// Chances are in thousandths. Durations are milliseconds, ranges are inclusive and drawn from the system's seed.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Whose payloads it sends.
    pub dialect: Dialect,
    /// Whether its events carry the whole record or what changed. Salesforce always sends what changed, Mautic
    /// always the whole record; this is for Baton's canonical form.
    pub events: Events,
    /// How exact its stamps are: those of records, events and answers alike.
    pub stamps: Precision,
    /// The tag that writes through its interface carry in its events, where it has such a thing.
    pub origin_tag: Option<String>,
    /// Whether events say who did it.
    pub names_actors: bool,
    /// Whether events say what kind of act it was (canonical form only).
    pub names_causes: bool,
    /// Whether events carry a sequence that rises (canonical form only; Salesforce always does, Mautic never).
    pub sequences: bool,
    /// Whether events carry the values before (canonical form only).
    pub before_images: bool,
    /// The user that Baton's writes appear under.
    pub integration_user: String,
    /// The fields of each object, shown as null while blank (canonical form only; the vendors' are known).
    pub schema: BTreeMap<Object, BTreeSet<String>>,
    /// Fields that keep only so many characters.
    pub truncates: BTreeMap<String, usize>,
    /// Fields that a workflow re-cases after any write, in an event of its own that bears no tag.
    pub recases: BTreeMap<String, Recase>,
    /// How long after the write that workflow runs. 0: at once, before the write's answer. Always in an event of
    /// its own, as automation that runs beside the transaction has it.
    pub workflow_lag: i64,
    /// Picklists: what was written → the label that stands.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
    /// Fields nobody's interface may write, and why.
    pub refuses: BTreeMap<String, String>,
    /// Fields whose values are refused if longer than so many characters (instead of being cut).
    pub too_long: BTreeMap<String, usize>,
    /// Fields that must not be blank, by object.
    pub required: BTreeMap<Object, BTreeSet<String>>,
    /// Whether a refused field spoils the whole command.
    pub refusals: Refusals,
    /// Chance that a command is refused for its record as a whole.
    pub refuses_record_per_mille: u32,
    /// Field that must be unique among the living records of an object (the e-mail address), if any.
    pub unique: Option<String>,
    pub known_email: KnownEmail,
    /// What a successful answer says.
    pub answer: Answer,
    /// How long an answer takes.
    pub answer_delay: (i64, i64),
    /// Chance that a command is carried out and its answer lost.
    pub loses_answer_per_mille: u32,
    /// Chance that a command is carried out and answered with "unknown".
    pub unknown_per_mille: u32,
    /// Chance that a command is not carried out and answered with "failed".
    pub fails_per_mille: u32,
    /// Whether an act that changes nothing still raises the stamp and sends an event (EspoCRM does).
    pub events_on_unchanged: bool,
    /// Whether a merge can be known from its events: the loser's delete then names the winner (Salesforce only).
    /// Plain change data capture does not tell; installations that need it enrich the event. Where it is not
    /// told, a merge looks like a delete beside an update.
    pub tells_merges: bool,
    /// Whether each field's change is an event of its own (HubSpot does; canonical form only).
    pub event_per_field: bool,
    pub delivery: Delivery,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Salesforce,
    Mautic,
    /// Baton's own canonical form.
    Baton,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Events {
    /// Only what changed.
    Delta,
    /// The whole record as it stood after the act.
    Whole,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recase {
    Upper,
    Lower,
    /// Each word begins with a capital, the rest is small.
    Title,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusals {
    /// One refused field, and nothing of the command is carried out.
    Whole,
    /// The other fields are carried out.
    FieldOnly,
}

/// What a create with an e-mail address that a living record has comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KnownEmail {
    /// A second record.
    Allowed,
    /// Refused, without a word about which record has it.
    Refused,
    /// Refused, with the id of the record that has it.
    RefusedWithId,
    /// Taken as an update of the record that has it (Mautic).
    Updates,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The record as it now stands, and its stamp.
    Record,
    /// The id, an ok and the record's stamp.
    Stamp,
    /// The id and an ok.
    Ok,
    /// Nothing: the system never answers (`acks = "none"`). Reads are not answered either.
    Nothing,
}

/// How events come.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// How long an event takes.
    pub delay: (i64, i64),
    /// Whether events of one record keep their order, save the late ones.
    pub ordered: bool,
    /// Chance that an event comes later still, out of order.
    pub late_per_mille: u32,
    pub late_by: (i64, i64),
    /// Chance that an event comes a second time.
    pub twice_per_mille: u32,
    pub twice_after: (i64, i64),
    /// Chance that only a gap is told in place of a change (Salesforce and canonical form).
    pub gap_per_mille: u32,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            delay: (0, 0),
            ordered: true,
            late_per_mille: 0,
            late_by: (0, 0),
            twice_per_mille: 0,
            twice_after: (0, 0),
            gap_per_mille: 0,
        }
    }
}

impl Habits {
    /// Keeps every value as written, answers each command at once with the record, tags and names everything,
    /// tells every change once, at once and in order.
    #[must_use]
    pub fn faithful() -> Self {
        Self {
            dialect: Dialect::Baton,
            events: Events::Delta,
            stamps: Precision::Millis,
            origin_tag: Some("baton".into()),
            names_actors: true,
            names_causes: true,
            sequences: true,
            before_images: false,
            integration_user: vocabulary::INTEGRATION_NAME.into(),
            schema: BTreeMap::new(),
            truncates: BTreeMap::new(),
            recases: BTreeMap::new(),
            workflow_lag: 0,
            labels: BTreeMap::new(),
            refuses: BTreeMap::new(),
            too_long: BTreeMap::new(),
            required: BTreeMap::new(),
            refusals: Refusals::Whole,
            refuses_record_per_mille: 0,
            unique: None,
            known_email: KnownEmail::Allowed,
            answer: Answer::Record,
            answer_delay: (0, 0),
            loses_answer_per_mille: 0,
            unknown_per_mille: 0,
            fails_per_mille: 0,
            events_on_unchanged: false,
            tells_merges: true,
            event_per_field: false,
            delivery: Delivery::default(),
        }
    }

    /// The hardest honest system of the contract (section 7): whole-record, untagged, unnamed events of
    /// one-second stamps, delayed, doubled and out of order; answers with nothing but an ok.
    #[must_use]
    pub fn taciturn() -> Self {
        Self {
            events: Events::Whole,
            stamps: Precision::Second,
            origin_tag: None,
            names_actors: false,
            names_causes: false,
            sequences: false,
            answer: Answer::Ok,
            answer_delay: (20, 1_500),
            delivery: Delivery {
                delay: (0, 4_000),
                ordered: false,
                late_per_mille: 100,
                late_by: (5_000, 30_000),
                twice_per_mille: 100,
                twice_after: (0, 20_000),
                gap_per_mille: 0,
            },
            ..Self::faithful()
        }
    }

    /// A Salesforce as the demo connects it: deltas by change data capture, tagged with `client=baton`; a
    /// workflow gives company names capitals; countries stand by name; last names (and a lead's company) are required.
    #[must_use]
    pub fn salesforce() -> Self {
        Self {
            dialect: Dialect::Salesforce,
            integration_user: vocabulary::INTEGRATION_USER.into(),
            recases: BTreeMap::from([("Company".into(), Recase::Title)]),
            workflow_lag: 400,
            labels: countries(&[
                "Country",
                "MailingAddress.Country",
                "BillingAddress.Country",
            ]),
            required: BTreeMap::from([
                (
                    Object::Lead,
                    ["LastName", "Company"].map(String::from).into(),
                ),
                (Object::Contact, ["LastName"].map(String::from).into()),
                (Object::Account, ["Name"].map(String::from).into()),
                (
                    Object::Deal,
                    ["Name", "StageName", "CloseDate"].map(String::from).into(),
                ),
            ]),
            unique: Some("Email".into()),
            known_email: KnownEmail::RefusedWithId,
            answer_delay: (40, 600),
            delivery: Delivery {
                delay: (100, 1_500),
                late_per_mille: 15,
                late_by: (5_000, 90_000),
                twice_per_mille: 15,
                twice_after: (500, 60_000),
                ..Delivery::default()
            },
            ..Self::faithful()
        }
    }

    /// A Mautic as the demo connects it: whole records by webhook, one-second stamps, no origin tag; job titles
    /// longer than 40 characters are cut; an existing e-mail address turns a create into an update.
    #[must_use]
    pub fn mautic() -> Self {
        Self {
            dialect: Dialect::Mautic,
            events: Events::Whole,
            stamps: Precision::Second,
            origin_tag: None,
            sequences: false,
            truncates: BTreeMap::from([("position".into(), 40)]),
            labels: countries(&["country"]),
            unique: Some("email".into()),
            known_email: KnownEmail::Updates,
            answer_delay: (300, 1_200),
            delivery: Delivery {
                delay: (200, 3_000),
                late_per_mille: 20,
                late_by: (5_000, 120_000),
                twice_per_mille: 20,
                twice_after: (500, 90_000),
                ..Delivery::default()
            },
            ..Self::faithful()
        }
    }
}

/// Picklists that hold countries by name, whoever writes the code.
fn countries(fields: &[&str]) -> BTreeMap<String, BTreeMap<String, String>> {
    let names = vocabulary::COUNTRIES.map(|(code, name)| (code.to_owned(), name.to_owned()));
    fields
        .iter()
        .map(|field| ((*field).to_owned(), BTreeMap::from(names.clone())))
        .collect()
}

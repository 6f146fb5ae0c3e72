//! From what a system says somebody did to an act as the funnel's rules speak of it.

use std::collections::BTreeMap;

use compact_str::CompactString;

use super::{
    fact::{Act, Actor},
    setup::Setup,
};
use crate::{
    canon::fold,
    change::{Cause, Format, Origin, RawField},
    name::Name,
};

/// The activities of one system, by the dialect of the message and the vendor's kind, case-folded.
pub type Readings = BTreeMap<(Format, CompactString), Vec<Reading>>;

/// How the activities of one of a vendor's kinds are read: the first that fits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Only those of which the vendor's fields have these values, case-folded.
    pub when: BTreeMap<CompactString, CompactString>,
    pub kind: Name,
    /// Whose act it is, unless a machine did it.
    pub by: Actor,
    /// The vendor's field with what it was about.
    pub content: Option<CompactString>,
    /// The vendor's field with the campaign that it came by.
    pub campaign: Option<CompactString>,
}

/// An activity as it was decoded.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub system: Name,
    pub format: Format,
    /// The vendor's word.
    pub kind: &'a str,
    pub fields: &'a [RawField],
    pub cause: Cause,
    pub origin: Origin,
}

impl Told<'_> {
    fn field(&self, name: &str) -> Option<CompactString> {
        let found = self.fields.iter().find(|field| field.name == name)?;
        let text = found.value.as_text()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.into())
    }

    fn fits(&self, reading: &Reading) -> bool {
        reading.when.iter().all(|(name, wanted)| {
            self.field(name)
                .is_some_and(|value| fold(&value) == wanted.as_str())
        })
    }

    /// Baton's own writes are Baton's; what a program did in a user's stead is a machine's.
    fn actor(&self, by: Actor) -> Actor {
        let program = matches!(
            self.cause,
            Cause::Enrichment | Cause::ListImport | Cause::Api
        );
        match by {
            _ if self.origin == Origin::Ours => Actor::Baton,
            Actor::Sales | Actor::Marketer if program => Actor::Automation,
            by => by,
        }
    }

    /// Whose act it is where nothing but the cause tells.
    const fn by_cause(&self) -> Actor {
        match self.cause {
            Cause::OwnForm => Actor::Buyer,
            Cause::ManualEdit | Cause::SalesTool => Actor::Sales,
            _ => Actor::Automation,
        }
    }
}

impl Setup {
    /// The act, if the rules know activities of that kind. A message that calls it by the rules' own name may say in
    /// fields of its own whose act it is (`by`), what it was about (`content`) and by which `campaign` it came.
    #[must_use]
    pub fn act(&self, told: &Told<'_>) -> Option<Act> {
        let readings = self.readings.get(&told.system)?;
        let word = (
            told.format,
            CompactString::from(fold(told.kind.trim()).as_ref()),
        );
        if let Some(all) = readings.get(&word) {
            let reading = all.iter().find(|reading| told.fits(reading))?;
            return Some(Act {
                kind: reading.kind,
                actor: told.actor(reading.by),
                category: *self.activities.get(&reading.kind)?,
                content: reading.content.as_deref().and_then(|name| told.field(name)),
                campaign: reading
                    .campaign
                    .as_deref()
                    .and_then(|name| told.field(name)),
            });
        }
        let kind = Name::known(told.kind.trim())?;
        let category = *self.activities.get(&kind)?;
        let by = told.field("by").as_deref().and_then(Actor::parse);
        Some(Act {
            kind,
            actor: told.actor(by.unwrap_or(told.by_cause())),
            category,
            content: told.field("content"),
            campaign: told.field("campaign"),
        })
    }
}

//! A funnel in two pieces, for whoever stores it: what people did, which is many and alike, and all the rest.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{
    fact::{Act, Fact, What},
    funnel::Funnel,
};
use crate::id::EventId;

/// A funnel as it is serialised, but that its facts of [`Act`] are not there.
#[derive(Debug)]
pub struct WithoutActs<'f>(&'f Funnel);

/// Facts that are no [`Act`].
struct Others<'f>(&'f BTreeMap<EventId, Fact>);

impl Funnel {
    /// What people did, in the order of the events, each with the fact that tells it.
    pub fn acts(&self) -> impl Iterator<Item = (&Fact, &Act)> {
        self.facts.values().filter_map(|fact| match &fact.what {
            What::Act(act) => Some((fact, act)),
            _ => None,
        })
    }

    #[must_use]
    pub const fn without_acts(&self) -> WithoutActs<'_> {
        WithoutActs(self)
    }

    /// Puts back what [`WithoutActs`] left out.
    pub fn put_back(&mut self, acts: impl IntoIterator<Item = Fact>) {
        let acts = acts.into_iter().map(|fact| (fact.event, fact));
        self.facts.extend(acts);
    }
}

impl Serialize for WithoutActs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Funnel {
            sealed,
            facts,
            done,
            settled,
            parts,
            heard,
            present,
        } = self.0;
        // Names and order are those of the derived form, by which this is read.
        let mut funnel = serializer.serialize_struct("Funnel", 7)?;
        funnel.serialize_field("sealed", sealed)?;
        funnel.serialize_field("facts", &Others(facts))?;
        funnel.serialize_field("done", done)?;
        funnel.serialize_field("settled", settled)?;
        funnel.serialize_field("parts", parts)?;
        funnel.serialize_field("heard", heard)?;
        funnel.serialize_field("present", present)?;
        funnel.end()
    }
}

impl Serialize for Others<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let others = self.0.iter();
        let others: Vec<_> = others
            .filter(|(_, fact)| !matches!(fact.what, What::Act(_)))
            .collect();
        serializer.collect_map(others)
    }
}

//! Which words the funnel's moves have, from what the systems are to be told.

use std::collections::BTreeMap;

use baton_core::{
    lifecycle::{
        rules::Landmarks,
        setup::{StageText, SystemWiring, Wiring},
        words::{Campaigns, EndingFields, Tells},
    },
    name::Name,
    value::Value,
};
use compact_str::CompactString;

/// How people and systems call what the funnel speaks of.
pub(super) struct Names<'a> {
    pub stages: &'a BTreeMap<Name, StageText>,
    pub tracks: &'a BTreeMap<Name, CompactString>,
    pub actions: &'a BTreeMap<Name, CompactString>,
    pub queues: &'a BTreeMap<Name, CompactString>,
    pub campaigns: &'a BTreeMap<Value, Value>,
}

pub(super) fn tells(
    wiring: &Wiring,
    landmarks: &Landmarks,
    names: &Names<'_>,
    back_to_owner_within: Option<i64>,
) -> Tells {
    let systems = || wiring.systems.values();
    let all = |field: fn(&SystemWiring) -> Option<Name>| {
        let mut fields: Vec<Name> = systems().filter_map(field).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    };
    let values = |names: &BTreeMap<Name, CompactString>| {
        let named = names.iter();
        named
            .map(|(name, text)| (*name, Value::text(text)))
            .collect::<BTreeMap<_, _>>()
    };
    let queues = values(names.queues);
    let mut stages: BTreeMap<Name, Vec<(Name, Value)>> = BTreeMap::new();
    for system in systems() {
        for (stage, value) in &system.tells {
            let word = system.stage.map(|field| (field, value.clone()));
            stages.entry(*stage).or_default().extend(word);
        }
        let recycled = system.owner.zip(system.recycled_to);
        let queue = recycled.and_then(|(field, to)| Some((field, queues.get(&to)?.clone())));
        stages.entry(landmarks.recycled).or_default().extend(queue);
        // Where no content is recommended, that of the stage before is taken away.
        for (stage, text) in system.content.iter().flat_map(|_| names.stages) {
            let content = text.content.as_deref().map_or(Value::Blank, Value::text);
            let word = system.content.map(|field| (field, content));
            stages.entry(*stage).or_default().extend(word);
        }
    }
    let found_out = wiring.qualification.iter();
    Tells {
        stages,
        reasons: all(|system| system.reason),
        tracks: all(|system| system.track),
        track_names: values(names.tracks),
        action_names: values(names.actions),
        owners: all(|system| system.owner),
        queues,
        back_to_owner_within,
        handoffs: all(|system| system.handoff),
        findings: found_out
            .flat_map(|fields| [Some(fields.ready), Some(fields.willing), fields.reason])
            .flatten()
            .collect(),
        suppressions: all(|system| system.suppressed),
        deals: EndingFields {
            outcome: all(|system| system.last_deal.outcome),
            reason: all(|system| system.last_deal.reason),
            amount: all(|system| system.last_deal.amount),
            campaign: all(|system| system.last_deal.campaign),
        },
        campaigns: Campaigns {
            chosen_in: all(|system| system.starts),
            told_in: all(|system| system.campaign),
            names: names.campaigns.clone(),
        },
    }
}

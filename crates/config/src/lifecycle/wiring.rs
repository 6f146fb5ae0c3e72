//! Where the funnel's facts stand in the systems, and where its decisions go.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::{
    id::Kind,
    lifecycle::{
        setup::{Deals, LastDeal, Qualification, SystemWiring, Wiring},
        words::{LOST, WON},
    },
    name::Name,
    rules::FieldType,
    value::Value,
};

use super::{Reader, words::List};
use crate::{
    codes::Code,
    condition::typed,
    mapping::scalar,
    problem::{Problems, Span},
    strategy::type_name,
    systems::Lowered,
    tree::Table,
};

const NUMBER: &[FieldType] = &[FieldType::Number, FieldType::Integer];
const AMOUNT: &[FieldType] = &[FieldType::Number];
const TRUTH: &[FieldType] = &[FieldType::Boolean];
const DAY: &[FieldType] = &[FieldType::Date];
/// One record, or several.
const PEOPLE: &[FieldType] = &[
    FieldType::Text,
    FieldType::Reference,
    FieldType::MultiSelect,
];
const WORD: &[FieldType] = &[FieldType::Text, FieldType::Reference];

/// A field with a part in the funnel.
#[derive(Clone, Copy)]
struct Role {
    key: &'static str,
    kind: Kind,
    types: &'static [FieldType],
}

const fn role(key: &'static str, kind: Kind, types: &'static [FieldType]) -> Role {
    Role { key, kind, types }
}

impl Reader<'_> {
    pub(super) fn wiring(
        &self,
        systems: &BTreeMap<Name, Lowered>,
        problems: &mut Problems,
    ) -> Option<Wiring> {
        let fields = self.table.table("fields")?;
        let mut from_any = |table: &Table, role: Role| {
            let (field, span) = self.role(table, role, problems)?;
            unless_sent(field, role.kind, span, systems, problems);
            Some(field)
        };
        let score = from_any(fields, role("score", Kind::Person, NUMBER));
        let ready = from_any(fields, role("ready", Kind::Person, TRUTH));
        let willing = from_any(fields, role("willing", Kind::Person, TRUTH));
        let reason = from_any(fields, role("reason", Kind::Person, WORD));
        let account = from_any(fields, role("account", Kind::Person, WORD));
        let deals = self.table.table("deals").map(|table| {
            let mut field =
                |key, types: &'static [FieldType]| from_any(table, role(key, Kind::Deal, types));
            (
                field("people", PEOPLE),
                field("stage", WORD),
                field("closing", DAY),
                field("closed", TRUTH),
                field("won", TRUTH),
                field("reason", WORD),
                field("amount", NUMBER),
                field("campaign", WORD),
                field("starts", WORD),
            )
        });
        if let Some(table) = self.table.table("deals") {
            self.starts_something(table, problems);
        }
        for (one, other) in [("ready", "willing"), ("willing", "ready")] {
            self.beside(fields, one, other, problems);
        }
        let deals = deals.and_then(
            |(people, stage, closing, closed, won, reason, amount, campaign, starts)| {
                Some(Deals {
                    people,
                    stages: self.deal_stages(problems),
                    stage: stage?,
                    closing: closing?,
                    closed: closed?,
                    won: won?,
                    reason,
                    amount,
                    campaign,
                    starts,
                })
            },
        );
        let mut wired = BTreeMap::new();
        for (name, entry) in self.table.each("systems") {
            let Some(table) = entry.value.as_table() else {
                continue;
            };
            self.of_accounts(table, fields, problems);
            if let Some(name) = self.world.system(name, entry.key, problems) {
                let wiring = self.system(name, table, systems.get(&name), problems);
                wired.insert(name, wiring);
            }
        }
        Some(Wiring {
            score: score?,
            account,
            systems: wired,
            qualification: ready.zip(willing).map(|(ready, willing)| Qualification {
                ready,
                willing,
                reason,
            }),
            deals,
        })
    }

    /// Whoever takes an account out of marketing must be able to say who belongs to it.
    fn of_accounts(&self, system: &Table, fields: &Table, problems: &mut Problems) {
        let said = system.entry("suppresses").filter(|_| !system.is_unread());
        if let Some(entry) = said.filter(|_| !fields.has("account") && !fields.is_unread()) {
            problems
                .report(
                    Code::MissingKey,
                    entry.key,
                    "`suppresses` means nothing without `account` in [lifecycle.fields]",
                )
                .fix("Add `account = …` there: the person field that names the account; or take this out.");
        }
    }

    /// The field that plays a role, if its type allows it.
    fn role(&self, table: &Table, role: Role, problems: &mut Problems) -> Option<(Name, Span)> {
        let (text, span) = table.text(role.key)?;
        let field = self.world.field(role.kind, text, span, problems)?;
        let declared = self.world.declared(role.kind, field.as_str())?;
        if declared.certain && !role.types.contains(&declared.kind) {
            problems
                .report(
                    Code::FunnelFieldType,
                    span,
                    format!(
                        "`{field}` is of type {}, which cannot be `{}`",
                        type_name(declared.kind),
                        role.key
                    ),
                )
                .fix(format!(
                    "Name a field of type {}.",
                    role.types
                        .iter()
                        .map(|kind| type_name(*kind))
                        .collect::<Vec<_>>()
                        .join(" or ")
                ));
            return None;
        }
        Some((field, span))
    }

    fn system(
        &self,
        name: Name,
        table: &Table,
        lowered: Option<&Lowered>,
        problems: &mut Problems,
    ) -> SystemWiring {
        let mut field = |key: &'static str, kind: Kind, types: &'static [FieldType]| {
            let (field, span) = self.role(table, role(key, kind, types), problems)?;
            if let Some(lowered) = lowered.filter(|l| l.certain) {
                let mapped = lowered
                    .objects
                    .iter()
                    .any(|(object, mapped)| object.kind() == kind && mapped.maps(field));
                if !mapped {
                    problems.report(
                        Code::FunnelFieldUnmapped,
                        span,
                        format!("`{name}` does not map `{field}`"),
                    );
                }
            }
            Some(field)
        };
        let stage = field("stage", Kind::Person, WORD);
        let reason = field("reason", Kind::Person, WORD);
        let track = field("track", Kind::Person, WORD);
        let owner = field("owner", Kind::Person, WORD);
        let handoff = field("handoff", Kind::Person, WORD);
        let content = field("content", Kind::Person, WORD);
        let starts = field("starts", Kind::Person, WORD);
        let campaign = field("campaign", Kind::Person, WORD);
        let last_deal = LastDeal {
            outcome: field("last_deal_outcome", Kind::Person, WORD),
            reason: field("last_deal_reason", Kind::Person, WORD),
            amount: field("last_deal_amount", Kind::Person, AMOUNT),
            campaign: field("last_deal_campaign", Kind::Person, WORD),
        };
        let suppresses = field("suppresses", Kind::Account, TRUTH);
        let suppressed = field("suppressed", Kind::Person, TRUTH);
        if let (Some(field), Some((_, span))) = (last_deal.outcome, table.text("last_deal_outcome"))
        {
            for word in [WON, LOST] {
                self.value(field, word, span, problems);
            }
        }
        self.starts_something(table, problems);
        self.beside(table, "stages", "stage", problems);
        self.beside(table, "tells", "stage", problems);
        self.beside(table, "recycled_to", "owner", problems);
        let recycled_to = self.word(table, "recycled_to", List::Queue, problems);
        let mut claims = BTreeMap::new();
        let mut tells = BTreeMap::new();
        if let Some(field) = stage {
            for (value, entry) in table.each("stages") {
                let claimed = entry
                    .value
                    .as_text()
                    .and_then(|text| self.world.stage(text, entry.value.span, problems));
                let value = self.value(field, value, entry.key, problems);
                if let (Some(value), Some(claimed)) = (value, claimed) {
                    claims.insert(value, claimed);
                }
            }
            for (entered, entry) in table.each("tells") {
                let entered = self.world.stage(entered, entry.key, problems);
                let value = scalar(&entry.value)
                    .and_then(|text| self.value(field, &text, entry.value.span, problems));
                if let (Some(entered), Some(value)) = (entered, value) {
                    tells.insert(entered, value);
                }
            }
        }
        SystemWiring {
            stage,
            claims,
            tells,
            reason,
            track,
            owner,
            recycled_to,
            handoff,
            content,
            last_deal,
            starts,
            campaign,
            suppresses,
            suppressed,
        }
    }

    /// Campaigns as sales chooses them, and as the marketing system calls them.
    pub(super) fn campaigns(
        &self,
        wiring: &Wiring,
        problems: &mut Problems,
    ) -> BTreeMap<Value, Value> {
        let systems = || wiring.systems.values();
        if let Some(entry) = self.table.entry("campaigns")
            && systems().all(|system| system.campaign.is_none())
        {
            problems
                .report(
                    Code::MissingKey,
                    entry.key,
                    "no system is told of these campaigns",
                )
                .fix("Say in which field, under `[lifecycle.systems.…]`: `campaign = …`.");
        }
        let chosen_in: Vec<Name> = systems().filter_map(|system| system.starts).collect();
        let mut campaigns = BTreeMap::new();
        for (chosen, entry) in self.table.each("campaigns") {
            for field in &chosen_in {
                self.value(*field, chosen, entry.key, problems);
            }
            if let Some(told) = entry.value.as_text() {
                campaigns.insert(Value::text(chosen), Value::text(told));
            }
        }
        campaigns
    }

    /// What is chosen must have a name.
    fn starts_something(&self, table: &Table, problems: &mut Problems) {
        if let Some(entry) = table.entry("starts")
            && !self.table.has("campaigns")
            && !self.table.is_unread()
        {
            problems
                .report(
                    Code::MissingKey,
                    entry.key,
                    "`starts` means nothing without `[lifecycle.campaigns]`",
                )
                .fix("Add `[lifecycle.campaigns]` with the campaigns that can be chosen, or take this out.");
        }
    }

    /// A canonical value of a person field.
    fn value(&self, field: Name, text: &str, span: Span, problems: &mut Problems) -> Option<Value> {
        let declared = self.world.declared(Kind::Person, field.as_str())?;
        if declared.values.is_empty() || declared.values.iter().any(|v| v == text) {
            return typed(declared.kind, text);
        }
        let meant = problems.unknown(
            Code::PicklistUnknownValue,
            span,
            &format!("value of `{field}`"),
            text,
            declared.values.iter().map(String::as_str),
        )?;
        typed(declared.kind, meant)
    }

    fn deal_stages(&self, problems: &mut Problems) -> BTreeMap<compact_str::CompactString, Name> {
        let deals = self.table.table("deals");
        let stages = deals.into_iter().flat_map(|table| table.each("stages"));
        stages
            .filter_map(|(theirs, entry)| {
                let text = entry.value.as_text()?;
                let ours = self.world.stage(text, entry.value.span, problems)?;
                Some((theirs.into(), ours))
            })
            .collect()
    }

    /// What means nothing without another key.
    fn beside(&self, table: &Table, key: &str, needed: &str, problems: &mut Problems) {
        let Some(entry) = table.entry(key) else {
            return;
        };
        if !table.has(needed) && !table.is_unread() {
            problems
                .report(
                    Code::MissingKey,
                    entry.key,
                    format!("`{key}` means nothing without `{needed}`"),
                )
                .fix(format!("Add `{needed} = …`, or take this out."));
        }
    }
}

/// Reports a field that no system sends.
fn unless_sent(
    field: Name,
    kind: Kind,
    span: Span,
    systems: &BTreeMap<Name, Lowered>,
    problems: &mut Problems,
) {
    if systems.values().any(|s| !s.certain) {
        return;
    }
    let sent: BTreeSet<Name> = systems
        .values()
        .flat_map(|lowered| &lowered.objects)
        .filter(|(object, _)| object.kind() == kind)
        .flat_map(|(_, mapped)| mapped.sent())
        .collect();
    if !sent.contains(&field) {
        problems.report(
            Code::FunnelFieldUnmapped,
            span,
            format!("no system sends `{field}`"),
        );
    }
}

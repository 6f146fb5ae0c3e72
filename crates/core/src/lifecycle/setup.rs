//! A configured funnel: the rules that the fold uses, where its facts stand in the systems, where its decisions go, and
//! what both teams call things. `baton-config` makes it of what stewards write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use compact_str::CompactString;

use super::{
    reading::Readings,
    rules::{Editions, FunnelRules},
};
use crate::{name::Name, value::Value};

/// One version of the funnel, as configured.
#[derive(Clone, Debug)]
pub struct Setup {
    pub rules: Arc<FunnelRules>,
    /// These rules and those before them, each from when it was activated. Who knows of no activation knows these alone.
    pub editions: Arc<Editions>,
    /// Person fields that its conditions read, and in which campaigns are chosen.
    pub reads: BTreeSet<Name>,
    /// The two teams' own name of the sales-ready definition: changed when what it means is changed.
    pub definition: CompactString,
    pub wiring: Wiring,
    pub stages: BTreeMap<Name, StageText>,
    /// Kinds of acts, each with the category under which the handoff tells it.
    pub activities: BTreeMap<Name, Name>,
    /// How each system's activities are read.
    pub readings: BTreeMap<Name, Readings>,
    /// Whoever had a person within so many milliseconds before a new episode gets it back.
    pub back_to_owner_within: Option<i64>,
    /// Nurture tracks, as the marketing system calls them.
    pub tracks: BTreeMap<Name, CompactString>,
    /// Campaigns that are started to wake somebody up, as the marketing system calls them.
    pub actions: BTreeMap<Name, CompactString>,
    /// Owner queues, as the CRM calls them.
    pub queues: BTreeMap<Name, CompactString>,
    /// Who is told of breaches and reminders, in words.
    pub recipients: BTreeMap<Name, CompactString>,
    /// Reasons for which somebody is disqualified.
    pub disqualifications: BTreeSet<Name>,
}

/// A stage, as people speak of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageText {
    /// The team whose business people in it are.
    pub owner: CompactString,
    /// Where the buyer is on its own journey.
    pub journey: Option<CompactString>,
    /// Content that is recommended to people in it.
    pub content: Option<CompactString>,
}

/// Where facts stand, and where decisions go: in fields of people and deals, which the systems' mappings carry.
#[derive(Clone, PartialEq, Debug)]
pub struct Wiring {
    /// Person field with marketing's points.
    pub score: Name,
    /// Person field that names the account a record belongs to, one of its own system.
    pub account: Option<Name>,
    pub systems: BTreeMap<Name, SystemWiring>,
    pub qualification: Option<Qualification>,
    pub deals: Option<Deals>,
}

/// What one system says of the funnel, and what it is told. All fields are a person's, unless said.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SystemWiring {
    /// In which it says, and is told, the stage.
    pub stage: Option<Name>,
    /// The stage that a value of that field claims. Values that do not stand here claim nothing.
    pub claims: BTreeMap<Value, Name>,
    /// What it is told when somebody enters a stage. Of stages that do not stand here it is told nothing.
    pub tells: BTreeMap<Name, Value>,
    /// In which a reason goes with the stage, both ways.
    pub reason: Option<Name>,
    /// In which it is told the nurture track.
    pub track: Option<Name>,
    /// In which it is told the owner, or the queue.
    pub owner: Option<Name>,
    /// The queue of whoever was recycled.
    pub recycled_to: Option<Name>,
    /// In which it is told why somebody is ready.
    pub handoff: Option<Name>,
    /// In which it is told the content for the stage.
    pub content: Option<Name>,
    /// In which it is told how the person's last deal ended.
    pub last_deal: LastDeal,
    /// In which a sales person chooses a campaign for somebody.
    pub starts: Option<Name>,
    /// In which it is told into which campaign sales has put somebody.
    pub campaign: Option<Name>,
    /// Account field with which a sales person takes an account out of all marketing.
    pub suppresses: Option<Name>,
    /// In which it is told that somebody, or their account, is taken out of all marketing.
    pub suppressed: Option<Name>,
}

/// Person fields in which a system is told how the person's last deal ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LastDeal {
    /// `won` or `lost`.
    pub outcome: Option<Name>,
    pub reason: Option<Name>,
    pub amount: Option<Name>,
    pub campaign: Option<Name>,
}

/// Person fields in which sales records what it found out in review.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qualification {
    pub ready: Name,
    pub willing: Name,
    pub reason: Option<Name>,
}

/// Deal fields that tell how a deal stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deals {
    /// The person whose deal it is: a contact of the deal's own system. Where none is named, deals move nobody.
    pub people: Option<Name>,
    pub stage: Name,
    /// The person's stage that a deal's stage stands for; others stand for the stage of an open deal.
    pub stages: BTreeMap<CompactString, Name>,
    /// Date on which it is to close.
    pub closing: Name,
    /// Whether it is closed, and whether it was won.
    pub closed: Name,
    pub won: Name,
    pub reason: Option<Name>,
    pub amount: Option<Name>,
    pub campaign: Option<Name>,
    /// In which a sales person chooses a campaign for the people in it.
    pub starts: Option<Name>,
}

impl Deals {
    /// All deal fields that tell how a deal stands, and for whom.
    pub fn fields(&self) -> impl Iterator<Item = Name> {
        let always = [self.stage, self.closing, self.closed, self.won];
        let others = [
            self.people,
            self.reason,
            self.amount,
            self.campaign,
            self.starts,
        ];
        always.into_iter().chain(others.into_iter().flatten())
    }
}

impl Setup {
    /// Whether some condition reads the golden value of a person field.
    #[must_use]
    pub fn reads(&self, field: Name) -> bool {
        self.reads.contains(&field)
    }

    /// Person fields whose golden values are facts of the fold: those that a condition reads, and the points.
    pub fn listens(&self) -> impl Iterator<Item = Name> {
        let score = self.wiring.score;
        let read = self.reads.iter().copied();
        read.filter(move |field| *field != score).chain([score])
    }

    /// All person fields of which the funnel makes facts.
    pub fn heard(&self) -> impl Iterator<Item = Name> {
        let stages = self.wiring.systems.values().filter_map(|s| s.stage);
        let found = self.wiring.qualification.iter();
        let found = found.flat_map(|fields| [fields.ready, fields.willing]);
        self.listens().chain(stages).chain(found)
    }
}

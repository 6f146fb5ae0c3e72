//! The rules of a small person in two systems, built in code.

use std::collections::BTreeSet;

use baton_core::{
    change::{Cause, Format},
    id::Object,
    name::Name,
    rules::{
        ClearPolicy, CreatePolicy, DeletePolicy, EntityRules, Expr, FieldRule, FieldType,
        GroupRule, MappedField, MassClear, ObjectMapping, Rules, Strategy, System,
    },
};

pub const CRM: &str = "crm";
pub const MAP: &str = "map";
pub const ADDRESS: [&str; 3] = ["street", "city", "country"];
/// Longest title that the MAP keeps.
pub const TITLE_LENGTH: usize = 14;
/// The MAP's own words for ratings.
pub const RATINGS: [(&str, &str); 3] = [("H", "hot"), ("W", "warm"), ("C", "cold")];

/// What a scenario says about the rules.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// Strategy of the plain field `nick`.
    pub nick: Strategy,
    /// Strategy of `title`, which a target may cut.
    pub title: Strategy,
    pub address: Strategy,
    pub clear: ClearPolicy,
    /// `protect_manual_for` of nick, title and address, ms.
    pub protect: Option<i64>,
    pub requires_country: bool,
    /// Whether the mapping knows how long titles may be.
    pub knows_length: bool,
    pub clear_guard: bool,
    pub create: bool,
}

/// How one system is connected.
#[derive(Clone, Debug)]
pub struct Style {
    pub tagged: bool,
    pub acks: bool,
    pub reads: bool,
}

impl RuleSet {
    #[must_use]
    pub fn build(&self, crm: &Style, map: &Style) -> Rules {
        let mut rules = Rules {
            version: "closed-loop".into(),
            cause_rank: [0, 1, 2, 3, 4, 5, 6],
            source_rank: vec![CRM.into(), MAP.into()],
            stages: ["nurture", "mql", "sal", "won"].map(Name::new).into(),
            person: self.person(),
            mass_clear: MassClear {
                window: if self.clear_guard { 60_000 } else { 0 },
                ..MassClear::default()
            },
            ..Rules::default()
        };
        rules.identity.email = Some("email".into());
        rules.systems.insert(CRM.into(), self.system(CRM, crm));
        rules.systems.insert(MAP.into(), self.system(MAP, map));
        rules
    }

    fn person(&self) -> EntityRules {
        let mut person = EntityRules::default();
        let mut field = |name: &str, kind: FieldType, strategy: Strategy, clear: ClearPolicy| {
            let protect_manual = ["nick", "title"]
                .contains(&name)
                .then_some(self.protect)
                .flatten();
            let rule = FieldRule {
                kind,
                strategy,
                clear,
                protect_manual,
                sentinels: BTreeSet::new(),
                ..FieldRule::default()
            };
            person.fields.insert(name.into(), rule);
        };
        field(
            "email",
            FieldType::Email,
            Strategy::Latest,
            ClearPolicy::Ignore,
        );
        field("nick", FieldType::Text, self.nick.clone(), self.clear);
        field("title", FieldType::Text, self.title.clone(), self.clear);
        field(
            "company",
            FieldType::Text,
            Strategy::Latest,
            ClearPolicy::Ignore,
        );
        field(
            "rating",
            FieldType::Text,
            Strategy::Latest,
            ClearPolicy::PropagateIfManual,
        );
        field("tags", FieldType::MultiSelect, Strategy::Union, self.clear);
        field(
            "points",
            FieldType::Number,
            Strategy::Max,
            ClearPolicy::Ignore,
        );
        let label = Expr::Concat {
            parts: vec![Expr::Field("nick".into()), Expr::Field("rating".into())],
            separator: " / ".into(),
        };
        field(
            "label",
            FieldType::Text,
            Strategy::Derived(label),
            ClearPolicy::Ignore,
        );
        for member in ADDRESS {
            field(member, FieldType::Text, self.address.clone(), self.clear);
        }
        field(
            "region",
            FieldType::Text,
            Strategy::Follow {
                group: "address".into(),
            },
            self.clear,
        );
        for member in ADDRESS {
            person.group_of.insert(member.into(), "address".into());
        }
        person.groups.insert(
            "address".into(),
            GroupRule {
                fields: ADDRESS.map(Name::new).into(),
                strategy: self.address.clone(),
                clear: self.clear,
                protect_manual: self.protect,
                requires: if self.requires_country {
                    vec!["country".into()]
                } else {
                    Vec::new()
                },
            },
        );
        person
    }

    fn system(&self, name: &str, style: &Style) -> System {
        let mut mapping = ObjectMapping {
            vendor: "contact".into(),
            admit: true,
            ..ObjectMapping::default()
        };
        if self.create {
            mapping.create = CreatePolicy::Always;
        }
        for field in self.person().fields.keys() {
            mapping
                .fields
                .insert(field.as_str().into(), MappedField::plain(*field));
        }
        if name == MAP {
            if let Some(rating) = mapping.fields.get_mut("rating") {
                rating.values = RATINGS
                    .iter()
                    .map(|(v, c)| ((*v).into(), (*c).into()))
                    .collect();
                rating.closed = true;
            }
            if let Some(title) = mapping.fields.get_mut("title") {
                title.max_length = self.knows_length.then_some(TITLE_LENGTH);
            }
        }
        System {
            name: name.into(),
            format: Format::Baton,
            origin_tag: style.tagged.then(|| "baton".into()),
            integration_users: [baton_sandbox::vocabulary::INTEGRATION_NAME.into()].into(),
            default_cause: Cause::Unknown,
            causes: Default::default(),
            actor_causes: Default::default(),
            actor_default: None,
            objects: [(Object::Contact, mapping)].into(),
            vocabularies: Default::default(),
            acks: style.acks,
            reads: style.reads,
            region: None,
            zone: None,
            skew: 0,
            delete: DeletePolicy::Flag,
        }
    }
}

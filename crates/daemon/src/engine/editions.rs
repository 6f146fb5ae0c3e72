//! The funnel's rules as they were: what happened is judged by those that were active then, so that new rules do not
//! move anybody for what was done under old ones.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use baton_core::{
    book::LedgerRow,
    lifecycle::rules::{Editions, FunnelRules},
    rules::Rules,
    time::Millis,
};
use baton_store::{Activation, Store};

/// These rules, whose funnel knows those that were activated before, each from its own instant on. The first ones also
/// count for what was before them. An activation that this Baton cannot read any more is left out, with a warning.
///
/// # Errors
/// When the store cannot be read.
pub async fn with_history(rules: Rules, store: &Store) -> Result<Rules, baton_store::Error> {
    if rules.funnel.is_none() {
        return Ok(rules);
    }
    let mut past = Past::default();
    for activation in store.activations().await? {
        past.add(&activation, &rules);
    }
    Ok(past.known_to(rules))
}

/// All rules that were ever active, each with the funnel's rules before them: who takes in again what was taken in once
/// judges it as it was judged then.
pub struct Judges(Vec<Judge>);

struct Judge {
    since: Millis,
    version: String,
    rules: Rules,
}

impl Judges {
    /// Reads them. Those that this Baton cannot read any more are left out, with a warning.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn of(store: &Store, active: &Rules) -> Result<Self, baton_store::Error> {
        let mut past = Past::default();
        let mut judges = Vec::new();
        for activation in store.activations().await? {
            let Some(rules) = past.add(&activation, active) else {
                continue;
            };
            judges.push(Judge {
                since: activation.at,
                version: activation.version,
                rules: past.known_to(rules),
            });
        }
        Ok(Self(judges))
    }

    /// The rules that an input was judged by.
    #[must_use]
    pub fn judge(&self, row: &LedgerRow) -> Option<&Rules> {
        let judged = |judge: &&Judge| judge.version == row.rule_version.as_str();
        let mut known = self.0.iter().rev().filter(judged);
        // The same rules may have been active twice.
        known
            .clone()
            .find(|judge| judge.since <= row.at)
            .or_else(|| known.next())
            .map(|judge| &judge.rules)
    }

    /// The rules that were active at an instant; none before the first.
    #[must_use]
    pub fn at(&self, instant: Millis) -> Option<&Rules> {
        let active = self.0.iter().rfind(|judge| judge.since <= instant);
        active.map(|judge| &judge.rules)
    }

    /// Since when rules have been active at all.
    #[must_use]
    pub fn since(&self) -> Option<Millis> {
        self.0.first().map(|judge| judge.since)
    }

    /// Other rules, as if they had been made active at an instant and nothing after that.
    #[must_use]
    pub fn supposing(&self, rules: Rules, since: Millis) -> Rules {
        let mut past = Past::default();
        for judge in self.0.iter().filter(|judge| judge.since < since) {
            past.put(judge.since, &judge.rules);
        }
        past.put(since, &rules);
        past.known_to(rules)
    }
}

/// The funnel's rules up to some activation.
#[derive(Default)]
struct Past(Option<Editions>);

impl Past {
    /// The rules of an activation, which are now known. None if they cannot be read any more.
    fn add(&mut self, activation: &Activation, active: &Rules) -> Option<Rules> {
        let rules = if activation.version == active.version.as_str() {
            active.clone()
        } else {
            read(activation)?
        };
        self.put(activation.at, &rules);
        Some(rules)
    }

    fn put(&mut self, at: Millis, rules: &Rules) {
        // Without a funnel nothing of it happened.
        let Some(setup) = rules.funnel.as_deref() else {
            return;
        };
        let found: Arc<FunnelRules> = Arc::clone(&setup.rules);
        match &mut self.0 {
            Some(editions) => editions.activate(at, found),
            // Whoever was known before is not sales' overnight, and nothing is owed to them for what is long past.
            None => self.0 = Some(Editions::new(rules.timing.quantum, found).since(at)),
        }
    }

    /// Rules that know these.
    fn known_to(&self, mut rules: Rules) -> Rules {
        if let (Some(setup), Some(editions)) = (rules.funnel.as_deref(), &self.0) {
            let mut setup = setup.clone();
            let mut editions = editions.clone();
            editions.quantum = rules.timing.quantum;
            setup.editions = Arc::new(editions);
            rules.funnel = Some(Arc::new(setup));
        }
        rules
    }
}

fn read(activation: &Activation) -> Option<Rules> {
    let texts: BTreeMap<PathBuf, String> = serde_json::from_str(&activation.body).ok()?;
    let rules = baton_config::rules_from(&texts);
    if rules.is_none() {
        tracing::warn!(
            version = activation.version,
            "rules that were active once cannot be read any more; what happened then is judged by others"
        );
    }
    rules
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use baton_core::time::Millis;

    use super::*;
    use crate::cli::{shipped_config, sound};

    fn activation(at: i64, texts: &BTreeMap<String, String>, version: &str) -> Activation {
        Activation {
            at: Millis(at),
            version: version.to_owned(),
            body: serde_json::Value::from_iter(texts.clone()).to_string(),
        }
    }

    #[test]
    fn what_happened_is_judged_by_the_rules_that_were_active_then() {
        let (rules, _, texts) = sound(shipped_config()).unwrap();
        let mut before = texts.clone();
        let old = before.get_mut("lifecycle.toml").unwrap();
        *old = old.replace("threshold = 100", "threshold = 70");
        let version = rules.version.to_string();
        let activations = [
            activation(1_000_000, &before, "before"),
            activation(
                2_000_000,
                &BTreeMap::from([("person.toml".into(), "= no".into())]),
                "broken",
            ),
            activation(5_000_000, &texts, &version),
        ];
        let mut past = Past::default();
        for activation in &activations {
            past.add(activation, &rules);
        }
        let rules = past.known_to(rules);
        let editions = &rules.funnel.as_deref().unwrap().editions;
        let threshold = |at: i64| editions.at(Millis(at)).1.ready.threshold.to_string();
        assert_eq!(
            threshold(0),
            "70",
            "the first rules count for what was before them"
        );
        assert_eq!(threshold(4_999_000), "70");
        assert_eq!(threshold(5_000_000), "100");
    }

    #[test]
    fn rules_that_were_active_can_be_read_when_their_secrets_are_gone() {
        let (rules, _, mut texts) = sound(shipped_config()).unwrap();
        let settings = texts.get_mut("baton.toml").unwrap();
        *settings = settings.replace(
            "# token = { env = \"BATON_ADMIN_TOKEN\" }",
            "token = { env = \"GONE\" }",
        );
        assert!(settings.contains("GONE"));
        let read = Past::default().add(&activation(1_000, &texts, "before"), &rules);
        assert!(read.is_some());
    }
}

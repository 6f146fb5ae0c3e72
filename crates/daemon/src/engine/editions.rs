//! The funnel's rules as they were: what happened is judged by those that were active then, so that new rules do not
//! move anybody for what was done under old ones.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use baton_core::{lifecycle::rules::Editions, rules::Rules};
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
    let activations = store.activations().await?;
    Ok(told(rules, &activations))
}

fn told(mut rules: Rules, activations: &[Activation]) -> Rules {
    let Some(setup) = rules.funnel.as_deref() else {
        return rules;
    };
    let quantum = rules.timing.quantum;
    let mut editions: Option<Editions> = None;
    for activation in activations {
        let found = if activation.version == rules.version.as_str() {
            Some(Arc::clone(&setup.rules))
        } else {
            read(activation)
        };
        let Some(found) = found else { continue };
        match &mut editions {
            Some(editions) => editions.activate(activation.at, found),
            // Whoever was known before is not sales' overnight, and nothing is owed to them for what is long past.
            None => editions = Some(Editions::new(quantum, found).since(activation.at)),
        }
    }
    if let Some(editions) = editions {
        let mut setup = setup.clone();
        setup.editions = Arc::new(editions);
        rules.funnel = Some(Arc::new(setup));
    }
    rules
}

/// The funnel of an activation; none where it had none.
fn read(activation: &Activation) -> Option<Arc<baton_core::lifecycle::rules::FunnelRules>> {
    let texts: BTreeMap<PathBuf, String> = serde_json::from_str(&activation.body).ok()?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let Some(rules) = baton_config::load_from(&texts, &environment).rules else {
        tracing::warn!(
            version = activation.version,
            "rules that were active once cannot be read any more; what happened then is judged by those before them"
        );
        return None;
    };
    let setup = rules.funnel.as_deref()?;
    Some(Arc::clone(&setup.rules))
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
        let rules = told(rules, &activations);
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
}

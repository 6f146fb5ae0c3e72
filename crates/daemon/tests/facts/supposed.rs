//! What would have been different under other rules, from what the store keeps.

use std::sync::Arc;

use baton::supposed::{Change, Difference, Supposition};
use baton_core::{
    lifecycle::supposed::Counted,
    rules::Rules,
    time::{HOUR, Millis},
};

use crate::{
    given::NOON,
    walk::{Walk, a_month},
};

async fn supposing(walk: &Walk, rules: Rules, since: Millis) -> anyhow::Result<Difference> {
    let store = &walk.engine.store;
    let active = walk.engine.active();
    let now = walk.engine.clock.now();
    let supposition = Supposition::new(store, &active.rules, rules, since, now).await?;
    Arc::new(supposition).difference(store).await
}

fn with_threshold(rules: &Rules, threshold: u32) -> Rules {
    let mut setup = rules.funnel.as_deref().unwrap().clone();
    let mut other = (*setup.rules).clone();
    other.ready.threshold = threshold.into();
    setup.rules = Arc::new(other);
    Rules {
        version: "other".into(),
        funnel: Some(Arc::new(setup)),
        ..rules.clone()
    }
}

#[tokio::test]
async fn the_rules_that_were_active_would_have_made_no_difference() {
    let walk = a_month().await;
    let rules = walk.engine.active().rules.clone();
    for hours in [1, 2, 4, 30, 24 * 30] {
        let since = NOON.plus(hours * HOUR);
        let found = supposing(&walk, rules.clone(), since).await.unwrap();
        assert_eq!(found.people, 4);
        assert!(
            found.others.is_empty(),
            "since {hours} h: {:?}",
            found.others
        );
        let same = |change: &Change| change.before == change.after;
        assert!(found.counts.values().all(same), "{:?}", found.counts);
    }
}

#[tokio::test]
async fn a_higher_line_would_have_kept_some_back_with_all_that_followed() {
    let walk = a_month().await;
    let rules = with_threshold(&walk.engine.active().rules, 125);
    // From before anybody came.
    let since = NOON.plus(30 * 60_000);
    let found = supposing(&walk, rules, since).await.unwrap();
    let count = |what| found.counts.get(&what).map(|c| (c.before, c.after));
    // The one with 120 points would still be nurtured, and no promise to them would be broken.
    assert_eq!(count(Counted::HandedOver), Some((3, 2)));
    assert_eq!(count(Counted::Entered("mql".into())), Some((3, 2)));
    assert_eq!(count(Counted::Breached("follow_up".into())), Some((1, 0)));
    assert_eq!(
        count(Counted::Recycled(Some("timing".into()))),
        Some((1, 1))
    );
    assert_eq!(found.others.len(), 1);
    assert!(found.others[0].new.is_empty());
}

#[tokio::test]
async fn before_the_first_rules_there_is_nothing_to_compare_with() {
    let walk = a_month().await;
    let rules = walk.engine.active().rules.clone();
    let refused = supposing(&walk, rules, NOON.minus(HOUR))
        .await
        .err()
        .unwrap();
    assert!(
        refused.to_string().contains("--since must not be earlier"),
        "{refused}"
    );
}

//! Somebody does something before anything of their record is known; on both stores, with nothing kept in memory.

use crate::walk::Walk;

const MET: &str = r#""class":"activity","kind":"meeting","fields":{"by":"sales"}"#;
const LATE: &str = r#""fields":{"email":"late@example.com"}"#;

#[tokio::test]
async fn what_a_stranger_did_counts_for_whom_it_turns_out_to_be_and_for_the_others_on_the_deal() {
    let mut walk = Walk::new().await;
    let early = r#""fields":{"email":"early@example.com"}"#;
    walk.says(0, "crm", "contact:c-early", early).await;
    walk.says(0, "crm", "contact:c-late", LATE).await;
    let opens = r#""fields":{"contact":["c-early","c-late"],"stage":"Proposal","closed":false}"#;
    walk.says(1, "crm", "deal:d", opens).await;
    assert_eq!(walk.stages().await, ["opportunity", "opportunity"]);
    // Forty-five days without a word are too many; marketing knows of a meeting with somebody.
    let mut walk = walk.with_nothing_in_memory().await;
    walk.says(40 * 24, "map", "contact:m-late", MET).await;
    assert_eq!(walk.stages().await, ["opportunity", "opportunity"]);
    assert_eq!(walk.people().await.len(), 3);
    let mut walk = walk.with_nothing_in_memory().await;
    walk.says(41 * 24, "map", "contact:m-late", LATE).await;
    let people = walk.people().await;
    let merged = people.iter().filter(|person| person.merged_into.is_some());
    assert_eq!((people.len(), merged.count()), (3, 1));
    walk.passes(84 * 24).await;
    assert_eq!(walk.stages().await, ["opportunity", "opportunity"]);
    walk.passes(86 * 24).await;
    assert_eq!(walk.stages().await, ["recycled", "recycled"]);
}

#[tokio::test]
async fn a_stranger_of_whom_a_record_is_told_at_last_is_a_person_like_any_other() {
    let mut walk = Walk::new().await;
    let asks = r#""class":"activity","kind":"demo_request","fields":{"by":"buyer"}"#;
    walk.says(1, "map", "contact:m-ann", asks).await;
    walk.says(1, "map", "contact:m-ann", asks).await;
    assert!(walk.stages().await.is_empty());
    let stands = walk.engine.store.people_by_stage().await.unwrap();
    assert!(stands.is_empty(), "{stands:?}");
    let mut walk = walk.with_nothing_in_memory().await;
    walk.comes_in(30, "ann", 10).await;
    assert_eq!(walk.stages().await, ["mql"]);
    let stands = walk.engine.store.people_by_stage().await.unwrap();
    assert_eq!(stands, [("mql".into(), 1)]);
}

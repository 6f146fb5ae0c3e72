//! A group's rounds with the time given by hand.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::group::{Group, Join, JoinReply, Phase, Refusal, SyncReply};
use super::member::{Joined, Protocol};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);

fn join(member_id: &str, instance: Option<&str>, protocols: &[&str]) -> Join {
    Join {
        member_id: member_id.to_owned(),
        instance_id: instance.map(str::to_owned),
        client_id: "c".to_owned(),
        client_host: "/h".to_owned(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".to_owned(),
        protocols: protocols
            .iter()
            .map(|name| Protocol {
                name: (*name).to_owned(),
                metadata: Bytes::from_static(b"m"),
            })
            .collect(),
        needs_known_id: false,
        can_skip_assignment: false,
    }
}

type Waiting = oneshot::Receiver<Result<Joined, Refusal>>;

fn wait(reply: JoinReply) -> Waiting {
    match reply {
        JoinReply::Later(receiver) => receiver,
        other => panic!("{other:?}"),
    }
}

fn joined(waiting: &mut Waiting) -> Joined {
    waiting.try_recv().unwrap().unwrap()
}

fn sync(group: &mut Group, joined: &Joined, now: Instant) -> SyncReply {
    let assignments = joined
        .members
        .iter()
        .map(|(id, _, _)| (id.clone(), Bytes::copy_from_slice(id.as_bytes())))
        .collect();
    group.sync(&joined.member_id, None, assignments, now)
}

/// A stable group of two; the first leads.
fn two(now: Instant) -> (Group, Joined, Joined) {
    let mut group = Group::new(10);
    let mut a = wait(group.join(join("", None, &["range"]), now));
    let a = joined(&mut a);
    let mut b = wait(group.join(join("", None, &["range"]), now));
    assert_eq!(group.phase, Phase::PreparingRebalance);
    let mut a = wait(group.join(join(&a.member_id, None, &["range"]), now));
    let (a, b) = (joined(&mut a), joined(&mut b));
    assert!(matches!(sync(&mut group, &b, now), SyncReply::Later(_)));
    assert!(matches!(sync(&mut group, &a, now), SyncReply::Now(_)));
    assert_eq!(group.phase, Phase::Stable);
    (group, a, b)
}

#[test]
fn the_leader_hears_of_everybody_and_the_others_of_nobody() {
    let (group, a, b) = two(Instant::now());
    assert_eq!(a.leader, a.member_id);
    assert_eq!((a.members.len(), b.members.len()), (2, 0));
    assert_eq!((a.generation, b.generation), (2, 2));
    assert_eq!(group.members.len(), 2);
}

#[test]
fn a_silent_member_is_out_when_its_session_ends_and_not_before() {
    let start = Instant::now();
    let (mut group, a, b) = two(start);
    let later = start + SESSION - Duration::from_millis(1);
    group.heartbeat(&a.member_id, later).unwrap();
    assert_eq!(group.tick(later), Some(start + SESSION));
    assert_eq!(group.members.len(), 2);
    group.tick(start + SESSION);
    assert!(!group.members.contains_key(&b.member_id));
    // The other is told to join again.
    assert_eq!(
        group.heartbeat(&a.member_id, start + SESSION),
        Err(Refusal::RebalanceInProgress)
    );
}

#[test]
fn a_round_ends_without_those_who_do_not_come() {
    let start = Instant::now();
    let (mut group, a, b) = two(start);
    group.begin_round(start);
    let mut waiting = wait(group.join(join(&a.member_id, None, &["range"]), start));
    let mut now = start;
    // The other goes on beating its heart, but never joins.
    while now < start + REBALANCE {
        assert!(waiting.try_recv().is_err());
        now += SESSION / 2;
        let _ = group.heartbeat(&b.member_id, now);
        group.tick(now);
    }
    let again = joined(&mut waiting);
    assert_eq!(again.members.len(), 1);
    assert_eq!(
        group.check_member(&b.member_id, None, 3),
        Err(Refusal::UnknownMember)
    );
}

#[test]
fn a_member_that_joins_but_never_syncs_is_dropped() {
    let start = Instant::now();
    let mut group = Group::new(10);
    let mut a = wait(group.join(join("", None, &["range"]), start));
    let a = joined(&mut a);
    let mut now = start;
    for _ in 0..20 {
        now += SESSION / 2;
        if group.heartbeat(&a.member_id, now).is_ok() {
            group.tick(now);
        }
    }
    assert!(group.members.is_empty());
    assert_eq!(group.phase, Phase::Empty);
}

#[test]
fn the_protocol_is_one_that_all_support() {
    let now = Instant::now();
    let mut group = Group::new(10);
    let mut a = wait(group.join(join("", None, &["cooperative-sticky", "range"]), now));
    let a = joined(&mut a);
    assert_eq!(a.protocol, "cooperative-sticky");
    let mut b = wait(group.join(join("", None, &["range"]), now));
    let mut a = wait(group.join(
        join(&a.member_id, None, &["cooperative-sticky", "range"]),
        now,
    ));
    assert_eq!(joined(&mut a).protocol, "range");
    assert_eq!(joined(&mut b).protocol, "range");
    let odd = group.join(join("", None, &["roundrobin"]), now);
    assert!(matches!(
        odd,
        JoinReply::No(Refusal::InconsistentProtocol, _)
    ));
}

#[test]
fn a_static_member_that_returns_disturbs_nobody_and_fences_its_twin() {
    let now = Instant::now();
    let mut group = Group::new(10);
    let mut first = wait(group.join(join("", Some("i"), &["range"]), now));
    let first = joined(&mut first);
    sync(&mut group, &first, now);
    // Java's client tells in its metadata what it had before.
    let mut back = join("", Some("i"), &["range"]);
    back.protocols[0].metadata = Bytes::from_static(b"another");
    let JoinReply::Now(second) = group.join(back, now) else {
        panic!("a rebalance was begun");
    };
    assert_eq!(second.generation, first.generation);
    assert_ne!(second.member_id, first.member_id);
    assert_eq!(
        group.check_member(&first.member_id, Some("i"), first.generation),
        Err(Refusal::FencedInstance)
    );
    let twin = group.join(join(&first.member_id, Some("i"), &["range"]), now);
    assert!(matches!(twin, JoinReply::No(Refusal::FencedInstance, _)));
    let SyncReply::Now(synced) = group.sync(&second.member_id, None, Vec::new(), now) else {
        panic!("no assignment");
    };
    assert_eq!(synced.assignment, first.member_id.as_bytes());
}

#[test]
fn an_id_given_out_and_never_used_does_not_hold_up_the_group() {
    let start = Instant::now();
    let mut group = Group::new(10);
    let mut with_id = join("", None, &["range"]);
    with_id.needs_known_id = true;
    let reply = group.join(with_id, start);
    assert!(matches!(reply, JoinReply::No(Refusal::MemberIdRequired, _)));
    let mut a = wait(group.join(join("", None, &["range"]), start));
    assert!(a.try_recv().is_err());
    group.tick(start + SESSION);
    joined(&mut a);
}

#[test]
fn a_stale_generation_is_refused() {
    let (group, a, _) = two(Instant::now());
    assert_eq!(
        group.check_member(&a.member_id, None, 1),
        Err(Refusal::IllegalGeneration)
    );
    assert_eq!(group.check_member(&a.member_id, None, 2), Ok(()));
    assert_eq!(
        group.check_member("x", None, 2),
        Err(Refusal::UnknownMember)
    );
}

#[test]
fn a_full_group_takes_nobody_more() {
    let now = Instant::now();
    let mut group = Group::new(1);
    let _a = group.join(join("", None, &["range"]), now);
    let b = group.join(join("", None, &["range"]), now);
    assert!(matches!(b, JoinReply::No(Refusal::GroupFull, _)));
}

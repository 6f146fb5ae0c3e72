//! Each row of the table of transitions.

use baton_core::{
    id::Digest,
    lifecycle::{
        course::{Closed, Course, Trigger, Why},
        fact::{Actor, Ending, Standing, Suppression, What},
        fold::{Whereabouts, fold},
        funnel::Funnel,
        rules::{Baseline, Beyond, CoolDown},
    },
    time::{DAY, HOUR, Millis},
    value::Value,
};

use crate::world::{House, Story, act, hours, n, open, person, start, suppressed};

pub fn course(house: &House, story: &Story, as_of: i64) -> (Whereabouts, Course) {
    let editions = house.editions();
    let entry = Whereabouts::new(person(), &editions);
    fold(&entry, &story.facts, &editions, hours(as_of))
}

/// (hour, stage) of every move.
pub fn path(course: &Course) -> Vec<(i64, &'static str)> {
    let hour = |at: Millis| at.since(start()) / HOUR;
    course
        .steps
        .iter()
        .map(|step| (hour(step.at), step.to.as_str()))
        .collect()
}

fn walk(house: &House, story: &Story, as_of: i64) -> Vec<(i64, &'static str)> {
    path(&course(house, story, as_of).1)
}

/// A house in which nothing is recycled for want of an answer.
fn patient() -> House {
    House {
        recycles_unanswered: false,
        ..House::default()
    }
}

fn lost(reason: Option<&str>) -> Standing {
    Standing::Lost(Ending {
        reason: reason.map(Into::into),
        ..Ending::default()
    })
}

#[test]
fn a_known_person_below_the_line_is_nurtured_and_one_without_consent_waits() {
    let mut story = Story::default();
    story.field(0, "consent", Value::text("opted_out"));
    story.score(1, 10);
    story.field(2, "consent", Value::text("opted_in"));
    assert_eq!(walk(&patient(), &story, 10), [(2, "nurture")]);
}

#[test]
fn what_was_before_the_funnel_began_brings_nobody_to_sales_and_owes_nothing() {
    let mut story = Story::default();
    story.score(0, 200).score(150, 201);
    let editions = patient().editions().since(hours(100));
    let mut funnel = Funnel::new(person(), &editions);
    for fact in &story.facts {
        funnel.take(person(), fact.clone(), &editions);
    }
    assert_eq!(
        funnel.settle(&editions, hours(120)),
        [],
        "what is long past is not told"
    );
    let (_, course) = funnel.course(&editions, hours(160));
    assert_eq!(path(&course), [(0, "nurture"), (150, "mql")]);
    let started: Vec<Millis> = course.clocks.iter().map(|clock| clock.started).collect();
    assert!(started.iter().all(|at| *at >= hours(100)), "{started:?}");
    assert!(!funnel.settle(&editions, hours(160)).is_empty());
}

#[test]
fn somebody_whom_sales_had_before_stalls_from_the_beginning_on() {
    let mut story = Story::default();
    story.score(0, 10).claim(1, "sql");
    let days = patient().stall_days;
    let editions = patient().editions().since(hours(24 * 100));
    let entry = Whereabouts::new(person(), &editions);
    let end = 24 * (100 + days) + 1;
    let (now, course) = fold(&entry, &story.facts, &editions, hours(end - 2));
    assert_eq!(now.stage.as_str(), "sql", "{course:?}");
    let (now, _) = fold(&entry, &story.facts, &editions, hours(end));
    assert_eq!(now.stage.as_str(), "recycled");
}

#[test]
fn the_score_that_reaches_the_threshold_makes_ready() {
    let mut story = Story::default();
    story.score(0, 49).score(1, 50);
    let (_, course) = course(&patient(), &story, 2);
    assert_eq!(path(&course), [(0, "nurture"), (1, "mql")]);
    let step = &course.steps[1];
    assert_eq!(step.trigger, Trigger::Fact(story.facts[1].event));
    assert_eq!(step.guards.score, 50.into());
    assert_eq!(step.version, "one");
    assert_eq!(step.episode, Some(1));
}

#[test]
fn an_accelerating_act_makes_ready_whatever_the_score() {
    let mut story = Story::default();
    story.score(0, 5).act(1, Actor::Buyer, "demo_request");
    assert_eq!(walk(&patient(), &story, 2), [(0, "nurture"), (1, "mql")]);
    let mut machine = Story::default();
    machine
        .score(0, 5)
        .act(1, Actor::Automation, "demo_request");
    assert_eq!(walk(&patient(), &machine, 2), [(0, "nurture")]);
}

#[test]
fn guards_are_levels_and_are_looked_at_again_when_fit_consent_or_suppression_change() {
    let mut story = Story::default();
    story.field(0, "country", Value::text("FR"));
    story.score(1, 90);
    story.at(2, suppressed(true));
    story.field(3, "country", Value::text("DE"));
    story.field(4, "consent", Value::text("opted_out"));
    story.at(5, suppressed(false));
    story.field(6, "consent", Value::text("opted_in"));
    assert_eq!(walk(&patient(), &story, 8), [(0, "nurture"), (6, "mql")]);
}

#[test]
fn a_condition_that_looks_at_time_is_looked_at_when_its_answer_changes() {
    let mut story = Story::default();
    story.field(0, "bought", Value::Time(start()));
    story.score(1, 90);
    // Whoever bought within six days is no lead; after that it is one.
    assert_eq!(walk(&patient(), &story, 6 * 24 - 1), [(0, "nurture")]);
    let (whereabouts, course) = course(&patient(), &story, 6 * 24);
    assert_eq!(whereabouts.stage, n("mql"));
    let ready = course.steps.last().expect("it moved");
    assert_eq!(ready.at, start().plus(6 * DAY));
}

#[test]
fn at_one_instant_suppression_comes_first_and_the_score_last() {
    let mut story = Story::default();
    story.score(5, 90);
    story.at(5, suppressed(true));
    assert_eq!(walk(&patient(), &story, 6), [(5, "nurture")]);
}

#[test]
fn readiness_and_willingness_are_two_facts_and_both_are_needed() {
    let mut story = Story::default();
    story.score(0, 60);
    story.at(
        3,
        What::Qualified {
            ready: Some(true),
            willing: None,
            reason: None,
        },
    );
    story.at(
        5,
        What::Qualified {
            ready: None,
            willing: Some(true),
            reason: None,
        },
    );
    let expected = [(0, "nurture"), (0, "mql"), (3, "sdr_review"), (5, "sal")];
    // The first fact of a person finds it new; the score that it brings makes it ready at once.
    assert_eq!(walk(&patient(), &story, 6), expected[1..]);
}

#[test]
fn somebody_not_ready_or_not_willing_is_recycled_with_the_reason() {
    for (ready, willing, given, reason) in [
        (false, true, None, "not_ready"),
        (true, false, None, "not_willing"),
        (false, false, Some(n("timing")), "timing"),
        (false, true, Some(n("unheard_of")), "not_ready"),
    ] {
        let mut story = Story::default();
        story.score(0, 60);
        story.at(
            3,
            What::Qualified {
                ready: Some(ready),
                willing: Some(willing),
                reason: given,
            },
        );
        let (_, course) = course(&patient(), &story, 4);
        let closing = course.closings.last().expect("it is recycled");
        assert_eq!(closing.kind, Closed::Recycled);
        assert_eq!(closing.seat.reason, Some(n(reason)));
        assert_eq!(closing.seat.from, n("sdr_review"));
        assert_eq!(closing.track, Some(n(&format!("track_{reason}"))));
    }
}

#[test]
fn qualification_of_somebody_not_in_review_moves_nobody_and_is_reported() {
    let mut story = Story::default();
    story.score(0, 10).qualified(1, true, true).score(2, 60);
    let (whereabouts, course) = course(&patient(), &story, 3);
    assert_eq!(whereabouts.stage, n("mql"));
    assert_eq!(whereabouts.ready, None);
    let stage = n("nurture");
    assert_eq!(course.objections[0].why, Why::NotInReview { stage });
}

#[test]
fn forward_skips_are_legal_and_recorded() {
    let mut story = Story::default();
    story.score(0, 10).claim(1, "sql");
    let (_, course) = course(&patient(), &story, 2);
    let step = course.steps.last().expect("it moved");
    assert_eq!(step.skipped, [n("mql"), n("sdr_review"), n("sal")]);
    assert_eq!(step.episode, Some(1));
}

#[test]
fn a_move_back_without_an_edge_a_stage_that_is_not_theirs_and_an_unknown_one_are_reported() {
    let mut story = Story::default();
    story
        .score(0, 10)
        .claim(1, "sql")
        .claim(2, "sal")
        .claim(3, "mql")
        .claim(4, "sold");
    let (whereabouts, course) = course(&patient(), &story, 5);
    assert_eq!(whereabouts.stage, n("sql"));
    let why: Vec<_> = course.objections.into_iter().map(|o| o.why).collect();
    let (system, stage) = (n("crm"), n("mql"));
    let (from, to) = (n("sql"), n("sal"));
    assert_eq!(
        why,
        [
            Why::IllegalMove { from, to },
            Why::NotTheirs { system, stage },
            Why::UnknownStage(n("sold")),
        ]
    );
}

#[test]
fn a_fact_without_a_time_counts_when_it_arrives() {
    let mut story = Story::default();
    story.score(0, 10).claim(5, "sql");
    story.facts[1].time = Millis::UNTIMED;
    assert_eq!(walk(&patient(), &story, 6), [(0, "nurture"), (5, "sql")]);
}

#[test]
fn a_claim_of_the_stage_a_person_is_in_says_nothing() {
    let mut story = Story::default();
    story.score(0, 10).claim(1, "sql").claim(2, "sql");
    let (whereabouts, course) = course(&patient(), &story, 3);
    assert_eq!(whereabouts.since, hours(1));
    assert_eq!(course.objections, []);
}

#[test]
fn a_stalled_person_is_recycled_after_one_last_try() {
    let mut story = Story::default();
    story
        .score(0, 10)
        .claim(1, "sal")
        .act(20, Actor::Sales, "call");
    let (_, course) = course(&patient(), &story, 400);
    // Four days after the call; the last try after two.
    assert_eq!(path(&course)[2], (20 + 96, "recycled"));
    assert_eq!(course.nudges[0].at, hours(20 + 48));
}

#[test]
fn what_machines_do_never_counts_as_attention() {
    let mut story = Story::default();
    story
        .score(0, 10)
        .claim(1, "sal")
        .act(50, Actor::Automation, "auto_mail");
    assert_eq!(walk(&patient(), &story, 98)[2], (97, "recycled"));
}

#[test]
fn however_busy_a_person_that_gets_no_further_is_recycled() {
    let mut story = Story::default();
    story.score(0, 10).claim(1, "sal");
    for day in 1..20 {
        story.act(day * 24, Actor::Sales, "call");
    }
    let (_, course) = course(&patient(), &story, 400);
    assert_eq!(path(&course)[2], (1 + 12 * 24, "recycled"));
    assert_eq!(course.closings[0].seat.reason, Some(n("timing")));
}

#[test]
fn a_deal_about_to_close_protects_until_it_has_closed() {
    let mut story = Story::default();
    story.score(0, 10).deal(1, 1, open("sql", Some(150)));
    // Stalled at 97, protected from 78 to 150.
    assert_eq!(walk(&patient(), &story, 400)[2], (150, "recycled"));
    story.deal(120, 1, open("sql", Some(400)));
    assert_eq!(
        walk(&patient(), &story, 500)[2],
        (120, "recycled"),
        "the day was put off, and nothing had happened for long"
    );
}

#[test]
fn sales_gives_back_by_hand_unless_a_deal_is_about_to_close() {
    let mut story = Story::default();
    story.score(0, 10).claim(1, "sal").claim(5, "recycled");
    let (_, given_back) = course(&patient(), &story, 6);
    assert_eq!(given_back.closings[0].seat.reason, Some(n("returned")));
    let mut story = Story::default();
    story.score(0, 10).deal(1, 1, open("sql", Some(30)));
    story.at(5, What::Returned { reason: None });
    let (whereabouts, course) = course(&patient(), &story, 6);
    assert_eq!(whereabouts.stage, n("sql"));
    let until = hours(30);
    assert_eq!(course.objections[0].why, Why::Protected { until });
}

#[test]
fn whoever_is_not_worked_on_cannot_be_given_back() {
    let mut story = Story::default();
    story.score(0, 10).at(1, What::Returned { reason: None });
    let (_, course) = course(&patient(), &story, 2);
    let stage = n("nurture");
    assert_eq!(course.objections[0].why, Why::NotWorked { stage });
}

#[test]
fn a_deal_leads_through_the_later_stages_to_won_and_a_new_one_expands() {
    let mut story = Story::default();
    story.score(0, 10);
    story.deal(1, 1, open("sql", None));
    story.deal(2, 1, open("opportunity", None));
    story.deal(3, 1, Standing::Won(Ending::default()));
    story.claim(4, "customer");
    story.deal(5, 2, open("opportunity", None));
    story.deal(6, 2, Standing::Lost(Ending::default()));
    let (whereabouts, course) = course(&patient(), &story, 7);
    let expected = [
        (0, "nurture"),
        (1, "sql"),
        (2, "opportunity"),
        (3, "won"),
        (4, "customer"),
        (5, "opportunity"),
        (6, "customer"),
    ];
    assert_eq!(path(&course), expected);
    assert_eq!(course.steps[5].episode, Some(2));
    assert!(whereabouts.customer);
}

#[test]
fn a_lost_deal_leads_to_nurture_or_out_by_its_reason() {
    for (reason, expected) in [
        (Some("timing"), vec![(2, "lost"), (2, "nurture")]),
        (Some("wrong_person"), vec![(2, "lost"), (2, "disqualified")]),
        (Some("price"), vec![(2, "lost")]),
        (None, vec![(2, "lost")]),
    ] {
        let mut story = Story::default();
        story.score(0, 90).deal(1, 1, open("opportunity", None));
        story.deal(2, 1, lost(reason));
        assert_eq!(walk(&patient(), &story, 3)[2..], expected, "{reason:?}");
    }
}

#[test]
fn of_several_open_deals_the_furthest_one_counts() {
    let mut story = Story::default();
    story.score(0, 10);
    story.deal(1, 1, open("opportunity", None));
    story.deal(2, 2, open("sql", None));
    story.deal(3, 1, Standing::Lost(Ending::default()));
    story.deal(4, 2, Standing::Lost(Ending::default()));
    let expected = [(1, "opportunity"), (3, "sql"), (4, "lost")];
    assert_eq!(walk(&patient(), &story, 5)[1..], expected);
}

#[test]
fn a_deal_left_open_by_a_recycle_is_named_and_says_nothing_until_it_moves() {
    let mut story = Story::default();
    story.score(0, 10);
    story.deal(1, 1, open("sql", None));
    story.at(5, What::Returned { reason: None });
    story.deal(6, 1, open("sql", Some(900)));
    story.deal(7, 1, open("opportunity", Some(900)));
    let (_, course) = course(&patient(), &story, 8);
    assert_eq!(course.closings[0].open_deals, [crate::world::deal(1)]);
    let expected = [(1, "sql"), (5, "recycled"), (7, "opportunity")];
    assert_eq!(path(&course)[1..], expected);
}

#[test]
fn a_rule_disqualifies_from_any_stage_and_ends_the_episode() {
    let mut story = Story::default();
    story.score(0, 60).qualified(1, true, true);
    story.field(2, "country", Value::text("XX"));
    let (whereabouts, course) = course(&patient(), &story, 3);
    assert_eq!(whereabouts.stage, n("disqualified"));
    assert_eq!(course.closings[0].kind, Closed::Disqualified);
    assert_eq!(
        course.steps.last().and_then(|s| s.reason),
        Some(n("embargo"))
    );
    assert!(whereabouts.clocks.is_empty());
}

#[test]
fn after_a_recycle_points_must_be_earned_again_and_somebody_must_engage() {
    for (baseline, enough) in [
        (Baseline::Reset, 130),
        (Baseline::Halve, 90),
        (Baseline::Keep, 81),
    ] {
        let house = House {
            baseline,
            cool_down: CoolDown::For(5 * DAY),
            ..patient()
        };
        let recycled = |points: i64, engaged: bool| {
            let mut story = Story::default();
            story.score(0, 80).qualified(1, false, true);
            if engaged {
                story.act(200, Actor::Buyer, "page_view");
            }
            story.score(201, points);
            course(&house, &story, 202).0.stage.as_str()
        };
        assert_eq!(recycled(enough, true), "mql", "{baseline:?}");
        assert_eq!(recycled(enough - 1, true), "recycled", "{baseline:?}");
        assert_eq!(recycled(enough, false), "recycled", "{baseline:?}");
    }
}

#[test]
fn a_cool_down_holds_back_until_it_ends_except_for_what_is_allowed_in_it() {
    let mut story = Story::default();
    story.score(0, 80).qualified(1, false, true);
    story.act(10, Actor::Buyer, "page_view").score(11, 300);
    let expected = [(1, "recycled"), (1 + 120, "mql")];
    assert_eq!(walk(&patient(), &story, 400)[2..4], expected);
    story.act(20, Actor::Buyer, "price_request");
    assert_eq!(walk(&patient(), &story, 100).len(), 3, "not allowed in it");
    story.act(30, Actor::Buyer, "demo_request");
    assert_eq!(walk(&patient(), &story, 100)[3], (30, "mql"));
}

#[test]
fn the_wrong_person_never_comes_back_by_score() {
    let mut story = Story::default();
    story.score(0, 80);
    story.at(
        1,
        What::Qualified {
            ready: Some(false),
            willing: None,
            reason: Some(n("wrong_person")),
        },
    );
    story.act(900, Actor::Buyer, "page_view").score(901, 900);
    assert_eq!(course(&patient(), &story, 9_000).0.stage, n("recycled"));
}

#[test]
fn one_recycle_too_many_disqualifies_or_nurtures_for_long() {
    for (beyond, stage, kind) in [
        (
            Beyond::Disqualify(n("exhausted")),
            "disqualified",
            Closed::Exhausted,
        ),
        (
            Beyond::LongNurture(n("track_long")),
            "nurture",
            Closed::LongNurture,
        ),
    ] {
        let house = House {
            beyond,
            most: 1,
            baseline: Baseline::Keep,
            ..patient()
        };
        let mut story = Story::default();
        story.score(0, 80).qualified(1, false, true);
        story.act(200, Actor::Buyer, "page_view").score(201, 90);
        story.qualified(202, false, true);
        let (whereabouts, course) = course(&house, &story, 203);
        assert_eq!(whereabouts.stage, n(stage));
        let last = course.closings.last().expect("it closed");
        assert_eq!((last.kind, last.seat.episode), (kind, 2));
    }
}

#[test]
fn the_limit_looks_back_over_its_window_only() {
    let house = House {
        most: 1,
        baseline: Baseline::Keep,
        ..patient()
    };
    let mut story = Story::default();
    story.score(0, 80).qualified(1, false, true);
    let later = 366 * 24;
    story.act(later, Actor::Buyer, "page_view").score(later, 90);
    story.qualified(later + 2, false, true);
    assert_eq!(course(&house, &story, later + 3).0.stage, n("recycled"));
}

#[test]
fn in_shadow_a_stall_is_reported_and_moves_nobody() {
    let house = House {
        shadow: true,
        ..patient()
    };
    let mut story = Story::default();
    story.score(0, 10).claim(1, "sql");
    let (whereabouts, course) = course(&house, &story, 500);
    assert_eq!(whereabouts.stage, n("sql"));
    let (from, reason) = (n("sql"), n("no_response"));
    assert_eq!(course.objections.len(), 1);
    assert_eq!(course.objections[0].why, Why::Shadow { from, reason });
}

#[test]
fn the_handoff_tells_the_last_engagements_the_score_and_the_definition() {
    let mut story = Story::default();
    for hour in 0..4 {
        story.act(hour, Actor::Buyer, "page_view");
    }
    story.score(5, 60);
    let (_, course) = course(&patient(), &story, 6);
    let handoff = &course.handoffs[0];
    let at: Vec<_> = handoff.engagements[&n("web")]
        .iter()
        .map(|e| e.at)
        .collect();
    assert_eq!(at, [hours(2), hours(3)]);
    assert_eq!(handoff.score, 60.into());
    assert_eq!(handoff.version, "one");
    assert_eq!(handoff.trigger, Trigger::Fact(story.facts[4].event));
}

#[test]
fn lifting_an_account_s_suppression_leaves_the_person_s_own() {
    let account = |on| What::Suppressed {
        whose: Suppression::Account(Digest::default()),
        on,
    };
    let mut story = Story::default();
    story
        .at(0, account(true))
        .at(1, suppressed(true))
        .score(2, 90);
    story.at(3, account(false));
    assert_eq!(walk(&patient(), &story, 4), [(0, "nurture")]);
    story.at(5, suppressed(false));
    assert_eq!(walk(&patient(), &story, 6)[1], (5, "mql"));
}

#[test]
fn a_rule_with_a_scope_counts_for_its_people_only_and_from_when_they_belong_to_it() {
    // The stall time of `sql` counts for whoever has not bought within nine days.
    let mut story = Story::default();
    story.field(0, "bought", Value::Time(start()));
    story.claim(1, "sql");
    let (_, course) = course(&patient(), &story, 400);
    assert_eq!(path(&course)[2], (9 * 24, "recycled"));
}

#[test]
fn an_episode_stores_its_first_qualifying_and_last_campaign_and_the_outcome_goes_back_with_them() {
    let by = |campaign: &str| {
        let What::Act(mut view) = act(Actor::Buyer, "page_view") else {
            unreachable!("an act");
        };
        view.campaign = Some(campaign.into());
        What::Act(view)
    };
    let mut story = Story::default();
    story
        .at(0, by("fair"))
        .at(1, by("webinar"))
        .score(2, 60)
        .at(3, by("newsletter"));
    story.deal(4, 1, open("opportunity", None));
    story.deal(5, 1, lost(Some("timing")));
    let (_, course) = course(&patient(), &story, 6);
    let handed = &course.handoffs[0].attribution;
    assert_eq!(handed.qualifying.as_deref(), Some("webinar"));
    let outcome = &course.outcomes[0];
    assert!(!outcome.won);
    assert_eq!(outcome.ending.reason.as_deref(), Some("timing"));
    let attribution = &course.closings[0].attribution;
    assert_eq!(attribution, &outcome.attribution);
    assert_eq!(attribution.first.as_deref(), Some("fair"));
    assert_eq!(attribution.qualifying.as_deref(), Some("webinar"));
    assert_eq!(attribution.last.as_deref(), Some("newsletter"));
}

#[test]
fn a_handoff_after_a_recycle_tells_when_the_last_episode_ended() {
    let mut story = Story::default();
    story.score(0, 80).qualified(1, false, true);
    story.act(10, Actor::Buyer, "demo_request").score(11, 90);
    let (_, course) = course(&patient(), &story, 12);
    let last: Vec<_> = course.handoffs.iter().map(|h| h.last_closed).collect();
    assert_eq!(last, [None, Some(hours(1))]);
}

//! What stewards write of the funnel becomes the rules that are meant.

use std::collections::{BTreeMap, BTreeSet};

use baton_config::{Loaded, describe, described, load_from};
use baton_core::{
    lifecycle::{
        calendar::{Opening, Weekday},
        fact::Actor,
        predicate::Predicate,
        rules::{
            Acts, AfterLost, Baseline, Beyond, Consequence, CoolDown, FunnelRules, Mode, Phase,
            Signal,
        },
        setup::Setup,
    },
    name::Name,
    time::{DAY, HOUR},
    value::Value,
};
use rust_decimal::Decimal;

use crate::base::{BASE, environment, load_files, places, with};

fn n(name: &str) -> Name {
    Name::new(name)
}

fn shipped() -> std::sync::Arc<Setup> {
    let files = crate::slips::shipped();
    load_from(&files, &environment())
        .rules
        .unwrap()
        .funnel
        .unwrap()
}

fn setup(example: &str) -> std::sync::Arc<Setup> {
    let loaded = with(example);
    assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
    loaded.rules.unwrap().funnel.unwrap()
}

/// The condition that disqualifies.
fn condition(text: &str) -> Predicate {
    let rules = &setup(&out(text)).rules;
    rules.disqualify[0].0.clone()
}

fn out(condition: &str) -> String {
    format!(
        "[lifecycle.disqualification]\nreasons = [\"exhausted\"]\n\
         rules = [{{ reason = \"exhausted\", if = \"{condition}\" }}]\n\n\
         [person.fields.bought]\ntype = \"date\"\n\n[person.fields.tags]\ntype = \"multi_select\"\n"
    )
}

fn one_of(field: &str, values: &[&str]) -> Predicate {
    Predicate::OneOf(n(field), values.iter().map(|v| Value::text(v)).collect())
}

fn not(inner: Predicate) -> Predicate {
    Predicate::Not(Box::new(inner))
}

#[test]
fn without_the_section_there_is_no_funnel_and_stages_are_as_they_were() {
    let rules = with("[person.fields.nick]\n").rules.unwrap();
    assert!(rules.funnel.is_none());
    let order: Vec<&str> = rules.stages.iter().map(|name| name.as_str()).collect();
    assert_eq!(order, ["new", "nurture", "mql", "sql", "won"]);
}

#[test]
fn conditions_are_read_as_they_are_meant() {
    let yes = |field: &str| Predicate::OneOf(n(field), [Value::Bool(true)].into());
    let of = Decimal::from;
    for (text, meant) in [
        ("country = 'DE'", one_of("country", &["DE"])),
        ("country != 'DE'", not(one_of("country", &["DE"]))),
        ("country in ('DE', 'AT')", one_of("country", &["AT", "DE"])),
        ("country not in ('DE')", not(one_of("country", &["DE"]))),
        ("city is present", Predicate::Present(n("city"))),
        ("city is blank", not(Predicate::Present(n("city")))),
        ("tags is present", Predicate::Present(n("tags"))),
        ("opt_out", yes("opt_out")),
        ("not opt_out", not(yes("opt_out"))),
        (
            "opt_out = false",
            Predicate::OneOf(n("opt_out"), [Value::Bool(false)].into()),
        ),
        (
            "score >= 10",
            Predicate::AtLeast(n("score"), Value::Number(of(10))),
        ),
        (
            "score < 10",
            Predicate::All(vec![
                not(Predicate::OneOf(n("score"), [Value::Number(of(10))].into())),
                Predicate::AtMost(n("score"), Value::Number(of(10))),
            ]),
        ),
        (
            "bought within 30d",
            Predicate::Within(n("bought"), 30 * DAY),
        ),
        (
            "bought <= 1970-01-11",
            Predicate::AtMost(n("bought"), Value::Date(10)),
        ),
        (
            "stage in ('sal', 'mql')",
            Predicate::InStage([n("mql"), n("sal")].into()),
        ),
        ("time_in_stage >= 8h", Predicate::InStageFor(8 * HOUR)),
        ("time_in_stage < 2w", not(Predicate::InStageFor(14 * DAY))),
        ("suppressed", Predicate::Suppressed),
        (
            "opt_out or suppressed and not (score >= 1)",
            Predicate::Any(vec![
                yes("opt_out"),
                Predicate::All(vec![
                    Predicate::Suppressed,
                    not(Predicate::AtLeast(n("score"), Value::Number(of(1)))),
                ]),
            ]),
        ),
        (
            "(opt_out or suppressed) and status = 'open'",
            Predicate::All(vec![
                Predicate::Any(vec![yes("opt_out"), Predicate::Suppressed]),
                one_of("status", &["open"]),
            ]),
        ),
    ] {
        assert_eq!(condition(text), meant, "{text}");
    }
}

/// `column code message` of the only problem, the column counted in the condition.
fn slip(text: &str) -> String {
    let loaded = with(&out(text));
    let [problem] = loaded.problems.as_slice() else {
        return format!("{:#?}", loaded.problems);
    };
    let before = "rules = [{ reason = \"exhausted\", if = \"".len();
    format!(
        "{} {} {}",
        problem.column - before,
        problem.code,
        problem.message
    )
}

#[test]
fn a_slip_in_a_condition_is_pointed_at_in_the_condition() {
    for (text, told) in [
        (
            "contry = 'DE'",
            "1 unknown-field there is no person field `contry`",
        ),
        (
            "city = 'Bonn' and countri = 'DE'",
            "19 unknown-field there is no person field `countri`",
        ),
        (
            "country = 'Germany'",
            "11 condition-value `Germany` can be no value of `country`",
        ),
        (
            "status = 'workin'",
            "10 condition-value `workin` is no value of `status`",
        ),
        (
            "score = 'ten'",
            "9 condition-value `ten` can be no value of `score`",
        ),
        (
            "city = 5",
            "8 condition-value `5` can be no value of `city`",
        ),
        (
            "city >= 'Bonn'",
            "6 condition-test `city` is of type text: none is more than another",
        ),
        (
            "city within 30d",
            "1 condition-test `within` on `city`, which is no date",
        ),
        (
            "tags = 'a'",
            "1 condition-test `tags` has several values and can only be present or blank",
        ),
        (
            "city",
            "1 condition-test `city` alone is no test: it is not true or false",
        ),
        ("stage = 'sall'", "9 unknown-stage there is no stage `sall`"),
        (
            "stge = 'sal'",
            "1 unknown-field there is no person field `stge`",
        ),
        (
            "time_in_stage = 3d",
            "15 condition-syntax time in a stage is either reached or not",
        ),
        (
            "time_in_stage >= soon",
            "18 condition-syntax `soon` is no value",
        ),
        ("bought within 3 days", "15 condition-syntax `3` is no time"),
        (
            "city equals 'Bonn'",
            "6 condition-syntax `equals` cannot stand here",
        ),
        ("city == 'Bonn'", "7 condition-syntax `=` cannot stand here"),
        (
            "city = 'Bonn",
            "8 condition-syntax this text is never closed",
        ),
        ("city = Bonn", "8 condition-syntax `Bonn` is no value"),
        ("city in 'Bonn'", "9 condition-syntax a `(` is missing here"),
        (
            "city in ('Bonn' 'Kiel')",
            "17 condition-syntax a comma or `)` is missing here",
        ),
        ("(opt_out", "8 condition-syntax a `)` is missing here"),
        (
            "opt_out and",
            "11 condition-syntax the condition ends too early",
        ),
        (
            "opt_out) or suppressed",
            "8 condition-syntax `)` after the end of the condition",
        ),
        ("city is empty", "9 condition-syntax `empty` after `is`"),
        (
            "opt_out && suppressed",
            "9 condition-syntax `&` cannot stand here",
        ),
    ] {
        assert_eq!(slip(text), told, "{text}");
    }
}

#[test]
fn stages_have_rank_phase_say_edges_and_expectations() {
    let setup = shipped();
    let rules: &FunnelRules = &setup.rules;
    assert_eq!(rules.landmarks.ready, n("mql"));
    assert_eq!(rules.rank(n("won")), rules.rank(n("lost")));
    assert_eq!(rules.phase(n("sql")), Some(Phase::Worked));
    assert!(rules.edges.contains(&(n("lost"), n("nurture"))));
    assert!(!rules.is_legal(n("sal"), n("nurture")));
    assert!(rules.is_legal(n("sal"), n("recycled")));
    let sal = &rules.stages[&n("sal")];
    let stall = sal.stall.as_ref().unwrap();
    assert_eq!(stall.after, 30 * DAY);
    assert_eq!(stall.reason, n("no_response"));
    assert_eq!(stall.reengage, Some((50, n("wake_up"))));
    assert!(stall.by.include(n("reply"), Actor::Buyer));
    assert!(!stall.by.include(n("reply"), Actor::Automation));
    let age = sal.age.as_ref().unwrap();
    assert_eq!((age.after, age.reason), (60 * DAY, n("timing")));
    assert_eq!(setup.stages[&n("sal")].owner, "sales");
    assert_eq!(
        rules.stages[&n("sql")].claimed_by,
        BTreeSet::from([n("crm")])
    );
}

#[test]
fn the_shipped_limits_are_those_of_the_contract() {
    let setup = shipped();
    let recycling = &setup.rules.recycling;
    assert_eq!((recycling.most, recycling.window), (3, 365 * DAY));
    assert_eq!(recycling.beyond, Beyond::Disqualify(n("exhausted")));
    assert_eq!(recycling.baseline, Baseline::Reset);
    let cool_downs: BTreeMap<&str, CoolDown> = recycling
        .reasons
        .iter()
        .map(|(name, reason)| (name.as_str(), reason.cool_down))
        .collect();
    assert_eq!(
        cool_downs,
        BTreeMap::from([
            ("budget", CoolDown::For(180 * DAY)),
            ("no_response", CoolDown::For(30 * DAY)),
            ("timing", CoolDown::For(90 * DAY)),
            ("wrong_person", CoolDown::Forever),
        ])
    );
    assert_eq!(
        setup.rules.after_lost[&n("wrong_person")],
        AfterLost::Disqualify
    );
}

#[test]
fn clocks_have_signals_calendars_steps_and_a_consequence() {
    let setup = setup(
        "[lifecycle.queues]\npool = \"Pool\"\n\n\
         [lifecycle.calendars.night]\nzone = \"Europe/Berlin\"\nhours = { friday = [\"22:00-06:00\"] }\n\n\
         [lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\n\
         stop = [{ acts = [\"call\"], by = [\"sales\"] }, { leaves = \"mql\" }, \"qualified\"]\n\
         touches = 2\npause = \"opt_out\"\ntarget = \"8h\"\ncalendar = \"office\"\n\
         calendars = [{ if = \"country = 'AU'\", calendar = \"night\" }]\nreminders = [50, 80]\n\
         escalation = [{ after = \"1h\", to = \"sdr_lead\" }]\nbreach = { reassign = \"pool\" }\n\
         scope = \"country in ('DE', 'AU')\"\nmode = \"shadow\"\n",
    );
    let clock = &setup.rules.clocks[&n("first_touch")];
    assert_eq!(clock.start, [Signal::Delivered]);
    assert_eq!(
        clock.stop,
        [
            Signal::Act(Acts {
                kinds: [n("call")].into(),
                actors: [Actor::Sales].into(),
            }),
            Signal::Leaves(n("mql")),
            Signal::Qualified,
        ]
    );
    assert_eq!((clock.touches, clock.target), (2, 8 * HOUR));
    assert_eq!(clock.calendars, [(one_of("country", &["AU"]), n("night"))]);
    assert_eq!(clock.reminders, [50, 80]);
    assert_eq!(clock.escalation, [(HOUR, n("sdr_lead"))]);
    assert_eq!(clock.consequence, Consequence::Reassign(n("pool")));
    assert_eq!(clock.scope, one_of("country", &["AU", "DE"]));
    assert_eq!(clock.mode, Mode::Shadow);
    let night = setup.rules.calendars[&n("night")].hours();
    assert_eq!(
        night.week[&Weekday::Friday],
        [Opening {
            from: 22 * 60,
            until: 30 * 60
        }]
    );
    let office = setup.rules.calendars[&n("office")].hours();
    assert_eq!(office.holidays.len(), 2);
    let read: Vec<&str> = setup.reads.iter().map(|name| name.as_str()).collect();
    assert_eq!(read, ["country", "opt_out"]);
}

#[test]
fn a_system_claims_stages_by_its_values_and_is_told_by_them() {
    let setup = shipped();
    let crm = &setup.wiring.systems[&n("crm")];
    assert_eq!(crm.stage, Some(n("status")));
    assert_eq!(crm.claims[&Value::text("qualified")], n("sql"));
    assert_eq!(crm.tells[&n("recycled")], Value::text("nurturing"));
    assert_eq!(crm.recycled_to, Some(n("nurture")));
    assert_eq!(setup.queues[&n("nurture")], "Marketing Nurture");
    let map = &setup.wiring.systems[&n("map")];
    assert_eq!(map.track, Some(n("nurture_track")));
    assert_eq!(setup.tracks[&n("timing")], "Nurture: not yet");
    let deals = setup.wiring.deals.as_ref().unwrap();
    assert_eq!((deals.closed, deals.won), (n("closed"), n("outcome")));
    assert_eq!(setup.activities[&n("form_fill")], n("forms"));
}

#[test]
fn the_funnel_has_the_version_of_the_rules_and_its_files_make_it() {
    let mut files = crate::slips::shipped();
    let before = load_from(&files, &environment()).rules.unwrap();
    assert_eq!(before.funnel.unwrap().rules.version, before.version);
    for (file, right, wrong) in [
        ("lifecycle.toml", "most = 3", "most = 4"),
        ("holidays/us.toml", "2026-12-25", "2026-12-24"),
    ] {
        let text = files.get_mut(std::path::Path::new(file)).unwrap();
        *text = text.replace(right, wrong);
        let after = load_from(&files, &environment()).rules.unwrap();
        assert_ne!(after.version, before.version, "{file}");
    }
}

#[test]
fn stages_of_the_funnel_are_those_of_rules_that_differ_along_it() {
    let rules = load_from(&crate::slips::shipped(), &environment())
        .rules
        .unwrap();
    let order: Vec<&str> = rules.stages.iter().map(|name| name.as_str()).collect();
    assert_eq!(
        order,
        [
            "new",
            "nurture",
            "recycled",
            "mql",
            "sdr_review",
            "sal",
            "sql",
            "opportunity",
            "won",
            "lost",
            "customer",
            "disqualified",
        ]
    );
}

#[test]
fn a_day_that_is_none_is_pointed_at_in_the_list_of_holidays() {
    let funnel = crate::funnel_base::funnel_for("");
    let base = crate::base::base_for("");
    let stages = base.replace(&BASE[..BASE.find("[ranks]").unwrap()], "");
    let loaded: Loaded = load_files(&[
        ("base.toml", &stages),
        ("funnel.toml", &funnel),
        (
            "holidays/germany.toml",
            "2026-12-25 = \"Christmas Day\"\n2026-02-30 = \"no day\"\n\"26.12.2026\" = \"no day either\"\n",
        ),
    ]);
    assert_eq!(
        places(&loaded),
        [
            "holidays/germany.toml:2:1 bad-holiday",
            "holidays/germany.toml:3:1 bad-holiday"
        ]
    );
}

#[test]
fn the_description_says_what_the_rules_say() {
    let setup = shipped();
    let text = described(&setup);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "Somebody becomes mql with 100 points or more in lead_score",
        "sal: after 30 days without call connected, meeting, note or reply by the buyer or sales, for the reason no response.",
        "At most 3 returns within 365 days; instead of one more they are disqualified as exhausted.",
        "For wrong person: nurture track \"Newsletter only\"; sales leaves them alone for ever.",
        "Monday to Friday 09:00 to 17:00; 23 holidays; clocks of America/New_York.",
        "Reminders at 50 % and 80 % of that time.",
    ] {
        assert!(flat.contains(sentence), "{sentence:?} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    assert_eq!(describe(&setup).len(), 9);
}

/// An activation in the store keeps the texts of the files.
#[test]
fn the_funnel_can_be_had_again_from_the_texts_of_the_files() {
    let loaded = load_from(&crate::slips::shipped(), &environment());
    let files: BTreeMap<std::path::PathBuf, &str> = loaded
        .sources
        .iter()
        .map(|(name, text)| (name.into(), text.as_str()))
        .collect();
    let again = load_from(&files, &environment()).rules.unwrap();
    let first = loaded.rules.unwrap();
    assert_eq!(again.version, first.version);
    assert_eq!(
        described(&again.funnel.unwrap()),
        described(&first.funnel.unwrap())
    );
}

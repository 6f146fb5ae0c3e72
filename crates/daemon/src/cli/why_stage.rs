//! `baton why-stage`: where a person stands in the funnel, how it came there, and what stands in the way of more.

use std::{process::ExitCode, sync::Arc};

use baton_core::{
    id::Kind,
    lifecycle::{
        alarm::Alarm,
        course::{Course, Objection, Why},
        fact::Suppression,
        fold::Whereabouts,
        rules::{FunnelRules, Phase},
        setup::Setup,
        standing::{Obstacle, guards, next_alarm, next_stage},
    },
    name::Name,
    state::State,
    time::Millis,
    wire::{self, Lifecycle, LifecycleMessage},
};
use baton_store::Store;
use serde_json::json;

use crate::engine::editions;

use super::{
    Place, Workspace,
    english::{self, instant, span, words},
    explain::{as_of, parse_time},
    funnel::{NO_FUNNEL, now},
    key::{KEY_HELP, find},
    output,
};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[arg(help = KEY_HELP)]
    key: String,
    /// As it was at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Millis>,
}

/// Moves that are told of.
const MOVES: usize = 8;

/// A person's funnel at an instant, and what is told of it.
pub struct Seen {
    pub setup: Arc<Setup>,
    pub state: State,
    pub at: Millis,
    pub store: Store,
}

impl Seen {
    /// The person that a key means, now or as it was.
    pub async fn of(workspace: &Workspace, key: &str, at: Option<Millis>) -> anyhow::Result<Self> {
        if workspace.active.rules.funnel.is_none() {
            anyhow::bail!(NO_FUNNEL);
        }
        let store = workspace.existing_store().await?;
        // What happened was judged by the rules that were active then.
        let rules = editions::with_history(workspace.active.rules.clone(), &store).await?;
        let rules = &rules;
        let Some(setup) = rules.funnel.clone() else {
            anyhow::bail!(NO_FUNNEL);
        };
        let mut state = find(&store, rules, Kind::Person, key).await?;
        let now = match at {
            Some(at) => {
                state = as_of(&store, rules, state.id, at).await?;
                at
            }
            None => now(&store).await?,
        };
        Ok(Self {
            setup,
            state,
            at: now,
            store,
        })
    }

    pub fn course(&self) -> anyhow::Result<(Whereabouts, Course)> {
        let Some(funnel) = &self.state.funnel else {
            anyhow::bail!("nothing is known of {} in the funnel", self.state.id);
        };
        Ok(funnel.course(&self.setup.editions, self.at))
    }
}

pub async fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(place)?;
    let seen = Seen::of(&workspace, &args.key, args.at).await?;
    let (whereabouts, course) = seen.course()?;
    let mut moves = moves(&seen).await?;
    let first = moves.len().saturating_sub(MOVES);
    let told = moves.split_off(first);
    if place.json {
        let mut found = as_json(&seen, &whereabouts, &told, &course.objections);
        found["earlier_moves"] = first.into();
        output::json(&found)?;
    } else {
        print(&seen, &whereabouts, (first, &told), &course.objections)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A move, and when it was taken back.
struct Move {
    message: LifecycleMessage,
    undone: Option<Millis>,
}

impl Move {
    fn stages(&self) -> Option<(Name, Name)> {
        match &self.message.told {
            Lifecycle::Transition { from, to, .. } => Some((*from, *to)),
            _ => None,
        }
    }
}

/// All moves that were known at the instant, in the order in which they fell due.
async fn moves(seen: &Seen) -> anyhow::Result<Vec<Move>> {
    let deeds = seen.store.deeds_of(seen.state.id).await?;
    let deeds = deeds.into_iter().filter(|(deed, body)| {
        // Of somebody who was erased the messages are empty.
        deed.what == "transition" && deed.at <= seen.at && body != "{}"
    });
    let moves = deeds.map(|(deed, body)| {
        Ok(Move {
            message: serde_json::from_str(&body)?,
            undone: deed.undone.filter(|undone| *undone <= seen.at),
        })
    });
    let mut moves: Vec<Move> = moves.collect::<anyhow::Result<_>>()?;
    // Of several at one instant each leads on from the one before it.
    for at in 1..moves.len() {
        let stage = moves[at - 1].stages().map(|(_, to)| to);
        let due = moves[at].message.due;
        let leads_on = |moved: &Move| {
            moved.message.due == due && moved.stages().map(|(from, _)| from) == stage
        };
        if let Some(next) = moves[at..].iter().position(leads_on) {
            moves.swap(at, at + next);
        }
    }
    Ok(moves)
}

fn as_json(
    seen: &Seen,
    whereabouts: &Whereabouts,
    moves: &[Move],
    objections: &[Objection],
) -> serde_json::Value {
    let editions = &seen.setup.editions;
    let rules = editions.at(seen.at).1;
    let next = next_stage(whereabouts, editions);
    let alarm = next_alarm(whereabouts, editions);
    json!({
        "entity": seen.state.id.to_string(),
        "at": seen.at.to_string(),
        "stage": whereabouts.stage,
        "since": whereabouts.since.to_string(),
        "episode": whereabouts.episode.map(|episode| episode.number),
        "suppressed": !whereabouts.suppressions.is_empty(),
        "rule_version": rules.version,
        "moves": moves.iter().map(|moved| json!({
            "message": moved.message,
            "undone": moved.undone.map(|at| at.to_string()),
        })).collect::<Vec<_>>(),
        "next": next.map(|(stage, obstacles)| json!({
            "stage": stage,
            "in_the_way": obstacles.iter().map(|o| obstacle(o, rules)).collect::<Vec<_>>(),
        })),
        "by_itself": alarm.map(|(at, alarm)| json!({
            "at": at.to_string(),
            "what": by_itself(&alarm, whereabouts, rules),
        })),
        "without_effect": objections.iter().map(|objection| json!({
            "at": objection.at.to_string(),
            "why": why(&objection.why),
        })).collect::<Vec<_>>(),
    })
}

fn print(
    seen: &Seen,
    whereabouts: &Whereabouts,
    (earlier, moves): (usize, &[Move]),
    objections: &[Objection],
) -> anyhow::Result<()> {
    let editions = &seen.setup.editions;
    let rules = editions.at(seen.at).1;
    let here = seen.setup.stages.get(&whereabouts.stage);
    output::line(format!(
        "{}: {} since {}, for {}",
        seen.state.id,
        words(whereabouts.stage),
        instant(whereabouts.since),
        span(seen.at.since(whereabouts.since))
    ))?;
    if let Some(here) = here {
        let episode = whereabouts.episode.map(|episode| episode.number);
        let episode = episode
            .map(|n| format!("; trip {n} towards sales"))
            .unwrap_or_default();
        let owner = output::safe(&here.owner);
        output::line(format!("  the business of {owner}{episode}"))?;
    }
    if !moves.is_empty() {
        output::line("\nHow they came there")?;
    }
    if earlier > 0 {
        let moves = if earlier == 1 { "move" } else { "moves" };
        output::line(format!(
            "  {earlier} earlier {moves} left out; --at an earlier instant shows them"
        ))?;
    }
    for moved in moves {
        print_move(moved, rules)?;
    }
    if let Some((stage, obstacles)) = next_stage(whereabouts, editions) {
        if obstacles.is_empty() {
            output::line(format!("\nNothing stands in the way of {}", words(stage)))?;
        } else {
            output::line(format!("\nWhat stands in the way of {}", words(stage)))?;
        }
        for found in &obstacles {
            output::line(format!("  - {}", obstacle(found, rules)))?;
        }
        if rules.phase(whereabouts.stage) == Some(Phase::Nurtured) {
            let now = guards(whereabouts, editions);
            output::line(format!(
                "  {} points, of which {} count",
                now.score.normalize(),
                now.earned.normalize()
            ))?;
        }
    }
    if let Some((at, alarm)) = next_alarm(whereabouts, editions) {
        output::line(format!(
            "\nIf nothing happens before: at {}, {}",
            instant(at),
            by_itself(&alarm, whereabouts, rules)
        ))?;
    }
    if !objections.is_empty() {
        output::line("\nWhat moved nobody")?;
    }
    for objection in objections {
        output::line(format!(
            "  {}  {}",
            instant(objection.at),
            why(&objection.why)
        ))?;
    }
    Ok(())
}

fn print_move(moved: &Move, rules: &FunnelRules) -> anyhow::Result<()> {
    let Lifecycle::Transition {
        from,
        to,
        skipped,
        reason,
        trigger,
        guards,
        ..
    } = &moved.message.told
    else {
        return Ok(());
    };
    output::line(format!(
        "  {}  {} → {}: {}",
        instant(moved.message.due),
        words(*from),
        words(*to),
        english::trigger(trigger)
    ))?;
    let mut beside = Vec::new();
    if let Some(reason) = reason {
        beside.push(format!("for {}", words(*reason)));
    }
    if !skipped.is_empty() {
        let passed: Vec<String> = skipped.iter().map(|stage| words(*stage)).collect();
        beside.push(format!("passed over {}", passed.join(", ")));
    }
    beside.extend(seen_by(guards, rules, *to));
    if let Some(undone) = moved.undone {
        beside.push(format!("taken back at {}", instant(undone)));
    }
    if !beside.is_empty() {
        output::line(format!("{:24}{}", "", beside.join("; ")))?;
    }
    Ok(())
}

/// What the conditions of a move saw, as far as they had a say in it.
fn seen_by(guards: &wire::Guards, rules: &FunnelRules, to: Name) -> Vec<String> {
    if to != rules.landmarks.ready {
        return Vec::new();
    }
    let mut seen = vec![format!(
        "{} points, of which {} counted; {} were needed",
        guards.score.normalize(),
        guards.earned.normalize(),
        rules.ready.threshold.normalize()
    )];
    if guards.accelerated.is_some() {
        seen.push("an act of their own that is enough by itself".to_owned());
    }
    if guards.fit && guards.consent && !guards.suppressed {
        seen.push("the right kind of person, with consent".to_owned());
    }
    if guards.recycles > 0 {
        seen.push(match guards.recycles {
            1 => "had come back once".to_owned(),
            times => format!("had come back {times} times"),
        });
    }
    seen
}

fn obstacle(obstacle: &Obstacle, rules: &FunnelRules) -> String {
    match obstacle {
        Obstacle::Points(missing) => {
            let acts: Vec<String> = rules.ready.acceleration.iter().map(|a| words(*a)).collect();
            match acts.split_last() {
                None => format!("{} points are missing", missing.normalize()),
                Some((last, [])) => {
                    format!("{} points are missing, or a {last}", missing.normalize())
                }
                Some((last, others)) => format!(
                    "{} points are missing, or a {} or {last}",
                    missing.normalize(),
                    others.join(", ")
                ),
            }
        }
        Obstacle::NewPoints(line) => format!(
            "no points were added since they came back with {}",
            line.normalize()
        ),
        Obstacle::NewEngagement => "they did nothing of their own since they came back".to_owned(),
        Obstacle::CoolsDown(Some(until)) => {
            format!("sales leaves them alone until {}", instant(*until))
        }
        Obstacle::CoolsDown(None) => "sales leaves them alone for ever".to_owned(),
        Obstacle::Fit => "not the right kind of person, by the rules".to_owned(),
        Obstacle::Consent => "no consent".to_owned(),
        Obstacle::Suppressed(whose) if whose.contains(&Suppression::Person) => {
            "taken out of all marketing".to_owned()
        }
        Obstacle::Suppressed(_) => "the account is taken out of all marketing".to_owned(),
        Obstacle::NotReady => "sales has not said that it is the right time".to_owned(),
        Obstacle::NotWilling => "sales has not said that they want to".to_owned(),
    }
}

fn by_itself(alarm: &Alarm, whereabouts: &Whereabouts, rules: &FunnelRules) -> String {
    let rule = rules.stages.get(&whereabouts.stage);
    let back = |reason: Option<Name>| match reason {
        Some(reason) => format!("they go back to nurture, for {}", words(reason)),
        None => "they go back to nurture".to_owned(),
    };
    match alarm {
        Alarm::Stall => back(rule.and_then(|r| r.stall.as_ref()).map(|s| s.reason)),
        Alarm::Age => back(rule.and_then(|r| r.age.as_ref()).map(|a| a.reason)),
        Alarm::Reengage => "a last try is made to wake them up".to_owned(),
        Alarm::CoolDown => "sales need not leave them alone any more".to_owned(),
        Alarm::Condition => "the conditions that look at time are looked at again".to_owned(),
        Alarm::Reminder { clock, .. } => format!("somebody is reminded of {}", words(*clock)),
        Alarm::Breach { clock } => format!("the time for {} is used up", words(*clock)),
        Alarm::Escalation { clock, .. } => {
            format!("somebody is told that {} is overdue", words(*clock))
        }
    }
}

pub fn why(why: &Why) -> String {
    match why {
        Why::IllegalMove { from, to } => format!(
            "{} was claimed, and nobody goes from {} to there",
            words(*to),
            words(*from)
        ),
        Why::UnknownStage(stage) => format!("{} was claimed, which is no stage", words(*stage)),
        Why::NotTheirs { system, stage } => {
            format!(
                "{} said {}, which is not for it to say",
                words(*system),
                words(*stage)
            )
        }
        Why::NotInReview { stage } => format!(
            "sales said what it found out in review of somebody in {}",
            words(*stage)
        ),
        Why::NotWorked { stage } => format!(
            "sales gave back somebody in {}, whom it did not have",
            words(*stage)
        ),
        Why::Protected { until } => format!(
            "an open deal is about to close: not given back before {}",
            instant(*until)
        ),
        Why::Shadow { from, reason } => format!(
            "would have gone back from {}, for {}; the rule only watches",
            words(*from),
            words(*reason)
        ),
    }
}

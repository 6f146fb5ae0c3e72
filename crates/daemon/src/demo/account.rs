//! Tells what happens: as it happens, and at the end.

use std::{collections::BTreeMap, io::IsTerminal, path::Path, time::Duration};

use baton_core::{
    time::{HOUR, Millis},
    wire::{ClaimView, Explanation},
};
use baton_sandbox::day::{Played, Scene};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    summary::Summary,
    world::{Counts, News},
};
use crate::cli::output;

/// The account of one run.
pub struct Account {
    json: bool,
    seed: u64,
    data: String,
    bar: Option<ProgressBar>,
    /// The last whole hour that was told.
    hour: Option<Millis>,
    before: Counts,
}

impl Account {
    #[must_use]
    pub fn new(json: bool, seed: u64, data: &Path) -> Self {
        let live = !json && std::io::stdout().is_terminal();
        Self {
            json,
            seed,
            data: data.display().to_string(),
            bar: live.then(bar),
            hour: None,
            before: Counts::default(),
        }
    }

    /// # Errors
    /// When standard output is closed.
    pub fn begin(&self) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        output::line(format!(
            "A day in the life of a thousand people, in a CRM and a MAP (seed {}).",
            self.seed
        ))?;
        output::line(format!("Data: {}", self.data))?;
        output::line("")
    }

    /// Something happened.
    pub fn hear(&mut self, news: &News<'_>) {
        if self.json {
            return;
        }
        match news {
            News::Step(step, played) => {
                if is_told(step.scene) && **played == Played::Done {
                    self.say(&format!(
                        "{}  {}",
                        time_of_day(step.at),
                        output::safe(&step.say)
                    ));
                }
            }
            News::Turn(now, counts) => self.turn(*now, counts),
        }
    }

    fn turn(&mut self, now: Millis, counts: &Counts) {
        let writes: u64 = counts.commands.values().sum();
        if let Some(bar) = &self.bar {
            bar.set_message(format!(
                "{}  {} messages, {writes} commands",
                time_of_day(now),
                counts.changes + counts.results
            ));
        }
        let hour = now.floor(HOUR);
        if self.hour.is_none_or(|told| hour > told) {
            if self.hour.is_some() {
                let messages =
                    counts.changes + counts.results - self.before.changes - self.before.results;
                let earlier: u64 = self.before.commands.values().sum();
                let writes = writes - earlier;
                if messages + writes > 0 {
                    self.say(&format!(
                        "{}  ─ {messages} messages came in, {writes} commands went out",
                        time_of_day(hour)
                    ));
                }
            }
            self.hour = Some(hour);
            self.before = counts.clone();
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            // A closed output is noticed when the account ends.
            None => drop(output::line(line)),
        }
    }

    pub fn judging(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// The day is compared; months pass.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn weeks(&self) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        output::line("The day is over. Five months pass, in which people walk through the funnel …")
    }

    /// The day is over and the daemon stays.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn stays(&self, admin: std::net::SocketAddr) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        output::line("")?;
        output::line(format!(
            "The sandboxes rest; the daemon goes on with what you send it, until Ctrl-C. Its metrics: \
             http://{admin}/metrics"
        ))
    }

    /// The end account.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn end(&self, summary: &Summary) -> anyhow::Result<()> {
        if self.json {
            return output::json(summary);
        }
        happened(summary)?;
        compared(summary)?;
        example(summary)?;
        funnel(summary)?;
        further(summary)
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Scenes told one by one; the crowd's are only counted.
const fn is_told(scene: Scene) -> bool {
    matches!(
        scene,
        Scene::WorkedExample
            | Scene::EmailChange
            | Scene::Conversion
            | Scene::Deal
            | Scene::Merge
            | Scene::OptOut
            | Scene::BothSides
            | Scene::LongTitle
            | Scene::Recase
            | Scene::Delete
            | Scene::Clear
    )
}

/// `14:03:59`, from an RFC 3339 instant.
fn time_of_day(at: Millis) -> String {
    let text = at.floor(1_000).to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

/// A scene's name in the summary.
#[must_use]
pub fn scene_key(scene: Scene) -> String {
    let mut key = String::new();
    for c in format!("{scene:?}").chars() {
        if c.is_uppercase() && !key.is_empty() {
            key.push('_');
        }
        key.extend(c.to_lowercase());
    }
    key
}

fn heading(text: &str) -> anyhow::Result<()> {
    output::line("")?;
    output::line(text)?;
    output::line("─".repeat(text.chars().count()))
}

fn happened(summary: &Summary) -> anyhow::Result<()> {
    heading("What happened")?;
    for scene in Scene::ALL {
        let count = summary.scenes.get(&scene_key(scene)).copied().unwrap_or(0);
        output::line(format!("{count:>6}  {}", scene.title()))?;
    }
    let messages = &summary.messages;
    output::line(format!(
        "{:>6}  messages reached the log: {} changes and {} answers; {} came late, {} twice",
        messages.changes + messages.results,
        messages.changes,
        messages.results,
        messages.late,
        messages.twice
    ))?;
    output::line(format!("        changes: {}", counted(&summary.outcomes)))?;
    for (system, kinds) in &summary.commands {
        output::line(format!("        commands to {system}: {}", counted(kinds)))?;
    }
    if !summary.parked.is_empty() {
        output::line(format!(
            "        waiting for a steward: {}",
            counted(&summary.parked)
        ))?;
    }
    Ok(())
}

fn counted(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
        .collect();
    parts.join(", ")
}

fn compared(summary: &Summary) -> anyhow::Result<()> {
    heading("Both systems against the rules")?;
    let compared = &summary.compared;
    output::line(format!(
        "{} people, {} accounts and {} deals; {} fields of {} records were compared with what an independent, naive \
         reading of the rules says.",
        summary.people, summary.accounts, summary.deals, compared.fields, compared.records
    ))?;
    output::line(format!(
        "{} stand as their system renders them (cut or re-cased).",
        compared.rendered
    ))?;
    for (why, count) in &compared.left_alone {
        output::line(format!("{count} are left alone: {why}."))?;
    }
    if !summary.doubled.is_empty() {
        output::line(format!(
            "{} people have a second record in one system since their records in the other were merged; both hold the \
             same, and a steward says which one goes: {}. {} such tasks are open \
             (`baton parked list --code doubled_record`).",
            summary.doubled.len(),
            output::safe(&summary.doubled.join(", ")),
            summary.doubled_tasks,
        ))?;
    }
    if summary.differences.is_empty() {
        output::line("All of them are as the rules say.")?;
    } else {
        output::line(format!("{} differ:", summary.differences.len()))?;
        for difference in &summary.differences {
            output::line(format!(
                "  {} {}: holds {}, should be {} — {}",
                output::safe(&difference.record),
                difference.field,
                output::value(&difference.holds),
                output::value(&difference.should),
                output::safe(&difference.reason)
            ))?;
        }
    }
    let broken: Vec<String> = summary
        .laws
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(law, count)| format!("{law} ({count} times)"))
        .collect();
    if broken.is_empty() {
        output::line("No law was broken.")
    } else {
        output::line(format!("Laws broken: {}", broken.join(", ")))
    }
}

fn example(summary: &Summary) -> anyhow::Result<()> {
    let example = &summary.worked_example;
    heading("The worked example")?;
    output::line(format!(
        "At {} {} changes the address of {} in the CRM to",
        example.edited, example.salesperson, example.person
    ))?;
    output::line(format!("    {}", output::safe(&example.address)))?;
    output::line(format!(
        "At {} the list “{}” brings another one into the MAP:",
        example.imported, example.list
    ))?;
    output::line(format!("    {}", output::safe(&example.list_address)))?;
    output::line("At the end there stands")?;
    for (record, address) in &example.stands {
        output::line(format!("    {address}  ({record})"))?;
    }
    output::line(if example.survived {
        "The salesperson's address survived in both systems, whole. Why:"
    } else {
        "The salesperson's address did NOT survive in both systems. Why:"
    })?;
    example.explanation.as_ref().map_or(Ok(()), explained)
}

fn funnel(summary: &Summary) -> anyhow::Result<()> {
    let funnel = &summary.funnel;
    if funnel.stages.is_empty() {
        return Ok(());
    }
    heading("The funnel, five months later")?;
    for (stage, people) in funnel.stages.iter().filter(|(_, people)| **people > 0) {
        output::line(format!("{people:>6}  {}", stage.replace('_', " ")))?;
    }
    output::line(format!(
        "{} were brought back to nurture, under {} keys: each once. {} of these were taken back within the grace time, \
         because somebody had talked to them in time. {} promises were broken.",
        funnel.recycled, funnel.recycle_keys, funnel.revoked, funnel.breaches
    ))?;
    if funnel.differences.is_empty() {
        output::line("All of it is what the parts that people played must come to.")?;
    }
    for difference in &funnel.differences {
        output::line(format!("  {difference}"))?;
    }
    Ok(())
}

fn explained(explanation: &Explanation) -> anyhow::Result<()> {
    let say = |claim: &ClaimView| {
        format!(
            "{} from {}:{}, {} ({})",
            output::value(&claim.value.0.to_json()),
            claim.system,
            claim.object,
            claim.time,
            claim.cause.as_str()
        )
    };
    output::line(format!(
        "    {} = {}, by the rule \"{}\"",
        explanation.field,
        output::value(&explanation.value.0.to_json()),
        explanation.rule
    ))?;
    if let Some(winner) = &explanation.winner {
        output::line(format!("    won by {}", say(winner)))?;
    }
    for loser in &explanation.losers {
        output::line(format!("    lost: {}: {}", say(&loser.claim), loser.reason))?;
    }
    Ok(())
}

fn further(summary: &Summary) -> anyhow::Result<()> {
    let email = &summary.worked_example.email;
    let data = &summary.data;
    heading("Where to look further")?;
    output::line(format!("Data:    {data}"))?;
    output::line(format!("Metrics: {}", summary.metrics))?;
    output::line("")?;
    output::line(format!("  baton show person {email} --data {data}"))?;
    output::line(format!(
        "  baton explain person {email} street --data {data}"
    ))?;
    output::line(format!(
        "  baton funnel --since 2026-10-01T00:00:00Z --data {data}"
    ))?;
    output::line(format!("  baton parked list --data {data}"))?;
    output::line(format!(
        "  baton demo --exit --seed {}   (the same day again)",
        summary.seed
    ))
}

//! The report as people read it.

use std::fmt::Write as _;

use super::report::{Report, Round, Variant};
use crate::bench::aims::{self, maybe};

/// Tables with units, aims beside their figures.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let setting = &report.setting;
    // Writing to a string cannot fail; the results are dropped throughout.
    let _ = writeln!(
        text,
        "{} processors; {} log and {} store on {}",
        setting.processors,
        setting.log,
        setting.store,
        setting.file_system.as_deref().unwrap_or("unknown")
    );
    at_once(&mut text, report);
    paced(&mut text, report);
    cost(&mut text, report);
    text.push_str(&aims::table(&report.aims));
    text
}

fn at_once(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "\n{:<22} {:>9} {:>9} {:>9} {:>12} {:>9}   µs on the wall for each, by stage",
        "all due at once", "timers", "timers/s", "told/s", "CPU µs each", "own MiB"
    );
    for due in &report.at_once {
        let stages: Vec<String> = due
            .stages_us
            .iter()
            .filter(|(_, us)| **us > 0.0)
            .map(|(stage, us)| format!("{stage} {us:.1}"))
            .collect();
        let _ = writeln!(
            text,
            "{:<22} {:>9} {:>9.0} {:>9.0} {:>12} {:>9}   {}",
            due.what,
            due.timers,
            due.fired_per_s,
            due.told_per_s,
            maybe(due.cpu_us, 1),
            maybe(due.peak_memory_mib, 0),
            stages.join(", ")
        );
    }
}

fn paced(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "\n{:<22} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "due while it runs", "wait", "due", "p50 ms", "p99 ms", "most ms", "own MiB"
    );
    for paced in &report.paced {
        let _ = writeln!(
            text,
            "{:<22} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            format!("{}/s", paced.per_second),
            paced.pending,
            paced.due,
            paced.p50_ms,
            paced.p99_ms,
            paced.most_ms,
            maybe(paced.peak_memory_mib, 0)
        );
    }
}

fn cost(text: &mut String, report: &Report) {
    let cost = &report.cost;
    let _ = writeln!(
        text,
        "\n{} people, {} changes, CPU µs each (daemon and log), changes/s, commands",
        cost.people, cost.changes
    );
    let mut variant = |name: String, of: fn(&Round) -> &Variant| {
        let _ = write!(text, "{name:<32}");
        for round in &cost.rounds {
            let of = of(round);
            let _ = write!(
                text,
                " {:>9} {:>8.0} {:>8}",
                maybe(of.cpu_us, 1),
                of.changes_per_s,
                of.commands
            );
        }
        text.push('\n');
    };
    variant("without a funnel".into(), |round| &round.plain);
    variant("with it".into(), |round| &round.funnel);
    variant(format!("with it, after {} acts each", cost.acts), |round| {
        &round.funnel_with_acts
    });
    let _ = write!(text, "{:<32}", "each of these acts");
    for round in &cost.rounds {
        let _ = write!(text, " {:>9} {:>17}", maybe(round.act_cpu_us, 1), "");
    }
    text.push('\n');
}

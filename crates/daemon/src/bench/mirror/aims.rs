//! What is aimed at, and whether it was met. Nothing fails because an aim is not.

use serde::Serialize;

use super::report::Figures;

/// A figure beside its aim.
#[derive(Clone, Debug, Serialize)]
pub struct Aim {
    /// Log and store that the figure is of.
    pub ground: String,
    pub what: &'static str,
    pub unit: &'static str,
    pub figure: f64,
    pub aim: f64,
    /// The least that is wanted; else the most.
    pub at_least: bool,
    pub met: bool,
}

/// Every aim that there is a figure for.
pub fn judged(grounds: &[Figures]) -> Vec<Aim> {
    let mut aims = Vec::new();
    for figures in grounds {
        let ground = format!("{} + {}", figures.log, figures.store);
        let mut judge = |what, unit, figure: Option<f64>, aim: f64, at_least: bool| {
            if let Some(figure) = figure {
                aims.push(Aim {
                    ground: ground.clone(),
                    what,
                    unit,
                    figure,
                    aim,
                    at_least,
                    met: if at_least {
                        figure >= aim
                    } else {
                        figure <= aim
                    },
                });
            }
        };
        judge(
            "rate",
            "changes/s",
            Some(figures.changes_per_s),
            30_000.0,
            true,
        );
        judge("event to command, p99", "ms", figures.p99_ms, 50.0, false);
        judge(
            "processor, log included",
            "s/100,000",
            figures.cpu_s_per_100k,
            5.0,
            false,
        );
        let growth = figures.cost_growth_1m_over_10k;
        judge(
            "cost at 1,000,000 people by that at 10,000",
            "",
            growth,
            1.25,
            false,
        );
        judge(
            "memory of its own",
            "MiB",
            figures.peak_memory_mib,
            256.0,
            false,
        );
        let beside = grounds
            .iter()
            .find(|other| other.log == figures.log && other.store == "sqlite");
        if let (Some(sqlite), "postgres") = (beside, figures.store) {
            let share = figures.changes_per_s / sqlite.changes_per_s;
            judge("rate by that of SQLite", "", Some(share), 0.5, true);
        }
    }
    aims
}

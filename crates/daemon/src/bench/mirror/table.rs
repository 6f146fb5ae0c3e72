//! The report as people read it.

use std::{collections::BTreeMap, fmt::Write as _};

use super::report::{Figures, Report, Throughput};
use crate::bench::aims::{self, maybe};

/// Tables with units, aims beside their figures.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    summary(&mut text, report);
    for figures in &report.grounds {
        ground(&mut text, figures);
    }
    text.push_str(&aims::table(&report.aims));
    text
}

// Writing to a string cannot fail; the results are dropped throughout.

fn head(text: &mut String, report: &Report) {
    let setting = &report.setting;
    let system = setting.file_system.as_deref().unwrap_or("unknown");
    let _ = writeln!(
        text,
        "{} processors; embedded log and SQLite on {system}{}; one system sends changes, another gets commands and answers \
         each at once: the answers are settled as well",
        setting.processors,
        match system {
            "tmpfs" | "ramfs" =>
                " (NO DISK: these figures are of memory; name a folder on a disk with --data)",
            _ => "",
        }
    );
    for figures in &report.grounds {
        let _ = writeln!(
            text,
            "{} + {}: log {}; store {}",
            figures.log, figures.store, figures.log_fsync, figures.store_fsync
        );
    }
}

fn summary(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "\n{:<20} {:>9} {:>10} {:>10} {:>7} {:>13} {:>8} {:>8} {:>9}",
        "log + store",
        "people",
        "bare/s",
        "changes/s",
        "ratio",
        "CPU s/100,000",
        "p50 ms",
        "p99 ms",
        "own MiB"
    );
    for figures in &report.grounds {
        let _ = writeln!(
            text,
            "{:<20} {:>9} {:>10.0} {:>10.0} {:>7.3} {:>13} {:>8} {:>8} {:>9}",
            format!("{} + {}", figures.log, figures.store),
            figures.people,
            figures.bare_per_s,
            figures.changes_per_s,
            figures.ratio,
            maybe(figures.cpu_s_per_100k, 2),
            maybe(figures.p50_ms, 1),
            maybe(figures.p99_ms, 1),
            maybe(figures.peak_memory_mib, 0),
        );
    }
}

fn ground(text: &mut String, figures: &Figures) {
    let _ = writeln!(text, "\n{} + {}", figures.log, figures.store);
    let _ = writeln!(
        text,
        "{:>9} {:>9} {:>10} {:>12} {:>9} {:>11} {:>8} {:>8} {:>8} {:>9}",
        "people",
        "changes",
        "changes/s",
        "introduced/s",
        "commands",
        "CPU µs each",
        "daemon",
        "log",
        "store",
        "own MiB"
    );
    for size in &figures.sizes {
        let _ = writeln!(
            text,
            "{:>9} {:>9} {:>10.0} {:>12.0} {:>9} {:>11} {:>8} {:>8} {:>8} {:>9}",
            size.people,
            size.changes,
            size.changes_per_s,
            size.introduced_per_s,
            size.commands,
            maybe(size.cpu_us, 1),
            maybe(size.daemon_cpu_us, 1),
            maybe(size.log_cpu_us, 1),
            maybe(size.store_cpu_us, 1),
            maybe(size.peak_memory_mib, 0),
        );
    }
    if let Some(latency) = &figures.latency {
        let _ = writeln!(
            text,
            "event to command at {:.0}/s: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms; {} of {} changes had a command of \
             their own",
            latency.sent_per_s,
            latency.p50_ms,
            latency.p99_ms,
            latency.most_ms,
            latency.commands,
            latency.sent
        );
    }
    let by = |of: fn(&Throughput) -> &BTreeMap<String, f64>| each(&figures.sizes, of);
    let _ = writeln!(
        text,
        "µs on the wall for each change, by stage (waiting included)"
    );
    text.push_str(&by(|size| &size.stages_us));
    let _ = writeln!(
        text,
        "µs of processor for each change, by the daemon's threads"
    );
    text.push_str(&by(|size| &size.threads_us));
}

/// One line for each name, one column for each size.
fn each(sizes: &[Throughput], of: fn(&Throughput) -> &BTreeMap<String, f64>) -> String {
    let mut text = String::new();
    let mut names: Vec<&String> = sizes.iter().flat_map(|size| of(size).keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let _ = write!(text, "  {name:<22}");
        for size in sizes {
            let _ = write!(text, " {:>9}", maybe(of(size).get(name).copied(), 2));
        }
        text.push('\n');
    }
    text
}

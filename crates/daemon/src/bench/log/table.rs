//! The report for people to read.

use std::fmt::Write as _;

use super::{Figures, Fsync, Mode, Ratio, Report};

/// One line of the table: its name, its figure, its ratio, and what is aimed at.
struct Line {
    name: &'static str,
    digits: usize,
    figure: fn(&Figures) -> Option<f64>,
    ratio: fn(&Ratio) -> Option<f64>,
    aim: Option<Aim>,
}

#[derive(Clone, Copy)]
enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

const LINES: [Line; 8] = [
    Line {
        name: "produced, messages/s",
        digits: 0,
        figure: |f| Some(f.produced_per_s),
        ratio: |r| Some(r.produced),
        aim: None,
    },
    Line {
        name: "consumed, messages/s",
        digits: 0,
        figure: |f| Some(f.consumed_per_s),
        ratio: |r| Some(r.consumed),
        aim: Some(Aim::AtLeast(0.9)),
    },
    Line {
        name: "passed on, messages/s",
        digits: 0,
        figure: |f| Some(f.passed_per_s),
        ratio: |r| Some(r.passed),
        aim: Some(Aim::AtLeast(0.5)),
    },
    Line {
        name: "its CPU for a million of these, s",
        digits: 2,
        figure: |f| f.cpu_s_per_million,
        ratio: |r| r.cpu,
        aim: None,
    },
    Line {
        name: "p50 at 2,000/s, ms",
        digits: 2,
        figure: |f| Some(f.p50_ms),
        ratio: |r| Some(r.p50),
        aim: None,
    },
    Line {
        name: "p99 at 2,000/s, ms",
        digits: 2,
        figure: |f| Some(f.p99_ms),
        ratio: |r| Some(r.p99),
        aim: Some(Aim::AtMost(1.0)),
    },
    Line {
        name: "idle, 2 consumers, % of a core",
        digits: 2,
        figure: |f| f.idle_cpu_percent,
        ratio: |r| r.idle_cpu,
        aim: Some(Aim::AtMost(0.1)),
    },
    Line {
        name: "peak memory, MiB",
        digits: 1,
        figure: |f| f.peak_memory_mib,
        ratio: |r| r.memory,
        aim: Some(Aim::AtMost(0.1)),
    },
];

/// The report as a table for each mode. Writing to a string cannot fail.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = format!(
        "{} messages of {} bytes in {} partitions, median of {} rounds, librdkafka\n",
        report.messages, report.message_bytes, report.partitions, report.rounds
    );
    for mode in &report.modes {
        rows(&mut text, mode);
    }
    text
}

fn rows(text: &mut String, mode: &Mode) {
    let fsync = match mode.fsync {
        Fsync::Interval => "fsync from time to time",
        Fsync::Always => "fsync before each acknowledgement",
    };
    let _ = writeln!(
        text,
        "\n{fsync:<34} {:>12} {:>12} {:>7} {:>7}",
        "embedded", "Kafka", "ratio", "aim"
    );
    for line in &LINES {
        let number = |n: Option<f64>, digits: usize| {
            n.map_or_else(|| "-".to_owned(), |n| format!("{n:.digits$}"))
        };
        let ratio = mode.ratio.as_ref().and_then(line.ratio);
        let aim = match line.aim {
            Some(Aim::AtLeast(aim)) => format!("≥ {aim}"),
            Some(Aim::AtMost(aim)) => format!("≤ {aim}"),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "{:<34} {:>12} {:>12} {:>7} {:>7}{}",
            line.name,
            number((line.figure)(&mode.log), line.digits),
            number(mode.kafka.as_ref().and_then(line.figure), line.digits),
            number(ratio, 2),
            aim,
            verdict(line.aim, ratio),
        );
    }
}

fn verdict(aim: Option<Aim>, ratio: Option<f64>) -> &'static str {
    match (aim, ratio) {
        (Some(Aim::AtLeast(aim)), Some(ratio)) if ratio < aim => "  missed",
        (Some(Aim::AtMost(aim)), Some(ratio)) if ratio > aim => "  missed",
        (Some(_), Some(_)) => "  met",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_aim_is_met_or_missed_and_without_kafka_there_is_none() {
        let log = Figures {
            produced_per_s: 1.0,
            consumed_per_s: 90.0,
            passed_per_s: 49.0,
            p99_ms: 2.0,
            idle_cpu_percent: Some(0.4),
            ..Figures::default()
        };
        let kafka = Figures {
            produced_per_s: 1.0,
            consumed_per_s: 100.0,
            passed_per_s: 100.0,
            p99_ms: 3.0,
            idle_cpu_percent: Some(5.0),
            ..Figures::default()
        };
        let mut mode = Mode {
            fsync: Fsync::Interval,
            log,
            kafka: Some(kafka),
            ratio: Some(Ratio::of(&log, &kafka)),
        };
        let mut text = String::new();
        rows(&mut text, &mode);
        let line = |start: &str| {
            let line = text.lines().find(|line| line.starts_with(start));
            line.unwrap().split_whitespace().last().unwrap().to_owned()
        };
        assert_eq!(line("consumed"), "met");
        assert_eq!(line("passed on"), "missed");
        assert_eq!(line("p99"), "met");
        assert_eq!(line("idle"), "met");
        (mode.kafka, mode.ratio) = (None, None);
        let mut text = String::new();
        rows(&mut text, &mode);
        assert!(!text.contains("met") && !text.contains("missed"), "{text}");
    }
}

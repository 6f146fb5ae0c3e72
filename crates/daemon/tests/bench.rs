//! `baton bench` with a handful of people or messages: its figures must agree with each other, however small they are.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Stdio};

use serde_json::Value;

fn bench(what: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command
        .args(["bench", what, "--json"])
        .args(args)
        .env_remove("BATON_DATA")
        .env_remove("BATON_LOG");
    command
}

fn measured(what: &str, args: &[&str]) -> Value {
    let output = bench(what, args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn everything_sent_is_settled_and_answered_and_the_figures_agree() {
    let people = "30,40";
    let paced = ["--pace", "100", "--seconds", "1"];
    let args = [["--people", people, "--changes", "300"], paced].concat();
    let report = measured("mirror", &args);
    let number = |key: &str| {
        report[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key}: {report}"))
    };
    assert_eq!(number("people"), 40.0);
    let ratio = number("changes_per_s") / number("bare_per_s");
    assert!((number("ratio") - ratio).abs() < 1e-9);
    assert!(number("p50_ms") <= number("p99_ms"));
    assert!(report["cost_growth_1m_over_10k"].is_null());
    if cfg!(target_os = "linux") {
        assert!(number("cpu_s_per_100k") > 0.0);
        assert!(number("peak_memory_mib") > 1.0);
    }
    assert_eq!(report["latency"]["sent"], 100);
    let sizes = report["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 2);
    for size in sizes {
        assert_eq!(size["changes"], 300);
        assert!(size["commands"].as_u64().unwrap() > 0);
        assert!(
            size["stages_us"]
                .as_object()
                .unwrap()
                .contains_key("commit")
        );
    }
    assert_eq!(report["grounds"].as_array().unwrap().len(), 1);
    assert!(!report["aims"].as_array().unwrap().is_empty());
}

#[test]
fn every_timer_is_carried_out_and_the_funnels_cost_is_that_of_its_rounds() {
    let timers = ["--due", "60", "--pace", "50", "--seconds", "1"];
    let stream = ["--people", "30", "--changes", "200", "--acts", "3"];
    let args = [
        &timers[..],
        &stream,
        &["--pending", "2000", "--rounds", "1"],
    ]
    .concat();
    let report = measured("lifecycle", &args);
    let at_once = report["at_once"].as_array().unwrap();
    let timers: Vec<&Value> = at_once.iter().map(|due| &due["timers"]).collect();
    assert_eq!(timers, [60, 12]);
    for due in at_once {
        let rate = |key: &str| due[key].as_f64().unwrap();
        // They are told after they were carried out.
        assert!(rate("told_per_s") > 0.0 && rate("told_per_s") <= rate("fired_per_s"));
    }
    let paced = report["paced"].as_array().unwrap();
    let pending: Vec<&Value> = paced.iter().map(|paced| &paced["pending"]).collect();
    assert_eq!(pending, [2, 2_000]);
    for paced in paced {
        assert_eq!(paced["due"], 50);
        let late = |key: &str| paced[key].as_i64().unwrap();
        assert!(0 <= late("p50_ms"), "{paced}");
        assert!(late("p50_ms") <= late("p99_ms") && late("p99_ms") <= late("most_ms"));
    }
    let round = &report["cost"]["rounds"][0];
    if cfg!(target_os = "linux") {
        let cpu = |variant: &str| round[variant]["cpu_us"].as_f64().unwrap();
        let ratio = report["cost"]["ratio"].as_f64().unwrap();
        assert!((ratio - cpu("funnel") / cpu("plain")).abs() < 1e-9);
        // So few acts may take less than the kernel's unit of processor time: that it is told is all that is certain.
        assert!(round["act_cpu_us"].is_number(), "{round}");
        assert!(report["memory_growth"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(report["aims"].as_array().unwrap().len(), 7);
}

#[test]
fn the_log_alone_is_measured_in_both_modes_and_without_kafka_there_is_no_ratio() {
    let args = ["--messages", "500", "--rounds", "1", "--seconds", "1"];
    let report = measured("log", &args);
    let modes = report["modes"].as_array().unwrap();
    let fsync: Vec<&Value> = modes.iter().map(|mode| &mode["fsync"]).collect();
    assert_eq!(fsync, ["interval", "always"]);
    for mode in modes {
        let number = |key: &str| mode["log"][key].as_f64().unwrap();
        for rate in ["produced_per_s", "consumed_per_s", "passed_per_s"] {
            assert!(number(rate) > 0.0, "{mode}");
        }
        assert!(number("p50_ms") > 0.0 && number("p50_ms") <= number("p99_ms"));
        assert!(mode["kafka"].is_null() && mode["ratio"].is_null());
        if cfg!(target_os = "linux") {
            assert!(number("peak_memory_mib") > 1.0, "{mode}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_it_starts_ends_with_it_even_when_it_is_killed() {
    use std::{
        fs, thread,
        time::{Duration, Instant},
    };

    /// Far more than it takes.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// State and parent of a process.
    fn stat(pid: &str) -> Option<(String, u32)> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut rest = text.rsplit_once(')')?.1.split_ascii_whitespace();
        Some((rest.next()?.to_owned(), rest.next()?.parse().ok()?))
    }

    let data = tempfile::tempdir().unwrap();
    let mut bench = bench(
        "mirror",
        &["--people", "5000", "--data", data.path().to_str().unwrap()],
    )
    .stdout(Stdio::null())
    // What is left without a log complains of it.
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let children = loop {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let all = all.filter_map(|entry| entry.file_name().into_string().ok());
        let children: Vec<String> = all
            .filter(|pid| stat(pid).is_some_and(|(_, parent)| parent == bench.id()))
            .collect();
        // The log and a daemon.
        if children.len() == 2 {
            break children;
        }
        assert!(Instant::now() < deadline, "no children in time");
        thread::yield_now();
    };
    bench.kill().unwrap();
    bench.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    // Z: ended; whoever took it over has not looked yet.
    while children
        .iter()
        .any(|pid| stat(pid).is_some_and(|(state, _)| state != "Z"))
    {
        assert!(Instant::now() < deadline, "a child outlives the benchmark");
        thread::yield_now();
    }
}

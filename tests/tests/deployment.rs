//! What stands under `deploy/` agrees with what Baton is: its metrics, its runbook, and the tools that read the files.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn alerts() -> BTreeSet<String> {
    let alerts = text("deploy/prometheus/alerts.yml");
    let found: BTreeSet<String> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .map(str::to_owned)
        .collect();
    assert!(found.len() > 10, "{found:?}");
    found
}

/// Every word that starts like one of Baton's metrics.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_word(c))
        .filter(|word| word.starts_with("baton_"))
        .map(str::to_owned)
        .collect()
}

fn known_metrics() -> BTreeSet<String> {
    let known = metrics_in(&text("docs/metrics.md"));
    let parts = known
        .iter()
        .flat_map(|name| ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
    parts.chain(known.clone()).collect()
}

#[test]
fn alerts_and_dashboard_read_metrics_that_exist() {
    let known = known_metrics();
    for file in [
        "deploy/prometheus/alerts.yml",
        "deploy/prometheus/alerts.test.yml",
        "deploy/prometheus/alerts.days.test.yml",
        "deploy/grafana/dashboards/baton.json",
    ] {
        let unknown: Vec<_> = metrics_in(&text(file))
            .difference(&known)
            .cloned()
            .collect();
        assert!(unknown.is_empty(), "{file} reads {unknown:?}");
    }
}

#[test]
fn every_alert_has_its_entry_in_the_runbook_and_a_test_of_its_own() {
    let runbook: BTreeSet<String> = text("docs/runbook.md")
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::to_owned)
        .collect();
    assert_eq!(runbook, alerts());
    let rules = text("deploy/prometheus/alerts.yml");
    let tests =
        text("deploy/prometheus/alerts.test.yml") + &text("deploy/prometheus/alerts.days.test.yml");
    for alert in alerts() {
        let link = format!("runbook: docs/runbook.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not link its entry");
        let spoken = format!("{link}\n");
        assert!(tests.contains(&spoken), "no test lets {alert} speak");
    }
}

#[test]
fn the_dashboard_is_json_and_shows_every_alerted_metric() {
    let dashboard = text("deploy/grafana/dashboards/baton.json");
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().is_some_and(|p| p.len() > 10));
    let shown = metrics_in(&dashboard);
    let alerted = metrics_in(&text("deploy/prometheus/alerts.yml"));
    let missing: Vec<_> = alerted.difference(&shown).collect();
    assert!(missing.is_empty(), "alerted but not shown: {missing:?}");
}

/// Runs a tool on a file; says loudly when it is not there, and fails then where nothing may be skipped.
fn tool(program: &str, arguments: &[&str], folder: &str) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root().join(folder))
        .output();
    match output {
        Ok(output) => assert!(
            output.status.success(),
            "{program} {arguments:?}:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => {
            let must = std::env::var_os("BATON_REQUIRE_ALL").is_some();
            assert!(!must, "{program} cannot be run: {error}");
            eprintln!("SKIPPED: {program} is not installed ({error})");
        }
    }
}

#[test]
fn promtool_lets_every_alert_speak_and_be_silent() {
    let folder = "deploy/prometheus";
    for file in ["alerts.test.yml", "alerts.days.test.yml"] {
        tool("promtool", &["test", "rules", file], folder);
    }
    tool(
        "promtool",
        &["check", "config", "--syntax-only", "prometheus.yml"],
        folder,
    );
}

/// `security` counts exposure from 0 to 100; a line of hardening that goes missing adds some.
#[test]
fn the_systemd_unit_is_sound_and_stays_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let unit = text("deploy/systemd/baton.service");
    // Any program does for looking at the unit.
    let unit = unit.replace("/usr/local/bin/baton", "/bin/true");
    let file = folder.path().join("baton.service");
    fs::write(&file, unit).unwrap();
    let file = file.display().to_string();
    tool("systemd-analyze", &["verify", &file], ".");
    let strict = ["security", "--offline=true", "--threshold=15", &file];
    tool("systemd-analyze", &strict, ".");
}

#[test]
fn the_compose_file_is_sound() {
    tool("docker-compose", &["config", "--quiet"], ".");
}

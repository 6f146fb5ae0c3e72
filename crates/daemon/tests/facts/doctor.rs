//! `baton doctor` names what is wrong, each thing with its fix, and nothing that is right.

use std::path::Path;

use baton::{
    cli::Place,
    doctor::{Finding, State, examine},
    kafka::{Connection, TopicSpec, ensure},
};

use crate::given::{RULES, active};

struct Installation {
    folder: tempfile::TempDir,
    log: baton_log::Log,
}

impl Installation {
    /// A log with the topics that a daemon would create, and a configuration that names it.
    async fn new(mend: impl Fn(&mut TopicSpec)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = baton_log::Log::open(baton_log::Config::new(folder.path().join("broker")))
            .await
            .unwrap();
        let rules = active(RULES);
        let connection = Connection {
            bootstrap: log.addr().to_string(),
            settings: rules.settings.kafka.clone(),
        };
        let mut specs = rules.topics.specs(true);
        for spec in &mut specs {
            spec.log_append_time = spec.name.ends_with("changes") || spec.name.ends_with("results");
            mend(spec);
        }
        specs.retain(|spec| spec.partitions > 0);
        ensure(&connection, &specs, true).await.unwrap();
        let installation = Self { folder, log };
        let address = installation.log.addr().to_string();
        installation.configure(&format!("[kafka]\nbootstrap = \"{address}\"\n"));
        installation
    }

    fn configure(&self, more: &str) {
        let config = self.folder.path().join("config");
        std::fs::create_dir_all(&config).unwrap();
        let admin = "[admin]\nbind = \"127.0.0.1:0\"\n";
        std::fs::write(config.join("rules.toml"), format!("{RULES}\n{admin}{more}")).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn findings(&self) -> Vec<Finding> {
        let place = Place {
            config: Some(self.path().join("config")),
            data: Some(self.path().join("data")),
            json: false,
        };
        examine(&place).await.unwrap().0
    }
}

fn wrong(findings: &[Finding]) -> Vec<(&'static str, String)> {
    findings
        .iter()
        .filter(|f| f.state == State::Wrong)
        .map(|f| {
            let fix = f.fix.as_deref().unwrap_or_default();
            assert!(!fix.is_empty(), "{f:?} has no fix");
            (f.area, f.what.clone())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_nothing_is_named() {
    let all = Installation::new(|_| {}).await.findings().await;
    assert!(wrong(&all).is_empty(), "{all:?}");
    let looked_at: Vec<_> = all.iter().map(|f| f.area).collect();
    for area in [
        "configuration",
        "data",
        "disk",
        "log",
        "permissions",
        "topics",
        "store",
        "positions",
    ] {
        assert!(
            looked_at.contains(&area),
            "{area} was not looked at: {all:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_things_are_five_findings() {
    let there = Installation::new(|spec| match spec.name.as_str() {
        "baton.crm.changes" => spec.compact = true,
        "baton.map.changes" => spec.retention_ms = Some(3_600_000),
        // It will be missing.
        "baton.decisions" => spec.partitions = 0,
        _ => {}
    })
    .await;
    let token = there.path().join("token");
    std::fs::write(&token, "secret").unwrap();
    let data = there.path().join("data");
    std::fs::create_dir(&data).unwrap();
    open_to_all(&token, 0o644);
    open_to_all(&data, 0o755);
    let address = there.log.addr();
    there.configure(&format!(
        "token = {{ file = {:?} }}\n[kafka]\nbootstrap = \"{address}\"\n[topics]\ncreate = false\n",
        token.display().to_string()
    ));

    let found = wrong(&there.findings().await);
    let about = |area: &str, word: &str| {
        let hits = found
            .iter()
            .filter(|(a, what)| *a == area && what.contains(word));
        assert_eq!(hits.count(), 1, "{area} {word}: {found:?}");
    };
    about("secrets", "token");
    about("data", "data");
    about("topics", "baton.crm.changes is compacted");
    about("topics", "baton.map.changes keeps messages for 1 h");
    about("topics", "baton.decisions is not there");
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(!format!("{found:?}").contains("secret\""));
}

#[cfg(unix)]
fn open_to_all(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_mistakes_is_told_first_and_the_rest_waits() {
    let there = Installation::new(|_| {}).await;
    there.configure("[kafka]\nbootstrap = \"nowhere\"\n[timing]\nquantums = \"1s\"\n");
    let all = there.findings().await;
    assert!(
        wrong(&all).iter().all(|(area, _)| *area == "configuration"),
        "{all:?}"
    );
    assert!(
        all.iter()
            .any(|f| f.area == "log" && f.state == State::Skipped)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_gone_and_a_store_that_is_none_are_named() {
    let there = Installation::new(|_| {}).await;
    let (address, folder) = (there.log.addr(), there.path().to_owned());
    there.configure(&format!(
        "[kafka]\nbootstrap = \"{address}\"\n[store]\nurl = \"sqlite:{}\"\n",
        folder.display()
    ));
    let Installation { folder: kept, log } = there;
    log.shutdown().await.unwrap();
    let place = Place {
        config: Some(folder.join("config")),
        data: Some(folder.join("data")),
        json: false,
    };
    let all = examine(&place).await.unwrap().0;
    let areas: Vec<_> = wrong(&all).into_iter().map(|(area, _)| area).collect();
    assert_eq!(areas, ["store", "log"], "{all:?}");
    // Not only that nobody answers, but why.
    assert!(format!("{all:?}").contains("Connection refused"), "{all:?}");
    drop(kept);
}

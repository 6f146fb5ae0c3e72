//! The set-up of docker-compose.yml as plain processes: what `tests/ground/production` starts, with the configuration
//! that the containers get.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    ground::root,
    servers::skip,
    worker::{ask, until},
};

const TOKEN: &str = "a-token-of-this-test";

/// The script, ended with all it started when its standard input closes.
struct Production {
    process: Child,
    /// What it says of where things are, by name.
    places: BTreeMap<String, String>,
}

impl Production {
    /// None after saying what is missing.
    fn start() -> Option<Self> {
        let mut process = Command::new(root().join("tests/ground/production"))
            .env("BATON", env!("CARGO_BIN_EXE_baton"))
            .env("BATON_ADMIN_TOKEN", TOKEN)
            .env("BATON_LOG", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut places = BTreeMap::new();
        let out = BufReader::new(process.stdout.take().unwrap());
        for line in out.lines() {
            let line = line.unwrap();
            if line == "ready" {
                return Some(Self { process, places });
            }
            if let Some((name, place)) = line.split_once(' ') {
                places.insert(name.to_owned(), place.trim().to_owned());
            }
        }
        let ended = process.wait().unwrap();
        skip(&format!(
            "tests/ground/production did not start ({ended}); it says why above"
        ));
        None
    }

    fn address(&self, name: &str) -> SocketAddr {
        let place = &self.places[name];
        place.trim_start_matches("http://").parse().unwrap()
    }

    /// What a command prints that must succeed, run as a user would: in a shell with the script's environment.
    fn baton(&self, args: &[&str]) -> String {
        let output = Command::new("bash")
            .args(["-c", r#". "$0" && exec "$@""#])
            .arg(&self.places["environment"])
            .arg(env!("CARGO_BIN_EXE_baton"))
            .args(args)
            .current_dir(root())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_compose_set_up_runs_as_plain_processes_from_a_file_to_a_command_and_is_watched() {
    let Some(production) = Production::start() else {
        return;
    };
    let ingest = ["ingest", "--system", "crm", "--format", "baton", "--wait"];
    let tally = production.baton(&[&ingest[..], &["docs/examples/crm.jsonl", "--json"]].concat());
    let tally: Value = serde_json::from_str(&tally).unwrap();
    assert_eq!(tally["applied"], 2, "{tally}");
    let mut created = Vec::new();
    until("the command is on its topic", || {
        let tail = ["tail", "commands", "--system", "map", "--from-start"];
        let commands = production.baton(&[&tail[..], &["--until-idle", "--json"]].concat());
        created = commands
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect();
        !created.is_empty()
    });
    assert_eq!(created[0]["value"]["kind"], "create");
    assert_eq!(created[0]["headers"]["ce_type"], "baton.command.create");

    // While it runs, nothing is wrong: Kafka's topics are as the daemon made them, the tables are there.
    let found = production.baton(&["doctor", "--json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let found = found.as_array().unwrap();
    assert!(found.iter().all(|f| f["state"] != "wrong"), "{found:#?}");

    // The admin port wants its token; health does not.
    let admin = production.address("admin");
    assert_eq!(ask(admin, "/healthz", None).as_deref(), Some("ok\n"));
    assert_eq!(ask(admin, "/metrics", None), None);
    let metrics = ask(admin, "/metrics", Some(TOKEN)).unwrap();
    assert!(metrics.contains("baton_consumed_total{system=\"crm\"} 2"));

    // Prometheus gets in with the token, and knows every alert.
    if production.places["prometheus"].is_empty() {
        skip("no prometheus to watch the daemon with");
    } else {
        let prometheus = production.address("prometheus");
        until("Prometheus has asked the daemon", || {
            let up = ask(prometheus, "/api/v1/query?query=up{job=%22baton%22}", None);
            up.is_some_and(|answer| answer.contains("\"1\"]"))
        });
        let rules = ask(prometheus, "/api/v1/rules", None).unwrap();
        let alerts = std::fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).unwrap();
        for alert in alerts
            .lines()
            .filter_map(|l| l.trim().strip_prefix("- alert: "))
        {
            assert!(rules.contains(&format!("\"name\":\"{alert}\"")), "{alert}");
        }
    }

    // Letting go of it ends all of it and leaves nothing behind.
    let Production {
        mut process,
        places,
    } = production;
    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
    let environment = std::path::Path::new(&places["environment"]);
    assert!(!environment.exists() && !environment.parent().unwrap().exists());
    for name in ["kafka", "postgres", "admin", "prometheus"] {
        let place = places[name].trim_start_matches("http://");
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        let place = place.split('/').next().unwrap();
        let refused = place.is_empty() || TcpStream::connect(place).is_err();
        assert!(refused, "{name} still answers at {place}");
    }
}

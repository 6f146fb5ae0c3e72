//! What vendors send, fed in by `baton ingest` and judged by what comes out.

use std::{collections::BTreeMap, fs, path::PathBuf};

use baton_core::change::Format;
use serde_json::Value;

use crate::ground::{Ground, root};

/// The repository's own configuration but for `baton.toml`.
fn shipped() -> Vec<(String, String)> {
    let config = root().join("config");
    let mut files = Vec::new();
    for folder in ["", "vocabularies", "holidays"] {
        for entry in fs::read_dir(config.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&config).unwrap().to_str().unwrap();
            if name.ends_with(".toml") && name != "baton.toml" {
                files.push((name.to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files
}

/// The payloads of the connectors' tests, by format and by the object that must be named.
fn payloads() -> BTreeMap<(Format, String), Vec<PathBuf>> {
    let mut found: BTreeMap<_, Vec<PathBuf>> = BTreeMap::new();
    for format in Format::ALL {
        let folder = root().join("crates/connectors/tests/payloads");
        let Ok(entries) = fs::read_dir(folder.join(format.as_str())) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "says") {
                continue;
            }
            let says = fs::read_to_string(path.with_extension("says")).unwrap();
            let object = says.lines().find_map(|line| line.strip_prefix("object: "));
            let object = object.unwrap_or("contact").to_owned();
            found.entry((format, object)).or_default().push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_vendors_send_ends_applied_parked_or_dead_lettered_and_is_published() {
    let Some(ground) = Ground::find("intake").await else {
        return;
    };
    let admin = ground.configure("one", &shipped());

    let early = ground.try_baton("one", &["run"]);
    assert!(!early.status.success());
    let told = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(told.contains("baton migrate"), "{told}");
    ground.baton("one", &["migrate"]);
    let worker = ground.start("one", admin);

    let mut total: BTreeMap<String, u64> = BTreeMap::new();
    for ((format, object), files) in payloads() {
        let mut args = vec!["ingest", "--wait", "--system", "crm"];
        args.extend(["--format", format.as_str(), "--object", &object]);
        args.extend(files.iter().map(|path| path.to_str().unwrap()));
        let tally = ground.json("one", &args).remove(0);
        let mut settled = 0;
        for (outcome, count) in tally.as_object().unwrap() {
            let count = count.as_u64().unwrap();
            *total.entry(outcome.clone()).or_default() += count;
            if outcome != "consumed" {
                settled += count;
            }
        }
        assert_eq!(settled, tally["consumed"].as_u64().unwrap(), "{format:?}");
    }
    assert!(total["applied"] > 80, "{total:?}");
    assert_eq!(worker.counted("baton_consumed_total{"), total["consumed"]);
    assert_eq!(worker.counted("baton_law_violations_total{"), 0);

    // Every dead letter is listed, published, and has a page.
    let letters = ground.json("one", &["dead-letters", "list"]);
    assert_eq!(letters.len() as u64, total["dead_lettered"]);
    for letter in &letters {
        let code = letter["code"].as_str().unwrap();
        let page = root().join(format!("docs/errors/{code}.md"));
        assert!(page.is_file(), "{code}");
    }
    for parked in ground.json("one", &["parked", "list"]) {
        assert!(parked["code"].is_string(), "{parked}");
    }
    let tail = |topic: &str| ground.json("one", &["tail", topic, "--from-start", "--until-idle"]);
    assert_eq!(tail("dead-letters").len(), letters.len());
    assert!(!tail("commands").is_empty() && !tail("decisions").is_empty());

    // Every value of everybody can be explained.
    let golden = tail("golden");
    let mut explained = 0;
    let mut seen = std::collections::BTreeSet::new();
    for message in golden.iter().rev() {
        let (kind, id) = (&message["value"]["kind"], &message["value"]["entity"]);
        let (Some(kind), Some(id)) = (kind.as_str(), id.as_str()) else {
            panic!("{message}");
        };
        if !seen.insert(id.to_owned()) || seen.len() > 4 {
            continue;
        }
        let shown = ground.json("one", &["show", kind, id]).remove(0);
        let values = shown["fields"].as_object().unwrap();
        for (field, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            let why = ground.json("one", &["explain", kind, id, field]).remove(0);
            assert_eq!(why["value"], *value, "{field}");
            let by = [&why["winner"], &why["contributors"]];
            let empty = |v: &&Value| v.is_null() || **v == serde_json::json!([]);
            assert!(!by.iter().all(empty), "{why}");
            explained += 1;
        }
    }
    assert!(explained > 4, "{explained}");
    assert!(worker.end().success());
}

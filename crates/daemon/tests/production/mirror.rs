//! The demo's day, whole: the two sandboxes, the engine and the independent reference, on a broker and a database
//! that are not Baton's own.

use std::{fs, path::Path};

use crate::ground::{Ground, root};

fn copy(from: &Path, base: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            copy(&path, base, into);
        } else if path.extension().is_some_and(|e| e == "toml") {
            let name = path.strip_prefix(base).unwrap().to_str().unwrap();
            if name != "baton.toml" {
                into.push((name.to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_ends_with_both_systems_as_the_reference_has_them() {
    let Some(ground) = Ground::find("mirror").await else {
        return;
    };
    let mut rules = Vec::new();
    let config = root().join("config");
    copy(&config, &config, &mut rules);
    ground.configure("one", &rules);
    ground.baton("one", &["migrate"]);
    let args = [
        "demo",
        "--configured",
        "--exit",
        "--seed",
        "1",
        "--people",
        "300",
    ];
    let summary = ground.json_object("one", &args);
    assert_eq!(summary["differences"], serde_json::json!([]));
    assert_eq!(summary["converged"], true);
    assert_eq!(summary["worked_example"]["survived"], true);
    let broken = summary["laws"].as_object().unwrap();
    assert!(broken.values().all(|count| *count == 0), "{broken:?}");
}

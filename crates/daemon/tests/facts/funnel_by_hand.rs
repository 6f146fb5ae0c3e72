//! What stewards do to people and accounts in the funnel, and what they ask of it, by the command line.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::walk::{SYSTEMS, read};

struct Desk(tempfile::TempDir);

impl Desk {
    /// The shipped rules for two systems that speak Baton's own form, and two ready people of one account.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let mut files = BTreeMap::new();
        read(&root, &mut files, &root);
        files.insert("systems.toml".into(), SYSTEMS.into());
        for (name, text) in files {
            let path = folder.path().join("config").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let desk = Self(folder);
        let mut lines = String::new();
        for who in ["ann", "bea"] {
            lines += &format!(
                r#"{{"object":"contact","id":"m-{who}","fields":{{"email":"{who}@example.com","company":"Example","lead_score":150}}}}
"#
            );
        }
        desk.takes_in("map", &lines);
        lines.clear();
        for who in ["ann", "bea"] {
            lines += &format!(
                r#"{{"object":"contact","id":"c-{who}","fields":{{"email":"{who}@example.com","account":"001"}}}}
"#
            );
        }
        lines += r#"{"object":"account","id":"001","fields":{"name":"Example"}}"#;
        desk.takes_in("crm", &lines);
        desk
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn takes_in(&self, system: &str, lines: &str) {
        std::fs::write(self.folder().join("in.jsonl"), lines).unwrap();
        self.says(&["ingest", "--system", system, "--wait", "in.jsonl"], 0);
    }

    fn baton(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(args)
            .args(["--data", "data", "--config", "config"])
            .current_dir(self.folder())
            .env_remove("BATON_LOG")
            .env("BATON_CLOCK", "clock")
            .output()
            .unwrap()
    }

    /// From now on the machine's clock is off by so many ms.
    fn clock_is_off(&self, by: i64) {
        std::fs::write(self.folder().join("clock"), by.to_string()).unwrap();
    }

    /// What a command says that ends with this status.
    #[track_caller]
    fn says(&self, args: &[&str], status: i32) -> String {
        let done = self.baton(args);
        let said = String::from_utf8(done.stdout).unwrap();
        let wrong = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(status), "{args:?}: {said}{wrong}");
        said + &wrong
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let said = self.says(&[args, &["--json"]].concat(), 0);
        serde_json::from_str(&said).unwrap()
    }

    fn out(&self) -> Vec<bool> {
        let of = |who: &str| {
            let key = format!("{who}@example.com");
            self.json(&["show", "person", &key])["fields"]["marketing_suspended"] == true
        };
        vec![of("ann"), of("bea")]
    }
}

const ACCOUNT: &str = "crm:account:001";

#[test]
fn an_account_is_taken_out_of_marketing_and_let_in_again() {
    let desk = Desk::new();
    let said = desk.says(&["suppress", "account", ACCOUNT], 0);
    assert!(
        said.contains("its 2 people are out of all marketing"),
        "{said}"
    );
    assert_eq!(desk.out(), [true, true]);
    let said = desk.says(&["why-stage", "ann@example.com"], 0);
    assert!(said.contains("mql"), "suppression is no stage: {said}");
    let said = desk.says(&["suppress", "account", ACCOUNT, "--lift"], 0);
    assert!(
        said.contains("not kept out of marketing any more"),
        "{said}"
    );
    assert_eq!(desk.out(), [false, false]);
    // A system's own word is not lifted by hand.
    desk.takes_in(
        "crm",
        r#"{"object":"account","id":"001","fields":{"no_marketing":true}}"#,
    );
    let said = desk.says(&["suppress", "account", ACCOUNT, "--lift"], 1);
    assert!(
        said.contains("still out of all marketing, because a system says so"),
        "{said}"
    );
    let refused = desk.says(&["suppress", "deal", "crm:deal:1"], 2);
    assert!(
        refused.contains("it must be person or account"),
        "{refused}"
    );
}

#[test]
fn a_person_is_taken_out_of_marketing_and_let_in_again() {
    let desk = Desk::new();
    let ann = "ann@example.com";
    let said = desk.says(&["suppress", "person", ann], 0);
    assert!(said.contains("is out of all marketing"), "{said}");
    assert_eq!(desk.out(), [true, false]);
    desk.says(&["suppress", "account", ACCOUNT], 0);
    let said = desk.says(&["suppress", "person", ann, "--lift"], 1);
    assert!(said.contains("because their account is"), "{said}");
    assert_eq!(desk.out(), [true, true]);
    desk.says(&["suppress", "account", ACCOUNT, "--lift"], 0);
    let said = desk.says(&["suppress", "person", ann, "--lift"], 0);
    assert!(said.contains("is not kept out of marketing"), "{said}");
    assert_eq!(desk.out(), [false, false]);
}

/// As after a demo, whose months lie ahead, or where another machine's clock is some minutes ahead of this one's.
#[test]
fn what_a_steward_says_counts_at_once_also_where_the_log_s_clock_is_ahead() {
    let desk = Desk::new();
    desk.clock_is_off(240_000);
    desk.takes_in(
        "map",
        r#"{"object":"contact","id":"m-ann","fields":{"title":"CTO"}}"#,
    );
    desk.clock_is_off(0);
    let back = ["recycle", "ann@example.com", "--reason", "timing"];
    let said = desk.says(&back, 0);
    assert!(said.contains("is now in recycled"), "{said}");
    desk.says(&["suppress", "account", ACCOUNT], 0);
    assert_eq!(desk.out(), [true, true]);
    let given = desk.says(&["return", ACCOUNT, "--account"], 0);
    assert!(given.contains("1 of 2 people given back"), "{given}");
    let funnel = desk.json(&["funnel"]);
    assert_eq!(funnel["recycled"], 2, "the present does not go back");
}

#[test]
fn everybody_of_an_account_is_given_back_for_one_reason() {
    let desk = Desk::new();
    let given = ["return", ACCOUNT, "--account", "--reason", "budget"];
    let said = desk.says(&given, 0);
    assert!(said.contains("2 of 2 people given back"), "{said}");
    let funnel = desk.json(&["funnel"]);
    assert_eq!(funnel["recycles"]["budget"], 2);
    let said = desk.says(&given, 0);
    assert!(said.contains("0 of 2 people given back"), "once: {said}");
    assert_eq!(desk.json(&["funnel"])["recycled"], 2);
}

#[test]
fn rules_are_tried_on_what_happened_before_they_are_made_active() {
    let desk = Desk::new();
    let refused = desk.says(
        &["simulate", "lifecycle", "--since", "2020-01-01T00:00:00Z"],
        1,
    );
    let since = refused.split_once("activated at ").unwrap().1;
    let since = since.split_once(';').unwrap().0;
    // Somebody comes in after that, who would not be ready by a stricter definition.
    desk.takes_in(
        "map",
        r#"{"object":"contact","id":"m-cid","fields":{"email":"cid@example.com","company":"Example","lead_score":120}}"#,
    );
    let other = desk.folder().join("other");
    let config = desk.folder().join("config");
    let copied = Command::new("cp")
        .arg("-r")
        .args([&config, &other])
        .status();
    assert!(copied.unwrap().success());
    let file = other.join("lifecycle.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("threshold = 100", "threshold = 125");
    let text = text.replace("definition = \"1\"", "definition = \"2\"");
    std::fs::write(&file, text).unwrap();
    let args = [
        "simulate",
        "lifecycle",
        "--since",
        since,
        "--rules",
        "other",
    ];
    let said = desk.says(&args, 0);
    for part in [
        "definition 2",
        "handed to sales",
        "1 of 3 people would have gone another way",
        "would not have: came to mql",
    ] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
    let json = desk.json(&args);
    let mut counts = json["counts"].as_array().unwrap().iter();
    let handoffs = counts.find(|c| c["what"] == "handoff").unwrap();
    assert_eq!(
        (&handoffs["before"], &handoffs["after"]),
        (&3.into(), &2.into())
    );
    let same = desk.json(&["simulate", "lifecycle", "--since", since]);
    assert_eq!(same["others"], serde_json::json!([]));
    assert_eq!(desk.json(&["funnel"])["handoffs"], 3, "nothing is written");
}

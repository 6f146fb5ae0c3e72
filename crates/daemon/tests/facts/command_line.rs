//! The `baton` command, run as a process.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::given::{RULES, contact};

fn baton(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(args)
        .args(["--data", "data", "--config", "config"])
        .current_dir(folder)
        .env_remove("BATON_LOG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::write(folder.path().join("config/rules.toml"), RULES).unwrap();
    folder
}

#[test]
fn what_was_taken_in_can_be_shown_and_explained() {
    let folder = folder();
    let payload = format!(
        "{}\n{}\n{{ no json\n",
        contact("c1", 0, r#""email":"ann@example.com","title":"CTO""#),
        contact("c1", 9, r#""title":"CEO""#),
    );
    std::fs::write(folder.path().join("in.jsonl"), payload).unwrap();
    let done = baton(
        folder.path(),
        &["ingest", "--system", "crm", "--wait", "--json", "in.jsonl"],
    );
    assert!(done.status.success(), "{}", text(&done.stderr));
    let tally: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        tally,
        serde_json::json!({
            "consumed": 3, "applied": 2, "duplicate": 0, "late": 0, "noop": 0, "parked": 0, "dead_lettered": 1,
        })
    );

    let shown = baton(
        folder.path(),
        &["show", "person", "ANN@example.com", "--json"],
    );
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["fields"]["title"], "CEO");

    let why = baton(
        folder.path(),
        &["explain", "person", "crm:contact:c1", "title", "--json"],
    );
    let why: serde_json::Value = serde_json::from_slice(&why.stdout).unwrap();
    assert_eq!(why["value"], "CEO");
    assert_eq!(why["winner"]["id"], "c1");

    let letters = baton(folder.path(), &["dead-letters", "list", "--json"]);
    let letter: serde_json::Value = serde_json::from_slice(&letters.stdout).unwrap();
    assert_eq!(letter["code"], "malformed-json");

    let tail = baton(
        folder.path(),
        &["tail", "golden", "--from-start", "--until-idle", "--json"],
    );
    let last: serde_json::Value =
        serde_json::from_str(text(&tail.stdout).lines().last().unwrap()).unwrap();
    assert_eq!(last["value"]["kind"], "person");
}

#[test]
fn a_second_ingest_of_the_same_file_changes_nothing() {
    let folder = folder();
    let payload = contact("c1", 0, r#""email":"ann@example.com""#);
    std::fs::write(folder.path().join("in.json"), payload).unwrap();
    let args = ["ingest", "--system", "crm", "--wait", "--json", "in.json"];
    baton(folder.path(), &args);
    let again = baton(folder.path(), &args);
    let tally: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(tally["duplicate"], 1, "{tally}");
}

#[test]
fn check_ends_with_0_1_or_2() {
    let folder = folder();
    assert_eq!(baton(folder.path(), &["check"]).status.code(), Some(0));
    let broken = format!("{RULES}\n[person.fields.shoe_size]\ntyp = \"number\"\n");
    std::fs::write(folder.path().join("config/rules.toml"), broken).unwrap();
    let found = baton(folder.path(), &["check", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let problems: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(problems[0]["suggestion"], "type", "{problems}");
    std::fs::remove_dir_all(folder.path().join("config")).unwrap();
    assert_eq!(baton(folder.path(), &["check"]).status.code(), Some(2));
}

#[test]
fn describe_tells_the_funnel_or_that_there_is_none() {
    let folder = folder();
    let none = baton(folder.path(), &["describe"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("there is no funnel"));

    std::fs::remove_dir_all(folder.path().join("config")).unwrap();
    let shipped = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(args)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let told = shipped(&["describe"]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    assert!(text(&told.stdout).starts_with("The stages\n"));
    let json = shipped(&["describe", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["definition"], "1");
    assert_eq!(json["sections"][1]["title"], "Who is ready for sales");
}

#[test]
fn a_mistake_is_told_in_words_with_what_to_do() {
    let folder = folder();
    std::fs::write(folder.path().join("in.json"), "{}").unwrap();
    let wrong = baton(folder.path(), &["ingest", "--system", "cmr", "in.json"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text(&wrong.stderr).contains("did you mean `crm`?"),
        "{}",
        text(&wrong.stderr)
    );
    let nobody = baton(folder.path(), &["show", "person", "nobody@example.com"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("there is no store"));
}

/// A daemon on a folder, which is ended when dropped.
struct Daemon(std::process::Child);

impl Daemon {
    fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    fn start_with(folder: &Path, environment: &[(&str, &Path)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(["run", "--data", "data", "--config", "config"])
            .current_dir(folder)
            .env("BATON_LOG", "error")
            .envs(environment.iter().copied())
            .spawn()
            .unwrap();
        let mut daemon = Self(child);
        // It says where it is once it can be reached.
        while !folder.join("data/daemon.json").is_file() {
            assert!(daemon.0.try_wait().unwrap().is_none(), "the daemon ended");
            std::thread::yield_now();
        }
        daemon
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_daemon_settles_what_others_publish_and_knows_it_after_being_killed() {
    let folder = folder();
    // Several daemons may run on the machine that tests this.
    let rules = format!("{RULES}\n[admin]\nbind = \"127.0.0.1:0\"\n");
    std::fs::write(folder.path().join("config/rules.toml"), rules).unwrap();
    let payload = contact("c1", 0, r#""email":"ann@example.com""#);
    std::fs::write(folder.path().join("in.json"), payload).unwrap();
    let args = ["ingest", "--system", "crm", "--wait", "--json", "in.json"];
    let outcome = || {
        let done = baton(folder.path(), &args);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let tally: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        (tally["applied"].clone(), tally["duplicate"].clone())
    };

    let mut daemon = Daemon::start(folder.path());
    assert_eq!(outcome(), (1.into(), 0.into()));
    let second = baton(folder.path(), &["run"]);
    assert_eq!(second.status.code(), Some(3));
    assert!(text(&second.stderr).contains("is used by another process"));
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    std::fs::remove_file(folder.path().join("data/daemon.json")).unwrap();

    let mut daemon = Daemon::start(folder.path());
    assert_eq!(outcome(), (0.into(), 1.into()));
    daemon.signal("-TERM");
    assert!(daemon.0.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_supervisor_is_told_when_the_daemon_works_and_when_it_ends() {
    let folder = folder();
    let rules = format!("{RULES}\n[admin]\nbind = \"127.0.0.1:0\"\n");
    std::fs::write(folder.path().join("config/rules.toml"), rules).unwrap();
    let path = folder.path().join("notify.socket");
    let supervisor = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let told = || {
        let mut said = [0; 64];
        let length = supervisor.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).trim().to_owned()
    };

    let mut daemon = Daemon::start_with(folder.path(), &[("NOTIFY_SOCKET", &path)]);
    assert_eq!(told(), "READY=1");
    daemon.signal("-TERM");
    assert_eq!(told(), "STOPPING=1");
    assert!(daemon.0.wait().unwrap().success());
}

/// A folder in which crm and map differ about an address whose rule is `manual`.
fn with_two_addresses() -> tempfile::TempDir {
    let folder = folder();
    let group = "[person.groups.address]\n";
    let rules = RULES.replace(group, &format!("{group}rule = \"manual\"\n"));
    std::fs::write(folder.path().join("config/rules.toml"), rules).unwrap();
    for (system, id, seconds, street, city) in [
        ("crm", "c1", 0, "1 Old Road", "Rome"),
        ("map", "m1", 9, "2 New Road", "Bern"),
    ] {
        let fields = format!(r#""email":"ann@example.com","street":"{street}","city":"{city}""#);
        std::fs::write(folder.path().join("in.json"), contact(id, seconds, &fields)).unwrap();
        let args = ["ingest", "--system", system, "--wait", "in.json"];
        let done = baton(folder.path(), &args);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    folder
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", text(&output.stdout), text(&output.stderr))
    })
}

fn address(folder: &Path) -> (serde_json::Value, serde_json::Value) {
    let shown = json(&baton(
        folder,
        &["show", "person", "ann@example.com", "--json"],
    ));
    (
        shown["fields"]["street"].clone(),
        shown["fields"]["city"].clone(),
    )
}

#[test]
fn a_manual_group_is_decided_as_one_records_whole_tuple() {
    let folder = with_two_addresses();
    assert_eq!(
        address(folder.path()),
        ("1 Old Road".into(), "Rome".into()),
        "the earliest until somebody decides"
    );
    let task = json(&baton(
        folder.path(),
        &["parked", "list", "--code", "manual_decision", "--json"],
    ));
    assert_eq!(task["field"], "address");
    let id = task["id"].as_str().unwrap().to_owned();
    let shown = baton(folder.path(), &["parked", "show", &id]);
    assert!(
        text(&shown.stdout).contains("--record"),
        "{}",
        text(&shown.stdout)
    );
    let by_value = baton(
        folder.path(),
        &["parked", "resolve", &id, "--value", "3 Third Road"],
    );
    assert!(!by_value.status.success());
    assert!(
        text(&by_value.stderr).contains("is a group"),
        "{}",
        text(&by_value.stderr)
    );
    let stranger = ["parked", "resolve", &id, "--record", "map:contact:nobody"];
    assert!(!baton(folder.path(), &stranger).status.success());

    let decided = ["parked", "resolve", &id, "--record", "map:contact:m1"];
    let decided = baton(folder.path(), &decided);
    assert!(decided.status.success(), "{}", text(&decided.stderr));
    assert_eq!(address(folder.path()), ("2 New Road".into(), "Bern".into()));
    let open = baton(folder.path(), &["parked", "list", "--json"]);
    assert!(open.stdout.is_empty(), "{}", text(&open.stdout));
    let why = json(&baton(
        folder.path(),
        &["explain", "person", "ann@example.com", "city", "--json"],
    ));
    assert_eq!(why["losers"][0]["reason"], "a steward decided", "{why}");

    // What a system says later opens the question again; the decision stands until the next one.
    std::fs::write(
        folder.path().join("in.json"),
        contact("c1", 600_000_000, r#""street":"3 Third Road""#),
    )
    .unwrap();
    baton(
        folder.path(),
        &["ingest", "--system", "crm", "--wait", "in.json"],
    );
    assert_eq!(address(folder.path()), ("2 New Road".into(), "Bern".into()));
    let again = json(&baton(folder.path(), &["parked", "list", "--json"]));
    assert_eq!(again["field"], "address");
}

#[test]
fn a_lock_of_a_group_on_a_source_takes_its_whole_tuple_until_it_is_unlocked() {
    let folder = with_two_addresses();
    let lock = |what: &[&str]| {
        let mut args = vec!["lock", "person", "ann@example.com", "address"];
        args.extend(what);
        args.extend(["--reason", "she said so"]);
        baton(folder.path(), &args)
    };
    let one_value = lock(&["--value", "3 Third Road"]);
    assert!(!one_value.status.success());
    let locked = lock(&["--source", "map"]);
    assert!(locked.status.success(), "{}", text(&locked.stderr));
    assert_eq!(address(folder.path()), ("2 New Road".into(), "Bern".into()));
    let unlock = ["unlock", "person", "ann@example.com", "address"];
    assert!(baton(folder.path(), &unlock).status.success());
    assert_eq!(address(folder.path()), ("1 Old Road".into(), "Rome".into()));
}

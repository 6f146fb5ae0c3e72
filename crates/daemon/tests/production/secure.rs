//! A broker that lets nobody in without TLS, a name with a password, and rights: docs/operations/security.md, played.
//! Only where the program was built for it: `cargo test -p baton --features production --test production`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    ground::{Ground, root},
    servers::skip,
    worker::until,
};

const RULES: &str = r#"
[systems.crm]
format = "baton"
[systems.crm.objects.contact]
vendor = "contact"

[systems.map]
format = "baton"
[systems.map.objects.contact]
vendor = "contact"
create = "always"

[identity]
email = "email"

[person.fields.email]
type = "email"
"#;

/// It ends with all its data when its standard input closes.
struct Guarded {
    _process: Child,
    /// Where everybody may do everything; by it rights are given.
    open: String,
    guarded: String,
    ca: String,
}

impl Guarded {
    fn start() -> Option<Self> {
        let mut process = Command::new(root().join("tests/ground/kafka"))
            .arg("secure")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let lines: Vec<String> = lines.map_while(Result::ok).take(4).collect();
        let Ok([open, _, guarded, ca]) = <[String; 4]>::try_from(lines) else {
            process.wait().unwrap();
            return None;
        };
        Some(Self {
            _process: process,
            open,
            guarded,
            ca,
        })
    }

    fn allow(&self, arguments: &[&str]) {
        let allowed = Command::new(root().join("tests/ground/kafka"))
            .args(["allow", &self.open, "User:baton"])
            .args(arguments)
            .status()
            .unwrap();
        assert!(allowed.success());
    }
}

struct Installation {
    ground: Ground,
    password: PathBuf,
}

impl Installation {
    /// The configuration of the documentation, on the guarded listener.
    fn configure(&self, broker: &Guarded, ca: &str) {
        let file = self.ground.folder.path().join("one/baton.toml");
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().map(|line| match line {
            line if line.starts_with("bootstrap = ") => {
                format!("bootstrap = \"{}\"", broker.guarded)
            }
            line => line.to_owned(),
        });
        let mut text: String = lines.map(|line| line + "\n").collect();
        let password = self.password.display();
        let client = text.find("[kafka.client]").unwrap_or(text.len());
        text.truncate(client);
        text += &format!(
            "[kafka.client]\n\"security.protocol\" = \"SASL_SSL\"\n\"ssl.ca.location\" = \"{ca}\"\n\
             \"sasl.mechanisms\" = \"SCRAM-SHA-512\"\n\"sasl.username\" = \"baton\"\n\
             \"sasl.password\" = {{ file = \"{password}\" }}\n"
        );
        fs::write(file, text).unwrap();
    }

    fn set_password(&self, password: &str) {
        fs::write(&self.password, password).unwrap();
        fs::set_permissions(&self.password, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// What must be mended.
    fn wrong(&self) -> Vec<(String, String, String)> {
        let output = self.ground.try_baton("one", &["doctor", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
        let found = found.as_array().unwrap().iter();
        let wrong: Vec<_> = found
            .filter(|finding| finding["state"] == "wrong")
            .map(|f| (text(f, "area"), text(f, "what"), text(f, "fix")))
            .collect();
        assert_eq!(output.status.success(), wrong.is_empty());
        wrong
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_broker_is_used_with_tls_password_and_rights_and_doctor_names_what_is_missing() {
    let Some(ground) = Ground::find("secure").await else {
        return;
    };
    let Some(broker) = Guarded::start() else {
        return skip("tests/ground/kafka secure started none; it says why above");
    };
    let admin = ground.configure("one", &[("rules.toml".to_owned(), RULES.to_owned())]);
    ground.baton("one", &["migrate"]);
    let password = ground.folder.path().join("password");
    let there = Installation { ground, password };

    // A certificate that nobody vouches for; then a wrong password; then no rights. One thing at a time.
    there.set_password("wrong-secret");
    there.configure(&broker, "/etc/ssl/certs/ca-certificates.crt");
    let about = |there: &Installation, area: &str, words: &str| {
        let wrong = there.wrong();
        assert!(!wrong.is_empty(), "{words}");
        for (found, what, fix) in &wrong {
            assert!(found == area || found == "permissions", "{wrong:?}");
            assert!(!fix.is_empty() && !format!("{what}{fix}").contains("-secret"));
        }
        assert!(
            wrong.iter().any(|(_, what, _)| what.contains(words)),
            "{words}: {wrong:?}"
        );
    };
    about(&there, "log", "certificate");
    there.configure(&broker, &broker.ca);
    about(&there, "log", "SASL authentication error");
    there.set_password("baton-secret");
    about(&there, "topics", "authorization failed");

    // What the page tells to grant, and it works from a file to a command.
    let named = ["--topic", "secure.", "--group", "secure"];
    let rights = ["--operation", "All", "--resource-pattern-type", "prefixed"];
    broker.allow(&[&rights[..], &named[..]].concat());
    // The systems' topics have the names that Baton gives them.
    broker.allow(&[&rights[..], &["--topic", "baton."]].concat());
    let worker = there.ground.start("one", admin);
    let change = there.ground.folder.path().join("change.jsonl");
    let body = r#"{"object":"contact","id":"c1","fields":{"email":"ann@example.com"}}"#;
    fs::write(&change, body).unwrap();
    let ingest = ["ingest", "--wait", "--system", "crm"];
    let file = [change.to_str().unwrap()];
    let tally = there
        .ground
        .json("one", &[&ingest[..], &file[..]].concat())
        .remove(0);
    assert_eq!(tally["applied"], 1, "{tally}");
    until("the command is on its topic", || {
        let tail = ["tail", "commands", "--from-start", "--until-idle"];
        !there.ground.json("one", &tail).is_empty()
    });
    assert_eq!(there.wrong(), []);
    assert!(worker.end().success());
}

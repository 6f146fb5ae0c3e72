//! The configuration that is measured, as files: twenty fields by `latest`, five of them a protected address, and two
//! systems. One sends changes, the other is told of them.

use std::{fmt::Write as _, net::SocketAddr};

use crate::bench::people::FIELDS;

/// The system whose changes are measured.
pub const SOURCE: &str = "crm";

/// The system that gets the commands.
pub const TARGET: &str = "map";

const ADDRESS: [&str; 5] = ["street", "city", "state", "postal_code", "country"];

/// All files by their names.
pub fn files(
    run: &str,
    bootstrap: &str,
    admin: SocketAddr,
    store: &str,
) -> [(&'static str, String); 2] {
    [
        ("baton.toml", operation(run, bootstrap, admin, store)),
        ("rules.toml", rules()),
    ]
}

fn operation(run: &str, bootstrap: &str, admin: SocketAddr, store: &str) -> String {
    let mut text = format!(
        "[admin]\nbind = \"{admin}\"\n[kafka]\ngroup = \"{run}\"\nbootstrap = \"{bootstrap}\"\n{store}\
         [topics]\ngolden = \"{run}.golden\"\ndecisions = \"{run}.decisions\"\nlifecycle = \"{run}.lifecycle\"\ndead_letters = \"{run}.dead-letters\"\n"
    );
    for system in [SOURCE, TARGET] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[systems.{system}.topics]");
        for lane in ["changes", "commands", "results"] {
            let _ = writeln!(text, "{lane} = \"{run}.{system}.{lane}\"");
        }
    }
    text
}

fn rules() -> String {
    let mut text = format!(
        r#"# A backlog is worked off in seconds, so several of the target's stamps for one record may lie within one: only a
# reading could tell which of them stands, and on no real day is there a need for so many.
[systems.{SOURCE}]
format = "baton"
reads = false
[systems.{SOURCE}.objects.contact]
create = "never"

[systems.{TARGET}]
format = "baton"
reads = false
[systems.{TARGET}.objects.contact]
create = "always"

[identity]
email = "email"

[ranks]
sources = ["{SOURCE}", "{TARGET}"]

# A group rests by this rule, not because of work; what is measured is the work.
[timing]
tuple_settle = "0s"

[person.groups.address]
fields = {ADDRESS:?}
rule = "latest"
protect_manual_for = "180d"
requires = ["country"]
"#
    );
    for field in FIELDS {
        let kind = if field == "email" { "email" } else { "text" };
        let _ = writeln!(text, "[person.fields.{field}]\ntype = \"{kind}\"");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::PathBuf};

    use super::*;
    use crate::cli::sound;

    #[test]
    fn what_is_measured_is_a_sound_configuration() {
        let admin = SocketAddr::from(([127, 0, 0, 1], 9464));
        let files = files("run", "127.0.0.1:9092", admin, "");
        let files: BTreeMap<PathBuf, &str> = files
            .iter()
            .map(|(name, text)| (PathBuf::from(name), text.as_str()))
            .collect();
        let loaded = baton_config::load_from(&files, &Default::default());
        let (rules, ..) = sound(loaded).unwrap_or_else(|unsound| panic!("{unsound}"));
        assert_eq!(rules.person.fields.len(), FIELDS.len());
        assert!(rules.systems[&TARGET.into()].acks);
    }
}

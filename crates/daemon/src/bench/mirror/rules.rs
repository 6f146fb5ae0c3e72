//! The configuration that is measured, as files: twenty fields by `latest`, five of them a protected address, and two
//! systems. One sends changes, the other is told of them.

use std::fmt::Write as _;

use crate::bench::{
    people::FIELDS,
    site::{RuleFiles, SOURCE, TARGET},
};

const ADDRESS: [&str; 5] = ["street", "city", "state", "postal_code", "country"];

/// The files.
pub fn files() -> RuleFiles {
    vec![("rules.toml", rules())]
}

/// Everything but how it is run.
pub fn rules() -> String {
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
    use super::*;
    use crate::bench::site::sound;

    #[test]
    fn what_is_measured_is_a_sound_configuration() {
        let rules = sound(files());
        assert_eq!(rules.person.fields.len(), FIELDS.len());
        assert!(rules.systems[&TARGET.into()].acks);
    }
}

//! The funnel that is measured: the mirror's rules, every stage, and one clock that everybody who is ready sets going.

use crate::bench::{
    mirror,
    mirror::ACT,
    people::FIELDS,
    site::{RuleFiles, SOURCE, TARGET},
};

/// What follows when the clock has run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// It is told.
    Alert,
    /// The person goes back to nurture, and both systems are told.
    Recycle,
}

impl Breach {
    /// What comes of a timer.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Alert => "a breach is told",
            Self::Recycle => "back to nurture",
        }
    }
}

/// The field in which the CRM is told the stage.
const TOLD: &str = "funnel_stage";

/// In which it is told why somebody is ready.
const HANDOFF: &str = "funnel_handoff";

/// In which marketing is told the nurture track.
const TRACK: &str = "funnel_track";

/// Whoever comes in with so many points is ready at once.
pub const THRESHOLD: u32 = 100;

/// The same people and systems without a funnel.
pub fn plain_files() -> RuleFiles {
    vec![("rules.toml", fields())]
}

/// The mirror's rules for people who have points.
fn fields() -> String {
    mirror::rules::rules().replace(
        "[person.fields.score]\ntype = \"text\"",
        "[person.fields.score]\ntype = \"integer\"",
    )
}

/// The files: people are ready with [`THRESHOLD`] points, and the clock runs for `hours`.
pub fn files(hours: u32, breach: Breach) -> RuleFiles {
    let own: String = [TOLD, HANDOFF, TRACK]
        .into_iter()
        .map(|field| {
            // What the funnel tells goes to the target alone.
            format!(
                "[person.fields.{field}]\n[systems.{SOURCE}.objects.contact.fields.{field}]\nfield = \"{field}\"\n\
                 direction = \"in\"\n"
            )
        })
        .collect();
    vec![
        ("rules.toml", fields() + &own),
        ("lifecycle.toml", lifecycle(hours, breach)),
    ]
}

/// Records are known of both systems, nobody makes any, and answers are not waited for: what a timer makes is measured,
/// not what comes back.
pub fn quiet_files(hours: u32, breach: Breach) -> RuleFiles {
    let quiet = |(name, text): (&'static str, String)| {
        let text = text
            .replace("create = \"always\"", "create = \"never\"")
            .replace("reads = false", "reads = false\nacks = \"none\"");
        (name, text)
    };
    files(hours, breach).into_iter().map(quiet).collect()
}

fn lifecycle(hours: u32, breach: Breach) -> String {
    debug_assert!(FIELDS.contains(&"score") && FIELDS.contains(&"status"));
    let breach = match breach {
        Breach::Alert => "\"alert\"",
        Breach::Recycle => "{ recycle = \"no_response\" }",
    };
    format!(
        r#"[lifecycle]
protect_deals_closing_within = "14d"
[lifecycle.stages]
new = {{ rank = 0, part = "entry", phase = "nurtured", owner = "marketing" }}
nurture = {{ rank = 10, part = "nurture", phase = "nurtured", owner = "marketing" }}
recycled = {{ rank = 20, part = "recycled", phase = "nurtured", owner = "marketing" }}
mql = {{ rank = 30, part = "ready", phase = "worked", owner = "sales", back_to = ["recycled"] }}
review = {{ rank = 40, part = "review", phase = "worked", owner = "sales", back_to = ["recycled"], claimed_by = ["{SOURCE}"] }}
sal = {{ rank = 50, part = "accepted", phase = "worked", owner = "sales", back_to = ["recycled"], claimed_by = ["{SOURCE}"] }}
opportunity = {{ rank = 70, part = "opportunity", phase = "worked", owner = "sales", claimed_by = ["{SOURCE}"] }}
won = {{ rank = 80, part = "won", phase = "ended", owner = "sales", claimed_by = ["{SOURCE}"] }}
lost = {{ rank = 80, part = "lost", phase = "ended", owner = "sales", claimed_by = ["{SOURCE}"] }}
customer = {{ rank = 90, part = "customer", phase = "ended", owner = "sales", claimed_by = ["{SOURCE}"] }}
disqualified = {{ rank = 100, part = "disqualified", phase = "ended", owner = "marketing" }}

[lifecycle.activities]
{ACT} = "website"
demo_request = "requests"
call = "conversations"

[lifecycle.ready]
definition = "1"
threshold = {THRESHOLD}
fit = "email is present and company is present"
acceleration = ["demo_request"]
engagement = {{ acts = ["{ACT}", "demo_request"], by = ["buyer"] }}
told = 5

[lifecycle.recycling]
most = 3
window = "365d"
beyond = {{ disqualify = "exhausted" }}
baseline = "reset"
grace = "48h"
not_ready = "no_response"
not_willing = "no_response"
returned = "no_response"
[lifecycle.recycling.reasons]
no_response = {{ track = "wake_up", cool_down = "30d" }}
[lifecycle.disqualification]
reasons = ["exhausted"]
[lifecycle.tracks]
wake_up = "Nurture: wake up"

[lifecycle.clocks.follow_up]
start = [{{ enters = "mql" }}]
stop = [{{ acts = ["call"], by = ["sales"] }}, {{ leaves = "mql" }}]
target = "{hours}h"
calendar = "always"
breach = {breach}

# Never closed, so that what is due is due at an instant that the measurement chooses.
[lifecycle.calendars.always]
zone = "UTC"
[lifecycle.calendars.always.hours]
monday = ["00:00-24:00"]
tuesday = ["00:00-24:00"]
wednesday = ["00:00-24:00"]
thursday = ["00:00-24:00"]
friday = ["00:00-24:00"]
saturday = ["00:00-24:00"]
sunday = ["00:00-24:00"]

[lifecycle.fields]
score = "score"

[lifecycle.systems.{SOURCE}]
stage = "status"
stages = {{ working = "review", accepted = "sal", deal = "opportunity", won = "won", lost = "lost", live = "customer" }}

[lifecycle.systems.{TARGET}]
stage = "{TOLD}"
tells = {{ mql = "ready", recycled = "nurturing", disqualified = "out" }}
handoff = "{HANDOFF}"
track = "{TRACK}"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::site::sound;

    #[test]
    fn what_is_measured_is_a_sound_funnel() {
        for breach in [Breach::Alert, Breach::Recycle] {
            for files in [files(8, breach), quiet_files(8, breach)] {
                let rules = sound(files);
                assert!(rules.funnel.is_some());
            }
        }
    }
}

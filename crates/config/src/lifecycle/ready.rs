//! The line between marketing and sales.

use baton_core::lifecycle::rules::Ready;
use compact_str::CompactString;

use super::{Reader, words::List};
use crate::{codes::Code, condition, problem::Problems, strategy::decimal};

impl Reader<'_> {
    /// The definition, and what the teams call it.
    pub(super) fn ready(&self, problems: &mut Problems) -> Option<(Ready, CompactString)> {
        let table = self.table.table("ready")?;
        let acceleration = self.words(table, "acceleration", List::Activity, problems);
        let in_cool_down = self.words(table, "in_cool_down", List::Activity, problems);
        for (kind, span) in table.texts("in_cool_down") {
            let known = in_cool_down.iter().any(|name| name.as_str() == kind);
            if known && !acceleration.iter().any(|name| name.as_str() == kind) {
                problems.report(
                    Code::CoolDownOfOther,
                    span,
                    format!("`{kind}` is none of the accelerating activities"),
                );
            }
        }
        let engagement = table
            .table("engagement")
            .map(|acts| self.acts(acts, problems));
        let ready = Ready {
            threshold: decimal(table, "threshold")?,
            fit: condition::under("fit", table, self.world, problems),
            consent: condition::under("consent", table, self.world, problems),
            acceleration: acceleration.into_iter().collect(),
            in_cool_down: in_cool_down.into_iter().collect(),
            engagement: engagement?,
            told: table.int("told")?,
            definition: table.text("definition")?.0.into(),
        };
        let definition = ready.definition.clone();
        Some((ready, definition))
    }
}

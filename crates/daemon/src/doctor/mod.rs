//! Whether everything that a daemon needs is there and set as it should be. Looks only: creates nothing, changes
//! nothing.

mod log;
mod machine;
mod store;

use baton_config::{Loaded, Severity};
use serde::Serialize;

use crate::cli::{Place, Workspace, load_config};

/// How something was found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// Could not be looked at, because something else is wrong or does not apply here.
    Skipped,
    /// Works, and is not as it should be.
    Warning,
    /// Must be mended.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub area: &'static str,
    pub state: State,
    /// What was found, with the name of the topic, file or setting it is about.
    pub what: String,
    /// What to do about it; none where nothing is to be done.
    pub fix: Option<String>,
}

/// What was found so far.
#[derive(Default, Debug)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        area: &'static str,
        state: State,
        what: impl Into<String>,
        fix: Option<String>,
    ) {
        self.0.push(Finding {
            area,
            state,
            what: what.into(),
            fix,
        });
    }

    fn ok(&mut self, area: &'static str, what: impl Into<String>) {
        self.add(area, State::Ok, what, None);
    }

    fn skipped(&mut self, area: &'static str, what: impl Into<String>) {
        self.add(area, State::Skipped, what, None);
    }

    fn warning(&mut self, area: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(area, State::Warning, what, Some(fix.into()));
    }

    fn wrong(&mut self, area: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(area, State::Wrong, what, Some(fix.into()));
    }

    /// How many are in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.0.iter().filter(|f| f.state == state).count()
    }
}

/// Looks at everything that the configuration names.
///
/// # Errors
/// When the configuration's folder cannot be read at all.
pub async fn examine(place: &Place) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let loaded = load_config(place.config.as_deref())?;
    configuration(&loaded, &mut findings);
    machine::secrets(&loaded.secret_files, &mut findings);
    if loaded.settings.is_none() || loaded.rules.is_none() {
        for area in ["data", "log", "topics", "store", "clock"] {
            findings.skipped(area, "the configuration comes first");
        }
        return Ok(findings);
    }
    let workspace = Workspace::open(place)?;
    machine::data(&workspace, &mut findings);
    machine::admin(&workspace, &mut findings).await;
    let positions = store::examine(&workspace, &mut findings).await;
    log::examine(&workspace, positions, &mut findings).await;
    Ok(findings)
}

fn configuration(loaded: &Loaded, findings: &mut Findings) {
    for problem in &loaded.problems {
        let state = match problem.severity {
            Severity::Error => State::Wrong,
            Severity::Warning => State::Warning,
        };
        let what = format!(
            "{}:{}:{}: {} [{}]",
            problem.file, problem.line, problem.column, problem.message, problem.code
        );
        findings.add("configuration", state, what, Some(problem.fix.clone()));
    }
    if let (Some(rules), true) = (&loaded.rules, loaded.problems.is_empty()) {
        let what = format!("{} files, rules {}", loaded.sources.len(), rules.version);
        findings.ok("configuration", what);
    }
}

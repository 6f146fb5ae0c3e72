//! `baton doctor`: what is wrong with this installation, and what to do about it.

use std::process::ExitCode;

use super::{Place, output, status};
use crate::doctor::{Findings, State, examine};

/// Status 0: nothing must be mended (warnings allowed); 1: something must.
pub async fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let findings = examine(place).await?;
    if place.json {
        output::line(serde_json::to_string_pretty(&findings.0)?)?;
    } else {
        print(&findings)?;
    }
    Ok(ExitCode::from(match findings.count(State::Wrong) {
        0 => status::DONE,
        _ => status::NO,
    }))
}

fn print(findings: &Findings) -> anyhow::Result<()> {
    for finding in &findings.0 {
        let word = match finding.state {
            State::Ok => "ok",
            State::Skipped => "skipped",
            State::Warning => "warning",
            State::Wrong => "WRONG",
        };
        let what = output::safe(&finding.what);
        output::line(format_args!("{word:<8} {:<14} {what}", finding.area))?;
        if let Some(fix) = &finding.fix {
            output::line(format_args!("{:<23} -> {}", "", output::safe(fix)))?;
        }
    }
    let (wrong, warnings) = (findings.count(State::Wrong), findings.count(State::Warning));
    output::line(match (wrong, warnings) {
        (0, 0) => "\nNothing is wrong.".to_owned(),
        (0, some) => format!("\nNothing must be mended; {some} to look at."),
        (some, _) => format!("\n{some} to mend, {warnings} to look at."),
    })
}

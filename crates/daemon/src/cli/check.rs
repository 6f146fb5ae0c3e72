//! `baton check`: all problems of the configuration in one run.

use std::{io::IsTerminal, process::ExitCode};

use baton_config::Style;

use super::{Place, output, status, workspace};

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Show the help page of a problem's code instead
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

/// Status 0: sound (warnings allowed); 1: problems; 2: cannot be read.
pub fn run(place: &Place, args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(code) = &args.code {
        let Some(page) = baton_config::explain_code(code) else {
            anyhow::bail!(
                "there is no problem code `{code}`; the codes are {}",
                baton_config::codes().join(", ")
            );
        };
        output::line(page.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = workspace::load_config(place.config.as_deref())?;
    if place.json {
        output::line(serde_json::to_string_pretty(&loaded.problems)?)?;
    } else {
        let style = if std::io::stdout().is_terminal() {
            Style::Coloured
        } else {
            Style::default()
        };
        let shown = baton_config::render(&loaded.problems, &loaded.sources, style);
        output::line(shown.trim_end())?;
    }
    Ok(ExitCode::from(if loaded.has_errors() {
        status::NO
    } else {
        status::DONE
    }))
}
